//! Many shares wait at a provider with a low rate; those of a healthy provider get their links as if nobody waited.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures::future::{join, join_all};
use harness::onetime::{OnetimeServer, Version};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::findings::Findings;
use crate::is_full;
use crate::place::{PATIENCE, Place, SOON, Tenant, service, through};
use crate::stage::Plane;
use crate::status::{is_ready_now, tells_to_wait};
use crate::table::{Row, Table};

/// How many are applied together at the healthy provider.
const PROBES: usize = 3;

pub async fn run(plane: &Plane) -> Result<()> {
    let sizes: &[usize] = if is_full() { &[60, 600, 6000] } else { &[60] };
    let mut table = Table::default();
    let mut findings = Findings::default();
    for size in sizes {
        let measured = measure(plane, *size, &mut table).await;
        findings.take(measured.with_context(|| format!("with {size} shares")));
    }
    table.print();
    table.check(SOON, &mut findings);
    findings.end()
}

async fn measure(plane: &Plane, size: usize, table: &mut Table) -> Result<()> {
    let tenants = ["crowd", "other"];
    let (place, [crowd, other]) = Place::open(plane, &format!("rate-{size}"), tenants, &[]).await?;
    let (slow, healthy) = (service(Version::V0_26).await?, service(Version::V0_26).await?);
    for tenant in [&crowd, &other] {
        tenant.value("a value").await?;
        tenant.provider("healthy", &healthy, json!({})).await?;
    }
    crowd
        .provider("slow", &slow, json!({"requestsPerMinute": 2}))
        .await?;

    let begun = watch::Sender::new(0);
    let mut half = begun.subscribe();
    let creating = crowd.share_many("waits", size, |number| {
        begun.send_replace(number);
        through("slow")
    });
    let meanwhile = async {
        half.wait_for(|number| *number >= size / 2).await?;
        probe("while they are created", "during", size, [&crowd, &other]).await
    };
    let (created, rows) = join(creating, meanwhile).await;
    created?;
    rows?.into_iter().for_each(|row| table.push(row));
    slow.wait_for("share at the slow provider", PATIENCE, |journal| {
        !journal.shares.is_empty()
    })
    .await?;
    for row in probe("afterwards", "after", size, [&crowd, &other]).await? {
        table.push(row);
    }
    everybody_is_told(&crowd, size).await?;
    still_waiting(&slow, size)?;
    place.close().await
}

/// Nobody waits without a word in its status.
async fn everybody_is_told(crowd: &Tenant, size: usize) -> Result<()> {
    let begin = Instant::now();
    let told = |share: &Value| {
        let name = share["metadata"]["name"].as_str().unwrap_or_default();
        name.starts_with("waits-") && (tells_to_wait(share) || is_ready_now(share))
    };
    let limit = SOON + Duration::from_millis(50) * u32::try_from(size)?;
    let all = crowd.wait_for_many(size, "served or told to wait", limit, told);
    all.await?;
    println!("{size} shares are told to wait after {:?}", begin.elapsed());
    Ok(())
}

/// Otherwise nobody waited, and nothing was shown.
fn still_waiting(slow: &OnetimeServer, size: usize) -> Result<()> {
    let served = slow.journal().shares.len();
    anyhow::ensure!(
        served < size / 2,
        "{served} of {size} shares were served at 2 requests a minute: nobody waits"
    );
    Ok(())
}

/// Applies some shares at the healthy provider in both namespaces at once.
async fn probe(when: &'static str, prefix: &str, waiting: usize, tenants: [&Tenant; 2]) -> Result<Vec<Row>> {
    // In a full run the figure is wanted, however bad.
    let limit = if is_full() { Duration::from_secs(120) } else { SOON };
    let rows = ["same", "other"].into_iter().zip(tenants);
    let rows = rows.map(async |(place, tenant)| {
        let times = (0..PROBES).map(async |number| {
            let name = format!("{prefix}-{number}");
            tenant.time_to_link(&name, through("healthy"), limit).await.ok()
        });
        let times = join_all(times).await;
        Row {
            waiting,
            when,
            place,
            times,
        }
    });
    Ok(join_all(rows).await)
}
