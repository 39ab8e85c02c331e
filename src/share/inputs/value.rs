//! What of a Secret is sent: PURE. Refuses whatever the service would change silently (recorded in v1-share-size and
//! v1-share-empty-secret): a NUL byte, invalid UTF-8, an empty value, more than the provider takes.

use super::template;
use crate::api::condition::Reason;
use crate::api::share::{SecretKeyRef, SecretSource};
use crate::problem::Problem;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;

/// The value to share: of the named key, of the only one, or a text made from all.
pub(super) fn value_of(
    secret: &Secret,
    source: &SecretSource,
    max_bytes: u64,
) -> Result<SecretString, Problem> {
    let name = &source.name;
    let empty = BTreeMap::new();
    let data = secret.data.as_ref().unwrap_or(&empty);
    let (what, value) = match (&source.template, &source.key) {
        (Some(template), _) => {
            let what = format!("the text that spec.secretRef.template makes from Secret {name:?}");
            let value = template::render(template, name, data)?;
            (what.clone(), checked(value.expose_secret().as_bytes(), &what)?)
        }
        (None, Some(key)) => {
            let bytes = data
                .get(key)
                .ok_or_else(|| key_missing(Reason::SecretKeyNotFound, name, key, "spec.secretRef.key"))?;
            key_text(bytes, name, key)?
        }
        (None, None) => {
            let (key, bytes) = only_key(data, name)?;
            key_text(bytes, name, key)?
        }
    };
    let length = value.expose_secret().len();
    if length as u64 > max_bytes {
        return Err(Problem::edit(
            Reason::SecretTooLarge,
            format!(
                "{what} holds {length} bytes and the provider takes at most {max_bytes}: share something smaller"
            ),
        ));
    }
    Ok(value)
}

fn key_text(bytes: &ByteString, name: &str, key: &str) -> Result<(String, SecretString), Problem> {
    let what = format!("key {key:?} of Secret {name:?}");
    let text = checked(&bytes.0, &what)?;
    Ok((what, text))
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
                "Secret {name:?} has {} keys: name one of them in spec.secretRef.key, or make a text from them with spec.secretRef.template",
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

/// The bytes as a text that the service carries unchanged. `what` names them.
fn checked(bytes: &[u8], what: &str) -> Result<SecretString, Problem> {
    let problem = |reason, is: &str| Err(Problem::edit(reason, format!("{what} {is}")));
    if bytes.is_empty() {
        return problem(Reason::SecretEmpty, "is empty: give it a value");
    }
    if bytes.contains(&0) {
        return problem(
            Reason::SecretHasNul,
            "holds a NUL byte, which the service cannot carry: encode the value, for instance as base64",
        );
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(SecretString::from(text)),
        Err(_) => problem(
            Reason::SecretNotUtf8,
            "is not valid UTF-8, which the service cannot carry: encode the value, for instance as base64",
        ),
    }
}

/// The passphrase.
pub(super) fn passphrase_of(secret: &Secret, reference: &SecretKeyRef) -> Result<SecretString, Problem> {
    let SecretKeyRef { name, key } = reference;
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
    let (what, phrase) = key_text(bytes, name, key).map_err(|problem| Problem {
        reason: Reason::PassphraseInvalid,
        ..problem
    })?;
    // The service takes it (v1-share-passphrase-limits: "control characters"), but no reader can type it.
    if phrase.expose_secret().chars().any(char::is_control) {
        return Err(Problem::edit(
            Reason::PassphraseInvalid,
            format!(
                "{what} holds a line break or another control character, which cannot be typed into the service's page: remove it, also from the end"
            ),
        ));
    }
    Ok(phrase)
}
