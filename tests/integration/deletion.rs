//! What becomes of a link when its share goes, or what it was made through: burned, kept, or followed to its end.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::onetime::{Journal, Operation, State, Version};
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::env::Env;
use crate::registry::integration_test;
use crate::scope::{PATIENCE, Scope, is_ready_now};

/// Without a provider its links are asked for once a minute.
const WITHOUT_PROVIDER: Duration = Duration::from_secs(60 + 30);

/// The key in the link of a ready share.
async fn key(scope: &Scope<'_>, share: &str) -> Result<String> {
    let ready = scope.ready(share).await?;
    let key = ready["status"]["secretKey"].as_str().context("a key")?;
    Ok(key.to_owned())
}

fn state(journal: &Journal, key: &str) -> Option<State> {
    journal.by_secret(key).map(|share| share.state)
}

integration_test!(burned_with_passphrase);
/// Burning needs the passphrase, which the ledger kept: its Secret may be gone by then.
async fn burned_with_passphrase(env: &Env) -> Result<()> {
    for (name, version) in [
        ("burn-phrase-23", Version::V0_23),
        ("burn-phrase-26", Version::V0_26),
    ] {
        let scope = Scope::with_account(env, name, version).await?;
        scope.secret("alice").await?;
        let phrase = env.canary("passphrase");
        scope.secret_with("phrase", json!({"phrase": phrase})).await?;
        let spec = json!({"passphraseSecretRef": {"name": "phrase", "key": "phrase"}});
        scope.share("alice", spec).await?;
        let alice = key(&scope, "alice").await?;
        let ready = scope.ready("alice").await?;
        ensure!(
            ready["status"]["passphraseRequired"] == true,
            "{:#}",
            ready["status"]
        );
        delete_secret(&scope, "phrase").await?;
        scope.delete("alice").await?;
        let burned = |journal: &Journal| state(journal, &alice) == Some(State::Burned);
        scope.service.wait_for("burn", PATIENCE, burned).await?;
        let journal = scope.service.journal();
        let sent = journal.requests.iter().filter(|r| r.operation == Operation::Burn);
        let phrases: Vec<_> = sent.map(|request| request.param("passphrase")).collect();
        ensure!(
            phrases == [Some(phrase.as_bytes())],
            "one burn, with the passphrase"
        );
    }
    Ok(())
}

integration_test!(retained_link_lives);
/// `Retain` leaves the link as it is, and an edit of the policy counts up to the deletion.
async fn retained_link_lives(env: &Env) -> Result<()> {
    let scope = Scope::with_account(env, "retain", Version::V0_26).await?;
    for share in ["kept", "kept-late", "burned", "burned-late"] {
        scope.secret(share).await?;
    }
    let policy = |policy: &str| json!({"deletionPolicy": policy});
    scope.share("kept", policy("Retain")).await?;
    scope.share("kept-late", policy("Burn")).await?;
    scope.share("burned-late", policy("Retain")).await?;
    scope.share("burned", policy("Burn")).await?;
    let mut keys = Vec::new();
    for share in ["kept", "kept-late", "burned", "burned-late"] {
        keys.push(key(&scope, share).await?);
    }
    scope.share("kept-late", policy("Retain")).await?;
    scope.share("burned-late", policy("Burn")).await?;
    for share in ["kept-late", "burned-late"] {
        scope.ready(share).await?;
    }
    ensure!(
        scope.service.journal().shares.len() == 4,
        "a policy is no new request"
    );
    // The kept ones first: when the others are burned, they would have been too.
    for share in ["kept", "kept-late", "burned", "burned-late"] {
        scope.delete(share).await?;
    }
    let gone = |journal: &Journal| {
        let is_burned = |key| state(journal, key) == Some(State::Burned);
        is_burned(&keys[2]) && is_burned(&keys[3])
    };
    scope.service.wait_for("burn of two", PATIENCE, gone).await?;
    // Two more rounds of the sweep that burns.
    scope.polled(Operation::Recent, 2).await?;
    let journal = scope.service.journal();
    ensure!(journal.count(Operation::Burn) == 2, "two burns");
    for key in &keys[..2] {
        ensure!(
            state(&journal, key) == Some(State::New),
            "a retained link was touched"
        );
        ensure!(scope.service.open(key, None).is_some(), "a retained link opens");
    }
    Ok(())
}

integration_test!(provider_gone);
/// A link outlives its provider: it is followed and burned at the server where it was made.
async fn provider_gone(env: &Env) -> Result<()> {
    let scope = Scope::with_account(env, "provider-gone", Version::V0_23).await?;
    for share in ["opened", "edited", "deleted"] {
        scope.secret(share).await?;
        scope.share(share, json!({})).await?;
    }
    let opened = key(&scope, "opened").await?;
    let edited = scope.ready("edited").await?;
    let deleted = key(&scope, "deleted").await?;
    let before = scope.ready("opened").await?;
    // From here on the next look is due soon; it would be after a minute for links that the sweep never saw.
    scope.polled(Operation::RecentV2, 1).await?;

    delete_secret_of_account(&scope).await?;
    env.providers()
        .delete(&scope.name, &DeleteParams::default())
        .await?;

    // Each link is looked at by itself now.
    scope.polled(Operation::Look, 2).await?;
    let now = scope.ready("opened").await?;
    ensure!(
        now["status"] == before["status"],
        "that its provider is gone says nothing about the link: {:#}",
        now["status"]
    );

    scope.delete("deleted").await?;
    let burned = |journal: &Journal| state(journal, &deleted) == Some(State::Burned);
    scope
        .service
        .wait_for("burn without a provider", PATIENCE, burned)
        .await?;

    // A new request cannot be sent. The old link is not given up for it.
    scope.share("edited", json!({"requestID": "2"})).await?;
    let waits = |share: &Value| {
        cluster::is(share, "Ready", "Unknown", "ProviderNotFound")
            && share["status"]["observedGeneration"] == share["metadata"]["generation"]
    };
    let waiting = scope.wait("edited", "waiting for a provider", waits).await?;
    ensure!(
        waiting["status"]["link"] == edited["status"]["link"],
        "the old link is still shown: {:#}",
        waiting["status"]
    );

    ensure!(scope.service.open(&opened, None).is_some(), "the link opens");
    let received = |share: &Value| cluster::is(share, "Received", "True", "Received") && is_ready_now(share);
    let what = "received, as the server says";
    Box::pin(cluster::wait_for(
        &scope.shares,
        "opened",
        what,
        WITHOUT_PROVIDER,
        received,
    ))
    .await?;
    ensure!(scope.service.journal().shares.len() == 3, "three links");
    Ok(())
}

async fn delete_secret(scope: &Scope<'_>, name: &str) -> Result<()> {
    delete_secret_in(scope, &scope.name, name).await
}

async fn delete_secret_of_account(scope: &Scope<'_>) -> Result<()> {
    delete_secret_in(scope, crate::env::SYSTEM, &scope.name).await
}

async fn delete_secret_in(scope: &Scope<'_>, namespace: &str, name: &str) -> Result<()> {
    let client = scope.env.client.clone();
    let api: kube::Api<k8s_openapi::api::core::v1::Secret> = kube::Api::namespaced(client, namespace);
    api.delete(name, &DeleteParams::default()).await?;
    Ok(())
}
