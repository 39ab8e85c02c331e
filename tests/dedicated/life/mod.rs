//! The life of the operator's process: it goes on when the API server is away for a while, gives way to another replica,
//! ends in an orderly way, and notices watches that bring nothing any more.

pub mod election;
pub mod readiness;
pub mod stop;
pub mod watches;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::api_proxy::{ApiProxy, Fault, Rule, Seen};
use harness::operator::{Launch, Operator};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;

use crate::fixture::Fixture;
use crate::scope::PATIENCE;

/// The shortest that is allowed: a leader pauses 2 s after its last renewal.
const LEASE_DURATION: &str = "--lease-duration=3s";

/// A replica that takes part in the election. Its calls to the API server go through the proxy, if there is one.
fn replica(fixture: &Fixture, name: &str, proxy: Option<&ApiProxy>) -> Launch {
    let mut launch = fixture.launch.clone();
    launch.args.retain(|arg| !arg.starts_with("--leader-elect"));
    launch.args.push(LEASE_DURATION.to_owned());
    launch.env.push(("POD_NAME".to_owned(), name.to_owned()));
    if let Some(proxy) = proxy {
        launch.kubeconfig = proxy.kubeconfig().to_path_buf();
    }
    launch
}

async fn leads(operator: &Operator) -> Result<()> {
    let leader = |metrics: &str| metrics.contains("onetimeshare_leader 1");
    operator
        .wait_for_metrics("that it leads", PATIENCE, leader)
        .await
        .map(drop)
}

async fn pauses(operator: &Operator) -> Result<()> {
    let paused = |metrics: &str| metrics.contains("onetimeshare_leader 0");
    operator
        .wait_for_metrics("that it does not lead", PATIENCE, paused)
        .await
        .map(drop)
}

/// The name of the replica that holds the lease.
async fn holder(fixture: &Fixture) -> Result<Option<String>> {
    let leases: Api<Lease> = Api::namespaced(fixture.client.clone(), "onetimeshare-system");
    let spec = leases.get("onetimeshare").await?.spec.context("a spec")?;
    let name = spec
        .holder_identity
        .and_then(|identity| Some(identity.split_once('_')?.0.to_owned()));
    Ok(name)
}

/// How often a text is in the log.
fn count(log: &str, text: &str) -> usize {
    log.matches(text).count()
}

fn is_of_the_lease(seen: &Seen) -> bool {
    seen.path.contains("/namespaces/onetimeshare-system/leases")
}

/// What strikes each such request from now on.
fn always(matches: fn(&Seen) -> bool, fault: Fault) -> Rule {
    Rule {
        matches,
        skip: 0,
        times: u32::MAX,
        fault,
    }
}

/// Ends an operator, and sees that it ends well.
async fn end(mut operator: Operator) -> Result<()> {
    let status = operator.terminate().await?;
    ensure!(status.success(), "it ended with {status}:\n{}", operator.log());
    Ok(())
}

/// Waits for a condition that can only be asked for.
async fn until(
    what: &str,
    patience: Duration,
    mut condition: impl AsyncFnMut() -> Result<bool>,
) -> Result<()> {
    let wait = async {
        while !condition().await? {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(patience, wait)
        .await
        .with_context(|| format!("{what}: not within {patience:?}"))?
}
