//! What needs a control plane and an operator of its own: a namespace controller, an operator that is stopped and started
//! again, other options than those of `tests/integration`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "functions of tests, outside of #[test]"
)]

mod clock;
mod daily;
mod ending;
mod fire;
mod fixture;
mod hanging;
mod health;
mod life;
mod namespaces;
mod neighbours;
mod proxy;
mod quota;
mod restore;
mod scope;
mod shards;

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::onetime::Operation;
use serde_json::{Value, json};

use fixture::Fixture;
use scope::Scope;

#[tokio::test(flavor = "multi_thread")]
async fn deleted_namespaces() -> Result<()> {
    Box::pin(namespaces::run()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_definition() -> Result<()> {
    Box::pin(fire::replaced_definition()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_entries_of_attempts() -> Result<()> {
    Box::pin(fire::lost_entries()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ledger_that_refuses_writes() -> Result<()> {
    Box::pin(fire::refused_writes()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_missing_from_a_list() -> Result<()> {
    Box::pin(fire::missing_from_a_list()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn restored_shares() -> Result<()> {
    Box::pin(restore::run()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_operators_in_one_namespace() -> Result<()> {
    Box::pin(neighbours::run()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn namespace_that_cannot_be_held() -> Result<()> {
    Box::pin(neighbours::without_the_right()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn api_server_behind_a_proxy() -> Result<()> {
    Box::pin(proxy::api_server::run()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn service_behind_a_proxy() -> Result<()> {
    Box::pin(proxy::service::run()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_providers() -> Result<()> {
    Box::pin(health::hanging_providers()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn edited_provider_among_hanging_ones() -> Result<()> {
    Box::pin(health::edits_first()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn limited_shares_after_a_restart() -> Result<()> {
    Box::pin(quota::run()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn stepped_clock() -> Result<()> {
    Box::pin(clock::run()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn polled_daily() -> Result<()> {
    Box::pin(daily::run()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_that_cannot_renew() -> Result<()> {
    Box::pin(life::election::one_replica()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_of_which_one_cannot_renew() -> Result<()> {
    Box::pin(life::election::two_replicas()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_leader() -> Result<()> {
    Box::pin(life::election::frozen()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_while_a_post_is_under_way() -> Result<()> {
    Box::pin(life::stop::under_way()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_twice() -> Result<()> {
    Box::pin(life::stop::at_once()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn swallowed_watches() -> Result<()> {
    Box::pin(life::watches::swallowed()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness() -> Result<()> {
    Box::pin(life::readiness::run()).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes six minutes; the unit tests of kubernetes::pulse and kubernetes::observed do the same on paused time"]
async fn stale_watch() -> Result<()> {
    Box::pin(life::watches::stale()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn burn_at_the_end() -> Result<()> {
    Box::pin(ending::run()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn server_that_hangs() -> Result<()> {
    Box::pin(hanging::run()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_shards() -> Result<()> {
    Box::pin(shards::run()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn shard_that_is_behind() -> Result<()> {
    Box::pin(shards::behind()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_share_a_rate() -> Result<()> {
    Box::pin(shards::part_of_a_rate()).await
}

/// Without the option nothing is generated, the share says which option it is, and with the option it heals by itself.
#[tokio::test(flavor = "multi_thread")]
async fn generate_disabled() -> Result<()> {
    let mut fixture = Fixture::start(false).await?;
    fixture.start_operator(&[]).await?;
    let scope = Scope::open(&fixture, "generated").await?;
    let target = json!({"name": "fresh", "key": "password"});
    let spec = json!({"secretRef": null, "generate": {"length": 24, "targetSecretRef": target}});
    scope.share("fresh", spec).await?;
    let refused = |share: &Value| {
        cluster::is(share, "Ready", "False", "GenerateDisabled")
            && cluster::is(share, "Stalled", "True", "GenerateDisabled")
    };
    let share = scope.wait("fresh", "refused", refused).await?;
    let message = cluster::condition(&share, "Ready").context("Ready")?["message"].to_string();
    ensure!(message.contains("--enable-generate"), "{message}");
    ensure!(share["status"]["state"] == "Failed", "{:#}", share["status"]);
    ensure!(
        scope.service.journal().count(Operation::Generate) == 0,
        "nothing is sent"
    );

    fixture.stop_operator().await?;
    fixture.start_operator(&["--enable-generate"]).await?;
    scope.wait("fresh", "ready", cluster::is_ready).await?;
    ensure!(scope.service.journal().shares.len() == 1, "one link");
    fixture.end().await
}
