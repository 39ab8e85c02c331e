//! SIGTERM while links of deleted shares are burned: the burn under way ends and is recorded, no other one begins, and the
//! next operator burns none twice.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use harness::onetime::{Fault, Hold, Journal, Operation, Stage};

use crate::fixture::Fixture;
use crate::scope::Scope;

const SHARES: usize = 5;

/// How late the service answers a burn: longer than anything else of the end takes.
const LATE: Duration = Duration::from_secs(4);

pub async fn run() -> Result<()> {
    let mut fixture = Fixture::start(false).await?;
    fixture.start_operator(&[]).await?;
    let scope = Scope::open(&fixture, "ending").await?;
    scope.share_many(SHARES).await?;
    scope.all_ready(SHARES).await?;
    // Burned, and its answer is late: an operator that gave up now would burn it again.
    let late = Fault::Hang(Stage::AfterCommit, Hold::For(LATE));
    scope.service.plan().always(Operation::Burn, late);
    scope.delete_shares().await?;
    let burns = |journal: &Journal| journal.count(Operation::Burn) > 0;
    let limit = Duration::from_secs(60);
    scope.service.wait_for("burn", limit, burns).await?;

    let begin = Instant::now();
    fixture.stop_operator().await?;
    let (took, begun) = (begin.elapsed(), scope.service.journal().count(Operation::Burn));
    println!("the operator ended after {took:?}, with {begun} burns");
    // A server that never burned before gets one at a time.
    ensure!(begun == 1, "{begun} burns were begun");
    scope.service.plan().clear();

    fixture.start_operator(&[]).await?;
    scope.burned(SHARES).await?;
    fixture.stop_operator().await?;
    let burns = scope.service.journal().count(Operation::Burn);
    ensure!(burns == SHARES, "{burns} requests burn {SHARES} links");
    fixture.start_operator(&[]).await?;
    fixture.end().await
}
