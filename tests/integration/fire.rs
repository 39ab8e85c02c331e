//! A ledger entry that somebody deletes or replaces while its attempt is under way: a link that was made is never lost.

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::onetime::{Fault, Gate, Hold, Journal, Operation, Stage, State, Version};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::env::{Env, LEDGER};
use crate::registry::integration_test;
use crate::scope::Scope;

const ENTRY: &str = "entry";

fn entries(env: &Env) -> Api<Secret> {
    Api::namespaced(env.client.clone(), LEDGER)
}

async fn entry(env: &Env, name: &str) -> Result<Value> {
    let secret = entries(env).get(name).await?;
    let data = secret.data.as_ref().and_then(|data| data.get(ENTRY));
    Ok(serde_json::from_slice(&data.context("an entry")?.0)?)
}

/// A share whose request was stored and mailed, and whose answer waits for the gate.
async fn hanging<'e>(env: &'e Env, name: &str) -> Result<(Scope<'e>, Gate)> {
    let scope = Scope::with_account(env, name, Version::V0_26).await?;
    scope.secret("alice").await?;
    let gate = Gate::new();
    let hang = Fault::Hang(Stage::AfterCommit, Hold::Until(gate.clone()));
    scope.service.plan().once(Operation::Share, hang);
    scope
        .share("alice", json!({"recipient": "dave@example.com"}))
        .await?;
    let stored = |journal: &Journal| journal.mails.len() == 1;
    scope.journal("a mail", stored).await?;
    Ok((scope, gate))
}

integration_test!(entry_deleted_under_way);
/// The entry is deleted while the POST is under way: it is there again with the outcome.
async fn entry_deleted_under_way(env: &Env) -> Result<()> {
    let (scope, gate) = hanging(env, "fire-deleted").await?;
    let name = scope.entry_name("alice");
    entries(env).delete(&name, &DeleteParams::default()).await?;
    gate.open();
    let ready = scope.ready("alice").await?;
    let journal = scope.service.journal();
    ensure!(
        journal.shares.len() == 1 && journal.mails.len() == 1,
        "one link and one e-mail"
    );
    ensure!(ready["status"]["secretKey"] == journal.shares[0].secret_key.as_str());
    let phase = &entry(env, &name).await?["phase"];
    ensure!(phase["shared"].is_object(), "the entry holds the link");
    Ok(())
}

integration_test!(entry_replaced_under_way);
/// Another operator's intent stands in the entry when the answer comes: the link of the first one is burned.
async fn entry_replaced_under_way(env: &Env) -> Result<()> {
    let (scope, gate) = hanging(env, "fire-replaced").await?;
    let name = scope.entry_name("alice");
    let mut secret = entries(env).get(&name).await?;
    let mut replaced = entry(env, &name).await?;
    replaced["phase"]["intent"]["nonce"] = json!("of-another-operator");
    let data = secret.data.as_mut().context("data")?;
    data.insert(ENTRY.to_owned(), ByteString(replaced.to_string().into_bytes()));
    entries(env)
        .replace(&name, &PostParams::default(), &secret)
        .await?;
    gate.open();
    let burned = |journal: &Journal| journal.shares[0].state == State::Burned;
    scope.journal("burned", burned).await?;
    let doubt = |share: &Value| cluster::is(share, "Ready", "Unknown", "InDoubt");
    let share = scope.wait("alice", "in doubt", doubt).await?;
    ensure!(
        share["status"]["attempt"] == "of-another-operator",
        "the other attempt is what counts"
    );
    Ok(())
}

integration_test!(entry_deleted_with_a_lost_answer);
/// The entry is deleted while the POST is under way, and then the answer is lost: nobody knows whether the mail went out,
/// so nothing is sent again.
async fn entry_deleted_with_a_lost_answer(env: &Env) -> Result<()> {
    let (scope, _gate) = hanging(env, "fire-vanished").await?;
    let name = scope.entry_name("alice");
    entries(env).delete(&name, &DeleteParams::default()).await?;
    scope.service.drop_connections();
    let lost = |share: &Value| cluster::is(share, "Stalled", "True", "LedgerLost");
    let share = scope.wait("alice", "LedgerLost", lost).await?;
    ensure!(
        share["status"]["attempt"].is_string() && share["status"]["requestHash"].is_string(),
        "the next process will know it, too"
    );
    let journal = scope.service.journal();
    ensure!(
        journal.shares.len() == 1 && journal.mails.len() == 1,
        "nothing was sent again"
    );
    let again = json!({"recipient": "dave@example.com", "requestID": "2"});
    scope.share("alice", again).await?;
    scope.ready("alice").await?;
    ensure!(
        scope.service.journal().mails.len() == 2,
        "a new request is mailed"
    );
    Ok(())
}
