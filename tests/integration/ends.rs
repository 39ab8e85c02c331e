//! Ends are what the service says: not what our clock says, and not what a link that cannot be burned any more suggests.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::onetime::{Canned, Fault, Operation, Stage, Version};
use serde_json::{Value, json};

use crate::env::Env;
use crate::registry::integration_test;
use crate::scope::Scope;

/// The answer of a service that is down for a while.
fn unavailable() -> Fault {
    Fault::Answer(Stage::BeforeCommit, Canned::Unavailable)
}

async fn key(scope: &Scope<'_>, share: &str) -> Result<String> {
    let ready = scope.ready(share).await?;
    let key = ready["status"]["secretKey"].as_str().context("a key")?;
    Ok(key.to_owned())
}

integration_test!(opened_then_deleted_and_created_again);
/// The link was opened and its share deleted. Burning says that the link is gone, and its receipt cannot be looked at: until
/// it can, nobody knows that there is nothing to send again.
async fn opened_then_deleted_and_created_again(env: &Env) -> Result<()> {
    for (name, version) in [("gone-23", Version::V0_23), ("gone-26", Version::V0_26)] {
        let scope = Scope::with_account(env, name, version).await?;
        scope.secret("alice").await?;
        let spec = json!({"recipient": "alice@example.com"});
        scope.share("alice", spec.clone()).await?;
        let alice = key(&scope, "alice").await?;
        for operation in [Operation::Look, Operation::Recent, Operation::RecentV2] {
            scope.service.plan().always(operation, unavailable());
        }
        ensure!(scope.service.open(&alice, None).is_some(), "the link opens");
        scope.delete("alice").await?;
        let looked = |journal: &harness::onetime::Journal| {
            journal.count(Operation::Burn) >= 1 && journal.count(Operation::Look) >= 1
        };
        scope.journal("burn and a look", looked).await?;
        scope.share("alice", spec).await?;
        let waits = |share: &Value| cluster::is(share, "Ready", "Unknown", "Burning");
        scope.wait("alice", "waiting for the outcome", waits).await?;
        // Time enough for what must not happen: it is asked again, and the answer is as before.
        let burns = scope.service.journal().count(Operation::Burn);
        let again = |journal: &harness::onetime::Journal| journal.count(Operation::Burn) > burns;
        scope.journal("another burn", again).await?;
        ensure!(
            scope.service.journal().shares.len() == 1,
            "nothing is sent meanwhile"
        );

        scope.service.plan().clear();
        let received = |share: &Value| {
            share["status"]["state"] == "Received" && cluster::is(share, "Received", "True", "Received")
        };
        scope.wait("alice", "received", received).await?;
        let journal = scope.service.journal();
        ensure!(
            journal.shares.len() == 1 && journal.mails.len() == 1,
            "one link and one e-mail, not {} and {}",
            journal.shares.len(),
            journal.mails.len()
        );
    }
    Ok(())
}

integration_test!(expired_by_the_services_clock);
/// The service's clock goes faster than ours: its list tells the time, so that its expired links are looked at.
async fn expired_by_the_services_clock(env: &Env) -> Result<()> {
    for (name, version) in [("ahead-23", Version::V0_23), ("ahead-26", Version::V0_26)] {
        let scope = Scope::with_account(env, name, version).await?;
        scope.secret("alice").await?;
        scope.share("alice", json!({"ttl": "1h"})).await?;
        scope.ready("alice").await?;
        scope.service.advance(Duration::from_secs(3601));
        let expired = |share: &Value| share["status"]["state"] == "Expired";
        scope.wait("alice", "expired", expired).await?;
    }
    Ok(())
}

integration_test!(a_service_that_lost_its_data);
/// Before its time is over, a receipt that the service does not know says nothing of the link: perhaps the service comes
/// back with its data.
async fn a_service_that_lost_its_data(env: &Env) -> Result<()> {
    let scope = Scope::anonymous(env, "lost-data", Version::V0_26).await?;
    scope.secret("alice").await?;
    scope.share("alice", json!({"ttl": "1h"})).await?;
    scope.ready("alice").await?;
    scope.service.wipe();
    let unknown = |share: &Value| {
        share["status"]["state"] == "Shared"
            && cluster::is(share, "Received", "Unknown", "OutcomeUnknown")
            && cluster::is(share, "Finished", "Unknown", "OutcomeUnknown")
            && share["status"]["link"].is_string()
    };
    let share = scope.wait("alice", "unknown", unknown).await?;
    ensure!(cluster::is_ready(&share), "what was asked for was done");
    scope.event("alice", "Warning", "OutcomeUnknown").await.map(drop)
}
