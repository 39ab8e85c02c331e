//! Leaders that lose their lease: it is stolen, or cannot be renewed just before they would begin something.

use super::*;
use harness::api_proxy::{Fault as ApiFault, Rule as ApiRule};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

scenario!(
    "lease-stolen",
    "lease",
    Shared(|fixture, _| lease_stolen(fixture).boxed())
);
/// Two replicas with election. The lease is stolen again and again.
async fn lease_stolen(fixture: &Fixture) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    scope.set("--leader-elect=", "true");
    // On a busy machine, too, a leader must keep it but for the thief.
    scope.set("--lease-duration=", "8s");
    let mut leader = scope.start().await?;
    scope.start().await?;
    let crowd = Crowd::new(30, true);
    for round in 0..3 {
        crowd.apply_some(&scope, 1, round * 10..(round + 1) * 10).await?;
        let begun = |journal: &harness::onetime::Journal| journal.shares.len() > round * 10;
        scope.service.wait_for("share", LIMIT, begun).await?;
        let before = times_given_way(&mut scope, leader)?;
        steal_lease(&scope).await?;
        leader = next_leader(&mut scope, leader, before).await?;
    }
    crowd.settle(&scope, LIMIT).await?;
    let result = crowd::violations(&scope, &crowd, Expect::default()).await?;
    scope.stop_all().await?;
    Ok(result)
}

/// As a client that believes that the lease has run out would.
async fn steal_lease(scope: &Scope) -> Result<()> {
    let leases: Api<Lease> = Api::namespaced(scope.client.clone(), &scope.namespace);
    let now = MicroTime(jiff::Timestamp::now());
    let stolen = serde_json::json!({"spec": {"holderIdentity": "a thief", "renewTime": now}});
    leases
        .patch("onetimeshare", &PatchParams::default(), &Patch::Merge(&stolen))
        .await
        .context("stealing the lease")
        .map(drop)
}

const GIVES_WAY: &str = "another replica has the lease";

fn times_given_way(scope: &mut Scope, number: usize) -> Result<usize> {
    Ok(scope.operator(number)?.log().matches(GIVES_WAY).count())
}

/// The leader must give way when its lease is gone, and stand by in the same process. One of them leads when the thief's time
/// is over.
async fn next_leader(scope: &mut Scope, leader: usize, before: usize) -> Result<usize> {
    let gave_way = |log: &String| log.matches(GIVES_WAY).count() > before;
    scope
        .operator(leader)?
        .wait_for_log(Duration::from_secs(30), gave_way)
        .await?;
    let leads = async {
        loop {
            for number in scope.alive().collect::<Vec<_>>() {
                let metrics = scope.operator(number)?.metrics().await?;
                if metrics.contains("onetimeshare_leader 1") {
                    return anyhow::Ok(number);
                }
            }
            // They can only be asked for.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(LIMIT, leads)
        .await
        .context("nobody leads after the theft")?
}

scenario!(
    "term-over",
    "lease",
    Shared(|fixture, _| term_over(fixture).boxed())
);
const COULD_NOT: &str = "cannot renew the lease";

/// The lease cannot be renewed while the operator is about to write an intent, to mark a burn or to send it: nothing is
/// begun until it is renewed, and then once.
async fn term_over(fixture: &Fixture) -> Outcome {
    let mut found = Vec::new();
    for point in ["intent.before", "burn.mark.before", "burn.before"] {
        let mut scope = Scope::new(fixture, Flavor::Account26, true).await?;
        scope.set("--leader-elect=", "true");
        scope.set("--lease-duration=", "3s");
        // What is slow here is not the service.
        scope.set("--attempt-deadline=", "30s");
        // Three times as long as the lease counts as held.
        let armed = scope.start_armed(&format!("{point}=sleep:6000")).await?;
        let crowd = Crowd::new(1, true);
        crowd.apply(&scope, 1).await?;
        let call = if point == "intent.before" {
            Call::Share
        } else {
            crowd.settle(&scope, LIMIT).await?;
            crowd.delete_some(&scope, 0..1).await?;
            Call::Burn
        };
        scope.reached(armed, LIMIT).await?;
        let proxy = scope.proxy.as_ref().context("a proxy")?;
        proxy.push(ApiRule {
            matches: |seen| seen.path.contains("/leases/onetimeshare") && !seen.path.ends_with("-ledger"),
            skip: 0,
            times: u32::MAX,
            fault: ApiFault::Refuse(500, "InternalError"),
        });
        let operator = scope.operator(armed)?;
        let over = |log: &String| log.contains("could not be renewed in time");
        operator.wait_for_log(LIMIT, over).await?;
        // With growing pauses: some ten seconds.
        let before = operator.log().matches(COULD_NOT).count();
        let tried = |log: &String| log.matches(COULD_NOT).count() >= before + 6;
        operator.wait_for_log(LIMIT, tried).await?;
        let begun = scope.service.journal().count(call);
        if begun > 0 {
            found.push(format!("{point}: {begun} requests were sent without the lease"));
        }
        scope.proxy.as_ref().context("a proxy")?.clear();
        match call {
            Call::Share => crowd.settle(&scope, LIMIT).await?,
            _ => crowd.burned(&scope, LIMIT, 0..1).await?,
        }
        if scope.service.journal().shares.len() != 1 {
            found.push(format!("{point}: not one link"));
        }
        scope.stop(armed).await?;
    }
    Ok((0, found))
}
