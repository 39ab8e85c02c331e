//! Every file of `examples/`, applied as it is but for the server: it must do what its comment says.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use harness::cluster;
use harness::onetime::{Config, OnetimeServer, Share, Version};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::env::{Env, SYSTEM};
use crate::registry::integration_test;
use crate::scope::{PATIENCE, is_ready_now};

const NAMESPACE: &str = "onboarding";
const ACCOUNT: (&str, &str) = ("ops@example.com", "the-token-of-ops");
const TEAM: (&str, &str) = ("team@example.com", "replace-me");

/// A share and its value.
type Made = (&'static str, Option<&'static str>);

/// A file, the shares that it makes, and the values that arrive, in any order; None where the service makes it up.
const EXAMPLES: [(&str, &[Made]); 9] = [
    ("providers", &[]),
    ("anonymous", &[("database", Some("correct horse battery staple"))]),
    ("email", &[("alice", Some("Tr0ub4dor&3"))]),
    ("passphrase", &[("dave", Some("Tr0ub4dor&3"))]),
    (
        "template",
        &[(
            "vpn-bob",
            Some(
                "Login: bob\nPassword: horse-battery-staple-7\n-----BEGIN CERTIFICATE-----\nnot a real one\n-----END CERTIFICATE-----\n\n",
            ),
        )],
    ),
    ("generate", &[("db-carol", None)]),
    ("self-hosted-provider", &[("erin", Some("a-first-password"))]),
    ("namespaced-provider", &[("team-wiki", Some("a-first-password"))]),
    ("gitops-onboarding", &PEOPLE),
];

const PEOPLE: [Made; 5] = [
    (
        "welcome-grace",
        Some("Welcome. Your login is grace, your first password first-password-of-grace\n"),
    ),
    (
        "welcome-heidi",
        Some("Welcome. Your login is heidi, your first password first-password-of-heidi\n"),
    ),
    (
        "welcome-ivan",
        Some("Welcome. Your login is ivan, your first password first-password-of-ivan\n"),
    ),
    (
        "welcome-judy",
        Some("Welcome. Your login is judy, your first password first-password-of-judy\n"),
    ),
    (
        "welcome-mallory",
        Some("Welcome. Your login is mallory, your first password first-password-of-mallory\n"),
    ),
];

/// Its Secret never comes: that is what it shows.
const WAITS: &str = "secret-comes-later";

integration_test!(examples_work_as_they_say);
async fn examples_work_as_they_say(env: &Env) -> Result<()> {
    every_file_is_tried()?;
    let config = Config::new(Version::V0_26)
        .account(ACCOUNT.0, ACCOUNT.1)
        .account(TEAM.0, TEAM.1);
    let service = env.service(config).await?;
    cluster::namespace(&env.client, NAMESPACE).await?;
    let credentials = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "onetime-account", "namespace": SYSTEM},
        "stringData": {"username": ACCOUNT.0, "token": ACCOUNT.1},
    });
    cluster::apply_one(&env.client, credentials).await?;

    for (file, shares) in EXAMPLES {
        let before = service.journal().shares.len();
        apply(env, &service, file).await?;
        for (share, _) in shares {
            let api = cluster::shares(&env.client, NAMESPACE);
            Box::pin(cluster::wait_for(&api, share, "ready", PATIENCE, is_ready_now)).await?;
        }
        let made = service.journal().shares.split_off(before);
        check(file, shares, &made)?;
    }
    mails(&service)?;
    apply(env, &service, WAITS).await?;
    let api = cluster::shares(&env.client, NAMESPACE);
    let waits = |share: &Value| cluster::is(share, "Ready", "Unknown", "SecretNotFound");
    Box::pin(cluster::wait_for(
        &api,
        "late",
        "waiting for its Secret",
        PATIENCE,
        waits,
    ))
    .await
    .map(drop)
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn every_file_is_tried() -> Result<()> {
    for file in std::fs::read_dir(folder())? {
        let path = file?.path();
        // Values of the chart, which tests/chart installs.
        if path.is_dir() && path.ends_with("sharding") {
            continue;
        }
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .context("a name")?;
        let tried = name == WAITS || EXAMPLES.iter().any(|(example, _)| *example == name);
        ensure!(tried, "no test applies {}", path.display());
    }
    Ok(())
}

/// Applies a file. Only where the server is, and how often it is asked, is not as written.
async fn apply(env: &Env, service: &OnetimeServer, file: &str) -> Result<()> {
    let text = std::fs::read_to_string(folder().join(format!("{file}.yaml")))?;
    for document in serde_yaml_ng::Deserializer::from_str(&text) {
        let mut object = Value::deserialize(document)?;
        if object["kind"]
            .as_str()
            .is_some_and(|kind| kind.ends_with("ShareProvider"))
        {
            let spec = object["spec"].as_object_mut().context("a spec")?;
            spec.remove("region");
            spec.insert("url".into(), json!(service.url()));
            spec.insert("pollInterval".into(), json!("1s"));
        }
        cluster::apply_one(&env.client, object)
            .await
            .with_context(|| file.to_owned())?;
    }
    Ok(())
}

fn check(file: &str, shares: &[Made], made: &[Share]) -> Result<()> {
    ensure!(
        made.len() == shares.len(),
        "{file}: {} links for {} shares",
        made.len(),
        shares.len()
    );
    for (share, value) in shares {
        let Some(value) = value else { continue };
        if !made.iter().any(|made| made.value == value.as_bytes()) {
            bail!("{file}: the value of {share} did not arrive as it should");
        }
    }
    Ok(())
}

fn mails(service: &OnetimeServer) -> Result<()> {
    let journal = service.journal();
    let people = [
        "alice", "dave", "erin", "grace", "heidi", "ivan", "judy", "mallory",
    ];
    for person in people {
        let mails = journal.mails_to(&format!("{person}@example.com")).len();
        ensure!(mails == 1, "{mails} e-mails to {person}");
    }
    ensure!(journal.mails.len() == people.len(), "nobody else was mailed");
    Ok(())
}
