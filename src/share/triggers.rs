//! Which shares a change of something else concerns: PURE.

use crate::api::share::{OneTimeShare, OneTimeShareSpec};
use crate::kubernetes::secret::SecretName;
use crate::provider::ProviderId;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use std::collections::HashSet;
use std::sync::Arc;

/// Every Secret that a spec names. They are all in the namespace of the share.
fn secrets_of(spec: &OneTimeShareSpec) -> impl Iterator<Item = &str> {
    [
        spec.secret_ref.as_ref().map(|source| &source.name),
        spec.passphrase_secret_ref.as_ref().map(|key| &key.name),
        spec.recipient_from
            .as_ref()
            .and_then(|from| from.secret_key_ref.as_ref())
            .map(|key| &key.name),
        spec.generate
            .as_ref()
            .map(|generate| &generate.target_secret_ref.name),
    ]
    .into_iter()
    .flatten()
    .map(String::as_str)
}

/// The shares that name one of these Secrets.
pub(super) fn of_secrets(
    shares: &[Arc<OneTimeShare>],
    changed: &HashSet<SecretName>,
) -> Vec<ObjectRef<OneTimeShare>> {
    of(shares, |share, namespace| {
        secrets_of(&share.spec).any(|name| {
            changed.contains(&SecretName {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            })
        })
    })
}

/// The shares that use a provider.
pub(super) fn of_provider(shares: &[Arc<OneTimeShare>], id: &ProviderId) -> Vec<ObjectRef<OneTimeShare>> {
    of(shares, |share, namespace| {
        &ProviderId::of(&share.spec.provider_ref, namespace) == id
    })
}

fn of(
    shares: &[Arc<OneTimeShare>],
    concerned: impl Fn(&OneTimeShare, &str) -> bool,
) -> Vec<ObjectRef<OneTimeShare>> {
    shares
        .iter()
        .filter(|share| concerned(share, &share.namespace().unwrap_or_default()))
        .map(|share| ObjectRef::from_obj(&**share))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn share(name: &str, spec: &Value) -> Arc<OneTimeShare> {
        let object = json!({
            "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
            "metadata": {"name": name, "namespace": "ns"}, "spec": spec,
        });
        Arc::new(serde_json::from_value(object).expect("a share"))
    }

    #[test]
    fn a_secret_concerns_the_shares_that_name_it() {
        let shares = [
            share("value", &json!({"secretRef": {"name": "a"}})),
            share(
                "passphrase",
                &json!({"secretRef": {"name": "b"}, "passphraseSecretRef": {"name": "a", "key": "k"}}),
            ),
            share(
                "target",
                &json!({"generate": {"targetSecretRef": {"name": "a", "key": "k"}}}),
            ),
            share(
                "recipient",
                &json!({"secretRef": {"name": "c"}, "recipientFrom": {"secretKeyRef": {"name": "a", "key": "k"}}}),
            ),
            share("none", &json!({"secretRef": {"name": "b"}})),
        ];
        let concerned = |namespace: &str, name: &str| -> Vec<String> {
            let changed = HashSet::from([SecretName {
                namespace: namespace.into(),
                name: name.into(),
            }]);
            of_secrets(&shares, &changed)
                .into_iter()
                .map(|share| share.name)
                .collect()
        };
        assert_eq!(
            concerned("ns", "a"),
            ["value", "passphrase", "target", "recipient"]
        );
        assert_eq!(concerned("ns", "b"), ["passphrase", "none"]);
        assert!(concerned("another", "a").is_empty());
    }
}
