//! SIGTERM: nothing new begins, what was begun ends, and only then another replica may work.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use harness::onetime::{Fault, Gate, Hold, Operation, Stage};
use harness::operator::Operator;
use rustix::process::Signal;
use serde_json::json;

use super::{end, holder, leads, replica, until};
use crate::fixture::Fixture;
use crate::scope::{PATIENCE, Scope};

/// Several times as long as the lease lasts.
const SLOW: Duration = Duration::from_secs(9);

/// A POST is under way when the signal comes, for longer than the lease lasts.
pub async fn under_way() -> Result<()> {
    let fixture = Fixture::start(false).await?;
    let mut first = Operator::start(&replica(&fixture, "first", None)).await?;
    leads(&first).await?;
    let second = Operator::start(&replica(&fixture, "second", None)).await?;
    let scope = Scope::open(&fixture, "team").await?;
    let late = Fault::Hang(Stage::AfterCommit, Hold::For(SLOW));
    scope.service.plan().once(Operation::Share, late);
    scope.share("late", json!({})).await?;
    let made = |journal: &harness::onetime::Journal| journal.shares.len() == 1;
    scope.service.wait_for("the POST", PATIENCE, made).await?;

    first.signal(Signal::TERM)?;
    let stopping = |log: &String| log.contains("shutting down");
    first.wait_for_log(PATIENCE, stopping).await?;
    scope.share("next", json!({})).await?;
    let given_back = async || {
        let held = holder(&fixture).await?.as_deref() == Some("first");
        if held {
            let sent = scope.service.journal().count(Operation::Share);
            ensure!(sent == 1, "nothing new begins, and nobody works in parallel");
        }
        Ok(!held)
    };
    until("the lease is given back", PATIENCE, given_back).await?;
    let share = scope.shares.get("late").await?;
    ensure!(
        share.data["status"]["link"] == scope.service.journal().shares[0].link,
        "the link was in the status before the lease was given back: {:#}",
        share.data["status"]
    );
    let status = first.wait(PATIENCE).await?;
    ensure!(status.success(), "it ended with {status}:\n{}", first.log());
    scope.all_ready(2).await?;
    ensure!(
        scope.service.journal().count(Operation::Share) == 2,
        "one link for each"
    );
    end(second).await
}

/// Whoever signals twice does not want to wait.
pub async fn at_once() -> Result<()> {
    for second in [Signal::TERM, Signal::INT] {
        let fixture = Fixture::start(false).await?;
        let mut operator = Operator::start(&replica(&fixture, "only", None)).await?;
        let scope = Scope::open(&fixture, "team").await?;
        let gate = Gate::new();
        let held = Fault::Hang(Stage::AfterCommit, Hold::Until(gate.clone()));
        scope.service.plan().once(Operation::Share, held);
        scope.share("late", json!({})).await?;
        let made = |journal: &harness::onetime::Journal| journal.shares.len() == 1;
        scope.service.wait_for("the POST", PATIENCE, made).await?;
        operator.signal(Signal::TERM)?;
        let stopping = |log: &String| log.contains("shutting down");
        operator.wait_for_log(PATIENCE, stopping).await?;
        let begin = Instant::now();
        operator.signal(second)?;
        let status = operator
            .wait(Duration::from_secs(10))
            .await
            .context("the second signal")?;
        ensure!(!status.success(), "it did not end well: {status}");
        ensure!(begin.elapsed() < Duration::from_secs(10));
        gate.open();
    }
    Ok(())
}
