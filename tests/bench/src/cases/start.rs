//! How soon an operator works, and how much memory it needs with next to nothing to do.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use harness::operator::Operator;
use serde_json::json;

use crate::cases::throughput::limit;
use crate::contender;
use crate::load::Load;
use crate::observer::Observer;
use crate::options::Run;
use crate::plan::{Plan, Step};
use crate::process;
use crate::sample::Results;
use crate::stage::{PATIENCE, Stage};

/// Waits for a line of the operator's log.
pub(super) async fn said(operator: &Operator, message: &str) -> Result<()> {
    let line = format!("\"message\":\"{message}\"");
    operator
        .wait_for_log(PATIENCE * 2, |log| log.contains(&line))
        .await
}

pub(super) async fn run(run: &Run, plan: &Plan, step: &Step, results: &mut Results) -> Result<()> {
    let size = step.size();
    let stage = Box::pin(Stage::open(&run.operator, false, json!({}))).await?;
    let mut record = results.recorder("start", size, &step.contender.name(), step.round);
    let begin = Instant::now();
    let operator = Operator::spawn(&contender::launch(run, &stage, Vec::new())?).await?;
    said(&operator, "leading").await?;
    record.take("ms until it leads", begin.elapsed().as_secs_f64() * 1000.0);
    // While it waits for the lease it calls itself ready too; what counts is that it works.
    said(&operator, "ready").await?;
    ensure!(operator.ready().await?, "/readyz says that it is not ready");
    record.take("ms until it is ready", begin.elapsed().as_secs_f64() * 1000.0);

    let pid = operator.pid().context("the operator has ended")?;
    tokio::time::sleep(plan.rest).await;
    record.take("MiB resident, no share", process::resident(pid)?);
    let observer = Observer::start(&stage.client);
    Load::plain(0, size).create(&stage.client).await?;
    observer.linked(size, limit(size)).await?;
    tokio::time::sleep(plan.rest).await;
    record.take("MiB resident, all shares settled", process::resident(pid)?);
    record.take("MiB at most", process::peak(pid)?);
    let status = operator.stop().await?;
    ensure!(status.success(), "the operator ended with {status}");
    drop(observer);
    stage.close().await
}
