//! Many shares at once, applied before their Secrets: all get exactly one link, and then there is silence.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use harness::cluster;
use harness::onetime::{Operation, Version};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::env::{Env, USER};
use crate::registry::{Phase, integration_test};
use crate::scope::{PATIENCE, Scope, merged};

const SHARES: usize = 50;

/// How soon a Secret that appears is noticed while its share is young, and what a loaded machine adds.
const NOTICED_WITHIN: Duration = Duration::from_secs(15 + 5);

/// For how long nothing may happen. This is the one timed wait of these tests: silence cannot be awaited.
const SILENCE: Duration = Duration::from_secs(60);

integration_test!(shares_before_secrets, Phase::Slow);
async fn shares_before_secrets(env: &Env) -> Result<()> {
    let scope = Scope::with_account(env, "burst", Version::V0_26).await?;
    scope
        .provider(merged(scope.account_spec(), json!({"pollInterval": "5s"})))
        .await?;
    let names: Vec<String> = (0..SHARES).map(|number| format!("share-{number:02}")).collect();

    each(&names, async |name| scope.share(name, json!({})).await.map(drop)).await?;
    let waits = |share: &Value| cluster::is(share, "Ready", "Unknown", "SecretNotFound");
    cluster::wait_for_many(
        &scope.shares,
        SHARES,
        "waiting for their Secrets",
        PATIENCE,
        waits,
    )
    .await?;
    ensure!(
        scope.service.journal().shares.is_empty(),
        "nothing is sent without a Secret"
    );

    each(&names, async |name| scope.secret(name).await.map(drop)).await?;
    let begin = Instant::now();
    cluster::wait_for_many(&scope.shares, SHARES, "ready", PATIENCE, cluster::is_ready).await?;
    let took = begin.elapsed();
    ensure!(took < NOTICED_WITHIN, "the Secrets were noticed after {took:?}");

    // The last thing that the operator does for a new link.
    let told = |event: &Value| event["reason"] == "Shared";
    cluster::wait_for_many(&scope.events(), SHARES, "told by an event", PATIENCE, told).await?;
    let entries: Vec<String> = names.iter().map(|name| scope.entry_name(name)).collect();
    let before = env.audit.calls_of(USER).await?;
    let concerned = before
        .iter()
        .filter(|call| scope.concerns(call, &entries))
        .count();
    ensure!(
        concerned >= 5 * SHARES,
        "the audit log shows only {concerned} requests for {SHARES} shares"
    );

    let (since, seen) = (Timestamp::now(), scope.service.requests().len());
    tokio::time::sleep(SILENCE).await;

    let calls = env.audit.calls_of(USER).await?;
    let noise: Vec<_> = calls
        .iter()
        .filter(|call| call.at >= since && scope.concerns(call, &entries))
        .collect();
    ensure!(
        noise.is_empty(),
        "requests to the API server for settled shares: {noise:#?}"
    );
    let asked = &scope.service.requests()[seen..];
    let per_provider = |operation| matches!(operation, Operation::Recent | Operation::AuthCheck);
    let noise: Vec<_> = asked
        .iter()
        .filter(|request| !per_provider(request.operation))
        .collect();
    ensure!(
        noise.is_empty(),
        "requests to the service for settled shares: {noise:#?}"
    );
    let looks = asked
        .iter()
        .filter(|request| request.operation == Operation::Recent)
        .count();
    ensure!(
        (8..=20).contains(&looks),
        "one list every 5 s covers all shares; there were {looks} in 60 s"
    );

    let journal = scope.service.journal();
    ensure!(
        journal.shares.len() == SHARES,
        "{} links for {SHARES} shares",
        journal.shares.len()
    );
    still_followed(&scope, &names[0]).await
}

/// The silence was not that of a dead operator.
async fn still_followed(scope: &Scope<'_>, name: &str) -> Result<()> {
    let share = scope.ready(name).await?;
    let key = share["status"]["secretKey"].as_str().unwrap_or_default();
    ensure!(scope.service.open(key, None).is_some(), "the link opens");
    let received = |share: &Value| cluster::is(share, "Received", "True", "Received");
    scope.wait(name, "received", received).await.map(drop)
}

async fn each(names: &[String], act: impl AsyncFn(&str) -> Result<()>) -> Result<()> {
    let act = &act;
    stream::iter(names)
        .map(async |name| act(name).await)
        .buffer_unordered(8)
        .try_collect()
        .await
}
