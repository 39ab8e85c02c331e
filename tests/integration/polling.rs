//! The state of very many links costs one list call per `pollInterval`, and nothing else: no request for a single share,
//! no read or write at the API server.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use harness::cluster;
use harness::onetime::{Canned, Fault, Operation, Stage, Version};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::env::{Env, USER};
use crate::registry::{Phase, integration_test};
use crate::scope::{Scope, merged};

const SHARES: usize = 500;

/// The provider's `pollInterval`.
const INTERVAL: Duration = Duration::from_secs(2);

/// For how many intervals the requests are counted.
const INTERVALS: usize = 5;

/// The shortest pause after a limit, less what opening the link takes here. Without it the look is repeated within 2 s.
const PAUSE: Duration = Duration::from_secs(8);

/// Making them all: measured with `cargo test --test integration`, 4.3 s on two idle cores and 14 to 20 s under a load of 14.
const MADE_WITHIN: Duration = Duration::from_secs(120);

// Alone: its limits are those of one operator on an idle machine.
integration_test!(one_list_for_500_shares, Phase::Quiet(2));
async fn one_list_for_500_shares(env: &Env) -> Result<()> {
    let scope = Scope::with_account(env, "polling", Version::V0_26).await?;
    let quick = json!({
        "pollInterval": format!("{}s", INTERVAL.as_secs()), "maxConcurrentRequests": 100,
    });
    scope.provider(merged(scope.account_spec(), quick)).await?;
    scope.secret("value").await?;
    let names: Vec<String> = (0..SHARES).map(|number| format!("share-{number:03}")).collect();
    let source = &json!({"secretRef": {"name": "value"}});
    let (scope_ref, begin) = (&scope, Instant::now());
    stream::iter(&names)
        .map(async |name| scope_ref.share(name, source.clone()).await.map(drop))
        .buffer_unordered(16)
        .try_collect::<()>()
        .await?;
    // The event is the last thing that the operator does for a new link.
    let told = |event: &Value| event["reason"] == "Shared";
    cluster::wait_for_many(&scope.events(), SHARES, "told by an event", MADE_WITHIN, told).await?;
    println!("{SHARES} shares were made in {:?}", begin.elapsed());
    ensure!(
        scope.service.journal().shares.len() == SHARES,
        "one link for each share"
    );

    // From one list to another: whatever the first one changes belongs to the time before.
    scope.polled(Operation::Recent, 1).await?;
    let (since, counted, seen) = (Timestamp::now(), Instant::now(), scope.service.requests().len());
    scope.polled(Operation::Recent, INTERVALS).await?;
    let took = counted.elapsed();

    let requests = scope.service.requests();
    let per_provider = |operation| matches!(operation, Operation::Recent | Operation::AuthCheck);
    let noise: Vec<_> = requests[seen..]
        .iter()
        .filter(|request| !per_provider(request.operation))
        .map(|request| (&request.method, &request.path))
        .collect();
    ensure!(noise.is_empty(), "requests for single shares: {noise:?}");
    let lists = requests[seen..]
        .iter()
        .filter(|r| r.operation == Operation::Recent)
        .count();
    // Intervals are spread by up to a quarter, and the count may begin right before a list.
    let most = took.as_secs_f64() / (INTERVAL.as_secs_f64() * 0.75) + 1.0;
    ensure!(
        u32::try_from(lists).is_ok_and(|lists| f64::from(lists) <= most),
        "{lists} lists in {took:?}, with an interval of {INTERVAL:?}"
    );
    ensure!(
        took < INTERVAL * u32::try_from(2 * INTERVALS)?,
        "{INTERVALS} lists took {took:?}, with an interval of {INTERVAL:?}"
    );

    let entries: Vec<String> = names.iter().map(|name| scope.entry_name(name)).collect();
    let calls = env.audit.calls_of(USER).await?;
    let of_these = |call: &&harness::audit::Call| scope.concerns(call, &entries) || call.name == scope.name;
    let made = calls.iter().filter(of_these).count();
    ensure!(
        made >= 4 * SHARES,
        "the audit log shows only {made} requests for {SHARES} shares"
    );
    let noise: Vec<_> = calls
        .iter()
        .filter(of_these)
        .filter(|call| call.at >= since)
        .collect();
    ensure!(
        noise.is_empty(),
        "requests to the API server for settled shares: {noise:#?}"
    );

    one_is_received(&scope, &names[SHARES / 2]).await
}

/// The list is read: what it tells of one link among all reaches that share within an interval.
async fn one_is_received(scope: &Scope<'_>, name: &str) -> Result<()> {
    let share = scope.ready(name).await?;
    let key = share["status"]["secretKey"].as_str().context("a key")?;
    ensure!(scope.service.open(key, None).is_some(), "the link opens");
    let begin = Instant::now();
    let received = |share: &Value| cluster::is(share, "Received", "True", "Received");
    scope.wait(name, "received", received).await?;
    let took = begin.elapsed();
    ensure!(
        took < INTERVAL * 3,
        "it was shown after {took:?}, with an interval of {INTERVAL:?}"
    );
    Ok(())
}

integration_test!(limited_looks_pause);
/// The service limits the looks at anonymous links, and is left alone, whatever it says of the pause.
async fn limited_looks_pause(env: &Env) -> Result<()> {
    let scope = Scope::anonymous(env, "limited-looks", Version::V0_26).await?;
    scope.secret("alice").await?;
    scope.share("alice", json!({})).await?;
    let alice = scope.ready("alice").await?;
    let key = alice["status"]["secretKey"].as_str().context("a key")?;
    let refused = Fault::Answer(Stage::BeforeCommit, Canned::TooManyRequestsNow);
    let plan = scope.service.plan();
    plan.once(Operation::Look, refused);
    scope.journal("refused look", |_| plan.hits() > 0).await?;
    let begin = Instant::now();
    ensure!(scope.service.open(key, None).is_some(), "the link opens");
    let received = |share: &Value| cluster::is(share, "Received", "True", "Received");
    scope.wait("alice", "received", received).await?;
    let took = begin.elapsed();
    println!("looked at again after {took:?}");
    ensure!(took > PAUSE, "looked at again after {took:?}");
    Ok(())
}
