//! What becomes of a link reaches the status within about one poll: received, burned by somebody else, expired.
//!
//! The expired one lives its minute for real: the operator's clock cannot be moved, and the service says it only when
//! somebody looks.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::onetime::{Operation, State, Version};
use serde_json::{Value, json};

use crate::env::Env;
use crate::space::{Space, is_ready_now};

/// The interval is one second; the rest is for a loaded machine.
const ONE_POLL: Duration = Duration::from_secs(8);

/// A minute of life, then one poll.
const ONE_LIFE: Duration = Duration::from_secs(60 + 15);

/// Which service, with or without an account.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    version: Version,
    account: bool,
}

pub const CASES: [Case; 4] = [
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

pub async fn run(env: &Env, case: Case) -> Result<()> {
    let name = format!("lifecycle-{}", case.name.replace('_', "-"));
    let space = match case.account {
        true => Space::with_account(env, &name, case.version).await?,
        false => Space::anonymous(env, &name, case.version).await?,
    };
    for share in ["opened", "burned", "expired"] {
        space.secret(share).await?;
        let ttl = if share == "expired" { "1m" } else { "1h" };
        space.share(share, json!({"ttl": ttl})).await?;
    }
    let opened = space.ready("opened").await?;
    let burned = space.ready("burned").await?;
    space.ready("expired").await?;
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

    looked_at_is_not_received(&space, case, &opened).await?;

    let key = opened["status"]["secretKey"].as_str().context("a key")?;
    ensure!(space.service.open(key, None).is_some(), "the link opens");
    ends(&space, "opened", "True", "Received", ONE_POLL).await?;

    request(&space, &burned, "POST", "/burn").await?;
    ends(&space, "burned", "False", "Burned", ONE_POLL).await?;

    ends(&space, "expired", "False", "Expired", ONE_LIFE).await?;

    // What has ended stays so, whatever is asked later.
    ensure!(
        space.service.journal().shares.len() == 3,
        "three links for three shares"
    );
    for (share, state) in [("opened", "Received"), ("burned", "Burned")] {
        let now = space.ready(share).await?;
        ensure!(now["status"]["state"] == state, "{:#}", now["status"]);
    }
    Ok(())
}

/// v0.23 calls a receipt `viewed` when the sender looked at it: that says nothing about the recipient.
async fn looked_at_is_not_received(space: &Space<'_>, case: Case, share: &Value) -> Result<()> {
    request(space, share, "GET", "").await?;
    if case.version == Version::V0_23 {
        let state = found(space, share)?.state;
        ensure!(state == State::Viewed, "the service says {state:?}");
    }
    space.polled(case.poll(), 2).await?;
    let now = space.ready("opened").await?;
    ensure!(
        now["status"] == share["status"],
        "a look changes nothing: {:#}",
        now["status"]
    );
    Ok(())
}

fn found(space: &Space<'_>, share: &Value) -> Result<harness::onetime::Share> {
    let key = share["status"]["secretKey"].as_str().context("a key")?;
    space
        .service
        .journal()
        .by_secret(key)
        .cloned()
        .context("a share in the journal")
}

/// Somebody else asks the service about a link.
async fn request(space: &Space<'_>, share: &Value, method: &str, action: &str) -> Result<()> {
    let path = format!("/api/v1/private/{}{action}", found(space, share)?.metadata_key);
    let (status, _) = harness::http::request(space.service.address(), method, &path).await?;
    ensure!(status == 200, "{method} {action} was answered with {status}");
    Ok(())
}

async fn ends(space: &Space<'_>, share: &str, received: &str, how: &str, within: Duration) -> Result<()> {
    let begin = Instant::now();
    let over = |share: &Value| share["status"]["state"] == how;
    let share = space_wait(space, share, how, within * 2, over).await?;
    let took = begin.elapsed();
    ensure!(took < within, "{how} was shown after {took:?}");
    let status = &share["status"];
    ensure!(cluster::is(&share, "Received", received, how), "{status:#}");
    ensure!(cluster::is(&share, "Finished", "True", how), "{status:#}");
    ensure!(is_ready_now(&share), "what was asked for was done: {status:#}");
    ensure!(status["finishedAt"].is_string(), "{status:#}");
    ensure!(
        status["link"].is_null() && status["secretKey"].is_null(),
        "a dead link is not shown: {status:#}"
    );
    ensure!(
        status["expiresAt"].is_string() && status["attempt"].is_string(),
        "{status:#}"
    );
    let kind = if how == "Expired" { "Warning" } else { "Normal" };
    space
        .event(share["metadata"]["name"].as_str().context("a name")?, kind, how)
        .await
        .map(drop)
}

async fn space_wait(
    space: &Space<'_>,
    share: &str,
    what: &str,
    timeout: Duration,
    condition: impl Fn(&Value) -> bool,
) -> Result<Value> {
    Box::pin(cluster::wait_for(&space.shares, share, what, timeout, condition)).await
}
