//! How long a single share takes from ADDED to its link: when nothing else happens, and during another tenant's burst.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::cases::throughput::{limit, provider};
use crate::load::{self, Load};
use crate::observer::Observer;
use crate::options::Run;
use crate::plan::{Plan, Step};
use crate::sample::Results;
use crate::stage::{PATIENCE, Stage};
use crate::statistics::percentile;

/// Whose shares are timed: one tenant while idle, one beside the burst. The burst is that of all other tenants.
const IDLE: &str = "alone";
const BESIDE: &str = "beside";

/// During the burst a share comes every so often, whatever became of the one before: who is slow is not asked less.
const EVERY: Duration = Duration::from_millis(200);
/// No more than this.
const BESIDE_AT_MOST: usize = 300;

pub(super) async fn run(run: &Run, plan: &Plan, step: &Step, results: &mut Results) -> Result<()> {
    let (size, contender) = (step.size(), step.contender);
    let stage = Box::pin(Stage::open(&run.operator, false, provider(contender, run))).await?;
    for namespace in [IDLE, BESIDE] {
        harness::cluster::namespace(&stage.client, namespace).await?;
        load::secret(&stage.client, namespace, "value").await?;
    }
    let spec = json!({"secretRef": {"name": "value"}});
    let observer = Observer::start(&stage.client);
    let running = Box::pin(contender.start(run, &stage)).await?;

    // The first share finds connections and caches cold, and is not counted: it is in neither namespace.
    Load::plain(0, 1).create(&stage.client).await?;
    observer.linked(1, PATIENCE).await?;
    for number in 0..plan.singles {
        load::one(&stage.client, IDLE, &format!("single-{number}"), &spec).await?;
        observer.linked(1 + number + 1, PATIENCE).await?;
    }

    let before = observer.count();
    let burst = Load::plain(1, 1 + size);
    let creation = burst.create(&stage.client);
    let singles = async {
        let mut ticks = tokio::time::interval(EVERY);
        let mut count = 0;
        while observer.count() < before + size && count < BESIDE_AT_MOST {
            ticks.tick().await;
            load::one(&stage.client, BESIDE, &format!("single-{count}"), &spec).await?;
            count += 1;
        }
        anyhow::Ok(count)
    };
    let ((), count) = futures::try_join!(creation, singles)?;
    observer.linked(before + size + count, limit(size)).await?;

    let mut record = results.recorder("latency", size, &contender.name(), step.round);
    for (namespace, when) in [(IDLE, "alone"), (BESIDE, "beside a burst")] {
        let latencies = observer.latencies(namespace);
        for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
            let seconds = percentile(&latencies, share).context("no share was timed")?;
            record.take(&format!("ms {when}, {name}"), seconds * 1000.0);
        }
        record.count(&format!("shares timed {when}"), latencies.len());
    }
    running.stop().await?;
    drop(observer);
    stage.close().await
}
