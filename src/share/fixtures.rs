//! Requests, ledger entries and links for the unit tests of this module. Every secret in them begins with `canary`.

use super::ledger::Undelivered;
use super::ledger::{
    Attempt, BurnReason, Burning, Ending, Entry, FORMAT, Finished, Hidden, Owner, Phase, Recipient,
    RequestKey, Retry, Route, Share, ShareFacts,
};
use super::request::{FINGERPRINT_VERSION, Request};
use crate::api::share::{DeletionPolicy, SecretKeyRef};
use jiff::{SignedDuration, Timestamp};

pub(super) const HERE: &str = "this-cluster";
pub(super) const UID: &str = "uid-1";
pub(super) const GENERATION: i64 = 5;
pub(super) const EPOCH: u64 = 3;
pub(super) const DEADLINE_SECONDS: u64 = 30;

pub(super) fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(400_000)
}

pub(super) fn request(id: &str) -> Request {
    let spec = serde_json::json!({"secretRef": {"name": "alice"}, "requestId": id});
    Request::parse(&serde_json::from_value(spec).expect("a spec")).expect("a valid spec")
}

pub(super) fn key(id: &str, epoch: u64) -> RequestKey {
    RequestKey {
        version: FINGERPRINT_VERSION,
        fingerprint: request(id).fingerprint(FINGERPRINT_VERSION).expect("known"),
        epoch,
    }
}

pub(super) fn entry(phase: Phase) -> Entry {
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
        request: key("1", EPOCH),
        phase,
        retry: Retry::default(),
        deletion: DeletionPolicy::Burn,
        content: None,
        superseded: Vec::new(),
        past: Vec::new(),
    }
}

pub(super) fn route() -> Route {
    Route {
        provider: crate::api::share::ProviderRef::default(),
        endpoint: "https://eu.onetimesecret.com/".into(),
        ca_bundle: None,
        account: None,
        share_domain: None,
    }
}

pub(super) fn attempt() -> Attempt {
    Attempt {
        nonce: "nonce".into(),
        started_at: now(),
        deadline_seconds: DEADLINE_SECONDS,
        route: route(),
        ttl_seconds: 3600,
        recipient: Some(Recipient {
            class: "al".into(),
            forms: vec!["al***@e***.com".into()],
        }),
        passphrase: Some(Hidden::new("canary-passphrase")),
        target: None,
        held: false,
    }
}

pub(super) fn held() -> Attempt {
    Attempt {
        held: true,
        ..attempt()
    }
}

pub(super) fn share() -> Share {
    Share {
        attempt: "nonce".into(),
        route: route(),
        metadata_key: Some(Hidden::new("canary-metadata-key")),
        secret_key: Hidden::new("canary-secret-key"),
        link: Hidden::new("https://eu.onetimesecret.com/secret/canary-secret-key"),
        passphrase: Some(Hidden::new("canary-passphrase")),
        undelivered: None,
        facts: ShareFacts {
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
        },
    }
}

pub(super) fn finished(how: Ending) -> Finished {
    share().finish(how, now(), None)
}

pub(super) fn burned_for(why: BurnReason) -> Finished {
    share().finish(Ending::Burned, now(), Some(why))
}

pub(super) fn burning() -> Phase {
    Phase::Burning(Burning {
        share: share(),
        why: BurnReason::Replaced,
    })
}

/// A generated value that is not in its Secret yet.
pub(super) fn undelivered() -> Share {
    let target = SecretKeyRef {
        name: "target".into(),
        key: "password".into(),
    };
    Share {
        undelivered: Some(Undelivered {
            value: Hidden::new("canary-value"),
            target,
        }),
        ..share()
    }
}
