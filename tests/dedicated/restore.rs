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

use crate::corner::{Corner, PATIENCE};
use crate::field::Field;

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
    let mut field = Field::start(false).await?;
    field.start_operator(&[]).await?;
    let corner = Corner::open(&field, "restored").await?;
    for (name, ..) in CASES {
        let recipient = format!("{name}@example.com");
        corner.share(name, json!({"recipient": recipient})).await?;
    }
    corner.all_ready(CASES.len()).await?;
    let before = statuses(&corner).await?;
    field.stop_operator().await?;
    for (name, ledger, status) in CASES {
        set_ledger(&field, name, ledger).await?;
        restore(&corner, name, status).await?;
    }
    field.start_operator(&[]).await?;
    shown_and_not_sent_again(&corner, &before).await?;
    only_our_own_is_burned(&corner).await?;
    field.end().await
}

async fn statuses(corner: &Corner) -> Result<BTreeMap<String, Value>> {
    let shares = corner.shares.list(&Default::default()).await?;
    Ok(shares
        .into_iter()
        .map(|share| (share.name_any(), share.data["status"].clone()))
        .collect())
}

async fn set_ledger(field: &Field, name: &str, ledger: Ledger) -> Result<()> {
    let entries: Api<Secret> = Api::namespaced(field.client.clone(), "onetimeshare-ledger");
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
async fn restore(corner: &Corner, name: &str, status: Status) -> Result<()> {
    let saved = corner.shares.get(name).await?;
    let uid = saved.uid().context("a uid")?;
    let gone = await_condition(corner.shares.clone(), name, is_deleted(&uid));
    corner.shares.delete(name, &DeleteParams::default()).await?;
    tokio::time::timeout(PATIENCE, gone).await??;
    let mut told = saved.data["status"].clone();
    let mut fresh = saved;
    fresh.metadata = kube::api::ObjectMeta {
        name: fresh.metadata.name,
        namespace: fresh.metadata.namespace,
        ..Default::default()
    };
    corner.shares.create(&PostParams::default(), &fresh).await?;
    if status == Status::None {
        return Ok(());
    }
    if status == Status::WithoutLink {
        told["link"] = Value::Null;
        told["secretKey"] = Value::Null;
    }
    let patch = Patch::Merge(json!({ "status": told }));
    corner
        .shares
        .patch_status(name, &PatchParams::default(), &patch)
        .await?;
    Ok(())
}

async fn shown_and_not_sent_again(corner: &Corner, before: &BTreeMap<String, Value>) -> Result<()> {
    for name in ["kept", "elsewhere", "told", "forgotten"] {
        let share = corner.wait(name, "ready", cluster::is_ready).await?;
        let same = share["status"]["link"] == before[name]["link"];
        ensure!(same == (name != "forgotten"), "{name}: the same link is {same}");
    }
    let lost = |share: &Value| cluster::is(share, "Stalled", "True", "LedgerLost");
    corner.wait("half", "stalled", lost).await?;
    let journal = corner.service.journal();
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
    let again = Patch::Merge(json!({"spec": {"requestId": "2"}}));
    corner
        .shares
        .patch("told", &PatchParams::default(), &again)
        .await?;
    let burning = |share: &Value| cluster::is(share, "Ready", "Unknown", "Burning");
    corner
        .wait("told", "waiting for the old link's end", burning)
        .await
        .map(drop)
}

async fn only_our_own_is_burned(corner: &Corner) -> Result<()> {
    for name in ["elsewhere", "kept"] {
        corner.shares.delete(name, &DeleteParams::default()).await?;
    }
    corner.burned(1).await?;
    let journal = corner.service.journal();
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
