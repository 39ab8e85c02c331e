//! What becomes of a link reaches the status within one `pollInterval`: received, burned by somebody else, expired.
//!
//! The expired one lives its minute for real: the operator's clock cannot be moved, and the service says it only when
//! somebody looks.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::onetime::{Journal, Operation, State, Version};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::env::Env;
use crate::registry::{Phase, integration_cases};
use crate::scope::{Scope, is_ready_now};

/// The provider's `pollInterval`.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// From the end of a link to the status that tells of it: one `pollInterval`, one round of the sweep (a second), and what
/// a machine with 60 other tests on it adds.
const TOLD_WITHIN: Duration = POLL_INTERVAL
    .saturating_add(Duration::from_secs(1))
    .saturating_add(Duration::from_secs(15));

/// A minute of life, then one poll.
const ONE_LIFE: Duration = TOLD_WITHIN.saturating_add(Duration::from_secs(60));

/// Which service, with or without an account.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    version: Version,
    account: bool,
}

integration_cases!("lifecycle_", CASES, run, Phase::Slow);

const CASES: [Case; 4] = [
    Case {
        name: "v0_23_account",
        version: Version::V0_23,
        account: true,
    },
    Case {
        name: "v0_23_anonymous",
        version: Version::V0_23,
        account: false,
    },
    Case {
        name: "v0_26_account",
        version: Version::V0_26,
        account: true,
    },
    Case {
        name: "v0_26_anonymous",
        version: Version::V0_26,
        account: false,
    },
];

impl Case {
    /// What the operator asks to learn of the links.
    fn poll(self) -> Operation {
        match (self.account, self.version) {
            (false, _) => Operation::Look,
            (true, Version::V0_23) => Operation::RecentV2,
            (true, Version::V0_26) => Operation::Recent,
        }
    }
}

async fn run(env: &Env, case: Case) -> Result<()> {
    let name = format!("lifecycle-{}", case.name.replace('_', "-"));
    let scope = match case.account {
        true => Scope::with_account(env, &name, case.version).await?,
        false => Scope::anonymous(env, &name, case.version).await?,
    };
    for share in ["opened", "burned", "expired"] {
        scope.secret(share).await?;
        let ttl = if share == "expired" { "1m" } else { "1h" };
        scope.share(share, json!({"ttl": ttl})).await?;
    }
    let interval = env.providers().get(&name).await?.data["spec"]["pollInterval"].clone();
    ensure!(interval == format!("{}s", POLL_INTERVAL.as_secs()), "{interval}");
    let opened = scope.ready("opened").await?;
    let burned = scope.ready("burned").await?;
    let expired = scope.ready("expired").await?;
    ensure!(
        cluster::is(&opened, "Received", "Unknown", "Waiting"),
        "{:#}",
        opened["status"]
    );
    ensure!(
        cluster::is(&opened, "Finished", "False", "Waiting"),
        "{:#}",
        opened["status"]
    );

    looked_at_is_not_received(&scope, case, &opened).await?;

    let key = opened["status"]["secretKey"].as_str().context("a key")?;
    ensure!(scope.service.open(key, None).is_some(), "the link opens");
    ends(&scope, &opened, "True", "Received", TOLD_WITHIN).await?;

    request(&scope, &burned, "POST", "/burn").await?;
    ends(&scope, &burned, "False", "Burned", TOLD_WITHIN).await?;

    ends(&scope, &expired, "False", "Expired", ONE_LIFE).await?;

    // What has ended stays so, whatever is asked later.
    ensure!(
        scope.service.journal().shares.len() == 3,
        "three links for three shares"
    );
    for (share, state) in [("opened", "Received"), ("burned", "Burned")] {
        let now = scope.ready(share).await?;
        ensure!(now["status"]["state"] == state, "{:#}", now["status"]);
    }
    Ok(())
}

/// v0.23 calls a receipt `viewed` when the sender looked at it: that says nothing about the recipient. Without an account
/// it is the operator's own look that does it; the value that v0.23 then answers is a canary of `no_secret_leaks`.
async fn looked_at_is_not_received(scope: &Scope<'_>, case: Case, share: &Value) -> Result<()> {
    if case.version == Version::V0_23 && !case.account {
        let key = share["status"]["secretKey"].as_str().context("a key")?;
        let viewed = |journal: &Journal| {
            let found = journal.by_secret(key);
            found.is_some_and(|share| share.state == State::Viewed)
        };
        scope.journal("look of the operator at the link", viewed).await?;
    }
    request(scope, share, "GET", "").await?;
    if case.version == Version::V0_23 {
        let state = found(scope, share)?.state;
        ensure!(state == State::Viewed, "the service says {state:?}");
    }
    scope.polled(case.poll(), 2).await?;
    let now = scope.ready("opened").await?;
    ensure!(
        now["status"] == share["status"],
        "a look changes nothing: {:#}",
        now["status"]
    );
    Ok(())
}

fn found(scope: &Scope<'_>, share: &Value) -> Result<harness::onetime::Share> {
    let key = share["status"]["secretKey"].as_str().context("a key")?;
    scope
        .service
        .journal()
        .by_secret(key)
        .cloned()
        .context("a share in the journal")
}

/// Somebody else asks the service about a link.
async fn request(scope: &Scope<'_>, share: &Value, method: &str, action: &str) -> Result<()> {
    let path = format!("/api/v1/private/{}{action}", found(scope, share)?.metadata_key);
    let (status, _) = harness::http::request(scope.service.address(), method, &path).await?;
    ensure!(status == 200, "{method} {action} was answered with {status}");
    Ok(())
}

async fn ends(scope: &Scope<'_>, alive: &Value, received: &str, how: &str, within: Duration) -> Result<()> {
    let name = alive["metadata"]["name"].as_str().context("a name")?;
    let begin = Instant::now();
    let over = |share: &Value| share["status"]["state"] == how;
    let share = scope_wait(scope, name, how, within * 2, over).await?;
    let took = begin.elapsed();
    ensure!(took < within, "{how} was shown after {took:?}");
    // When the service says that it ended, not when we saw it; times are whole seconds.
    let told = found(scope, alive)?;
    let ended = match how {
        "Received" => told.received_ms.context("received")? / 1000,
        "Burned" => told.burned_ms.context("burned")? / 1000,
        _ => time(&share, "expiresAt")?.as_second(),
    };
    let finished = time(&share, "finishedAt")?;
    ensure!(
        finished.as_second() == ended,
        "finishedAt is {finished}, not {ended}"
    );
    let late = Timestamp::now().duration_since(finished);
    ensure!(
        late < TOLD_WITHIN.try_into()?,
        "{how} was shown {late:#} after the end"
    );
    let status = &share["status"];
    ensure!(cluster::is(&share, "Received", received, how), "{status:#}");
    ensure!(cluster::is(&share, "Finished", "True", how), "{status:#}");
    ensure!(is_ready_now(&share), "what was asked for was done: {status:#}");
    ensure!(
        status["link"].is_null() && status["secretKey"].is_null(),
        "a dead link is not shown: {status:#}"
    );
    ensure!(
        status["expiresAt"].is_string() && status["attempt"].is_string(),
        "{status:#}"
    );
    let kind = if how == "Expired" { "Warning" } else { "Normal" };
    scope.event(name, kind, how).await.map(drop)
}

fn time(share: &Value, field: &str) -> Result<Timestamp> {
    let text = share["status"][field].as_str();
    Ok(text.with_context(|| field.to_owned())?.parse()?)
}

async fn scope_wait(
    scope: &Scope<'_>,
    share: &str,
    what: &str,
    timeout: Duration,
    condition: impl Fn(&Value) -> bool,
) -> Result<Value> {
    Box::pin(cluster::wait_for(&scope.shares, share, what, timeout, condition)).await
}
