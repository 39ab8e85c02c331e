//! What a share asks for, parsed once: PURE. Checks what CEL cannot see and gives the request its fingerprint.
//!
//! Two specs that mean the same (24h and 1440m) have the same fingerprint, and so the same link.

use crate::api::condition::Reason;
use crate::api::duration;
use crate::api::share::{
    DeletionPolicy, Generate, OneTimeShareSpec, ProviderRef, RefreshPolicy, SecretKeyRef, SecretSource,
};
use crate::share::problem::Problem;
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
    /// The address to mail the link to, with its domain in lower case.
    pub recipient: Option<String>,
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

impl Request {
    /// Parses a spec.
    ///
    /// # Errors
    /// A problem that names the field and the cure.
    pub fn parse(spec: &OneTimeShareSpec) -> Result<Self, Problem> {
        let OneTimeShareSpec {
            secret_ref,
            generate,
            ttl,
            recipient,
            passphrase_secret_ref,
            share_domain,
            provider_ref,
            request_id,
            refresh_policy,
            deletion_policy,
            suspend: _, // holds back sending, is no part of what is sent
        } = spec;
        Ok(Self {
            source: parse_source(secret_ref.as_ref(), generate.as_ref())?,
            ttl_seconds: parse_ttl(ttl)?,
            recipient: recipient.as_deref().map(parse_recipient).transpose()?,
            passphrase: passphrase_secret_ref.clone(),
            share_domain: share_domain.clone(),
            provider: provider_ref.clone(),
            request_id: request_id.clone(),
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
            recipient: self.recipient.as_deref(),
            passphrase: self
                .passphrase
                .as_ref()
                .map(|p| (p.name.as_str(), p.key.as_str())),
            share_domain: self.share_domain.as_deref(),
            provider: (self.provider.kind.as_str(), &self.provider.name),
            request_id: self.request_id.as_deref(),
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
        (Some(secret), None) => Ok(Source::Secret(secret.clone())),
        (None, Some(generate)) => Ok(Source::Generate(generate.clone())),
        _ => Err(Problem::edit(
            Reason::SourceInvalid,
            "set exactly one of spec.secretRef and spec.generate",
        )),
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

/// Takes exactly one plain address and lower-cases its domain.
///
/// # Errors
/// A problem that says what is wrong, without the address itself: it may have come from a Secret.
pub fn parse_recipient(address: &str) -> Result<String, Problem> {
    let wrong = |what: &str| {
        Err(Problem::edit(
            Reason::RecipientInvalid,
            format!("the recipient {what}; give one plain address such as alice@example.com"),
        ))
    };
    if address.len() > 254 {
        return wrong("is longer than 254 bytes");
    }
    if address.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return wrong("holds a space or control character");
    }
    if address.contains([',', ';']) {
        return wrong("is a list");
    }
    if address.contains(['<', '>', '(', ')', '"']) {
        return wrong("has a display name or quotes");
    }
    match address.split_once('@') {
        // v0.23 picks what it takes for an address out of the text: it mails o'brien@example.com's link to
        // brien@example.com (seen in v1-share-recipient for lists and display names).
        Some((local, _))
            if local
                .chars()
                .any(|c| !(c.is_ascii_alphanumeric() || "._%+-".contains(c))) =>
        {
            wrong("has a character before the @ that some servers cut the address at")
        }
        Some((local, domain)) if !local.is_empty() && is_domain(domain) => {
            Ok(format!("{local}@{}", domain.to_lowercase()))
        }
        _ => wrong("is no e-mail address"),
    }
}

fn is_domain(domain: &str) -> bool {
    domain.len() <= 253
        && domain.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spec() -> OneTimeShareSpec {
        serde_json::from_value(serde_json::json!({"secretRef": {"name": "alice"}})).expect("a minimal spec")
    }

    fn print(spec: &OneTimeShareSpec) -> String {
        Request::parse(spec)
            .expect("valid")
            .fingerprint(FINGERPRINT_VERSION)
            .expect("known version")
    }

    #[test]
    fn equal_meanings_have_equal_fingerprints() {
        let hours = OneTimeShareSpec {
            ttl: "24h".into(),
            ..spec()
        };
        let minutes = OneTimeShareSpec {
            ttl: "1440m".into(),
            ..spec()
        };
        assert_eq!(print(&hours), print(&minutes));
        let upper = OneTimeShareSpec {
            recipient: Some("al@EXAMPLE.com".into()),
            ..spec()
        };
        let lower = OneTimeShareSpec {
            recipient: Some("al@example.com".into()),
            ..spec()
        };
        assert_eq!(print(&upper), print(&lower));
        assert_eq!(
            print(&spec()),
            print(&OneTimeShareSpec {
                suspend: true,
                ..spec()
            }),
            "suspend is no part of it"
        );
    }

    #[test]
    fn every_noticeable_field_changes_the_fingerprint() {
        let base = spec();
        let secret = |name: &str, key: Option<&str>| {
            Some(SecretSource {
                name: name.into(),
                key: key.map(str::to_owned),
            })
        };
        let generated = |length: i64| OneTimeShareSpec {
            secret_ref: None,
            generate: serde_json::from_value(
                serde_json::json!({"length": length, "targetSecretRef": {"name": "t", "key": "k"}}),
            )
            .expect("a generate"),
            ..base.clone()
        };
        let key_ref = |key: &str| {
            Some(SecretKeyRef {
                name: "p".into(),
                key: key.into(),
            })
        };
        let changed = [
            generated(24),
            generated(25),
            OneTimeShareSpec {
                secret_ref: secret("bob", None),
                ..base.clone()
            },
            OneTimeShareSpec {
                secret_ref: secret("alice", Some("k")),
                ..base.clone()
            },
            OneTimeShareSpec {
                ttl: "1h".into(),
                ..base.clone()
            },
            OneTimeShareSpec {
                recipient: Some("a@example.com".into()),
                ..base.clone()
            },
            OneTimeShareSpec {
                passphrase_secret_ref: key_ref("a"),
                ..base.clone()
            },
            OneTimeShareSpec {
                passphrase_secret_ref: key_ref("b"),
                ..base.clone()
            },
            OneTimeShareSpec {
                share_domain: Some("s.example.com".into()),
                ..base.clone()
            },
            OneTimeShareSpec {
                provider_ref: ProviderRef {
                    name: "other".into(),
                    ..ProviderRef::default()
                },
                ..base.clone()
            },
            OneTimeShareSpec {
                request_id: Some("2".into()),
                ..base.clone()
            },
            base,
        ];
        let prints: std::collections::BTreeSet<_> = changed.iter().map(print).collect();
        assert_eq!(prints.len(), changed.len());
    }

    #[test]
    fn the_fingerprint_never_changes_between_releases() {
        // A changed value here means that an upgrade would send every share again: add a version instead.
        assert_eq!(
            print(&spec()),
            "08f9a0fbd597afacbfb1cf02aa21ada01abfc74bc1594474c7b104ddc22b19d4"
        );
    }

    #[test]
    fn an_unknown_version_has_no_fingerprint() {
        assert_eq!(Request::parse(&spec()).expect("valid").fingerprint(99), None);
    }

    #[test]
    fn recipients_are_one_plain_address() {
        for good in [
            "a@b.co",
            "first.last+tag@sub.example.com",
            "o_neil%x@example.museum",
        ] {
            assert!(parse_recipient(good).is_ok(), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(250));
        for bad in [
            "",
            "a",
            "@b.co",
            "a@",
            "a@b@c.de",
            "a@b.co,c@d.de",
            "A <a@b.co>",
            "a@b.co\n",
            "a b@c.de",
            "a@b..co",
            "a@-b.co",
            "\"a\"@b.co",
            "o'neil@b.co",
            "ü@b.co",
            "a@exämple.com",
            long.as_str(),
        ] {
            let problem = parse_recipient(bad).expect_err(bad);
            assert_eq!(problem.reason, Reason::RecipientInvalid);
            assert!(
                bad.len() < 2 || !problem.message.contains(bad),
                "the address is not echoed"
            );
        }
    }

    proptest! {
        #[test]
        fn a_parsed_recipient_parses_to_itself(address in "[a-zA-Z0-9.+_-]{1,20}@[a-zA-Z0-9]{1,10}\\.[a-zA-Z]{2,6}") {
            let once = parse_recipient(&address).expect("plain address");
            let twice = parse_recipient(&once).expect("still plain");
            prop_assert_eq!(twice, once);
        }
    }
}
