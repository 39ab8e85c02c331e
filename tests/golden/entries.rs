//! The golden entries: every phase, ending and burn reason, as the first version wrote them. Nothing in them is a real
//! credential. Kept as they are for ever; a later version adds entries of its own.

use jiff::{SignedDuration, Timestamp};
use onetimeshare::api::condition::Reason;
use onetimeshare::api::share::{DeletionPolicy, ProviderKind, ProviderRef, SecretKeyRef};
use onetimeshare::ledger::{
    Attempt, BurnReason, Burning, ContentMark, Ending, Entry, Finished, Link, LinkFacts, Owner, Phase,
    Recipient, RequestKey, Retry, Route, SecretText, Undelivered,
};
use onetimeshare::problem::Problem;
use onetimeshare::share::inputs::request::Request;
use serde_json::json;
use std::collections::BTreeMap;

pub const NAMESPACE: &str = "onetimeshare-ledger";
pub const CLUSTER: &str = "8a1f6a52-8f0e-4f4e-9d0e-0a7d1f0a5b11";
pub const UID: &str = "5f1c2f0e-7a55-4d0a-b6ad-3a7f0c1d2e3f";
pub const EPOCH: u64 = 3;
pub const GENERATION: i64 = 5;

/// The moment at which the golden entries are looked at.
pub fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).expect("a time")
}

fn later(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

/// The request that a share with this request id makes.
pub fn request(id: &str) -> Request {
    let spec = json!({
        "secretRef": {"name": "alice", "key": "password"}, "recipient": "alice@example.com", "requestId": id,
    });
    Request::parse(&serde_json::from_value(spec).expect("a spec")).expect("a valid spec")
}

fn entry(phase: Phase) -> Entry {
    Entry {
        format: 1,
        write: "0123456789abcdef0123456789abcdef".into(),
        owner: Owner {
            namespace: "onboarding".into(),
            name: "alice".into(),
        },
        cluster: CLUSTER.into(),
        share_uid: UID.into(),
        generation: GENERATION,
        request: RequestKey {
            version: 1,
            fingerprint: request("1").fingerprint(1).expect("known"),
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

fn route() -> Route {
    Route {
        provider: ProviderRef {
            kind: ProviderKind::ShareProvider,
            name: "eu".into(),
        },
        endpoint: "https://eu.onetimesecret.com/".into(),
        ca_bundle: None,
        account: Some("ops@example.com".into()),
        share_domain: None,
    }
}

fn attempt(nonce: &str) -> Attempt {
    Attempt {
        nonce: nonce.into(),
        started_at: later(-100),
        deadline_seconds: 30,
        // Not in the files: the first version had no other.
        slack_seconds: 5,
        route: route(),
        ttl_seconds: 86_400,
        recipient: Some(Recipient {
            class: "al@e.com".into(),
            forms: vec!["al***@e***.com".into(), "al*****@e*****.com".into()],
        }),
        passphrase: Some(SecretText::new("golden passphrase")),
        target: None,
        needs_decision: false,
        found_none: false,
        metadata_key: None,
        boot: None,
    }
}

fn facts() -> LinkFacts {
    LinkFacts {
        asked_ttl_seconds: 86_400,
        ttl_seconds: 3_600,
        created_at: later(-90),
        expires_at: later(3_510),
        mail_asked: true,
        recipients: vec!["al***@e***.com".into()],
        mailed_elsewhere: false,
        passphrase_required: true,
        share_domain: None,
        custid: "ops@example.com".into(),
        clock_offset_seconds: None,
    }
}

fn link() -> Link {
    Link {
        attempt: "aaaabbbbccccddddaaaabbbbccccdddd".into(),
        route: route(),
        metadata_key: Some(SecretText::new("goldenmetadatakey0")),
        secret_key: SecretText::new("goldensecretkey0"),
        url: SecretText::new("https://eu.onetimesecret.com/secret/goldensecretkey0"),
        passphrase: Some(SecretText::new("golden passphrase")),
        undelivered: None,
        outcome_unknown: false,
        facts: facts(),
    }
}

fn target() -> SecretKeyRef {
    SecretKeyRef {
        name: "alice-generated".into(),
        key: "password".into(),
    }
}

fn finished(how: Ending, burned_for: Option<BurnReason>) -> Phase {
    Phase::Finished(Finished {
        account: None,
        attempt: link().attempt,
        how,
        at: later(-10),
        burned_for,
        route: route().hash(),
        key_hash: Some("00112233445566778899aabbccddeeff00112233".into()),
        facts: facts(),
    })
}

fn burning(why: BurnReason) -> Entry {
    let mut entry = entry(Phase::Burning(Burning { link: link(), why }));
    entry.retry = Retry {
        unexpected: 0,
        inputs: None,
        pause_seconds: None,
        failures: 2,
        not_before: Some(later(40)),
        problem: Some(Problem::passing(
            Reason::Burning,
            "the old link could not be burned yet",
        )),
    };
    entry
}

/// Every golden entry with its name.
pub fn golden() -> Vec<(&'static str, Entry)> {
    let mut all = unsent();
    all.extend(living());
    all.extend(ended());
    all
}

fn unsent() -> Vec<(&'static str, Entry)> {
    let mut refused = entry(Phase::Idle);
    refused.retry = Retry {
        unexpected: 0,
        inputs: None,
        pause_seconds: None,
        failures: 4,
        not_before: Some(later(30)),
        problem: Some(Problem::passing(
            Reason::Unavailable,
            "the service cannot be reached",
        )),
    };
    let mut administrator = entry(Phase::Idle);
    administrator.retry = Retry {
        unexpected: 0,
        inputs: None,
        pause_seconds: None,
        failures: 1,
        not_before: None,
        problem: Some(Problem::administrator(
            Reason::Unauthorized,
            "the service refuses the credentials",
        )),
    };
    let mut superseding = entry(Phase::Intent(attempt("11112222333344441111222233334444")));
    superseding.superseded = vec![attempt("55556666777788885555666677778888")];
    superseding.past = vec!["ffeeddccbbaa99887766554433221100ffeeddcc".into()];
    vec![
        ("idle", entry(Phase::Idle)),
        ("idle-refused", refused),
        ("idle-administrator", administrator),
        (
            "intent",
            entry(Phase::Intent(attempt("11112222333344441111222233334444"))),
        ),
        (
            "intent-anonymous",
            entry(Phase::Intent(Attempt {
                route: Route {
                    account: None,
                    ca_bundle: Some(
                        "-----BEGIN CERTIFICATE-----\ngolden\n-----END CERTIFICATE-----\n".into(),
                    ),
                    share_domain: Some("secrets.example.com".into()),
                    ..route()
                },
                recipient: None,
                passphrase: None,
                ..attempt("11112222333344441111222233334444")
            })),
        ),
        (
            "intent-generate",
            entry(Phase::Intent(Attempt {
                target: Some(target()),
                ..attempt("11112222333344441111222233334444")
            })),
        ),
        (
            "intent-on-hold",
            entry(Phase::Intent(Attempt {
                needs_decision: true,
                ..attempt("11112222333344441111222233334444")
            })),
        ),
        ("intent-superseding", superseding),
    ]
}

fn living() -> Vec<(&'static str, Entry)> {
    let mut content = entry(Phase::Shared(link()));
    content.deletion = DeletionPolicy::Retain;
    content.content = Some(ContentMark::with_salt("golden salt".into(), "golden value"));
    let mut foreign = entry(Phase::Shared(link()));
    foreign.cluster = "another-cluster".into();
    vec![
        ("shared", entry(Phase::Shared(link()))),
        ("shared-retain-content", content),
        ("shared-other-cluster", foreign),
        (
            "shared-rebuilt",
            entry(Phase::Shared(Link {
                metadata_key: None,
                passphrase: None,
                ..link()
            })),
        ),
        (
            "shared-undelivered",
            entry(Phase::Shared(Link {
                undelivered: Some(Undelivered {
                    value: SecretText::new("golden value"),
                    target: target(),
                }),
                ..link()
            })),
        ),
        ("burning-replaced", burning(BurnReason::Replaced)),
        ("burning-deleted", burning(BurnReason::Deleted)),
        ("burning-value-lost", burning(BurnReason::ValueLost)),
        ("burning-mailed-elsewhere", burning(BurnReason::MailedElsewhere)),
        ("burning-asked", burning(BurnReason::Asked)),
    ]
}

fn ended() -> Vec<(&'static str, Entry)> {
    vec![
        ("received", entry(finished(Ending::Received, None))),
        ("expired", entry(finished(Ending::Expired, None))),
        ("burned", entry(finished(Ending::Burned, None))),
        (
            "burned-replaced",
            entry(finished(Ending::Burned, Some(BurnReason::Replaced))),
        ),
        (
            "burned-deleted",
            entry(finished(Ending::Burned, Some(BurnReason::Deleted))),
        ),
        (
            "burned-value-lost",
            entry(finished(Ending::Burned, Some(BurnReason::ValueLost))),
        ),
        (
            "burned-mailed-elsewhere",
            entry(finished(Ending::Burned, Some(BurnReason::MailedElsewhere))),
        ),
        (
            "burned-asked",
            entry(finished(Ending::Burned, Some(BurnReason::Asked))),
        ),
        (
            "received-deleted",
            entry(finished(Ending::Received, Some(BurnReason::Deleted))),
        ),
    ]
}
