//! Two tenants of one provider: the shares of one are a crowd, the other's single share does not wait for all of them.

use std::time::Duration;

use anyhow::Result;
use harness::onetime::{Fault, Hold, Journal, Matcher, Operation, Rule, Stage, Version};
use serde_json::{Value, json};

use crate::findings::Findings;
use crate::is_full;
use crate::place::{PATIENCE, Place, service};
use crate::stage::Plane;

/// So many of the crowd may be served between the other's apply and its link. By turns it is one or two; the time that
/// the operator needs to see the share is worth some more.
const BETWEEN: usize = 10;

/// One link at a time, at a server that takes its time.
pub async fn slow(plane: &Plane) -> Result<()> {
    let pause = Duration::from_millis(600);
    Box::pin(run(
        plane,
        "slow",
        json!({"maxConcurrentRequests": 1}),
        Some(pause),
    ))
    .await
}

/// A modest rate, at a quick server.
pub async fn rate(plane: &Plane) -> Result<()> {
    Box::pin(run(plane, "rate", json!({"requestsPerMinute": 60}), None)).await
}

async fn run(plane: &Plane, case: &str, provider: Value, pause: Option<Duration>) -> Result<()> {
    let count = if is_full() { 1000 } else { 200 };
    let name = format!("turns-{case}");
    let (place, [crowd, single]) = Place::open(plane, &name, ["crowd", "single"], &[]).await?;
    let service = service(Version::V0_26).await?;
    if let Some(pause) = pause {
        let slow = Fault::Hang(Stage::BeforeCommit, Hold::For(pause));
        let creations = Matcher::operation(Operation::Share);
        service.plan().push(Rule::always(creations, slow));
    }
    place.cluster_provider(&service, provider).await?;
    crowd.value("of the crowd").await?;
    single.value("of the single one").await?;
    crowd
        .share_many("many", count, |_| place.through_cluster())
        .await?;
    let begun = |journal: &Journal| journal.shares.len() >= 2;
    service
        .wait_for("second share of the crowd", PATIENCE, begun)
        .await?;

    let before = service.journal().shares.len();
    single.share("one", place.through_cluster()).await?;
    let of_single =
        |journal: &Journal| (journal.shares.iter()).position(|share| share.value == b"of the single one");
    let served = service
        .wait_for("share of the single one", PATIENCE, |journal| {
            of_single(journal).is_some()
        })
        .await;
    let journal = service.journal();
    let all = journal.shares.len();
    let between = of_single(&journal).unwrap_or(all) - before;
    let mut findings = Findings::default();
    findings.unless(before < count / 2, || {
        format!("{before} of {count} shares were served at once: nobody waited")
    });
    findings.unless(served.is_ok(), || {
        format!(
            "the other tenant's share was not sent within {PATIENCE:?}, and {between} of the crowd's were"
        )
    });
    findings.unless(between < BETWEEN, || {
        format!(
            "{between} shares of the crowd were served between the other tenant's apply and its link: by turns it is less \
             than {BETWEEN}"
        )
    });
    if served.is_ok() {
        findings.take(single.ready("one", PATIENCE).await);
    }
    println!("{name}: {between} of {count} were served before the other tenant's");
    place.close().await?;
    findings.end()
}
