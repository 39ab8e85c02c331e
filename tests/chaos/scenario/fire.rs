//! The ledger under fire: entries that are deleted at every moment of an attempt, a definition that is replaced, and very
//! many shares that are missing.

use super::{Outcome, Play::Shared, Scenario};
use crate::plan::Flavor;
use crate::scope::{Fixture, Scope};
use anyhow::{Context as _, Result};
use futures::FutureExt as _;
use harness::cluster;
use harness::onetime::{Canned, Fault, Journal, Operation as Call, Stage, State};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::time::Duration;

/// How long anything may take that should be quick.
const LIMIT: Duration = Duration::from_secs(60);

/// So many are very many.
const MASS: usize = 12;

fn entries(scope: &Scope) -> Api<Secret> {
    Api::namespaced(scope.client.clone(), &format!("{}-ledger", scope.namespace))
}

async fn delete_entries(scope: &Scope) -> Result<()> {
    let ours = ListParams::default().fields("type=onetimeshare.dev/ledger");
    for entry in entries(scope).list(&ours).await? {
        entries(scope)
            .delete(&entry.name_any(), &DeleteParams::default())
            .await?;
    }
    Ok(())
}

async fn apply(scope: &Scope, name: &str, request: &str, recipient: Option<&str>) -> Result<()> {
    let mut object = json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
        "metadata": {"name": name, "namespace": scope.namespace},
        "spec": {
            "secretRef": {"name": "value-1", "key": "password"}, "requestID": request,
            "providerRef": {"kind": "ShareProvider", "name": "fake"},
        },
    });
    if let Some(recipient) = recipient {
        object["spec"]["recipient"] = json!(recipient);
    }
    cluster::apply_one(&scope.client, object).await.map(drop)
}

async fn wait(scope: &Scope, name: &str, what: &str, condition: impl Fn(&Value) -> bool) -> Result<()> {
    Box::pin(cluster::wait_for(&scope.shares, name, what, LIMIT, condition))
        .await
        .map(drop)
}

fn is_lost(share: &Value) -> bool {
    cluster::is(share, "Stalled", "True", "LedgerLost")
}

/// What is wrong with so many links and e-mails.
fn made(scope: &Scope, links: usize, mails: usize, when: &str) -> Vec<String> {
    let journal = scope.service.journal();
    let (made, mailed) = (journal.shares.len(), journal.mails.len());
    let wrong = made != links || mailed != mails;
    wrong
        .then(|| format!("{when}: {made} links and {mailed} e-mails"))
        .into_iter()
        .collect()
}

fn burned(journal: &Journal) -> usize {
    let shares = journal.shares.iter();
    shares.filter(|share| share.state == State::Burned).count()
}

/// A share whose entry is deleted while the operator waits a second at this point.
async fn entry_deleted_at(scope: &mut Scope, point: &str) -> Result<()> {
    let armed = scope.start_armed(&format!("{point}=sleep:1000")).await?;
    apply(scope, "alice", "1", Some("alice@example.com")).await?;
    let reached = scope.reached(armed, LIMIT).await;
    reached.context("what should go wrong did not")?;
    delete_entries(scope).await
}

scenario!(
    "entry-deleted",
    "ledger",
    Shared(|fixture, _| entry_deleted(fixture).boxed())
);
/// The entry is deleted right before the POST, right after it and before its outcome is written: one link, one e-mail, and
/// an entry that holds it.
async fn entry_deleted(fixture: &Fixture) -> Outcome {
    let mut found = Vec::new();
    for point in ["post.before", "post.after", "outcome.before"] {
        let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
        entry_deleted_at(&mut scope, point).await?;
        match wait(&scope, "alice", "ready", cluster::is_ready).await {
            Ok(()) => {
                found.extend(made(&scope, 1, 1, point));
                if entries(&scope)
                    .list(&ListParams::default())
                    .await?
                    .items
                    .is_empty()
                {
                    found.push(format!("{point}: no entry holds the link"));
                }
            }
            Err(error) => found.push(format!("{point}: {error:#}")),
        }
        scope.stop_all().await?;
    }
    Ok((0, found))
}

scenario!(
    "entry-deleted-answer-lost",
    "ledger",
    Shared(|fixture, _| entry_deleted_answer_lost(fixture).boxed())
);
/// The entry is deleted while the POST is under way, whose answer is lost: nobody is mailed twice, neither by this operator
/// nor by the next one.
async fn entry_deleted_answer_lost(fixture: &Fixture) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    scope.service.plan().once(Call::Share, Fault::commit_then_reset());
    entry_deleted_at(&mut scope, "post.before").await?;
    let settled = |share: &Value| is_lost(share) || cluster::is_ready(share);
    wait(&scope, "alice", "settled", settled).await?;
    let mut found = made(&scope, 1, 1, "the same operator");
    scope.stop_all().await?;
    scope.start().await?;
    apply(&scope, "bob", "1", Some("bob@example.com")).await?;
    wait(&scope, "bob", "ready", cluster::is_ready).await?;
    wait(&scope, "alice", "settled", settled).await?;
    found.extend(made(&scope, 2, 2, "the next operator"));
    scope.stop_all().await?;
    Ok((0, found))
}

scenario!(
    "entry-lost",
    "ledger",
    Shared(|fixture, _| entry_lost(fixture).boxed())
);
/// The entry of an attempt that is in doubt, and of one that is on hold, is deleted while no operator runs: nobody is mailed
/// twice.
async fn entry_lost(fixture: &Fixture) -> Outcome {
    let mut found = Vec::new();
    for (list, reason) in [(Canned::Unavailable, "InDoubt"), (Canned::WrongJson, "Uncertain")] {
        let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
        let plan = scope.service.plan();
        plan.once(Call::Share, Fault::commit_then_reset());
        for call in [Call::Recent, Call::RecentV2] {
            plan.always(call, Fault::Answer(Stage::AfterCommit, list.clone()));
        }
        let first = scope.start().await?;
        apply(&scope, "alice", "1", Some("alice@example.com")).await?;
        let shown = |share: &Value| {
            cluster::is(share, "Ready", "Unknown", reason) || cluster::is(share, "Stalled", "True", reason)
        };
        wait(&scope, "alice", reason, shown)
            .await
            .context("what should go wrong did not")?;
        scope.stop(first).await?;
        delete_entries(&scope).await?;
        scope.service.plan().clear();
        scope.start().await?;
        let settled = |share: &Value| is_lost(share) || cluster::is_ready(share);
        wait(&scope, "alice", "settled", settled).await?;
        found.extend(made(&scope, 1, 1, reason));
        scope.stop_all().await?;
    }
    Ok((0, found))
}

/// So many ready shares, and no operator that runs.
async fn prepared(fixture: &Fixture, many: usize) -> Result<Scope> {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    // No answer is to be lost here, on a busy machine either: it would make one link more.
    scope.set("--attempt-deadline=", "15s");
    let first = scope.start().await?;
    for number in 0..many {
        apply(&scope, &format!("share-{number}"), "1", None).await?;
    }
    Box::pin(cluster::wait_for_many(
        &scope.shares,
        many,
        "ready",
        LIMIT,
        cluster::is_ready,
    ))
    .await
    .context("preparing")?;
    scope.stop(first).await?;
    Ok(scope)
}

async fn delete_shares(scope: &Scope, many: usize) -> Result<()> {
    for number in 0..many {
        scope
            .shares
            .delete(&format!("share-{number}"), &DeleteParams::default())
            .await?;
    }
    Ok(())
}

/// A share that is created and deleted now is burned: so would others have been that are older.
async fn one_is_burned(scope: &Scope, before: usize) -> Result<()> {
    apply(scope, "other", "1", None).await?;
    wait(scope, "other", "ready", cluster::is_ready).await?;
    scope.shares.delete("other", &DeleteParams::default()).await?;
    let more = |journal: &Journal| burned(journal) > before;
    scope.service.wait_for("a burned link", LIMIT, more).await?;
    // Those that are missing from a list are let go a little later.
    tokio::time::sleep(Duration::from_secs(6)).await;
    Ok(())
}

scenario!(
    "older-definition",
    "ledger",
    Shared(|fixture, _| older_definition(fixture).boxed())
);
/// The shares are missing because their definition was replaced: no link is burned, and each is taken over when its share
/// is there again.
async fn older_definition(fixture: &Fixture) -> Outcome {
    let many = 3;
    let mut scope = prepared(fixture, many).await?;
    for mut secret in entries(&scope).list(&ListParams::default()).await? {
        let data = secret.data.as_mut().and_then(|data| data.get_mut("entry"));
        let data = data.context("an entry")?;
        let mut entry: Value = serde_json::from_slice(&data.0)?;
        entry["crd_uid"] = json!("the uid of an earlier definition");
        *data = ByteString(entry.to_string().into_bytes());
        let name = secret.name_any();
        entries(&scope)
            .replace(&name, &PostParams::default(), &secret)
            .await?;
    }
    delete_shares(&scope, many).await?;
    scope.start().await?;
    one_is_burned(&scope, 0).await?;
    let mut found = Vec::new();
    let count = burned(&scope.service.journal());
    if count != 1 {
        found.push(format!("{} links were burned that nobody deleted", count - 1));
        return Ok((0, found));
    }
    for number in 0..many {
        apply(&scope, &format!("share-{number}"), "1", None).await?;
    }
    Box::pin(cluster::wait_for_many(
        &scope.shares,
        many,
        "ready",
        LIMIT,
        cluster::is_ready,
    ))
    .await?;
    found.extend(made(&scope, many + 1, 0, "back again"));
    delete_shares(&scope, 1).await?;
    let taken_over = |journal: &Journal| burned(journal) == 2;
    scope.service.wait_for("a burned link", LIMIT, taken_over).await?;
    scope.stop_all().await?;
    Ok((0, found))
}

scenario!("mass", "ledger", Shared(|fixture, _| mass(fixture).boxed()));
/// Very many shares are missing at the start: their links live until the administrator lets them go.
async fn mass(fixture: &Fixture) -> Outcome {
    let mut scope = prepared(fixture, MASS).await?;
    delete_shares(&scope, MASS).await?;
    scope.start().await?;
    one_is_burned(&scope, 0).await?;
    let count = burned(&scope.service.journal());
    if count != 1 {
        return Ok((0, vec![format!("{} links were burned", count - 1)]));
    }
    let namespaces: Api<Namespace> = Api::all(scope.client.clone());
    let patch = json!({"metadata": {"annotations": {"onetimeshare.dev/release-missing": ""}}});
    namespaces
        .patch(
            &format!("{}-ledger", scope.namespace),
            &PatchParams::default(),
            &Patch::Merge(&patch),
        )
        .await?;
    let all = |journal: &Journal| burned(journal) == MASS + 1;
    scope.service.wait_for("burned links", LIMIT, all).await?;
    scope.stop_all().await?;
    Ok((0, Vec::new()))
}
