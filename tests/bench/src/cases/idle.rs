//! What an operator costs that has nothing to do, and what a poll costs.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use harness::onetime::{OnetimeServer, Operation};
use harness::operator::Operator;
use jiff::Timestamp;
use serde_json::json;

use crate::plan::Plan;
use crate::process;
use crate::sample::Recorder;
use crate::stage::{PATIENCE, Stage, USER};

/// How often the measured polls happen.
const INTERVAL: Duration = Duration::from_secs(5);
const HOUR: f64 = 3600.0;

fn pid(operator: &Operator) -> Result<u32> {
    operator.pid().context("the operator has ended")
}

/// Processor time and requests while nothing happens.
pub(super) async fn idle(
    plan: &Plan,
    stage: &Stage,
    operator: &Operator,
    audit: bool,
    record: &mut Recorder<'_>,
) -> Result<()> {
    let (since, begin) = (Timestamp::now(), Instant::now());
    let (before, asked) = (
        process::cpu_seconds(pid(operator)?)?,
        stage.service.requests().len(),
    );
    tokio::time::sleep(plan.idle).await;
    let seconds = begin.elapsed().as_secs_f64();
    let cpu = process::cpu_seconds(pid(operator)?)? - before;
    record.take("idle: millicores", cpu / seconds * 1000.0);
    let asked = stage.service.requests().len() - asked;
    record.count("idle: requests to the service", asked);
    let hourly = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / seconds * HOUR;
    if audit {
        let requests = calls(stage, since).await?.len();
        record.take("idle: requests to the API server an hour", hourly(requests));
    }
    Ok(())
}

/// From now on the links are polled often. An operator that runs already notices it at its next poll.
pub(super) async fn poll_often(stage: &Stage) -> Result<()> {
    let interval = format!("{}s", INTERVAL.as_secs());
    stage.provider(json!({"pollInterval": interval})).await
}

/// What the operator asked the API server for, watches aside.
pub(super) async fn calls(stage: &Stage, since: Timestamp) -> Result<Vec<harness::audit::Call>> {
    let mut calls = stage.audit().await?.calls_of(USER).await?;
    calls.retain(|call| call.at >= since);
    Ok(calls)
}

/// What each poll of all links of the one account costs, beyond the time between polls.
pub(super) async fn polls(
    plan: &Plan,
    stage: &Stage,
    operator: &Operator,
    audit: bool,
    record: &mut Recorder<'_>,
) -> Result<()> {
    let service = &stage.service;
    // From one list to another: whatever the first list changes belongs to the time before.
    polled(service, 1).await?;
    let (since, before) = (Timestamp::now(), service.requests().len());
    let cpu = process::cpu_seconds(pid(operator)?)?;
    let lists = polled(service, plan.polls).await?;
    let cpu = process::cpu_seconds(pid(operator)?)? - cpu;
    let per_poll = |value: f64| value / f64::from(u32::try_from(lists.max(1)).unwrap_or(u32::MAX));
    record.take("poll: ms of CPU", per_poll(cpu * 1000.0));
    let requests = service.requests();
    let other = requests[before..]
        .iter()
        .filter(|request| !matches!(request.operation, Operation::Recent | Operation::AuthCheck))
        .count();
    record.count("poll: requests for single shares", other);
    record.count("poll: lists", lists);
    if audit {
        let noise = calls(stage, since).await?;
        let for_shares = noise.iter().filter(|call| call.resource != "leases").count();
        record.count("poll: requests to the API server", for_shares);
    }
    Ok(())
}

/// Waits for so many lists that were answered, and returns how many there were meanwhile.
async fn polled(service: &OnetimeServer, count: usize) -> Result<usize> {
    let before = service.journal().count(Operation::Recent);
    let limit = PATIENCE * 3 + INTERVAL * u32::try_from(count).unwrap_or(u32::MAX);
    let journal = service
        .wait_for("list", limit, |journal| {
            journal.count(Operation::Recent) >= before + count
        })
        .await?;
    Ok(journal.count(Operation::Recent) - before)
}
