//! From Secrets to what is sent: reads them once, when needed, and keeps nothing.
//!
//! The checks are pure. They refuse whatever the service would change silently (recorded in v1-share-size and
//! v1-share-empty-secret): a NUL byte, invalid UTF-8, an empty value, more than the provider takes.

use crate::api::condition::Reason;
use crate::api::share::{RefreshPolicy, SecretKeyRef, SecretSource};
use crate::kubernetes::{ApiError, bounded};
use crate::share::problem::Problem;
use crate::share::request::Request;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, ResourceExt};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The label that a Secret needs where sharing it goes on without anybody asking for it each time.
pub const SHAREABLE: &str = "onetimeshare.dev/shareable";

/// Reads the value to share.
///
/// # Errors
/// A problem that names the Secret and the key.
pub async fn value(
    client: &Client,
    namespace: &str,
    source: &SecretSource,
    max_bytes: u64,
    refresh: RefreshPolicy,
) -> Result<SecretString, Problem> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let secret = Fetched::get(&secrets, &source.name, Reason::SecretNotFound).await?;
    // OnChange goes on sharing after the author lost access, so the Secret's owner must have agreed.
    if refresh == RefreshPolicy::OnChange && !is_shareable(&secret.0) {
        return Err(Problem::edit(
            Reason::SecretNotShareable,
            format!(
                "Secret {:?} lacks the label {SHAREABLE}: \"true\", which spec.refreshPolicy OnChange needs: label it, or set the policy to Once",
                source.name
            ),
        ));
    }
    value_of(&secret.0, source, max_bytes)
}

fn is_shareable(secret: &Secret) -> bool {
    secret
        .labels()
        .get(SHAREABLE)
        .is_some_and(|value| value == "true")
}

/// Reads the passphrase of a request, if it has one.
///
/// # Errors
/// A problem that names the Secret and the key.
pub async fn passphrase(
    client: &Client,
    namespace: &str,
    request: &Request,
) -> Result<Option<SecretString>, Problem> {
    let Some(reference) = &request.passphrase else {
        return Ok(None);
    };
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let secret = Fetched::get(&secrets, &reference.name, Reason::PassphraseNotFound).await?;
    passphrase_of(&secret.0, reference).map(Some)
}

/// A Secret that is wiped when dropped.
pub(crate) struct Fetched(pub(crate) Secret);

impl Fetched {
    pub(crate) async fn get(api: &Api<Secret>, name: &str, missing: Reason) -> Result<Self, Problem> {
        match bounded(api.get_opt(name)).await {
            Ok(Some(secret)) => Ok(Self(secret)),
            Ok(None) => Err(Problem::missing(
                missing,
                format!("Secret {name:?} does not exist in this namespace: create it"),
            )),
            Err(error) => Err(unreadable(name, &error)),
        }
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        for value in self.0.data.iter_mut().flat_map(BTreeMap::values_mut) {
            drop(Zeroizing::new(std::mem::take(&mut value.0)));
        }
    }
}

fn unreadable(name: &str, error: &ApiError) -> Problem {
    if error.is_forbidden() {
        Problem::administrator(
            Reason::SecretForbidden,
            format!(
                "the operator may not read Secret {name:?}: its administrator must grant get on secrets in this namespace"
            ),
        )
    } else {
        Problem::passing(
            Reason::ApiUnavailable,
            format!("Secret {name:?} could not be read: {error}"),
        )
    }
}

/// Types that hold the cluster's own credentials, or the operator's.
const REFUSED_TYPES: [&str; 3] = [
    "kubernetes.io/service-account-token",
    "bootstrap.kubernetes.io/token",
    "onetimeshare.dev/ledger",
];

fn refuse_type(secret: &Secret, name: &str) -> Result<(), Problem> {
    match secret.type_.as_deref() {
        Some(type_) if REFUSED_TYPES.contains(&type_) => Err(Problem::edit(
            Reason::SecretTypeRefused,
            format!(
                "Secret {name:?} has the type {type_}, which is never shared: copy what you want to share into a Secret of type Opaque"
            ),
        )),
        _ => Ok(()),
    }
}

/// The value to share: PURE.
fn value_of(secret: &Secret, source: &SecretSource, max_bytes: u64) -> Result<SecretString, Problem> {
    let name = &source.name;
    refuse_type(secret, name)?;
    let empty = BTreeMap::new();
    let data = secret.data.as_ref().unwrap_or(&empty);
    let (key, bytes) = match &source.key {
        Some(key) => match data.get(key) {
            Some(bytes) => (key, bytes),
            None => {
                return Err(key_missing(
                    Reason::SecretKeyNotFound,
                    name,
                    key,
                    "spec.secretRef.key",
                ));
            }
        },
        None => only_key(data, name)?,
    };
    let text = text(bytes, name, key)?;
    if bytes.0.len() as u64 > max_bytes {
        return Err(Problem::edit(
            Reason::SecretTooLarge,
            format!(
                "key {key:?} of Secret {name:?} holds {} bytes and the provider takes at most {max_bytes}: share something smaller",
                bytes.0.len()
            ),
        ));
    }
    Ok(text)
}

fn only_key<'a>(
    data: &'a BTreeMap<String, ByteString>,
    name: &str,
) -> Result<(&'a String, &'a ByteString), Problem> {
    let mut keys = data.iter();
    match (keys.next(), keys.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Problem::missing(
            Reason::SecretKeyNotFound,
            format!("Secret {name:?} has no data: give it a key"),
        )),
        (Some(_), Some(_)) => Err(Problem::edit(
            Reason::SecretKeyAmbiguous,
            format!(
                "Secret {name:?} has {} keys: name one of them in spec.secretRef.key",
                data.len()
            ),
        )),
    }
}

fn key_missing(reason: Reason, name: &str, key: &str, field: &str) -> Problem {
    Problem::missing(
        reason,
        format!("Secret {name:?} has no key {key:?}: add it, or correct {field}"),
    )
}

fn text(bytes: &ByteString, name: &str, key: &str) -> Result<SecretString, Problem> {
    let problem = |reason, what: &str| {
        Err(Problem::edit(
            reason,
            format!("key {key:?} of Secret {name:?} {what}"),
        ))
    };
    if bytes.0.is_empty() {
        return problem(Reason::SecretEmpty, "is empty: give it a value");
    }
    if bytes.0.contains(&0) {
        return problem(
            Reason::SecretHasNul,
            "holds a NUL byte, which the service cannot carry: encode the value, for instance as base64",
        );
    }
    match std::str::from_utf8(&bytes.0) {
        Ok(text) => Ok(SecretString::from(text)),
        Err(_) => problem(
            Reason::SecretNotUtf8,
            "is not valid UTF-8, which the service cannot carry: encode the value, for instance as base64",
        ),
    }
}

/// The passphrase: PURE.
fn passphrase_of(secret: &Secret, reference: &SecretKeyRef) -> Result<SecretString, Problem> {
    let SecretKeyRef { name, key } = reference;
    refuse_type(secret, name)?;
    let bytes = secret
        .data
        .as_ref()
        .and_then(|data| data.get(key))
        .ok_or_else(|| {
            key_missing(
                Reason::PassphraseNotFound,
                name,
                key,
                "spec.passphraseSecretRef.key",
            )
        })?;
    let phrase = text(bytes, name, key).map_err(|problem| Problem {
        reason: Reason::PassphraseInvalid,
        ..problem
    })?;
    // The service takes it (v1-share-passphrase-limits: "control characters"), but no reader can type it.
    if phrase.expose_secret().chars().any(char::is_control) {
        return Err(Problem::edit(
            Reason::PassphraseInvalid,
            format!(
                "key {key:?} of Secret {name:?} holds a line break or another control character, which cannot be typed into the service's page: remove it, also from the end"
            ),
        ));
    }
    Ok(phrase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(data: &[(&str, &[u8])]) -> Secret {
        let data = data
            .iter()
            .map(|(key, value)| ((*key).to_owned(), ByteString(value.to_vec())))
            .collect();
        Secret {
            data: Some(data),
            ..Secret::default()
        }
    }

    fn source(key: Option<&str>) -> SecretSource {
        SecretSource {
            name: "s".into(),
            key: key.map(str::to_owned),
        }
    }

    fn reason(secret: &Secret, key: Option<&str>, max: u64) -> Reason {
        value_of(secret, &source(key), max).expect_err("a problem").reason
    }

    #[test]
    fn takes_the_named_key_or_the_only_one() {
        let one = secret(&[("a", b"x")]);
        let two = secret(&[("a", b"x"), ("b", b"y")]);
        assert_eq!(
            value_of(&one, &source(None), 10).expect("value").expose_secret(),
            "x"
        );
        assert_eq!(
            value_of(&two, &source(Some("b")), 10)
                .expect("value")
                .expose_secret(),
            "y"
        );
        assert_eq!(reason(&two, None, 10), Reason::SecretKeyAmbiguous);
        assert_eq!(reason(&two, Some("c"), 10), Reason::SecretKeyNotFound);
        assert_eq!(reason(&Secret::default(), None, 10), Reason::SecretKeyNotFound);
    }

    #[test]
    fn refuses_what_the_service_would_change() {
        assert_eq!(reason(&secret(&[("a", b"")]), None, 10), Reason::SecretEmpty);
        assert_eq!(reason(&secret(&[("a", b"a\0b")]), None, 10), Reason::SecretHasNul);
        assert_eq!(
            reason(&secret(&[("a", b"\xff")]), None, 10),
            Reason::SecretNotUtf8
        );
        assert_eq!(
            reason(&secret(&[("a", b"12345678901")]), None, 10),
            Reason::SecretTooLarge
        );
        assert!(
            value_of(&secret(&[("a", b"1234567890")]), &source(None), 10).is_ok(),
            "exactly the limit"
        );
        assert!(
            value_of(
                &secret(&[("a", "a\n\u{1f511} &=+%".as_bytes())]),
                &source(None),
                100
            )
            .is_ok()
        );
    }

    #[test]
    fn a_passphrase_can_be_typed() {
        let reference = SecretKeyRef {
            name: "p".into(),
            key: "a".into(),
        };
        let phrase = |bytes: &[u8]| passphrase_of(&secret(&[("a", bytes)]), &reference);
        // Blanks are part of it: both versions keep them (v1-share-passphrase-limits: "blanks at both ends").
        for good in ["  open sesame ", "p\u{e4}ss \u{1f511} &=+%20"] {
            assert_eq!(
                phrase(good.as_bytes()).expect("a passphrase").expose_secret(),
                good
            );
        }
        for bad in [&b"open sesame\n"[..], b"a\r\nb", b"a\tb", b"", b"\xff"] {
            let problem = phrase(bad).expect_err("a problem");
            assert_eq!(problem.reason, Reason::PassphraseInvalid, "{}", problem.message);
        }
    }

    #[test]
    fn never_shares_the_clusters_own_credentials() {
        for type_ in REFUSED_TYPES {
            let token = Secret {
                type_: Some(type_.into()),
                ..secret(&[("token", b"x")])
            };
            assert_eq!(reason(&token, Some("token"), 10), Reason::SecretTypeRefused);
        }
    }

    #[test]
    fn problems_never_show_the_value() {
        let canary = b"canary\0canary".as_slice();
        let problem = value_of(&secret(&[("a", canary)]), &source(None), 100).expect_err("a NUL byte");
        assert!(!problem.message.contains("canary"), "{}", problem.message);
    }
}
