//! The node's clock is stepped while the operator runs. Nothing is lost, nothing ends and nothing is sent twice by that.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::clock::{DAY, NodeClock};
use harness::cluster;
use harness::onetime::{Canned, Fault, Journal, Operation, Stage};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::scope::{PATIENCE, Scope};

/// So that a lost answer is settled in seconds.
const QUICK: [&str; 3] = [
    "--attempt-deadline=2s",
    "--settling-time=1s",
    "--request-timeout=2s",
];

/// A service that failed for a minute or two is asked again within 2 minutes.
const AFTER_PAUSES: Duration = Duration::from_secs(120 + 30);

pub async fn run() -> Result<()> {
    let mut fixture = Fixture::start(false).await?;
    let clock = NodeClock::new(env!("CARGO_TARGET_TMPDIR").as_ref())?;
    clock.install(&mut fixture.launch);
    fixture.start_operator(&QUICK).await?;
    let scope = Scope::open(&fixture, "clock").await?;
    it_is_stepped(&scope, &clock).await?;
    forwards(&scope, &clock).await?;
    backwards(&scope, &clock).await?;
    back_in_a_pause(&scope, &clock).await?;
    back_while_an_answer_is_lost(&scope, &clock).await?;
    out_of_reach_past_the_end(&scope, &clock).await?;
    fixture.end().await
}

/// Otherwise none of this shows anything.
async fn it_is_stepped(scope: &Scope, clock: &NodeClock) -> Result<()> {
    clock.set(1000 * DAY)?;
    let missing = json!({"secretRef": {"name": "none"}});
    scope.share("missing", missing).await?;
    let told = |share: &Value| cluster::is(share, "Ready", "Unknown", "SecretNotFound");
    let share = scope.wait("missing", "told", told).await?;
    let since = cluster::condition(&share, "Ready").context("Ready")?["lastTransitionTime"].clone();
    let since: jiff::Timestamp = since.as_str().context("a time")?.parse()?;
    let ahead = since.as_second() - jiff::Timestamp::now().as_second();
    ensure!(
        (999 * DAY..1001 * DAY).contains(&ahead),
        "its clock is {ahead} s ahead"
    );
    scope.shares.delete("missing", &Default::default()).await?;
    clock.set(0)
}

/// Ten days ahead, far past the end of links that live. They stay, can be burned, and are received.
async fn forwards(scope: &Scope, clock: &NodeClock) -> Result<()> {
    for name in ["opened", "burned", "kept"] {
        scope.share(name, json!({"ttl": "1h"})).await?;
    }
    scope.all_ready(3).await?;
    clock.set(10 * DAY)?;
    // The receipt of each is looked at, and says that it lives.
    scope.asked(Operation::Look, 3).await?;
    scope.asked(Operation::Recent, 3).await?;
    for name in ["opened", "burned", "kept"] {
        lives(&scope.shares.get(name).await?)?;
    }
    // To our clock its time was over before it began.
    scope.share("late", json!({"ttl": "1h"})).await?;
    scope.state("late", "Shared").await?;
    scope.asked(Operation::Recent, 2).await?;
    lives(&scope.shares.get("late").await?)?;
    let attempt = scope.shares.get("burned").await?.data["status"]["attempt"].clone();
    let annotation = Patch::Merge(json!({"metadata": {"annotations": {"onetimeshare.dev/burn": attempt}}}));
    scope
        .shares
        .patch("burned", &PatchParams::default(), &annotation)
        .await?;
    scope.state("burned", "Burned").await?;
    scope.open_link("opened").await?;
    scope.state("opened", "Received").await?;
    lives(&scope.shares.get("kept").await?)?;
    clock.set(0)?;
    scope.asked(Operation::Recent, 2).await?;
    lives(&scope.shares.get("kept").await?)
}

/// Ten days back: the poll goes on, a new share is sent, and ends are told.
async fn backwards(scope: &Scope, clock: &NodeClock) -> Result<()> {
    scope.share("before", json!({"ttl": "1h"})).await?;
    scope.state("before", "Shared").await?;
    clock.set(-10 * DAY)?;
    scope.asked(Operation::Recent, 3).await?;
    scope.share("after", json!({"ttl": "1h"})).await?;
    scope.state("after", "Shared").await?;
    for name in ["before", "after"] {
        scope.open_link(name).await?;
        scope.state(name, "Received").await?;
    }
    lives(&scope.shares.get("kept").await?)?;
    clock.set(0)
}

/// A share waits for its next try when the clock goes back: not until the time of the try comes again.
async fn back_in_a_pause(scope: &Scope, clock: &NodeClock) -> Result<()> {
    scope.service.stop_listening().await?;
    scope.service.drop_connections();
    scope.share("paused", json!({"ttl": "1h"})).await?;
    let waits = |share: &Value| cluster::is(share, "Ready", "Unknown", "Unavailable");
    scope.wait("paused", "waiting", waits).await?;
    clock.set(-10 * DAY)?;
    scope.service.start_listening().await?;
    scope.state("paused", "Shared").await?;
    clock.set(0)
}

/// The answer of a mailed share is lost, and the clock is stepped before anybody knows what became of it.
async fn back_while_an_answer_is_lost(scope: &Scope, clock: &NodeClock) -> Result<()> {
    for (name, days) in [("ahead", 10), ("behind", -10)] {
        let recipient = format!("{name}@example.com");
        scope
            .service
            .plan()
            .once(Operation::Share, Fault::commit_then_reset());
        scope
            .share(name, json!({"ttl": "1h", "recipient": recipient}))
            .await?;
        let mailed = |journal: &Journal| !journal.mails_to(&recipient).is_empty();
        scope.service.wait_for("e-mail", PATIENCE, mailed).await?;
        clock.set(days * DAY)?;
        let settled = |share: &Value| {
            share["status"]["state"] == "Shared" || cluster::is(share, "Stalled", "True", "Uncertain")
        };
        scope.wait(name, "settled", settled).await?;
        clock.set(0)?;
        let mails = scope.service.journal().mails_to(&recipient).len();
        ensure!(mails == 1, "{mails} e-mails to {recipient}");
    }
    Ok(())
}

/// A link is opened, and from then on the service does not answer until long after its end. That nobody heard how it ended
/// is told, and no end is made up, not even after twice the lifetime of a clock that may be wrong.
async fn out_of_reach_past_the_end(scope: &Scope, clock: &NodeClock) -> Result<()> {
    for name in ["read", "unread"] {
        scope.share(name, json!({"ttl": "1h"})).await?;
        scope.state(name, "Shared").await?;
    }
    for operation in [Operation::Recent, Operation::RecentV2, Operation::Look] {
        let down = Fault::Answer(Stage::BeforeCommit, Canned::Unavailable);
        scope.service.plan().always(operation, down);
    }
    scope.open_link("read").await?;
    for hours in [2, 48] {
        clock.set(hours * 3600)?;
        // One: the pauses of a service that fails grow.
        scope.asked(Operation::Look, 1).await?;
        for name in ["read", "unread"] {
            let unknown = |share: &Value| {
                share["status"]["state"] == "Shared"
                    && cluster::is_ready(share)
                    && cluster::is(share, "Received", "Unknown", "OutcomeUnknown")
                    && cluster::is(share, "Finished", "Unknown", "OutcomeUnknown")
            };
            scope.wait(name, "unknown", unknown).await?;
        }
    }
    scope.service.plan().clear();
    let received = |share: &Value| share["status"]["state"] == "Received";
    cluster::wait_for(&scope.shares, "read", "received", AFTER_PAUSES, received).await?;
    let alive = |share: &Value| cluster::is(share, "Received", "Unknown", "Waiting");
    cluster::wait_for(&scope.shares, "unread", "alive again", AFTER_PAUSES, alive).await?;
    clock.set(0)
}

fn lives(share: &kube::api::DynamicObject) -> Result<()> {
    let share = serde_json::to_value(share)?;
    ensure!(
        share["status"]["state"] == "Shared"
            && share["status"]["link"].is_string()
            && cluster::is(&share, "Received", "Unknown", "Waiting"),
        "it lives: {:#}",
        share["status"]
    );
    Ok(())
}

impl Scope {
    /// Waits until a share is in this state.
    async fn state(&self, share: &str, state: &str) -> Result<()> {
        let is = |share: &Value| share["status"]["state"] == state;
        self.wait(share, state, is).await.map(drop)
    }

    /// Opens the link of a share.
    async fn open_link(&self, share: &str) -> Result<()> {
        let share = self.shares.get(share).await?;
        let key = share.data["status"]["secretKey"].as_str().context("a key")?;
        ensure!(self.service.open(key, None).is_some(), "the link opens");
        Ok(())
    }

    /// Waits until the operator has asked so many times more.
    async fn asked(&self, operation: Operation, times: usize) -> Result<()> {
        let before = self.service.journal().count(operation);
        let asked = |journal: &Journal| journal.count(operation) >= before + times;
        self.service
            .wait_for(&format!("{times} requests {operation:?}"), PATIENCE, asked)
            .await
            .map(drop)
    }
}
