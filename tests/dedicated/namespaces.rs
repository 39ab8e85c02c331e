//! A namespace goes with its shares, their Secrets and their provider, and never waits for the operator; the links are
//! burned from what the ledger knows.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::onetime::{Operation, State};
use serde_json::{Value, json};

use crate::corner::{Corner, PASSPHRASE, in_state};
use crate::field::Field;

/// So many links die with the namespace.
const BURNED: usize = 20;

/// From so many on, all missing at the start are kept (`src/sweep/missing.rs`).
const VERY_MANY: usize = 10;

/// The namespace controller alone: measured 5.2 s for the namespace of 22 shares on two cores.
const DELETED_WITHIN: Duration = Duration::from_secs(30);

pub async fn run() -> Result<()> {
    let mut field = Field::start(true).await?;
    field.start_operator(&[]).await?;
    let team = while_the_operator_runs(&field).await?;
    while_the_service_is_down(&field).await?;
    only_those(&team)?;
    while_the_operator_is_stopped(&mut field).await?;
    very_many_at_once_are_kept(&mut field).await?;
    field.end().await
}

async fn while_the_operator_runs(field: &Field) -> Result<Corner> {
    let corner = Corner::open(field, "team").await?;
    corner.share_many(BURNED).await?;
    corner.share("kept", json!({"deletionPolicy": "Retain"})).await?;
    corner.share("opened", json!({})).await?;
    corner.all_ready(BURNED + 2).await?;
    let opened = corner.shares.get("opened").await?;
    let key = opened.data["status"]["secretKey"].as_str().context("a key")?;
    ensure!(corner.service.open(key, None).is_some(), "the link opens");
    let received = |share: &Value| share["status"]["state"] == "Received";
    corner.wait("opened", "received", received).await?;

    let took = corner.delete().await?;
    println!("the namespace was gone after {took:?}");
    ensure!(took < DELETED_WITHIN, "the namespace was gone after {took:?}");
    corner.burned(BURNED).await?;
    Ok(corner)
}

/// Asked later, when the operator has gone on burning others for a while.
fn only_those(corner: &Corner) -> Result<()> {
    let journal = corner.service.journal();
    ensure!(journal.shares.len() == BURNED + 2, "one link for each share");
    ensure!(in_state(&journal, State::Burned) == BURNED, "20 burned links");
    ensure!(in_state(&journal, State::Received) == 1, "one opened link");
    ensure!(in_state(&journal, State::New) == 1, "one retained link");
    let burns: Vec<_> = journal
        .requests
        .iter()
        .filter(|request| request.operation == Operation::Burn)
        .collect();
    ensure!(
        burns.len() == BURNED,
        "{} requests burn {BURNED} links",
        burns.len()
    );
    let phrases: Vec<_> = burns.iter().filter_map(|burn| burn.param("passphrase")).collect();
    ensure!(
        phrases == [PASSPHRASE.as_bytes()],
        "one of them with its passphrase"
    );
    Ok(())
}

/// What the deletion would wait for, if it waited: it is gone long before the service can be asked to burn.
async fn while_the_service_is_down(field: &Field) -> Result<()> {
    let corner = Corner::open(field, "cut-off").await?;
    corner.share_many(3).await?;
    corner.all_ready(3).await?;
    corner.service.stop_listening().await;
    corner.service.drop_connections();
    let took = corner.delete().await?;
    ensure!(took < DELETED_WITHIN, "the namespace was gone after {took:?}");
    ensure!(
        in_state(&corner.service.journal(), State::Burned) == 0,
        "nothing was burned yet"
    );
    corner.service.start_listening().await?;
    corner.burned(3).await
}

async fn while_the_operator_is_stopped(field: &mut Field) -> Result<()> {
    let corner = Corner::open(field, "unattended").await?;
    let few = VERY_MANY - 4;
    corner.share_many(few).await?;
    corner.share("kept", json!({"deletionPolicy": "Retain"})).await?;
    corner.all_ready(few + 1).await?;
    field.stop_operator().await?;
    let took = corner.delete().await?;
    ensure!(took < DELETED_WITHIN, "the namespace was gone after {took:?}");
    ensure!(
        corner.service.journal().count(Operation::Burn) == 0,
        "nobody burned"
    );
    field.start_operator(&[]).await?;
    corner.burned(few).await?;
    ensure!(
        in_state(&corner.service.journal(), State::New) == 1,
        "one retained link"
    );
    Ok(())
}

/// A restore that went wrong looks the same: nothing is burned until the administrator says so.
async fn very_many_at_once_are_kept(field: &mut Field) -> Result<()> {
    let corner = Corner::open(field, "restored").await?;
    corner.share_many(VERY_MANY).await?;
    corner.all_ready(VERY_MANY).await?;
    field.stop_operator().await?;
    corner.delete().await?;
    field.start_operator(&[]).await?;
    let told = |log: &String| log.contains("very many shares are missing");
    field
        .operator()?
        .wait_for_log(Duration::from_secs(30), told)
        .await?;
    // What is deleted from now on is burned, so they would have been too.
    let other = Corner::open(field, "other").await?;
    other.share_many(2).await?;
    other.all_ready(2).await?;
    other.delete().await?;
    other.burned(2).await?;
    ensure!(
        corner.service.journal().count(Operation::Burn) == 0,
        "none is burned"
    );
    field.stop_operator().await?;
    field.start_operator(&["--allow-mass-burn"]).await?;
    corner.burned(VERY_MANY).await
}
