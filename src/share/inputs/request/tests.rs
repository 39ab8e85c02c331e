//! Equal meanings have equal fingerprints, and nothing that a recipient would notice is left out.

use super::*;

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
            template: None,
        })
    };
    let template = |text: &str| {
        Some(SecretSource {
            name: "alice".into(),
            key: None,
            template: Some(text.into()),
        })
    };
    let from = |source: serde_json::Value| OneTimeShareSpec {
        recipient_from: Some(serde_json::from_value(source).expect("a source of recipients")),
        ..base.clone()
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
        from(serde_json::json!({"secretKeyRef": {"name": "a", "key": "b"}})),
        from(serde_json::json!({"configMapKeyRef": {"name": "a", "key": "b"}})),
        from(serde_json::json!({"configMapKeyRef": {"name": "a", "key": "c"}})),
        OneTimeShareSpec {
            secret_ref: template("{{ a }}"),
            ..base.clone()
        },
        OneTimeShareSpec {
            secret_ref: template("{{ b }}"),
            ..base.clone()
        },
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

/// Renaming the field sends nothing: the old name is accepted until 0.3.
#[test]
fn both_names_of_the_request_id_mean_the_same() {
    let parse = |json: serde_json::Value| {
        let spec = serde_json::from_value(json).expect("a spec");
        Request::parse(&spec)
    };
    let source = serde_json::json!({"name": "alice"});
    let new = parse(serde_json::json!({"secretRef": source, "requestID": "7"})).expect("the new name");
    let old = parse(serde_json::json!({"secretRef": source, "requestId": "7"})).expect("the old name");
    assert_eq!(new, old);
    assert_eq!(
        new.fingerprint(FINGERPRINT_VERSION),
        old.fingerprint(FINGERPRINT_VERSION)
    );
    let both = parse(serde_json::json!({"secretRef": source, "requestID": "7", "requestId": "7"}));
    let problem = both.expect_err("not both");
    assert!(problem.message.contains("spec.requestID"), "{}", problem.message);
}
