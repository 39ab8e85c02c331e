//! What a share asks for, parsed once: PURE. Checks what CEL cannot see and gives the request its fingerprint.
//!
//! Two specs that mean the same (24h and 1440m) have the same fingerprint, and so the same link.

use super::template;
use crate::api::condition::Reason;
use crate::api::duration;
use crate::api::share::{
    ConfigMapKeyRef, DeletionPolicy, Generate, OneTimeShareSpec, ProviderRef, RecipientSource, RefreshPolicy,
    SecretKeyRef, SecretSource,
};
use crate::problem::Problem;
use crate::share::inputs::recipient::parse_recipient;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// The algorithm that new entries use. An entry is always compared with the algorithm of its own version, so that
/// an upgrade of the operator never sends anything again.
pub const FINGERPRINT_VERSION: u32 = 1;

/// A parsed spec.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What is shared.
    pub source: Source,
    /// The wanted lifetime in seconds.
    pub ttl_seconds: u64,
    /// Whom to mail the link to.
    pub recipient: Option<Recipient>,
    /// Where the passphrase is.
    pub passphrase: Option<SecretKeyRef>,
    /// The custom domain of the link.
    pub share_domain: Option<String>,
    /// Which provider creates the link.
    pub provider: ProviderRef,
    /// The user's own name for the request.
    pub request_id: Option<String>,
    /// Whether a changed value is a new request.
    pub refresh: RefreshPolicy,
    /// What happens to a living link when the share is deleted.
    pub deletion: DeletionPolicy,
}

/// What is shared.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// The value of a Secret.
    Secret(SecretSource),
    /// A value that the service generates.
    Generate(Generate),
}

/// Whom to mail the link to.
#[derive(Clone, Debug, PartialEq)]
pub enum Recipient {
    /// An address, with its domain in lower case.
    Address(String),
    /// The address in a key of a Secret.
    SecretKey(SecretKeyRef),
    /// The address in a key of a ConfigMap.
    ConfigMapKey(ConfigMapKeyRef),
}

impl Request {
    /// Parses a spec.
    ///
    /// # Errors
    /// A problem that names the field and the remedy.
    pub fn parse(spec: &OneTimeShareSpec) -> Result<Self, Problem> {
        let OneTimeShareSpec {
            secret_ref,
            generate,
            ttl,
            recipient,
            recipient_from,
            passphrase_secret_ref,
            share_domain,
            provider_ref,
            request_id,
            deprecated_request_id,
            refresh_policy,
            deletion_policy,
            suspend: _, // holds back sending, is no part of what is sent
        } = spec;
        Ok(Self {
            source: parse_source(secret_ref.as_ref(), generate.as_ref())?,
            ttl_seconds: parse_ttl(ttl)?,
            recipient: recipient_of(recipient.as_deref(), recipient_from.as_ref())?,
            passphrase: passphrase_secret_ref.clone(),
            share_domain: share_domain.clone(),
            provider: provider_ref.clone(),
            request_id: request_id_of(request_id.as_ref(), deprecated_request_id.as_ref())?,
            refresh: *refresh_policy,
            deletion: *deletion_policy,
        })
    }

    /// The fingerprint under the algorithm of `version`: hex of SHA-256 over what the recipient would notice.
    /// None for a version that this operator does not know (the entry was written by a newer one).
    #[must_use]
    pub fn fingerprint(&self, version: u32) -> Option<String> {
        #[derive(Serialize)]
        struct V1<'a> {
            secret: Option<(&'a str, Option<&'a str>)>,
            generate: Option<(i64, &'a str, &'a str)>,
            ttl: u64,
            recipient: Option<&'a str>,
            passphrase: Option<(&'a str, &'a str)>,
            share_domain: Option<&'a str>,
            provider: (&'a str, &'a str),
            request_id: Option<&'a str>,
            // A spec without them has the fingerprint that it had before they existed.
            #[serde(skip_serializing_if = "Option::is_none")]
            template: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            recipient_from: Option<(&'a str, &'a str, &'a str)>,
        }
        if version != FINGERPRINT_VERSION {
            return None;
        }
        let canonical = V1 {
            secret: match &self.source {
                Source::Secret(source) => Some((&source.name, source.key.as_deref())),
                Source::Generate(_) => None,
            },
            generate: match &self.source {
                Source::Secret(_) => None,
                Source::Generate(Generate {
                    length,
                    target_secret_ref: target,
                }) => Some((*length, &target.name, &target.key)),
            },
            ttl: self.ttl_seconds,
            recipient: match &self.recipient {
                Some(Recipient::Address(address)) => Some(address),
                Some(Recipient::SecretKey(_) | Recipient::ConfigMapKey(_)) | None => None,
            },
            passphrase: self
                .passphrase
                .as_ref()
                .map(|p| (p.name.as_str(), p.key.as_str())),
            share_domain: self.share_domain.as_deref(),
            provider: (self.provider.kind.as_str(), &self.provider.name),
            request_id: self.request_id.as_deref(),
            template: match &self.source {
                Source::Secret(source) => source.template.as_deref(),
                Source::Generate(_) => None,
            },
            recipient_from: match &self.recipient {
                Some(Recipient::SecretKey(key)) => Some(("Secret", &key.name, &key.key)),
                Some(Recipient::ConfigMapKey(key)) => Some(("ConfigMap", &key.name, &key.key)),
                Some(Recipient::Address(_)) | None => None,
            },
        };
        // A struct of strings and numbers always serializes.
        let json = serde_json::to_vec(&canonical).ok()?;
        let mut hash = Sha256::new();
        hash.update(b"onetimeshare/request/v1\0");
        hash.update(&json);
        Some(hex::encode(hash.finalize()))
    }
}

fn parse_source(secret: Option<&SecretSource>, generate: Option<&Generate>) -> Result<Source, Problem> {
    match (secret, generate) {
        (
            Some(SecretSource {
                key: Some(_),
                template: Some(_),
                ..
            }),
            None,
        ) => Err(Problem::edit(
            Reason::SourceInvalid,
            "set at most one of spec.secretRef.key and spec.secretRef.template",
        )),
        (Some(secret), None) => {
            secret.template.as_deref().map(template::check).transpose()?;
            Ok(Source::Secret(secret.clone()))
        }
        (None, Some(generate)) => Ok(Source::Generate(generate.clone())),
        _ => Err(Problem::edit(
            Reason::SourceInvalid,
            "set exactly one of spec.secretRef and spec.generate",
        )),
    }
}

fn recipient_of(address: Option<&str>, from: Option<&RecipientSource>) -> Result<Option<Recipient>, Problem> {
    match (address, from) {
        (None, None) => Ok(None),
        (Some(address), None) => Ok(Some(Recipient::Address(parse_recipient(address)?))),
        (
            None,
            Some(RecipientSource {
                secret_key_ref: Some(key),
                config_map_key_ref: None,
            }),
        ) => Ok(Some(Recipient::SecretKey(key.clone()))),
        (
            None,
            Some(RecipientSource {
                secret_key_ref: None,
                config_map_key_ref: Some(key),
            }),
        ) => Ok(Some(Recipient::ConfigMapKey(key.clone()))),
        _ => Err(Problem::edit(
            Reason::RecipientInvalid,
            "set at most one of spec.recipient, spec.recipientFrom.secretKeyRef and spec.recipientFrom.configMapKeyRef",
        )),
    }
}

/// The two names mean the same, so that renaming the field is no new request.
fn request_id_of(id: Option<&String>, deprecated: Option<&String>) -> Result<Option<String>, Problem> {
    match (id, deprecated) {
        (Some(_), Some(_)) => Err(Problem::edit(
            Reason::SourceInvalid,
            "set at most one of spec.requestID and spec.requestId: remove spec.requestId, the deprecated name",
        )),
        (id, deprecated) => Ok(id.or(deprecated).cloned()),
    }
}

fn parse_ttl(text: &str) -> Result<u64, Problem> {
    let ttl = duration::parse(text).map_err(|error| {
        Problem::edit(
            Reason::TtlInvalid,
            format!("spec.ttl {text:?} cannot be read: {error}"),
        )
    })?;
    if ttl.as_secs() < 60 {
        return Err(Problem::edit(
            Reason::TtlInvalid,
            format!("spec.ttl {text:?} is under one minute: ask for at least \"1m\""),
        ));
    }
    Ok(ttl.as_secs())
}

#[cfg(test)]
mod tests;
