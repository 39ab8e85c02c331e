//! How many shares a second: all of them are there before the contender starts, so that creating them costs it nothing.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::contender::Contender;
use crate::load::Load;
use crate::observer::Observer;
use crate::options::Run;
use crate::plan::Step;
use crate::process;
use crate::sample::Results;
use crate::stage::{PATIENCE, Stage};
use crate::statistics::rate;

/// No contender may be slower than this.
const LEAST_PER_SECOND: u64 = 4;

/// How long so many shares may take at most.
pub(super) fn limit(shares: usize) -> Duration {
    PATIENCE + Duration::from_secs(u64::try_from(shares).unwrap_or(u64::MAX) / LEAST_PER_SECOND)
}

/// What the provider's spec says for this contender, besides address and account.
pub(super) fn provider(contender: Contender, run: &Run) -> Value {
    match contender {
        Contender::OperatorTuned => json!({"maxConcurrentRequests": run.workers.min(100)}),
        _ => json!({}),
    }
}

pub(super) async fn run(run: &Run, step: &Step, mailed: bool, results: &mut Results) -> Result<()> {
    let (size, contender) = (step.size(), step.contender);
    let case = if mailed {
        "throughput, with recipients"
    } else {
        "throughput, plain"
    };
    let stage = Box::pin(Stage::open(&run.operator, false, provider(contender, run))).await?;
    let (from, to) = (0, size);
    Load { from, to, mailed }.create(&stage.client).await?;
    let observer = Observer::start(&stage.client);

    let begin = Instant::now();
    let running = Box::pin(contender.start(run, &stage)).await?;
    observer.linked(size, limit(size)).await?;
    let (first, last) = observer.span().context("links")?;
    let cpu = process::cpu_seconds(running.pid()?)?;

    let mut record = results.recorder(case, size, &contender.name(), step.round);
    let seconds = last.duration_since(first).as_secs_f64();
    record.take("shares/s", rate(size, seconds).context("too few shares")?);
    record.take(
        "s from the start to the last link",
        last.duration_since(begin).as_secs_f64(),
    );
    #[allow(clippy::cast_precision_loss, reason = "a count of shares")]
    let shares = size as f64;
    record.take("ms of CPU a share", cpu * 1000.0 / shares);
    record.take("MiB at most", process::peak(running.pid()?)?);
    let journal = stage.service.journal();
    let too_many = journal.shares.len().saturating_sub(size);
    match contender.is_operator() {
        true => record.none("POSTs too many", too_many),
        // The peers promise nothing.
        false => record.count("POSTs too many", too_many),
    }
    running.stop().await?;
    drop(observer);
    stage.close().await
}
