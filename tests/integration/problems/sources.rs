//! Problems of the share's own making: its Secret, its passphrase, its recipient.

use harness::onetime::Version;
use serde_json::json;

use super::Act::{Account, Anonymous, App, Bytes, Credentials, Map, Spec, Texts, Typed};
use super::Heals::{ByItself, ByPerson};
use super::{Case, run};
use crate::registry::integration_cases;

integration_cases!("problem_", cases(), run);

fn cases() -> Vec<Case> {
    [
        secrets(),
        templates(),
        bytes(),
        passphrases(),
        recipients(),
        references(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn anonymous() -> super::Act {
    Anonymous(json!({}))
}

fn secrets() -> Vec<Case> {
    let key = json!({"secretRef": {"name": "app", "key": "password"}});
    vec![
        Case::new(
            "missing_secret",
            "SecretNotFound",
            ByItself,
            &["\"app\"", "create it"],
        )
        .setup([anonymous()])
        .cure([App]),
        Case::new(
            "missing_key",
            "SecretKeyNotFound",
            ByItself,
            &["\"app\"", "\"password\"", "add it", "spec.secretRef.key"],
        )
        .setup([anonymous(), Texts("app", json!({"other": "x"}))])
        .spec(key.clone())
        .cure([Texts("app", json!({"other": "x", "password": "here it is"}))]),
        Case::new(
            "no_keys",
            "SecretKeyNotFound",
            ByItself,
            &["\"app\"", "no data", "give it a key"],
        )
        .setup([anonymous(), Texts("app", json!({}))])
        .cure([App]),
        Case::new(
            "ambiguous_key",
            "SecretKeyAmbiguous",
            ByPerson,
            &["\"app\"", "2 keys", "spec.secretRef.key"],
        )
        .setup([
            anonymous(),
            Texts("app", json!({"user": "alice", "password": "secret"})),
        ])
        .cure([Spec(key)]),
        Case::new(
            "token_secret",
            "SecretTypeRefused",
            ByPerson,
            &["\"app\"", "kubernetes.io/service-account-token", "Opaque"],
        )
        .setup([
            anonymous(),
            Typed(
                "app",
                json!({"type": "kubernetes.io/service-account-token", "stringData": {"token": "x"}}),
            ),
            Texts("copy", json!({"token": "a copy"})),
        ])
        .cure([Spec(json!({"secretRef": {"name": "copy"}}))]),
    ]
}

fn templates() -> Vec<Case> {
    let template = |text: &str| json!({"secretRef": {"name": "app", "template": text}});
    let keys = || Texts("app", json!({"user": "alice", "password": "a canary"}));
    vec![
        Case::new(
            "template_key",
            "SecretKeyNotFound",
            ByItself,
            &["line 2", "\"app\"", "\"host\"", "add it"],
        )
        .setup([anonymous(), keys()])
        .spec(template("{{ user }}\n{{ host }}"))
        .cure([Texts("app", json!({"user": "alice", "host": "db"}))]),
        Case::new("template_broken", "TemplateInvalid", ByPerson, &["line 2"])
            .setup([anonymous(), keys()])
            .spec(template("{{ user }}\n{% include '/etc/passwd' %}"))
            .cure([Spec(template("{{ user }}: {{ password }}"))]),
    ]
}

/// The recipient's address in another object.
fn references() -> Vec<Case> {
    let from = |kind: &str| json!({"recipientFrom": {kind: {"name": "address", "key": "email"}}});
    let account = || [App, Credentials(None), Account(json!({}))];
    vec![
        Case::new(
            "recipient_missing",
            "RecipientNotFound",
            ByItself,
            &["Secret \"address\"", "create it"],
        )
        .setup(account())
        .spec(from("secretKeyRef"))
        .cure([Texts("address", json!({"email": "dave@example.com"}))]),
        Case::new(
            "recipient_in_map",
            "RecipientInvalid",
            ByPerson,
            &["ConfigMap \"address\"", "\"email\""],
        )
        .setup(account())
        .setup([Map("address", json!({"email": "nobody"}))])
        .spec(from("configMapKeyRef"))
        .cure([Map("address", json!({"email": "dave@example.com"}))]),
    ]
}

fn bytes() -> Vec<Case> {
    let whole = || Bytes("app", |canary| canary.as_bytes().to_vec());
    vec![
        Case::new(
            "empty",
            "SecretEmpty",
            ByPerson,
            &["\"value\"", "\"app\"", "give it a value"],
        )
        .setup([anonymous(), Bytes("app", |_| Vec::new())])
        .cure([whole()]),
        Case::new(
            "nul",
            "SecretHasNul",
            ByPerson,
            &["\"value\"", "\"app\"", "base64"],
        )
        .setup([
            anonymous(),
            Bytes("app", |canary| [canary.as_bytes(), b"\0"].concat()),
        ])
        .cure([whole()]),
        Case::new(
            "not_utf8",
            "SecretNotUtf8",
            ByPerson,
            &["\"value\"", "\"app\"", "base64"],
        )
        .setup([
            anonymous(),
            Bytes("app", |canary| [canary.as_bytes(), b"\xff"].concat()),
        ])
        .cure([whole()]),
        Case::new(
            "too_large",
            "SecretTooLarge",
            ByPerson,
            &["\"value\"", "\"app\"", "500 bytes", "at most 100"],
        )
        .setup([
            Anonymous(json!({"maxSecretBytes": 100})),
            Bytes("app", |canary| large(canary, 500)),
        ])
        .cure([Anonymous(json!({"maxSecretBytes": 500}))]),
        // The provider allows more than the service takes.
        Case::new(
            "too_large_for_the_service",
            "SecretTooLarge",
            ByPerson,
            &["10000", "maxSecretBytes"],
        )
        .setup([
            Anonymous(json!({"maxSecretBytes": 20_000})),
            Bytes("app", |canary| large(canary, 10_001)),
        ])
        .cure([Bytes("app", |canary| large(canary, 10_000))]),
    ]
}

fn large(canary: &str, bytes: usize) -> Vec<u8> {
    canary.bytes().cycle().take(bytes).collect()
}

fn passphrases() -> Vec<Case> {
    let spec = json!({"passphraseSecretRef": {"name": "pass", "key": "phrase"}});
    let good = || Texts("pass", json!({"phrase": "a passphrase that is long enough"}));
    vec![
        Case::new(
            "missing_passphrase",
            "PassphraseNotFound",
            ByItself,
            &["\"pass\"", "create it"],
        )
        .setup([anonymous(), App])
        .spec(spec.clone())
        .cure([good()]),
        Case::new(
            "missing_passphrase_key",
            "PassphraseNotFound",
            ByItself,
            &["\"pass\"", "\"phrase\"", "add it"],
        )
        .setup([anonymous(), App, Texts("pass", json!({"other": "x"}))])
        .spec(spec.clone())
        .cure([good()]),
        Case::new(
            "empty_passphrase",
            "PassphraseInvalid",
            ByPerson,
            &["\"pass\"", "\"phrase\"", "give it a value"],
        )
        .setup([anonymous(), App, Texts("pass", json!({"phrase": ""}))])
        .spec(spec.clone())
        .cure([good()]),
        Case::new(
            "short_passphrase",
            "PassphraseInvalid",
            ByPerson,
            &["at least 8", "spec.passphraseSecretRef"],
        )
        .at(Version::V0_23, |_| {})
        .setup([
            anonymous(),
            App,
            Texts("pass", json!({"phrase": crate::leaks::SHORT_PASSPHRASE})),
        ])
        .spec(spec.clone())
        .cure([good()]),
        // The minimum is the site's: v0.26 takes four characters.
        Case::new(
            "shorter_passphrase",
            "PassphraseInvalid",
            ByPerson,
            &["at least 4", "spec.passphraseSecretRef"],
        )
        .at(Version::V0_26, |_| {})
        .setup([anonymous(), App, Texts("pass", json!({"phrase": "q7#"}))])
        .spec(spec.clone())
        .cure([Texts("pass", json!({"phrase": "q7#Z"}))]),
        Case::new(
            "passphrase_minimum_of_the_site",
            "PassphraseInvalid",
            ByPerson,
            &["at least 20", "spec.passphraseSecretRef"],
        )
        .at(Version::V0_26, |config| config.passphrase_minimum = Some(20))
        .setup([
            anonymous(),
            App,
            Texts("pass", json!({"phrase": "nineteen characters"})),
        ])
        .spec(spec.clone())
        .cure([Texts("pass", json!({"phrase": "twenty characters ok"}))]),
        Case::new(
            "long_passphrase",
            "PassphraseInvalid",
            ByPerson,
            &["at most 128", "spec.passphraseSecretRef"],
        )
        .setup([
            anonymous(),
            App,
            Texts("pass", json!({"phrase": "x".repeat(129)})),
        ])
        .spec(spec.clone())
        .cure([Texts("pass", json!({"phrase": "x".repeat(128)}))]),
        // What `kubectl create secret --from-file` leaves at the end of a file, and nobody can type.
        Case::new(
            "passphrase_with_line_break",
            "PassphraseInvalid",
            ByPerson,
            &["\"pass\"", "\"phrase\"", "line break", "remove it"],
        )
        .setup([
            anonymous(),
            App,
            Texts("pass", json!({"phrase": "a passphrase from a file\n"})),
        ])
        .spec(spec.clone())
        .cure([good()]),
        Case::new(
            "passphrase_required",
            "PassphraseRequired",
            ByPerson,
            &["spec.passphraseSecretRef"],
        )
        .at(Version::V0_23, |config| config.passphrase_required = true)
        .setup([anonymous(), App, good()])
        .cure([Spec(spec)]),
    ]
}

fn recipients() -> Vec<Case> {
    let to = |address: &str| json!({"recipient": address});
    let account = || [Credentials(None), Account(json!({})), App];
    vec![
        Case::new(
            "recipient_without_account",
            "RecipientNeedsAccount",
            ByPerson,
            &["\"{scope}\"", "spec.credentialsSecretRef", "spec.recipient"],
        )
        .setup([anonymous(), App])
        .spec(to("amy@example.com"))
        .cure([Credentials(None), Account(json!({}))]),
        // A name before the @ that v0.23 would cut.
        Case::new(
            "recipient_invalid",
            "RecipientInvalid",
            ByPerson,
            &["before the @", "name@example.com"],
        )
        .setup(account())
        .spec(to("o'brien@example.com"))
        .cure([Spec(to("obrien@example.com"))]),
        Case::new(
            "recipient_refused",
            "RecipientRefused",
            ByPerson,
            &["does not accept", "spec.recipient"],
        )
        .setup(account())
        .spec(to("dave@localhost"))
        .cure([Spec(to("dave@example.com"))]),
        Case::new(
            "recipient_not_allowed",
            "RecipientNotAllowed",
            ByPerson,
            &["\"{scope}\"", "spec.allowedRecipientDomains"],
        )
        .setup([
            Credentials(None),
            Account(json!({"allowedRecipientDomains": ["example.org"]})),
            App,
        ])
        .spec(to("amy@example.com"))
        .cure([Account(
            json!({"allowedRecipientDomains": ["example.org", "example.com"]}),
        )]),
    ]
}
