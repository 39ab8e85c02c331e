//! Success is not always what was asked for: what the service granted otherwise is told, and is no failure.

use anyhow::{Result, ensure};
use harness::cluster;
use harness::onetime::Version;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::env::Env;
use crate::registry::integration_test;
use crate::scope::{PATIENCE, Scope};

integration_test!(clamped_ttl);
/// Anonymous links live at most seven days, whatever is asked for.
async fn clamped_ttl(env: &Env) -> Result<()> {
    for (name, version) in [("clamped-23", Version::V0_23), ("clamped-26", Version::V0_26)] {
        let scope = Scope::anonymous(env, name, version).await?;
        scope.secret("long").await?;
        scope.share("long", json!({"ttl": "240h"})).await?;
        let share = scope.ready("long").await?;
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
        let note = scope.event("long", "Warning", "TtlClamped").await?;
        ensure!(note.contains("604800") && note.contains("864000"), "{note:?}");
        ensure!(
            scope.service.journal().shares.len() == 1,
            "a clamped ttl is no reason to send again"
        );

        scope.secret("short").await?;
        scope.share("short", json!({"ttl": "1h"})).await?;
        scope.ready("short").await?;
        scope.event("short", "Normal", "Shared").await?;
        let events = scope.events().list(&ListParams::default()).await?;
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
    let scope = Scope::with_account(env, "not-mailed", Version::V0_23).await?;
    scope.secret("alice").await?;
    scope
        .share("alice", json!({"recipient": "amy@example.world"}))
        .await?;
    let share = scope.ready("alice").await?;
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
    let note = scope.event("alice", "Warning", "NotMailed").await?;
    ensure!(
        note.contains("spec.recipient"),
        "it says what to correct: {note:?}"
    );

    scope.secret("bob").await?;
    scope
        .share("bob", json!({"recipient": "bob@example.com"}))
        .await?;
    let share = scope.ready("bob").await?;
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
    let journal = scope.service.journal();
    ensure!(
        journal.shares.len() == 2 && journal.mails.len() == 1,
        "two links, one mail"
    );
    Ok(())
}

integration_test!(provider_status_tells);
/// A provider's status says whether it can be used, and follows.
async fn provider_status_tells(env: &Env) -> Result<()> {
    let scope = Scope::with_account(env, "provider-status", Version::V0_26).await?;
    let providers = env.providers();
    let wait = async |status: &str, reason: &str| {
        let fits = |provider: &Value| cluster::is(provider, "Ready", status, reason);
        Box::pin(cluster::wait_for(&providers, &scope.name, reason, PATIENCE, fits)).await
    };
    let provider = wait("True", "CredentialsAccepted").await?;
    let endpoint = provider["status"]["endpoint"].as_str().unwrap_or_default();
    ensure!(
        endpoint.trim_end_matches('/') == scope.service.url(),
        "{endpoint:?}"
    );

    scope.provider(json!({})).await?;
    wait("True", "Anonymous").await?;
    scope.credentials("wrong").await?;
    scope.provider(scope.account_spec()).await?;
    wait("False", "Unauthorized").await?;
    scope.credentials(&scope.token).await?;
    wait("True", "CredentialsAccepted").await.map(drop)
}
