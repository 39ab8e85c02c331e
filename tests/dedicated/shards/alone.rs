//! A shard whose watch is late, and one that sends its part of a rate.

use std::time::Duration;

use anyhow::{Result, ensure};
use harness::api_proxy::{ApiProxy, Fault, Rule};
use harness::cluster;
use onetimeshare::shard::LABEL;
use serde_json::json;

use super::{BLUE, Shards, taken};
use crate::fixture::Fixture;
use crate::scope::Scope;

/// The old shard's watch of shares is late, so that it still has the share when the new one takes the entry: it does not take
/// it back.
pub async fn behind() -> Result<()> {
    let mut fixture = Fixture::start(false).await?;
    let scope = Scope::open(&fixture, "team").await?;
    let proxy = ApiProxy::start(fixture.client.clone()).await?;
    let direct = std::mem::replace(&mut fixture.launch.kubeconfig, proxy.kubeconfig().to_path_buf());
    proxy.push(Rule {
        matches: |seen| seen.is_watch() && seen.path.ends_with("/onetimeshares"),
        skip: 0,
        times: u32::MAX,
        fault: Fault::Late(Duration::from_secs(2)),
    });
    let mut shards = Shards { fixture, scope };
    let default = shards.start(None).await?;
    shards.fixture.launch.kubeconfig = direct;
    let blue = shards.start(BLUE).await?;
    shards.share("plain", None, "value").await?;
    shards.ready("plain").await?;
    shards.move_to("plain", BLUE).await?;
    shards.entry_is_of("plain", BLUE).await?;
    // Its watch tells of this one after it told that the other one left.
    shards.share("after", None, "value").await?;
    shards.ready("after").await?;
    let (old, new) = (taken(&default.log()), taken(&blue.log()));
    ensure!(
        (old, new) == (0, 1),
        "the old shard took {old} entries, the new one {new}"
    );
    shards.one_mail("plain")
}

/// One of ten shards sends a tenth of what a provider allows in a minute.
pub async fn part_of_a_rate() -> Result<()> {
    let mut fixture = Fixture::start(false).await?;
    let scope = Scope::open(&fixture, "team").await?;
    let limited = json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "ShareProvider",
        "metadata": {"name": "here", "namespace": "team"},
        "spec": {
            "url": scope.service.url(), "credentialsSecretRef": {"name": "account"}, "requestsPerMinute": 60,
        },
    });
    cluster::apply_one(&fixture.client, limited).await?;
    let selector = format!("--watch-label-selector=!{LABEL}");
    fixture.start_operator(&["--shards=10", &selector]).await?;
    scope.share_many(2).await?;
    scope.all_ready(2).await?;
    let mut made: Vec<i64> = scope
        .service
        .journal()
        .shares
        .iter()
        .map(|share| share.created_ms)
        .collect();
    made.sort_unstable();
    let apart = made[1] - made[0];
    ensure!(
        apart >= 9_000,
        "the second link was made {apart} ms after the first"
    );
    fixture.end().await
}
