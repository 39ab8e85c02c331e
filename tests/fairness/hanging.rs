//! Many shares at a server that accepts and never answers; everything at a healthy one goes on.

use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::future::join_all;
use harness::onetime::{
    Fault, Gate, Hold, Journal, Matcher, OnetimeServer, Operation, Rule, Stage, State, Version,
};
use serde_json::{Value, json};

use crate::findings::Findings;
use crate::is_full;
use crate::place::{PATIENCE, Place, SOON, Tenant, merged, service, through};
use crate::stage::Plane;
use crate::status::is_ready_now;

/// How long an attempt may last, the longest first pauses, and then some.
const NEXT_ATTEMPT: Duration = Duration::from_secs(180);

/// In a full run also when the operator has given up the first attempts and tries again.
pub async fn run(plane: &Plane) -> Result<()> {
    let (count, rounds) = if is_full() { (200, 2) } else { (40, 1) };
    let (place, tenants) = Place::open(plane, "dead", ["crowd", "other"], &[]).await?;
    let (dead, healthy) = (service(Version::V0_26).await?, service(Version::V0_26).await?);
    for tenant in &tenants {
        tenant.value("a value").await?;
        tenant.provider("healthy", &healthy, json!({})).await?;
        prepare(tenant, rounds).await?;
    }
    let crowd = &tenants[0];
    // It answers once: without that nothing would be sent to it at all.
    crowd.provider("dead", &dead, json!({})).await?;
    let hang = Fault::Hang(Stage::BeforeCommit, Hold::Until(Gate::new()));
    dead.plan().push(Rule::always(Matcher::any(), hang));
    crowd.share_many("waits", count, |_| through("dead")).await?;

    let mut findings = Findings::default();
    let mut sent = 0;
    for round in 0..rounds {
        let what = format!("POST to the dead server after the first {sent}");
        let another = |journal: &Journal| journal.count(Operation::Share) > sent;
        dead.wait_for(&what, NEXT_ATTEMPT, another).await?;
        let both = tenants.iter().zip(["the same", "another"]);
        let both = both.map(async |(tenant, which)| (which, goes_on(tenant, &healthy, round).await));
        for (which, found) in join_all(both).await {
            findings.append(&format!("round {round}, in {which} namespace"), found);
        }
        sent = dead.journal().count(Operation::Share);
    }
    findings.unless(dead.journal().shares.is_empty(), || {
        "the dead server answered: nothing was waited for".to_owned()
    });
    place.close().await?;
    findings.end()
}

/// Makes the links that each round ends.
async fn prepare(tenant: &Tenant, rounds: usize) -> Result<()> {
    for round in 0..rounds {
        for name in ["deleted", "revoked", "edited"] {
            let name = format!("{name}-{round}");
            tenant.share(&name, through("healthy")).await?;
            tenant.ready(&name, PATIENCE).await?;
        }
    }
    Ok(())
}

/// A new link, a deletion, a revoked link and an edit, all at once.
async fn goes_on(tenant: &Tenant, healthy: &OnetimeServer, round: usize) -> Findings {
    let name = |word: &str| format!("{word}-{round}");
    let (new, deleted, revoked, edited) = (name("new"), name("deleted"), name("revoked"), name("edited"));
    let created = async {
        let link = tenant.time_to_link(&new, through("healthy"), SOON).await;
        link.map(drop).context("a new share at a healthy provider")
    };
    let (created, deleted, revoked, edited) = futures::join!(
        created,
        delete(tenant, healthy, &deleted),
        revoke(tenant, healthy, &revoked),
        edit(tenant, healthy, &edited),
    );
    let mut findings = Findings::default();
    findings.take(created);
    findings.take(deleted.context("a deleted share of a healthy provider"));
    findings.take(revoked.context("a link that was revoked by the annotation"));
    findings.take(edited.context("an edited share of a healthy provider"));
    findings
}

async fn delete(tenant: &Tenant, healthy: &OnetimeServer, name: &str) -> Result<()> {
    let link = link(tenant, name).await?;
    tenant.delete(name).await?;
    burned(healthy, &link).await
}

async fn revoke(tenant: &Tenant, healthy: &OnetimeServer, name: &str) -> Result<()> {
    let share = tenant.get(name).await?;
    let annotations = json!({onetimeshare::api::BURN: share["status"]["attempt"]});
    tenant
        .edit(name, json!({"metadata": {"annotations": annotations}}))
        .await?;
    burned(healthy, share["status"]["link"].as_str().context("a link")?).await?;
    let told = |share: &Value| share["status"]["state"] == "Burned";
    tenant.wait(name, "told to be burned", SOON, told).await.map(drop)
}

async fn edit(tenant: &Tenant, healthy: &OnetimeServer, name: &str) -> Result<()> {
    let old = link(tenant, name).await?;
    let spec = merged(json!({"requestID": "2"}), through("healthy"));
    tenant.share(name, spec).await?;
    let renewed = |share: &Value| is_ready_now(share) && share["status"]["link"] != old;
    tenant.wait(name, "ready with a new link", SOON, renewed).await?;
    burned(healthy, &old).await
}

async fn link(tenant: &Tenant, name: &str) -> Result<String> {
    let share = tenant.get(name).await?;
    Ok(share["status"]["link"].as_str().context("a link")?.to_owned())
}

async fn burned(service: &OnetimeServer, link: &str) -> Result<()> {
    let dead = |journal: &Journal| {
        let mut shares = journal.shares.iter();
        shares.any(|share| share.link == link && share.state == State::Burned)
    };
    service.wait_for("burned link", SOON, dead).await.map(drop)
}
