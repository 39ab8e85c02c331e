//! Shares from a backup: with and without their status, with and without the ledger, and with a ledger of another cluster.
//! What docs/gitops.md says of each is what happens here.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::onetime::State;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::conditions::is_deleted;
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt as _};
use onetimeshare::ledger::Owner;
use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::scope::{PATIENCE, Scope};

/// What comes back with a share.
#[derive(Clone, Copy, PartialEq)]
enum Ledger {
    Here,
    Lost,
    OfAnotherCluster,
}

#[derive(Clone, Copy, PartialEq)]
enum Status {
    Whole,
    WithoutLink,
    None,
}

const CASES: [(&str, Ledger, Status); 5] = [
    ("kept", Ledger::Here, Status::None),
    ("elsewhere", Ledger::OfAnotherCluster, Status::None),
    ("told", Ledger::Lost, Status::Whole),
    ("half", Ledger::Lost, Status::WithoutLink),
    ("forgotten", Ledger::Lost, Status::None),
];

pub async fn run() -> Result<()> {
    let mut fixture = Fixture::start(false).await?;
    fixture.start_operator(&[]).await?;
    let scope = Scope::open(&fixture, "restored").await?;
    for (name, ..) in CASES {
        let recipient = format!("{name}@example.com");
        scope.share(name, json!({"recipient": recipient})).await?;
    }
    scope.all_ready(CASES.len()).await?;
    let before = statuses(&scope).await?;
    fixture.stop_operator().await?;
    for (name, ledger, status) in CASES {
        set_ledger(&fixture, name, ledger).await?;
        restore(&scope, name, status).await?;
    }
    fixture.start_operator(&[]).await?;
    shown_and_not_sent_again(&scope, &before).await?;
    only_our_own_is_burned(&scope).await?;
    fixture.end().await
}

async fn statuses(scope: &Scope) -> Result<BTreeMap<String, Value>> {
    let shares = scope.shares.list(&Default::default()).await?;
    Ok(shares
        .into_iter()
        .map(|share| (share.name_any(), share.data["status"].clone()))
        .collect())
}

async fn set_ledger(fixture: &Fixture, name: &str, ledger: Ledger) -> Result<()> {
    let entries: Api<Secret> = Api::namespaced(fixture.client.clone(), "onetimeshare-ledger");
    let (namespace, name) = ("restored".to_owned(), name.to_owned());
    let entry = Owner { namespace, name }.entry_name();
    match ledger {
        Ledger::Here => Ok(()),
        Ledger::Lost => Ok(entries.delete(&entry, &DeleteParams::default()).await.map(drop)?),
        Ledger::OfAnotherCluster => {
            let mut secret = entries.get(&entry).await?;
            let data = secret
                .data
                .as_mut()
                .and_then(|data| data.get_mut("entry"))
                .context("an entry")?;
            let mut text: Value = serde_json::from_slice(&data.0)?;
            ensure!(text["cluster"].is_string(), "an entry names its cluster");
            text["cluster"] = json!("the uid of another");
            *data = ByteString(text.to_string().into_bytes());
            Ok(entries
                .replace(&entry, &PostParams::default(), &secret)
                .await
                .map(drop)?)
        }
    }
}

/// Deletes a share and makes it again, as a tool that restores does: another uid, and the status after the rest.
async fn restore(scope: &Scope, name: &str, status: Status) -> Result<()> {
    let saved = scope.shares.get(name).await?;
    let uid = saved.uid().context("a uid")?;
    let gone = await_condition(scope.shares.clone(), name, is_deleted(&uid));
    scope.shares.delete(name, &DeleteParams::default()).await?;
    tokio::time::timeout(PATIENCE, gone).await??;
    let mut told = saved.data["status"].clone();
    let mut fresh = saved;
    fresh.metadata = kube::api::ObjectMeta {
        name: fresh.metadata.name,
        namespace: fresh.metadata.namespace,
        ..Default::default()
    };
    scope.shares.create(&PostParams::default(), &fresh).await?;
    if status == Status::None {
        return Ok(());
    }
    if status == Status::WithoutLink {
        told["link"] = Value::Null;
        told["secretKey"] = Value::Null;
    }
    let patch = Patch::Merge(json!({ "status": told }));
    scope
        .shares
        .patch_status(name, &PatchParams::default(), &patch)
        .await?;
    Ok(())
}

async fn shown_and_not_sent_again(scope: &Scope, before: &BTreeMap<String, Value>) -> Result<()> {
    for name in ["kept", "elsewhere", "told", "forgotten"] {
        let share = scope.wait(name, "ready", cluster::is_ready).await?;
        let same = share["status"]["link"] == before[name]["link"];
        ensure!(same == (name != "forgotten"), "{name}: the same link is {same}");
    }
    let lost = |share: &Value| cluster::is(share, "Stalled", "True", "LedgerLost");
    scope.wait("half", "stalled", lost).await?;
    let journal = scope.service.journal();
    ensure!(
        journal.shares.len() == CASES.len() + 1 && journal.mails.len() == CASES.len() + 1,
        "{} links and {} e-mails",
        journal.shares.len(),
        journal.mails.len()
    );
    ensure!(
        journal.mails_to("forgotten@example.com").len() == 2,
        "who was forgotten is mailed again"
    );

    // What was rebuilt from a status cannot be burned: another request waits for its end.
    let again = Patch::Merge(json!({"spec": {"requestID": "2"}}));
    scope
        .shares
        .patch("told", &PatchParams::default(), &again)
        .await?;
    let burning = |share: &Value| cluster::is(share, "Ready", "Unknown", "Burning");
    scope
        .wait("told", "waiting for the old link's end", burning)
        .await
        .map(drop)
}

async fn only_our_own_is_burned(scope: &Scope) -> Result<()> {
    for name in ["elsewhere", "kept"] {
        scope.shares.delete(name, &DeleteParams::default()).await?;
    }
    scope.burned(1).await?;
    let journal = scope.service.journal();
    let state = |name: &str| {
        let mail = journal
            .mails_to(&format!("{name}@example.com"))
            .first()
            .map(|mail| mail.secret_key.clone());
        mail.and_then(|key| journal.by_secret(&key).map(|share| share.state))
    };
    ensure!(state("kept") == Some(State::Burned), "ours is burned");
    ensure!(state("elsewhere") == Some(State::New), "another cluster's is not");
    Ok(())
}
