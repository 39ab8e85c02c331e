//! The chart: what it renders, and what it is on a real API server, with a real helm. `make helm` gets one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "functions of tests, outside of #[test]"
)]

mod edits;
mod guards;
mod helm;
mod least;
mod ledger;
mod life;
mod narrow;
mod people;
mod plain;
mod queries;
mod release;
mod render;
mod rights;
mod shards;
mod smoke;
mod upgrade;

use anyhow::Result;

#[test]
fn lints() -> Result<()> {
    helm::run(&["lint", "--strict", helm::CHART, "--set=provider.region=eu"]).map(drop)
}

#[test]
fn renders_every_combination() -> Result<()> {
    render::every_combination()
}

#[test]
fn proxies_reach_the_operator() -> Result<()> {
    render::proxies()
}

#[test]
fn election_is_a_value() -> Result<()> {
    life::election()
}

#[test]
fn a_pod_has_the_time_to_end_well() -> Result<()> {
    life::grace_period()
}

#[test]
fn mistakes_in_values_fail_at_once() -> Result<()> {
    render::mistakes()
}

#[test]
fn definitions_are_in_sync() -> Result<()> {
    render::definitions()
}

#[test]
fn plain_manifests_are_in_sync() -> Result<()> {
    plain::in_sync()
}

#[test]
fn rights_are_as_promised() -> Result<()> {
    rights::as_promised()
}

#[test]
fn releases_of_two_shards_share_no_object() -> Result<()> {
    shards::rendered()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_shards_on_a_cluster() -> Result<()> {
    Box::pin(shards::installed()).await
}

#[test]
fn mistakes_in_queries_are_found() -> Result<()> {
    queries::mistakes()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_cluster() -> Result<()> {
    Box::pin(release::run()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn upgrades_from_the_previous_chart() -> Result<()> {
    Box::pin(upgrade::run()).await
}
