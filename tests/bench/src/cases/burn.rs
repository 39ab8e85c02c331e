//! How long it takes to burn the links of a namespace that is deleted.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use harness::onetime::Operation;
use harness::operator::Operator;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::DeleteParams;

use crate::cases::settled::share;
use crate::load;
use crate::plan::Plan;
use crate::process;
use crate::sample::Recorder;
use crate::stage::{PATIENCE, Stage};
use crate::statistics::rate;

const NAMESPACE: &str = "leaving";
const AT_ONCE: usize = 16;

/// How many of so many shares leave: never more than half, because then a relist could take it for a mass loss.
pub(super) fn count(plan: &Plan, size: usize) -> usize {
    plan.burns.min(size / 2)
}

pub(super) async fn prepare(stage: &Stage) -> Result<()> {
    harness::cluster::namespace(&stage.client, NAMESPACE).await?;
    load::secret(&stage.client, NAMESPACE, "value").await
}

/// Creates the shares that will leave.
pub(super) async fn create(stage: &Stage, count: usize) -> Result<()> {
    stream::iter(0..count)
        .map(|number| share(stage, NAMESPACE, number))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// Deletes their namespace, and waits until every link is burned. Ends the stage.
pub(super) async fn run(
    mut stage: Stage,
    operator: &Operator,
    count: usize,
    record: &mut Recorder<'_>,
) -> Result<()> {
    // It is what deletes what is in a namespace.
    stage.plane.start_controller_manager().await?;
    let pid = operator.pid().context("the operator has ended")?;
    let cpu = process::cpu_seconds(pid)?;
    let api: Api<Namespace> = Api::all(stage.client.clone());
    let begin = Instant::now();
    api.delete(NAMESPACE, &DeleteParams::default())
        .await
        .context("deleting a namespace")?;
    let before = stage.service.requests().len();
    let burned = |wanted: usize| {
        let limit = PATIENCE * 3 + Duration::from_secs(u64::try_from(count / 10).unwrap_or(u64::MAX));
        stage.service.wait_for("burns", limit, move |journal| {
            // Counting is slow, and asked for after every request.
            journal.requests.len() >= before + wanted && journal.count(Operation::Burn) >= wanted
        })
    };
    burned(1).await?;
    let first = Instant::now();
    burned(count).await?;
    record.count("burn: links", count);
    record.take(
        "burn: s from the deletion to the last",
        begin.elapsed().as_secs_f64(),
    );
    if let Some(rate) = rate(count, first.elapsed().as_secs_f64()) {
        record.take("burn: links/s", rate);
    }
    record.take("burn: s of CPU", process::cpu_seconds(pid)? - cpu);
    stage.close().await
}
