//! What is taken from a Secret and what is refused.

use super::*;
use k8s_openapi::ByteString;
use secrecy::ExposeSecret;

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
        template: None,
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
        let problem = refuse_type(&token, "s").expect_err(type_);
        assert_eq!(problem.reason, Reason::SecretTypeRefused);
    }
}

#[test]
fn problems_never_show_the_value() {
    let canary = b"canary\0canary".as_slice();
    let problem = value_of(&secret(&[("a", canary)]), &source(None), 100).expect_err("a NUL byte");
    assert!(!problem.message.contains("canary"), "{}", problem.message);
}

#[test]
fn a_template_makes_the_value_from_all_keys() {
    let source = SecretSource {
        template: Some("{{ a }}/{{ b }}".into()),
        ..source(None)
    };
    let two = secret(&[("a", b"x"), ("b", b"y")]);
    assert_eq!(value_of(&two, &source, 3).expect("value").expose_secret(), "x/y");
    let reason = |secret: &Secret, max| value_of(secret, &source, max).expect_err("a problem").reason;
    assert_eq!(reason(&two, 2), Reason::SecretTooLarge);
    assert_eq!(reason(&secret(&[("a", b"x")]), 3), Reason::SecretKeyNotFound);
    assert_eq!(
        reason(&secret(&[("a", b"x\0"), ("b", b"y")]), 9),
        Reason::SecretHasNul
    );
}

#[test]
fn an_address_is_taken_from_its_key_and_never_told() {
    let take = |text| address(text, "Secret \"s\"", "email", "spec.recipientFrom.secretKeyRef");
    assert_eq!(
        take(Some("dave@EXAMPLE.com\n")).expect("an address"),
        "dave@example.com"
    );
    assert_eq!(take(None).expect_err("no key").reason, Reason::RecipientNotFound);
    let problem = take(Some("canary one")).expect_err("no address");
    assert_eq!(problem.reason, Reason::RecipientInvalid);
    assert!(
        problem.message.contains("\"email\"") && !problem.message.contains("canary"),
        "{}",
        problem.message
    );
}
