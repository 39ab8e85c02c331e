//! Values and passphrases arrive byte for byte: what is stored at the service is what the Secret holds, to its last blank.
//!
//! The recordings show that both versions take blanks as they are (`v1-share-empty-secret`: "blanks only", and
//! `v1-share-passphrase-limits`: "blanks at both ends"), so the operator trims nothing either.

use anyhow::{Context as _, Result, ensure};
use harness::onetime::{Journal, State, Version};
use k8s_openapi::ByteString;
use serde_json::{Map, Value, json};

use crate::env::Env;
use crate::registry::integration_test;
use crate::scope::{PATIENCE, Scope};

/// The default limit of a provider, and the real one of v0.26.
const LIMIT: usize = 10_000;

/// The key of a Secret, and the value made from a canary.
type Sample = (&'static str, fn(&str) -> String);

const VALUES: [Sample; 9] = [
    ("plain", str::to_owned),
    ("limit-ascii", |canary| {
        canary.chars().cycle().take(LIMIT).collect()
    }),
    // Two bytes each, so that characters and bytes differ.
    ("limit-unicode", |canary| {
        format!("{canary}{}", "é".repeat((LIMIT - canary.len()) / 2))
    }),
    // Outside the BMP, joined, right to left with its marks, decomposed, and both kinds of line end in one.
    ("unicode", |canary| {
        format!("{canary} 🔑👩‍👩‍👧 \u{202e}שלום\u{202c} مرحبا e\u{301}≠é \u{feff}\u{2028}\u{a0}ﬁ\r\n漢字\n")
    }),
    ("lines", |canary| {
        format!("-----BEGIN PRIVATE KEY-----\n{canary}\r\n\r\n\t{canary}\n-----END PRIVATE KEY-----\n")
    }),
    ("form", |canary| {
        format!("&=+%&secret={canary}&ttl=60&&==++%%%00%zz%20+ ;#?/\\\"'<>{{}}[]")
    }),
    ("blanks-around", |canary| format!(" \t\n{canary}\r\n \u{3000}")),
    ("only-blanks", |_| "   ".to_owned()),
    ("line-break", |_| "\n".to_owned()),
];

const PASSPHRASES: [Sample; 3] = [
    ("unicode", |canary| format!("{canary} pässwörd 🔑 e\u{301}")),
    ("form", |canary| format!("&=+%20%00&ttl=1 {canary}")),
    ("blanks", |canary| format!("   {canary}   ")),
];

integration_test!(bytes_arrive_unchanged);
async fn bytes_arrive_unchanged(env: &Env) -> Result<()> {
    for (name, version) in [("bytes-23", Version::V0_23), ("bytes-26", Version::V0_26)] {
        let scope = Scope::anonymous(env, name, version).await?;
        let values = samples(env, "value", &VALUES);
        let phrases = samples(env, "passphrase", &PASSPHRASES);
        secret(&scope, "values", &values).await?;
        secret(&scope, "phrases", &phrases).await?;
        for (key, _) in &values {
            let spec = json!({"secretRef": {"name": "values", "key": key}});
            scope.share(key, spec).await?;
        }
        for (key, _) in &phrases {
            let spec = json!({
                "secretRef": {"name": "values", "key": "plain"},
                "passphraseSecretRef": {"name": "phrases", "key": key},
            });
            scope.share(&format!("with-{key}"), spec).await?;
        }
        for (key, value) in &values {
            let stored = stored(&scope, key).await?;
            ensure!(
                stored.value == value.as_bytes(),
                "{version:?}: the value {key} was changed"
            );
            ensure!(stored.passphrase.is_none(), "{version:?}: {key} has a passphrase");
        }
        for (key, phrase) in &phrases {
            let stored = stored(&scope, &format!("with-{key}")).await?;
            ensure!(
                stored.passphrase.as_ref() == Some(phrase),
                "{version:?}: the passphrase {key} was changed"
            );
        }
        // A link that opens for what the person was told, and one that is burned by what the ledger kept.
        let opened = stored(&scope, "with-unicode").await?.secret_key;
        ensure!(
            scope.service.open(&opened, Some(&phrases[0].1)).is_some(),
            "{version:?}: the passphrase does not open its link"
        );
        for key in ["with-form", "with-blanks"] {
            let burned = stored(&scope, key).await?.secret_key;
            scope.delete(key).await?;
            let is_burned = |journal: &Journal| {
                journal
                    .by_secret(&burned)
                    .is_some_and(|share| share.state == State::Burned)
            };
            let what = "burn with the passphrase";
            scope.service.wait_for(what, PATIENCE, is_burned).await?;
        }
    }
    Ok(())
}

fn samples(env: &Env, kind: &str, samples: &[Sample]) -> Vec<(&'static str, String)> {
    let made = samples.iter().map(|(key, make)| (*key, make(&env.canary(kind))));
    made.collect()
}

async fn secret(scope: &Scope<'_>, name: &str, texts: &[(&'static str, String)]) -> Result<()> {
    let data: Result<Map<String, Value>, serde_json::Error> = texts
        .iter()
        .map(|(key, text)| {
            let bytes = serde_json::to_value(ByteString(text.clone().into_bytes()))?;
            Ok(((*key).to_owned(), bytes))
        })
        .collect();
    let metadata = json!({"name": name, "namespace": scope.name});
    scope
        .secret_object(json!({"metadata": metadata, "data": data?}))
        .await
}

async fn stored(scope: &Scope<'_>, share: &str) -> Result<harness::onetime::Share> {
    let ready = scope.ready(share).await?;
    let key = ready["status"]["secretKey"].as_str().context("a key")?;
    let journal = scope.service.journal();
    journal.by_secret(key).cloned().context("a share in the journal")
}
