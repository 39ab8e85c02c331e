//! Ends of links that nobody may make up: the node's clock is stepped at random moments, and the service does not say how
//! a link ended.

use crate::crowd::{self, Crowd, Expect};
use crate::plan::Flavor;
use crate::scenario::{Outcome, Play::Shared, Scenario};
use crate::scope::{Fixture, Scope};
use anyhow::{Context as _, Result, bail};
use futures::FutureExt as _;
use harness::clock::{DAY, NodeClock};
use harness::cluster;
use harness::onetime::{Canned, Fault, Journal, Operation as Call, Stage};
use serde_json::Value;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

/// How long anything may take here.
const LIMIT: Duration = Duration::from_secs(90);

/// How far the clock is stepped, in seconds: forwards past the end of every link and of its receipt, and back.
const STEPS: [i64; 7] = [0, 10 * DAY, -10 * DAY, 90 * 60, -90 * 60, 4 * DAY, -30];

scenario!(
    "clock-steps/v26",
    "clock",
    Shared(|fixture, many| clock_steps(fixture, Flavor::Account26, many).boxed())
);
scenario!(
    "clock-steps/v23",
    "clock",
    Shared(|fixture, many| clock_steps(fixture, Flavor::Account23, many).boxed())
);
/// The clock of the node is stepped forwards and back at random moments while shares are created, polled and deleted, then
/// while others wait for their next try and one is opened. Each has one link and one e-mail, and ends as the service says.
async fn clock_steps(fixture: &Fixture, flavor: Flavor, many: usize) -> Outcome {
    let many = many.min(24);
    let late = many * 3 / 4;
    let mut scope = Scope::new(fixture, flavor, false).await?;
    let clock = NodeClock::new(Path::new(env!("CARGO_TARGET_TMPDIR")))?;
    scope.run_by(&clock);
    scope.start().await?;
    let crowd = Crowd::new(many, true);
    let work = async {
        crowd.apply_some(&scope, 1, 0..late).await?;
        crowd.settle_some(&scope, LIMIT, 0..late).await?;
        crowd.delete_some(&scope, 0..many / 4).await?;
        crowd.burned(&scope, LIMIT, 0..many / 4).await
    };
    tokio::select! {
        done = work => done?,
        failed = steps(&clock) => failed?,
    }
    retried(&scope, &crowd, &clock, late..many).await?;
    for step in STEPS {
        clock.set(step)?;
        polled(&scope, 2).await?;
    }
    let expect = Expect {
        links_made: Some(many..=many),
        deleted: 0..many / 4,
        ..Expect::default()
    };
    let (held, mut found) = crowd::violations(&scope, &crowd, expect).await?;
    clock.set(10 * DAY)?;
    found.extend(
        opened_is_received(&scope, &crowd::name(many - 1))
            .await
            .err()
            .map(|error| format!("{error:#}")),
    );
    scope.stop_all().await?;
    Ok((held, found))
}

/// Steps the clock until nobody wants it any more.
async fn steps(clock: &NodeClock) -> Result<()> {
    loop {
        let step = STEPS[usize::from(rand::random::<u8>()) % STEPS.len()];
        clock.set(step)?;
        // Random moments are what it is about.
        tokio::time::sleep(Duration::from_millis(50 + u64::from(rand::random::<u8>()) * 4)).await;
    }
}

/// These wait for their next try when the clock is set back by twenty days.
async fn retried(scope: &Scope, crowd: &Crowd, clock: &NodeClock, which: Range<usize>) -> Result<()> {
    clock.set(10 * DAY)?;
    scope.service.stop_listening().await?;
    scope.service.drop_connections();
    crowd.apply_some(scope, 1, which.clone()).await?;
    let waits = |share: &Value| cluster::is(share, "Ready", "Unknown", "Unavailable");
    for number in which.clone() {
        cluster::wait_for(&scope.shares, &crowd::name(number), "retried", LIMIT, waits).await?;
    }
    clock.set(-10 * DAY)?;
    scope.service.start_listening().await?;
    // Its circuit is open: for 30 s, or a minute more when the call that tried came too early.
    crowd.settle_some(scope, 2 * LIMIT, which).await
}

/// Waits until the service was asked for its list so many times more.
async fn polled(scope: &Scope, times: usize) -> Result<()> {
    let lists = |journal: &Journal| journal.count(Call::Recent) + journal.count(Call::RecentV2);
    let before = lists(&scope.service.journal());
    let asked = |journal: &Journal| lists(journal) >= before + times;
    scope.service.wait_for("lists", LIMIT, asked).await.map(drop)
}

async fn opened_is_received(scope: &Scope, name: &str) -> Result<()> {
    open(scope, name).await?;
    let received = |share: &Value| share["status"]["state"] == "Received";
    cluster::wait_for(&scope.shares, name, "received", LIMIT, received)
        .await
        .map(drop)
}

/// Opens the link of a share as its recipient.
async fn open(scope: &Scope, name: &str) -> Result<()> {
    let share = scope.shares.get(name).await?;
    let key = share.data["status"]["secretKey"].as_str().context("a key")?;
    if scope.service.open(key, None).is_none() {
        bail!("the link of {name} does not open");
    }
    Ok(())
}

scenario!(
    "opened-then-deleted",
    "clock",
    Shared(|fixture, _| opened_then_deleted(fixture).boxed())
);
/// A link is opened, and its share is deleted. The service says that it cannot be burned, and does not say why: the share
/// that is created again waits, and nobody is mailed a second time.
async fn opened_then_deleted(fixture: &Fixture) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    scope.start().await?;
    let crowd = Crowd::new(1, true);
    crowd.apply(&scope, 1).await?;
    crowd.settle(&scope, LIMIT).await?;
    for call in [Call::Look, Call::Recent, Call::RecentV2] {
        let down = Fault::Answer(Stage::BeforeCommit, Canned::Unavailable);
        scope.service.plan().always(call, down);
    }
    open(&scope, &crowd::name(0)).await?;
    crowd.delete_some(&scope, 0..1).await?;
    let burns = |times| move |journal: &Journal| journal.count(Call::Burn) >= times;
    scope.service.wait_for("a burn", LIMIT, burns(1)).await?;
    crowd.apply(&scope, 1).await?;
    let goes_on = |journal: &Journal| burns(3)(journal) || journal.shares.len() > 1;
    scope.service.wait_for("another burn", LIMIT, goes_on).await?;
    scope.service.plan().clear();
    let mut found = Vec::new();
    let received =
        |share: &Value| share["status"]["state"] == "Received" || share["status"]["state"] == "Shared";
    let share = cluster::wait_for(&scope.shares, &crowd::name(0), "settled", LIMIT, received).await?;
    if share["status"]["state"] != "Received" {
        found.push("a link that was opened is not told as received".to_owned());
    }
    let mails = scope.service.journal().mails.len();
    if mails != 1 {
        found.push(format!("{mails} e-mails for one request"));
    }
    scope.stop_all().await?;
    Ok((0, found))
}
