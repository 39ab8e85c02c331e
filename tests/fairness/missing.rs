//! Many shares whose Secret is missing: each is looked at seldom, and with `--watch-secrets` a Secret that comes is
//! noticed at once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::future::join_all;
use harness::cluster;
use harness::onetime::{OnetimeServer, Version};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::findings::Findings;
use crate::is_full;
use crate::place::{PATIENCE, Place, SOON, Tenant, merged, service, through};
use crate::stage::Plane;

/// How many times a share's missing Secret may be read in the window, on average.
const SELDOM: usize = 2;
/// How soon a Secret that comes must lead to a link where Secrets are watched. Without, it is looked for after minutes.
const AT_ONCE: Duration = Duration::from_secs(10);

/// How many shares, how long they wait before the window, how long the window is. Both windows end after two and a half
/// times the wait, so pauses that grow with it lead to as many reads. This is the one timed wait here: that
/// something is not done cannot be awaited.
fn size() -> (usize, Duration, Duration) {
    let seconds = Duration::from_secs;
    if is_full() {
        (10_000, seconds(60), seconds(90))
    } else {
        (50, seconds(30), seconds(45))
    }
}

pub async fn unwatched(plane: &Plane) -> Result<()> {
    let (place, [tenant]) = Place::open(plane, "missing", ["here"], &[]).await?;
    let service = service(Version::V0_26).await?;
    let mut findings = look_seldom(&place, &tenant, &service).await?;
    // An edit ends the longest pause.
    tenant.secret("secret-0", json!({"value": "a value"})).await?;
    tenant
        .edit("waits-0", json!({"spec": {"requestID": "now"}}))
        .await?;
    findings.take(tenant.ready("waits-0", SOON).await);
    place.close().await?;
    findings.end()
}

pub async fn watched(plane: &Plane) -> Result<()> {
    let (place, [tenant]) = Place::open(plane, "watched", ["here"], &["--watch-secrets"]).await?;
    let service = service(Version::V0_26).await?;
    let mut findings = look_seldom(&place, &tenant, &service).await?;
    let times = (0..5).map(async |number| {
        let begin = Instant::now();
        tenant
            .secret(&format!("secret-{number}"), json!({"value": "a value"}))
            .await?;
        tenant.ready(&format!("waits-{number}"), PATIENCE).await?;
        anyhow::Ok(begin.elapsed())
    });
    for time in join_all(times).await {
        let Some(time) = findings.take(time) else { continue };
        findings.unless(time < AT_ONCE, || {
            format!("with --watch-secrets a link came only {time:?} after its Secret")
        });
    }
    place.close().await?;
    findings.end()
}

/// Applies the shares, and counts how often their Secrets are read in the window.
async fn look_seldom(place: &Place<'_>, tenant: &Tenant, service: &OnetimeServer) -> Result<Findings> {
    let (count, first, window) = size();
    tenant.provider("healthy", service, json!({})).await?;
    let spec = |number| {
        let source = json!({"secretRef": {"name": format!("secret-{number}")}});
        merged(through("healthy"), source)
    };
    tenant.share_many("waits", count, spec).await?;
    let told = |share: &Value| cluster::is(share, "Ready", "Unknown", "SecretNotFound");
    let limit = PATIENCE + Duration::from_millis(50) * u32::try_from(count)?;
    let what = "told that the Secret is missing";
    tenant.wait_for_many(count, what, limit, told).await?;
    tokio::time::sleep(first).await;
    let since = Timestamp::now();
    tokio::time::sleep(window).await;

    let mut reads = BTreeMap::new();
    let mut earlier = 0;
    for call in place.calls().await? {
        let missing = call.namespace == tenant.namespace && call.name.starts_with("secret-");
        match missing && call.what() == "get secrets" {
            true if call.at >= since => *reads.entry(call.name).or_insert(0) += 1,
            true => earlier += 1,
            false => {}
        }
    }
    ensure!(
        earlier >= count,
        "the audit log shows {earlier} reads of {count} missing Secrets"
    );
    let all: usize = reads.values().sum();
    let most = reads.values().copied().max().unwrap_or_default();
    println!(
        "{}: {all} reads of {count} missing Secrets in {window:?}, {most} of one at most, and {earlier} before",
        tenant.namespace
    );
    let mut findings = Findings::default();
    findings.unless(all <= SELDOM * count, || {
        format!(
            "{count} shares whose Secret has been missing for {first:?} read it {all} times in {window:?}: with growing \
             pauses it is at most {} times",
            SELDOM * count
        )
    });
    findings.unless(service.journal().shares.is_empty(), || {
        "something was sent without a Secret".to_owned()
    });
    Ok(findings)
}
