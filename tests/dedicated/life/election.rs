//! A leader that cannot renew its lease begins nothing, and goes on or gives way.

use anyhow::{Result, ensure};
use harness::api_proxy::{ApiProxy, Fault, Seen};
use harness::cluster;
use harness::onetime::Operation;
use harness::operator::Operator;
use rustix::process::Signal;
use serde_json::json;
use std::time::Duration;

use super::{always, count, end, holder, is_of_the_lease, leads, pauses, replica, until};
use crate::fixture::Fixture;
use crate::scope::{PATIENCE, Scope};

const COULD_NOT: &str = "cannot renew the lease; will retry";

/// Nobody else leads: the process lives on through an outage of many terms, and serves the next share.
pub async fn one_replica() -> Result<()> {
    let fixture = Fixture::start(false).await?;
    let proxy = ApiProxy::start(fixture.client.clone()).await?;
    let operator = Operator::start(&replica(&fixture, "only", Some(&proxy))).await?;
    let scope = Scope::open(&fixture, "team").await?;
    scope.share("before", json!({})).await?;
    scope.all_ready(1).await?;
    let pid = operator.pid();

    // The lease alone: whatever else the operator does would succeed.
    proxy.push(always(is_of_the_lease, Fault::Refuse(500, "InternalError")));
    pauses(&operator).await?;
    scope.share("meanwhile", json!({})).await?;
    scope.shares.delete("before", &Default::default()).await?;
    let failed = count(&operator.log(), COULD_NOT);
    // Some ten seconds: several terms, and more than it takes to make a link and to burn one.
    let again = |log: &String| count(log, COULD_NOT) >= failed + 6;
    operator.wait_for_log(PATIENCE, again).await?;
    let journal = scope.service.journal();
    ensure!(journal.count(Operation::Share) == 1, "nothing is sent meanwhile");
    ensure!(journal.count(Operation::Burn) == 0, "nothing is burned meanwhile");
    proxy.clear();
    scope.wait("meanwhile", "ready", cluster::is_ready).await?;
    scope.burned(1).await?;

    // The whole API server is slow: each answer comes later than a term lasts.
    proxy.push(always(|_| true, Fault::Late(Duration::from_secs(4))));
    pauses(&operator).await?;
    let failed = count(&operator.log(), COULD_NOT);
    let again = |log: &String| count(log, COULD_NOT) >= failed + 2;
    operator.wait_for_log(PATIENCE, again).await?;
    proxy.clear();
    leads(&operator).await?;
    scope.share("after", json!({})).await?;
    scope.wait("after", "ready", cluster::is_ready).await?;
    ensure!(
        scope.service.journal().count(Operation::Share) == 3,
        "one link for each"
    );
    ensure!(operator.pid() == pid && pid.is_some(), "the same process");
    end(operator).await
}

/// Another replica takes over: the first one writes nothing any more, stands by in the same process, and leads again later.
pub async fn two_replicas() -> Result<()> {
    let fixture = Fixture::start(false).await?;
    let proxy = ApiProxy::start(fixture.client.clone()).await?;
    let first = Operator::start(&replica(&fixture, "first", Some(&proxy))).await?;
    leads(&first).await?;
    let second = Operator::start(&replica(&fixture, "second", None)).await?;
    ensure!(second.ready().await?, "a standby is ready");
    let scope = Scope::open(&fixture, "team").await?;
    scope.share("one", json!({})).await?;
    scope.all_ready(1).await?;
    let pid = first.pid();

    proxy.push(always(is_of_the_lease, Fault::Refuse(500, "InternalError")));
    pauses(&first).await?;
    leads(&second).await?;
    proxy.record();
    scope.share("two", json!({})).await?;
    scope.all_ready(2).await?;
    proxy.clear();
    let gave_way = |log: &String| log.contains("another replica has the lease");
    first.wait_for_log(PATIENCE, gave_way).await?;
    scope.share("three", json!({})).await?;
    scope.all_ready(3).await?;
    let written: Vec<Seen> = proxy.recorded().into_iter().filter(writes).collect();
    ensure!(written.is_empty(), "the first one wrote: {written:?}");
    until("the first one is a ready standby", PATIENCE, async || {
        first.ready().await
    })
    .await?;

    end(second).await?;
    leads(&first).await?;
    scope.share("four", json!({})).await?;
    scope.all_ready(4).await?;
    ensure!(
        scope.service.journal().count(Operation::Share) == 4,
        "one link for each"
    );
    ensure!(first.pid() == pid, "the same process");
    end(first).await
}

/// Events and the lease itself aside.
fn writes(seen: &Seen) -> bool {
    seen.method != "GET" && !is_of_the_lease(seen) && !seen.path.ends_with("/events")
}

/// A frozen process has the flags of before when it goes on. The clock tells it that its term is over.
pub async fn frozen() -> Result<()> {
    let fixture = Fixture::start(false).await?;
    let first = Operator::start(&replica(&fixture, "first", None)).await?;
    leads(&first).await?;
    let scope = Scope::open(&fixture, "team").await?;
    scope.share("one", json!({})).await?;
    scope.all_ready(1).await?;
    let second = Operator::start(&replica(&fixture, "second", None)).await?;
    first.signal(Signal::STOP)?;
    leads(&second).await?;
    scope.share("two", json!({})).await?;
    scope.all_ready(2).await?;
    first.signal(Signal::CONT)?;
    let gave_way = |log: &String| log.contains("another replica has the lease");
    first.wait_for_log(PATIENCE, gave_way).await?;
    ensure!(holder(&fixture).await?.as_deref() == Some("second"));
    end(second).await?;
    leads(&first).await?;
    scope.share("three", json!({})).await?;
    scope.all_ready(3).await?;
    ensure!(
        scope.service.journal().count(Operation::Share) == 3,
        "one link for each"
    );
    end(first).await
}
