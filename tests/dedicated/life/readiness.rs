//! /readyz: not before every cache is filled, and what a standby says.

use std::time::Duration;

use anyhow::{Result, ensure};
use harness::api_proxy::{ApiProxy, Fault, Rule, Seen};
use harness::operator::Operator;

use super::{always, end, is_of_the_lease, leads, replica, until};
use crate::fixture::Fixture;
use crate::scope::PATIENCE;

pub async fn run() -> Result<()> {
    let fixture = Fixture::start(false).await?;
    filled(&fixture).await?;
    standby(&fixture).await
}

/// The first list of a cache; the check for the definitions asks for one object only.
fn is_first_list(seen: &Seen, kind: &str) -> bool {
    seen.path.ends_with(kind) && !seen.is_watch() && seen.query.contains("limit=500")
}

/// Whichever of its lists comes late, it is named.
async fn filled(fixture: &Fixture) -> Result<()> {
    type Case = (fn(&Seen) -> bool, String);
    const ALSO: &str = "OneTimeShares, ";
    const AND: &str = ", the metadata of Secrets";
    // Shares are listed, and Secrets watched, only when what shares depend on is there.
    let cases: [Case; 5] = [
        (
            |seen| is_first_list(seen, "/onetimeshares"),
            "OneTimeShares".into(),
        ),
        (
            |seen| is_first_list(seen, "/shareproviders"),
            format!("{ALSO}ShareProviders{AND}"),
        ),
        (
            |seen| is_first_list(seen, "/clustershareproviders"),
            format!("ClusterShareProviders, OneTimeShares{AND}"),
        ),
        (
            |seen| is_first_list(seen, "/onetimeshare-ledger/secrets"),
            format!("{ALSO}the ledger{AND}"),
        ),
        (
            |seen| is_first_list(seen, "/api/v1/secrets"),
            "the metadata of Secrets".into(),
        ),
    ];
    for (matches, name) in cases {
        let proxy = ApiProxy::start(fixture.client.clone()).await?;
        proxy.push(Rule {
            matches,
            skip: 0,
            times: 1,
            fault: Fault::Late(Duration::from_secs(4)),
        });
        let mut launch = fixture.launch.clone();
        launch.kubeconfig = proxy.kubeconfig().to_path_buf();
        launch.args.push("--watch-secrets".into());
        let operator = Operator::spawn(&launch).await?;
        let named = async || {
            let (status, text) = operator.readiness().await?;
            ensure!(status == 503, "{name}: ready too early");
            Ok(text == format!("caches are not filled yet: {name}\n"))
        };
        until(&name, PATIENCE, named).await?;
        until("ready", PATIENCE, async || operator.ready().await).await?;
        end(operator).await?;
    }
    Ok(())
}

/// It is ready while it can read the lease; also when the API server does not answer for a while.
async fn standby(fixture: &Fixture) -> Result<()> {
    let leader = Operator::start(&replica(fixture, "leader", None)).await?;
    leads(&leader).await?;
    let proxy = ApiProxy::start(fixture.client.clone()).await?;
    let standby = Operator::start(&replica(fixture, "standby", Some(&proxy))).await?;
    proxy.push(always(is_of_the_lease, Fault::Close));
    let failed = |log: &String| super::count(log, "cannot read or take the lease") >= 3;
    standby.wait_for_log(PATIENCE, failed).await?;
    ensure!(standby.ready().await?, "another start would not help");
    proxy.clear();
    proxy.push(always(is_of_the_lease, Fault::Refuse(403, "Forbidden")));
    until("it may not read the lease", PATIENCE, async || {
        let (status, text) = standby.readiness().await?;
        Ok(status == 503 && text.contains("the lease cannot be read or taken") && text.contains("403"))
    })
    .await?;
    proxy.clear();
    until("it is ready again", PATIENCE, async || standby.ready().await).await?;
    end(standby).await?;
    end(leader).await
}
