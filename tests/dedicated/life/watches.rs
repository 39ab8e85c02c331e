//! Watches that stay open and bring nothing: a proxy in between forgot them.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use harness::api_proxy::{ApiProxy, Fault, Seen};
use harness::cluster;
use harness::operator::Operator;
use kube::api::DeleteParams;
use serde_json::json;

use super::{always, end, until};
use crate::fixture::Fixture;
use crate::scope::Scope;

/// A minute to notice, and what a busy machine adds.
const NOTICED: Duration = Duration::from_secs(75);

fn through(fixture: &Fixture, proxy: &ApiProxy) -> harness::operator::Launch {
    let mut launch = fixture.launch.clone();
    launch.kubeconfig = proxy.kubeconfig().to_path_buf();
    launch
}

/// New shares are served, and deleted ones burned, within a minute or so, by the same process and without a new list.
pub async fn swallowed() -> Result<()> {
    let fixture = Fixture::start(false).await?;
    let proxy = ApiProxy::start(fixture.client.clone()).await?;
    let operator = Operator::start(&through(&fixture, &proxy)).await?;
    let scope = Scope::open(&fixture, "team").await?;
    scope.share("before", json!({})).await?;
    scope.all_ready(1).await?;

    proxy.swallow_watches();
    proxy.record();
    let begin = Instant::now();
    scope.share("after", json!({})).await?;
    scope.shares.delete("before", &DeleteParams::default()).await?;
    Box::pin(cluster::wait_for(
        &scope.shares,
        "after",
        "ready",
        NOTICED,
        cluster::is_ready,
    ))
    .await?;
    let burned =
        async || Ok(crate::scope::in_state(&scope.service.journal(), harness::onetime::State::Burned) == 1);
    until(
        "the link of the deleted share is burned",
        NOTICED.saturating_sub(begin.elapsed()),
        burned,
    )
    .await?;
    let lists: Vec<Seen> = proxy.recorded().into_iter().filter(is_list).collect();
    ensure!(
        lists.is_empty(),
        "the watches went on where they had been: {lists:?}"
    );
    end(operator).await
}

fn is_list(seen: &Seen) -> bool {
    let kinds = ["/onetimeshares", "/shareproviders", "/clustershareproviders"];
    seen.method == "GET" && !seen.is_watch() && kinds.iter().any(|kind| seen.path.ends_with(kind))
}

/// /readyz names a watch that brings nothing for five minutes, and is well again when it does.
pub async fn stale() -> Result<()> {
    let fixture = Fixture::start(false).await?;
    let proxy = ApiProxy::start(fixture.client.clone()).await?;
    let swallowed = |seen: &Seen| seen.is_watch() && seen.path.ends_with("/onetimeshares");
    proxy.push(always(swallowed, Fault::Swallow));
    let operator = Operator::start(&through(&fixture, &proxy)).await?;
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let begin = Instant::now();
    let unready = async || Ok(operator.readiness().await?.0 == 503);
    until("the stale watch is told", minutes(7), unready).await?;
    ensure!(begin.elapsed() > minutes(4), "not before: {:?}", begin.elapsed());
    let (_, text) = operator.readiness().await?;
    ensure!(
        text.contains("the watch of OneTimeShares has brought nothing for 5 minutes"),
        "{text}"
    );
    proxy.clear();
    until("it is well again", minutes(2), async || operator.ready().await).await?;
    end(operator).await
}
