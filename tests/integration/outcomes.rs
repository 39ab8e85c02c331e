//! Success is not always what was asked for: what the service granted otherwise is told, and is no failure.

use anyhow::{Result, ensure};
use harness::cluster;
use harness::onetime::Version;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::env::Env;
use crate::registry::integration_test;
use crate::space::{PATIENCE, Space};

integration_test!(clamped_ttl);
/// Anonymous links live at most seven days, whatever is asked for.
async fn clamped_ttl(env: &Env) -> Result<()> {
    for (name, version) in [("clamped-23", Version::V0_23), ("clamped-26", Version::V0_26)] {
        let space = Space::anonymous(env, name, version).await?;
        space.secret("long").await?;
        space.share("long", json!({"ttl": "240h"})).await?;
        let share = space.ready("long").await?;
        let status = &share["status"];
        ensure!(
            status["ttlSeconds"] == 604_800,
            "the status has what was granted: {status:#}"
        );
        let message = cluster::condition(&share, "Ready").unwrap()["message"]
            .as_str()
            .unwrap();
        for number in ["604800", "864000"] {
            ensure!(message.contains(number), "{message:?} does not say {number}");
        }
        let note = space.event("long", "Warning", "TtlClamped").await?;
        ensure!(note.contains("604800") && note.contains("864000"), "{note:?}");
        ensure!(
            space.service.journal().shares.len() == 1,
            "a clamped ttl is no reason to send again"
        );

        space.secret("short").await?;
        space.share("short", json!({"ttl": "1h"})).await?;
        space.ready("short").await?;
        space.event("short", "Normal", "Shared").await?;
        let events = space.events().list(&ListParams::default()).await?;
        let warned = events
            .items
            .iter()
            .any(|event| event.data["regarding"]["name"] == "short" && event.data["reason"] == "TtlClamped");
        ensure!(!warned, "what was granted as asked is no warning");
    }
    Ok(())
}

integration_test!(not_mailed);
/// v0.23 takes a recipient with a top-level domain of five letters, answers 200, and mails nobody.
async fn not_mailed(env: &Env) -> Result<()> {
    let space = Space::with_account(env, "not-mailed", Version::V0_23).await?;
    space.secret("alice").await?;
    space
        .share("alice", json!({"recipient": "amy@example.world"}))
        .await?;
    let share = space.ready("alice").await?;
    ensure!(
        cluster::is(&share, "EmailRequested", "False", "NotMailed"),
        "{:#}",
        share["status"]
    );
    ensure!(
        share["status"]["recipient"].is_null(),
        "nobody was mailed, so nobody is named"
    );
    ensure!(share["status"]["state"] == "Shared", "there is a link");
    let note = space.event("alice", "Warning", "NotMailed").await?;
    ensure!(
        note.contains("spec.recipient"),
        "it says what to correct: {note:?}"
    );

    space.secret("bob").await?;
    space
        .share("bob", json!({"recipient": "bob@example.com"}))
        .await?;
    let share = space.ready("bob").await?;
    ensure!(
        cluster::is(&share, "EmailRequested", "True", "Requested"),
        "{:#}",
        share["status"]
    );
    ensure!(
        share["status"]["recipient"] == "bo*****@e*****.com",
        "{:#}",
        share["status"]
    );
    let journal = space.service.journal();
    ensure!(
        journal.shares.len() == 2 && journal.mails.len() == 1,
        "two links, one mail"
    );
    Ok(())
}

integration_test!(provider_status_tells);
/// A provider's status says whether it can be used, and follows.
async fn provider_status_tells(env: &Env) -> Result<()> {
    let space = Space::with_account(env, "provider-status", Version::V0_26).await?;
    let providers = env.providers();
    let wait = async |status: &str, reason: &str| {
        let fits = |provider: &Value| cluster::is(provider, "Ready", status, reason);
        Box::pin(cluster::wait_for(&providers, &space.name, reason, PATIENCE, fits)).await
    };
    let provider = wait("True", "CredentialsAccepted").await?;
    let endpoint = provider["status"]["endpoint"].as_str().unwrap_or_default();
    ensure!(
        endpoint.trim_end_matches('/') == space.service.url(),
        "{endpoint:?}"
    );

    space.provider(json!({})).await?;
    wait("True", "Anonymous").await?;
    space.credentials("wrong").await?;
    space.provider(space.account_spec()).await?;
    wait("False", "Unauthorized").await?;
    space.credentials(&space.token).await?;
    wait("True", "CredentialsAccepted").await.map(drop)
}
