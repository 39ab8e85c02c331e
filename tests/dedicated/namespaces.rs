//! A namespace goes with its shares, their Secrets and their provider, and never waits for the operator; the links are
//! burned from what the ledger knows.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::onetime::{Operation, State};
use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::scope::{PASSPHRASE, Scope, in_state};

/// So many links die with the namespace.
const BURNED: usize = 50;

/// From so many on, all missing at the start are kept (`src/poll/mass.rs`).
const VERY_MANY: usize = 10;

/// The namespace controller alone: measured 5.2 s for the namespace of 22 shares on two cores.
const DELETED_WITHIN: Duration = Duration::from_secs(30);

pub async fn run() -> Result<()> {
    let mut fixture = Fixture::start(true).await?;
    fixture.start_operator(&[]).await?;
    let team = while_the_operator_runs(&fixture).await?;
    while_the_service_is_down(&fixture).await?;
    only_those(&team)?;
    while_the_operator_is_stopped(&mut fixture).await?;
    very_many_at_once_are_kept(&mut fixture).await?;
    fixture.end().await
}

async fn while_the_operator_runs(fixture: &Fixture) -> Result<Scope> {
    let scope = Scope::open(fixture, "team").await?;
    scope.share_many(BURNED).await?;
    scope.share("kept", json!({"deletionPolicy": "Retain"})).await?;
    scope.share("opened", json!({})).await?;
    scope.all_ready(BURNED + 2).await?;
    let opened = scope.shares.get("opened").await?;
    let key = opened.data["status"]["secretKey"].as_str().context("a key")?;
    ensure!(scope.service.open(key, None).is_some(), "the link opens");
    let received = |share: &Value| share["status"]["state"] == "Received";
    scope.wait("opened", "received", received).await?;

    let took = scope.delete().await?;
    println!("the namespace was gone after {took:?}");
    ensure!(took < DELETED_WITHIN, "the namespace was gone after {took:?}");
    scope.burned(BURNED).await?;
    Ok(scope)
}

/// Asked later, when the operator has gone on burning others for a while.
fn only_those(scope: &Scope) -> Result<()> {
    let journal = scope.service.journal();
    ensure!(journal.shares.len() == BURNED + 2, "one link for each share");
    ensure!(
        in_state(&journal, State::Burned) == BURNED,
        "{BURNED} burned links"
    );
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
async fn while_the_service_is_down(fixture: &Fixture) -> Result<()> {
    let scope = Scope::open(fixture, "cut-off").await?;
    scope.share_many(3).await?;
    scope.all_ready(3).await?;
    scope.service.stop_listening().await?;
    scope.service.drop_connections();
    let took = scope.delete().await?;
    ensure!(took < DELETED_WITHIN, "the namespace was gone after {took:?}");
    ensure!(
        in_state(&scope.service.journal(), State::Burned) == 0,
        "nothing was burned yet"
    );
    scope.service.start_listening().await?;
    scope.burned(3).await
}

async fn while_the_operator_is_stopped(fixture: &mut Fixture) -> Result<()> {
    let scope = Scope::open(fixture, "unattended").await?;
    scope.share_many(BURNED).await?;
    scope.share("kept", json!({"deletionPolicy": "Retain"})).await?;
    scope.all_ready(BURNED + 1).await?;
    fixture.stop_operator().await?;
    let took = scope.delete().await?;
    ensure!(took < DELETED_WITHIN, "the namespace was gone after {took:?}");
    ensure!(
        scope.service.journal().count(Operation::Burn) == 0,
        "nobody burned"
    );
    fixture.start_operator(&[]).await?;
    scope.burned(BURNED).await?;
    ensure!(
        in_state(&scope.service.journal(), State::New) == 1,
        "one retained link"
    );
    Ok(())
}

/// A restore that went wrong looks the same: nothing is burned until the administrator says so.
async fn very_many_at_once_are_kept(fixture: &mut Fixture) -> Result<()> {
    let scope = Scope::open(fixture, "restored").await?;
    scope.share_many(VERY_MANY).await?;
    scope.all_ready(VERY_MANY).await?;
    fixture.stop_operator().await?;
    scope.delete_shares().await?;
    fixture.start_operator(&[]).await?;
    let told = |log: &String| log.contains("very many shares are missing");
    fixture
        .operator()?
        .wait_for_log(Duration::from_secs(30), told)
        .await?;
    // What is deleted from now on is burned, so they would have been too.
    let other = Scope::open(fixture, "other").await?;
    other.share_many(2).await?;
    other.all_ready(2).await?;
    other.delete().await?;
    other.burned(2).await?;
    ensure!(
        scope.service.journal().count(Operation::Burn) == 0,
        "none is burned"
    );
    fixture
        .annotate_ledger("onetimeshare.dev/release-missing", Some("yes"))
        .await?;
    scope.burned(VERY_MANY).await?;
    fixture
        .annotate_ledger("onetimeshare.dev/release-missing", None)
        .await
}
