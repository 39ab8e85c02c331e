//! Waiting until a plan has come to its end: a condition on the share, the ledger and the journal, then silence.

use crate::history::History;
use crate::plan::{Goal, Operation, Plan};
use crate::scope::Scope;
use anyhow::{Result, bail};
use harness::cluster;
use harness::onetime::{Journal, Operation as Call};
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// How a plan came to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    Done,
    /// A person must decide.
    Held,
}

/// A settled share costs no request for so long.
const SILENCE: Duration = Duration::from_secs(3);

/// Waits until the share has its link.
pub async fn ready(scope: &Scope, limit: Duration) -> Result<()> {
    until(scope, limit, "ready", |history, _| is_ready(history)).await
}

/// Waits until the share tells that its link was opened.
pub async fn received(scope: &Scope, limit: Duration) -> Result<()> {
    let received = |history: &History, _: &Journal| {
        let share = history.share();
        share.is_some_and(|share| share["status"]["state"] == "Received")
    };
    until(scope, limit, "received", received).await
}

/// Waits until the share waits for a person.
pub async fn held(scope: &Scope, limit: Duration) -> Result<()> {
    until(scope, limit, "held", |history, _| is_held(history)).await
}

/// Waits until the share is gone and its link is dead.
pub async fn gone(scope: &Scope, limit: Duration) -> Result<()> {
    let now_ms = || scope.service.now_ms();
    until(scope, limit, "gone", |history, journal| {
        is_gone(history, journal, now_ms())
    })
    .await
}

/// Waits until the link is marked as one to burn.
pub async fn burning(scope: &Scope, limit: Duration) -> Result<()> {
    let marked = |history: &History, _: &Journal| {
        history.entry().is_some_and(|entry| {
            !entry["phase"]["burning"].is_null() || !entry["phase"]["finished"].is_null()
        })
    };
    until(scope, limit, "burning", marked).await
}

/// Waits until a plan has reached its goal, or is held, and nothing more is asked of the service.
pub async fn for_good(scope: &Scope, plan: &Plan, limit: Duration) -> Result<Settled> {
    let end = Instant::now() + limit;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        until(scope, left, "settled", |history, journal| {
            settled(plan, history, journal, scope.service.now_ms()).is_some()
        })
        .await?;
        let asked = per_share_requests(plan, &scope.service.journal());
        let more = |journal: &Journal| per_share_requests(plan, journal) > asked;
        // The time passes without a request: that is what is hoped for.
        let silent = scope.service.wait_for("request", SILENCE, more).await.is_err();
        let (history, journal) = (scope.watches.now(), scope.service.journal());
        match settled(plan, &history, &journal, scope.service.now_ms()) {
            Some(settled) if silent => return Ok(settled),
            _ if Instant::now() >= end => bail!("it does not come to rest"),
            _ => {}
        }
    }
}

async fn until(
    scope: &Scope,
    limit: Duration,
    what: &str,
    condition: impl Fn(&History, &Journal) -> bool,
) -> Result<()> {
    let mut history = scope.watches.receiver();
    let met = async {
        loop {
            let now = history.borrow_and_update().clone();
            let journal = scope.service.journal();
            if condition(&now, &journal) {
                return;
            }
            let seen = (journal.requests.len(), journal.shares.len());
            let pause = Duration::from_secs(1);
            tokio::select! {
                _ = history.changed() => {}
                _ = scope.service.wait_for("news", pause, |journal| {
                    (journal.requests.len(), journal.shares.len()) != seen
                }) => {}
            }
        }
    };
    if tokio::time::timeout(limit, met).await.is_ok() {
        return Ok(());
    }
    let now = scope.watches.now();
    let status = now.share().map_or(Value::Null, |share| share["status"].clone());
    let phase = now.entry().map_or(Value::Null, |entry| entry["phase"].clone());
    bail!("not {what} within {limit:?}; status {status}; phase {phase}")
}

/// What a settled share must not cause.
fn per_share_requests(plan: &Plan, journal: &Journal) -> usize {
    let counts = |call: Call| match call {
        Call::Share | Call::Generate | Call::Burn => true,
        // Without an account the links are looked at one by one, on a schedule.
        Call::Look => plan.flavor.has_account(),
        _ => false,
    };
    journal
        .requests
        .iter()
        .filter(|request| counts(request.operation))
        .count()
}

fn settled(plan: &Plan, history: &History, journal: &Journal, now_ms: i64) -> Option<Settled> {
    let done = match plan.operation.goal() {
        Goal::Ready => is_ready(history) && has_no_old_attempt(history),
        Goal::Ended(state) => history.share().is_some_and(|share| {
            share["status"]["state"] == state && is_noted(plan, share) || is_sent_again(plan, share)
        }),
        Goal::Gone => is_gone(history, journal, now_ms),
    };
    if done {
        return Some(Settled::Done);
    }
    let held = match plan.operation.goal() {
        Goal::Gone => history.shares.last().is_some_and(|last| last.deleted) && entry_is_held(history),
        _ => is_held(history),
    };
    held.then_some(Settled::Held)
}

/// Whether an edit made another link, which it must not: the journal tells.
fn is_sent_again(plan: &Plan, share: &Value) -> bool {
    plan.operation == Operation::EditFinished && is_current(share) && share["status"]["link"].is_string()
}

/// Whether the operator has seen an edit of which nothing else tells.
fn is_noted(plan: &Plan, share: &Value) -> bool {
    plan.operation != Operation::EditFinished
        || is_current(share) && cluster::is(share, "UpToDate", "False", "NeedsNewRequestID")
}

fn is_ready(history: &History) -> bool {
    history.share().is_some_and(|share| {
        is_current(share)
            && cluster::is_ready(share)
            && share["status"]["state"] == "Shared"
            && share["status"]["link"].is_string()
    })
}

fn is_held(history: &History) -> bool {
    history.share().is_some_and(|share| {
        is_current(share) && cluster::is(share, "Stalled", "True", "Uncertain") && entry_is_held(history)
    })
}

/// An attempt nobody can tell about, or a link that was burned because its value was lost.
fn entry_is_held(history: &History) -> bool {
    history.entry().is_some_and(|entry| {
        let phase = &entry["phase"];
        phase["intent"]["held"] == true || phase["finished"]["burned_for"] == "ValueLost"
    })
}

fn has_no_old_attempt(history: &History) -> bool {
    history.entry().is_some_and(|entry| {
        // Those that were looked for and not found stay until their links would be dead.
        let lost = entry["superseded"].as_array().into_iter().flatten();
        lost.filter(|attempt| attempt["found_none"] != true).count() == 0
    })
}

fn is_current(share: &Value) -> bool {
    share["status"]["observedGeneration"] == share["metadata"]["generation"]
}

fn is_gone(history: &History, journal: &Journal, now_ms: i64) -> bool {
    let deleted = history.shares.last().is_some_and(|last| last.deleted);
    let over = history.entry().is_none_or(|entry| {
        let phase = &entry["phase"];
        phase["finished"].is_object() || phase == "idle"
    });
    let dead = journal
        .shares
        .iter()
        .all(|share| !share.is_live(now_ms) || share.recipients.is_empty());
    deleted && over && dead
}
