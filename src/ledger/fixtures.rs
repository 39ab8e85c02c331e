//! Ledger entries and links for unit tests. Every secret in them begins with `canary`.

use super::Line;
use super::interned::Interned;
use super::{
    Attempt, BurnReason, Burning, Ending, Entry, FORMAT, Finished, Link, LinkFacts, Owner, Phase, Recipient,
    RequestKey, Retry, Route, SecretText, Undelivered,
};
use crate::api::share::{DeletionPolicy, SecretKeyRef};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const HERE: &str = "this-cluster";
pub(crate) const UID: &str = "uid-1";
pub(crate) const GENERATION: i64 = 5;
pub(crate) const EPOCH: u64 = 3;
pub(crate) const DEADLINE_SECONDS: u64 = 30;

pub(crate) fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(400_000)
}

/// The fingerprint of the spec that `share::fixtures::request("1")` parses.
pub(crate) const FINGERPRINT: &str = "a085dc7c6ffcd3f968979dfd3bc75fd20f10d74f448bd4a8e47534e07cb194c1";

pub(crate) fn entry(phase: Phase) -> Entry {
    Entry {
        format: FORMAT,
        write: "w".into(),
        owner: Owner {
            namespace: "ns".into(),
            name: "alice".into(),
        },
        cluster: HERE.into(),
        share_uid: UID.into(),
        generation: GENERATION,
        request: RequestKey {
            version: 1,
            fingerprint: FINGERPRINT.into(),
            epoch: EPOCH,
        },
        phase,
        retry: Retry::default(),
        deletion: DeletionPolicy::Burn,
        content: None,
        superseded: Vec::new(),
        past: Vec::new(),
        resolved: Vec::new(),
        fields: BTreeMap::new(),
        crd_uid: None,
    }
}

/// The entry's line, as the first version of a Secret held it.
pub(crate) fn line(entry: Entry) -> Arc<Line> {
    let secret = super::encode(&entry, "ledger", Some("1".into())).expect("a secret");
    Arc::new(Line::new(&secret, entry, &mut Interned::default()).expect("a line"))
}

pub(crate) fn route() -> Route {
    Route {
        provider: crate::api::share::ProviderRef::default(),
        endpoint: "https://eu.onetimesecret.com/".into(),
        ca_bundle: None,
        account: None,
        share_domain: None,
    }
}

pub(crate) fn attempt() -> Attempt {
    Attempt {
        nonce: "nonce".into(),
        started_at: now(),
        deadline_seconds: DEADLINE_SECONDS,
        slack_seconds: super::SLACK.as_secs(),
        route: route(),
        ttl_seconds: 3600,
        recipient: Some(Recipient {
            class: "al".into(),
            forms: vec!["al***@e***.com".into()],
        }),
        passphrase: Some(SecretText::new("canary-passphrase")),
        target: None,
        needs_decision: false,
        found_none: false,
        metadata_key: None,
        boot: None,
    }
}

pub(crate) fn on_hold() -> Attempt {
    Attempt {
        needs_decision: true,
        ..attempt()
    }
}

pub(crate) fn link() -> Link {
    Link {
        attempt: "nonce".into(),
        route: route(),
        metadata_key: Some(SecretText::new("canary-metadata-key")),
        secret_key: SecretText::new("canary-secret-key"),
        url: SecretText::new("https://eu.onetimesecret.com/secret/canary-secret-key"),
        passphrase: Some(SecretText::new("canary-passphrase")),
        undelivered: None,
        outcome_unknown: false,
        facts: LinkFacts {
            asked_ttl_seconds: 3600,
            ttl_seconds: 3600,
            created_at: now(),
            expires_at: now() + SignedDuration::from_hours(1),
            mail_asked: true,
            recipients: vec!["al***@e***.com".into()],
            mailed_elsewhere: false,
            passphrase_required: true,
            share_domain: None,
            custid: "anon".into(),
            clock_offset_seconds: None,
        },
    }
}

pub(crate) fn finished(how: Ending) -> Finished {
    link().finish(how, now(), None)
}

pub(crate) fn burned_for(why: BurnReason) -> Finished {
    link().finish(Ending::Burned, now(), Some(why))
}

pub(crate) fn burning() -> Phase {
    Phase::Burning(Burning {
        link: link(),
        why: BurnReason::Replaced,
    })
}

/// A generated value that is not in its Secret yet.
pub(crate) fn undelivered() -> Link {
    let target = SecretKeyRef {
        name: "target".into(),
        key: "password".into(),
    };
    Link {
        undelivered: Some(Undelivered {
            value: SecretText::new("canary-value"),
            target,
        }),
        ..link()
    }
}
