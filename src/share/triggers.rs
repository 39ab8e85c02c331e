//! Which shares a change of something else concerns: PURE.

use crate::kubernetes::secret::SecretName;
use crate::provider::ProviderId;
use crate::share::cached::CachedShare;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use std::collections::HashSet;
use std::sync::Arc;

/// The shares that name one of these Secrets.
pub(super) fn of_secrets(
    shares: &[Arc<CachedShare>],
    changed: &HashSet<SecretName>,
) -> Vec<ObjectRef<CachedShare>> {
    of(shares, |share, namespace| {
        share.secrets().any(|name| {
            changed.contains(&SecretName {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            })
        })
    })
}

/// The shares that use a provider.
pub(super) fn of_provider(shares: &[Arc<CachedShare>], id: &ProviderId) -> Vec<ObjectRef<CachedShare>> {
    of(shares, |share, namespace| {
        &ProviderId::of(share.provider(), namespace) == id
    })
}

fn of(
    shares: &[Arc<CachedShare>],
    concerned: impl Fn(&CachedShare, &str) -> bool,
) -> Vec<ObjectRef<CachedShare>> {
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

    fn share(name: &str, spec: &Value) -> Arc<CachedShare> {
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
