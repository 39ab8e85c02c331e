//! Many shares in one scope, each with its own recipient, and what must be true of them in the end.

use crate::objects;
use crate::scope::Scope;
use anyhow::{Context as _, Result};
use harness::cluster;
use harness::onetime::Share;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

/// So many shares.
pub struct Crowd {
    many: usize,
    mails: bool,
    /// Whether all have one recipient.
    alike: bool,
}

/// What is expected beside one link and one e-mail for each.
#[derive(Default)]
pub struct Expect {
    /// How many links the service made.
    pub links_made: Option<RangeInclusive<usize>>,
    /// How many may wait for a person.
    pub held: usize,
    /// Those that asked twice.
    pub edited: Range<usize>,
    /// Those that are gone.
    pub deleted: Range<usize>,
}

impl Crowd {
    pub fn new(many: usize, mails: bool) -> Self {
        Self {
            many,
            mails,
            alike: false,
        }
    }

    /// All for one recipient.
    pub fn alike(many: usize) -> Self {
        Self {
            many,
            mails: true,
            alike: true,
        }
    }

    /// No two of these look alike in the service's list, where only some letters are shown.
    pub fn recipient(&self, number: usize) -> Option<String> {
        let letter = |at: usize| char::from(b'a' + u8::try_from(at % 26).unwrap_or_default());
        let number = if self.alike { 0 } else { number };
        let (first, second) = (letter(number / 26), letter(number));
        self.mails.then(|| format!("{first}{second}.person@example.com"))
    }

    fn share(&self, namespace: &str, number: usize, request: u64) -> Value {
        let mut spec = json!({
            "secretRef": {"name": "value-1", "key": "password"},
            "ttl": format!("{request}h"),
            "requestID": request.to_string(),
            "providerRef": {"kind": "ShareProvider", "name": "fake"},
        });
        if let Some(recipient) = self.recipient(number) {
            spec["recipient"] = json!(recipient);
        }
        json!({
            "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
            "metadata": {"name": name(number), "namespace": namespace}, "spec": spec,
        })
    }

    pub async fn apply(&self, scope: &Scope, request: u64) -> Result<()> {
        self.apply_some(scope, request, 0..self.many).await
    }

    pub async fn apply_some(&self, scope: &Scope, request: u64, which: Range<usize>) -> Result<()> {
        for number in which {
            cluster::apply_one(&scope.client, self.share(&scope.namespace, number, request)).await?;
        }
        Ok(())
    }

    pub async fn delete_some(&self, scope: &Scope, which: Range<usize>) -> Result<()> {
        for number in which {
            scope
                .shares
                .delete(&name(number), &DeleteParams::default())
                .await?;
        }
        Ok(())
    }

    pub async fn settle(&self, scope: &Scope, limit: Duration) -> Result<()> {
        self.settle_some(scope, limit, 0..self.many).await
    }

    /// Waits until each has its link or waits for a person.
    pub async fn settle_some(&self, scope: &Scope, limit: Duration, which: Range<usize>) -> Result<()> {
        for number in which {
            let settled = |share: &Value| is_ready(share) || is_held(share);
            cluster::wait_for(&scope.shares, &name(number), "settled", limit, settled).await?;
        }
        Ok(())
    }

    /// Waits until the links of deleted shares are dead.
    pub async fn burned(&self, scope: &Scope, limit: Duration, which: Range<usize>) -> Result<()> {
        let gone: BTreeSet<String> = which.filter_map(|number| self.recipient(number)).collect();
        let of_gone = |share: &Share| share.recipients.iter().any(|address| gone.contains(address));
        let dead = |journal: &harness::onetime::Journal| {
            let mut shares = journal.shares.iter().filter(|share| of_gone(share));
            shares.all(|share| !share.is_live(scope.service.now_ms()))
        };
        // The clock is asked outside the condition, which must not wait for the fake server.
        let wait = async {
            while !dead(&scope.service.journal()) {
                let seen = scope.service.journal().requests.len();
                let more = |journal: &harness::onetime::Journal| journal.requests.len() > seen;
                let _ = scope
                    .service
                    .wait_for("request", Duration::from_secs(1), more)
                    .await;
            }
        };
        tokio::time::timeout(limit, wait)
            .await
            .context("a link of a deleted share still works")
    }
}

/// The name of a share.
pub fn name(number: usize) -> String {
    format!("person-{number}")
}

fn is_ready(share: &Value) -> bool {
    share["status"]["observedGeneration"] == share["metadata"]["generation"]
        && cluster::is_ready(share)
        && share["status"]["state"] == "Shared"
}

fn is_held(share: &Value) -> bool {
    cluster::is(share, "Stalled", "True", "Uncertain")
}

/// How many are held, and every broken promise.
pub async fn violations(scope: &Scope, crowd: &Crowd, expect: Expect) -> Result<(usize, Vec<String>)> {
    let shares = scope.shares.list(&ListParams::default()).await?.items;
    let shares: Vec<Value> = shares
        .iter()
        .map(serde_json::to_value)
        .collect::<Result<_, _>>()?;
    let journal = scope.service.journal();
    let mut found = Vec::new();
    let held = shares.iter().filter(|share| is_held(share)).count();
    if held > expect.held {
        found.push(format!("{held} wait for a person"));
    }
    if expect
        .links_made
        .is_some_and(|links| !links.contains(&journal.shares.len()))
    {
        found.push(format!("{} links were made", journal.shares.len()));
    }
    let links: BTreeSet<&str> = shares
        .iter()
        .filter_map(|share| share["status"]["link"].as_str())
        .collect();
    let expected = crowd.many - expect.deleted.len() - held;
    if links.len() != expected {
        found.push(format!(
            "{} shares have a link of their own, not {expected}",
            links.len()
        ));
    }
    let now_ms = scope.service.now_ms();
    for share in &journal.shares {
        let mailed = journal
            .mails
            .iter()
            .any(|mail| mail.secret_key == share.secret_key);
        let shown = links.contains(share.link.as_str());
        if shown && !share.is_live(now_ms) {
            found.push("a link in a status is dead".to_owned());
        }
        if !shown && mailed && share.is_live(now_ms) && held == 0 {
            found.push("a mailed link works and is in no status".to_owned());
        }
    }
    for number in 0..crowd.many {
        let Some(recipient) = crowd.recipient(number) else {
            continue;
        };
        let asked = 1 + usize::from(expect.edited.contains(&number));
        let each = if crowd.alike { crowd.many } else { 1 };
        for ttl in 1..=2 {
            let mails = journal.mails_to(&recipient);
            let of_request = mails.iter().filter(|mail| {
                journal
                    .by_secret(&mail.secret_key)
                    .is_some_and(|share| share.ttl == objects::ttl_seconds(ttl))
            });
            let mails = of_request.count();
            if mails > each || (mails > 0 && usize::try_from(ttl).is_ok_and(|ttl| ttl > asked)) {
                found.push(format!("{mails} e-mails to person {number} for request {ttl}"));
            }
        }
    }
    Ok((held, found))
}
