//! What settled shares cost: memory of every contender; of the operator also a restart, idle time, polls and burns.

use std::time::Instant;

use anyhow::Result;
use serde_json::json;

use crate::cases::throughput::limit;
use crate::cases::{burn, idle, restart};
use crate::contender::Running;
use crate::load::{self, Load};
use crate::observer::Observer;
use crate::options::Run;
use crate::plan::{Plan, Step};
use crate::process;
use crate::sample::Results;
use crate::stage::Stage;

/// Nothing is polled while something else is measured.
const SELDOM: &str = "24h";

pub(super) async fn run(run: &Run, plan: &Plan, step: &Step, results: &mut Results) -> Result<()> {
    let (size, contender) = (step.size(), step.contender);
    let audit = contender.is_operator() && size <= plan.audited;
    let stage = Stage::open(&run.operator, audit, json!({"pollInterval": SELDOM}));
    let stage = Box::pin(stage).await?;
    burn::prepare(&stage).await?;
    let observer = Observer::start(&stage.client);
    let running = Box::pin(contender.start(run, &stage)).await?;
    let mut record = results.recorder("settled", 0, &contender.name(), step.round);
    tokio::time::sleep(plan.rest).await;
    let empty = process::resident(running.pid()?)?;
    record.take("MiB resident", empty);

    let leaving = match contender.is_operator() {
        true => burn::count(plan, size),
        false => 0,
    };
    let mut made = 0;
    for upto in &step.sizes {
        record.as_case("settled", *upto);
        let begin = Instant::now();
        let leaving = if *upto == size { leaving } else { 0 };
        create(&stage, made, *upto, leaving).await?;
        observer.linked(*upto, limit(upto - made)).await?;
        made = *upto;
        record.take("s to make them", begin.elapsed().as_secs_f64());
        tokio::time::sleep(plan.rest).await;
        let resident = process::resident(running.pid()?)?;
        record.take("MiB resident", resident);
        record.take("KiB a share", each((resident - empty) * 1024.0, *upto));
        record.take("MiB at most", process::peak(running.pid()?)?);
    }
    drop(observer);
    match running {
        Running::Operator(operator) => {
            idle::idle(plan, &stage, &operator, audit, &mut record).await?;
            // So that the memory after the restart is that with a poll.
            idle::poll_often(&stage).await?;
            let operator = Box::pin(restart::run(run, plan, &stage, *operator, audit, &mut record)).await?;
            idle::polls(plan, &stage, &operator, audit, &mut record).await?;
            burn::run(stage, &operator, leaving, &mut record).await?;
            operator.kill().await
        }
        other => {
            other.stop().await?;
            stage.close().await
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "a count of shares")]
fn each(all: f64, shares: usize) -> f64 {
    all / shares.max(1) as f64
}

/// Creates more shares, of which some will leave together. It happens while the contender works, which is the quickest
/// way that is true.
async fn create(stage: &Stage, from: usize, to: usize, leaving: usize) -> Result<()> {
    let leaving = leaving.min(to - from);
    Load::plain(from, to - leaving).create(&stage.client).await?;
    burn::create(stage, leaving).await
}

/// Creates a share in a namespace that has the Secret `value`.
pub(super) async fn share(stage: &Stage, namespace: &str, number: usize) -> Result<()> {
    let spec = json!({"secretRef": {"name": "value"}});
    load::one(&stage.client, namespace, &format!("leaving-{number:06}"), &spec).await
}
