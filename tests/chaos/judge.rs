//! The promises, held against what the service and the API server saw.
//!
//! Nothing here asks the operator: the fake server's journal and the versions of the objects are the truth.

use crate::history::History;
use crate::objects::{self, SHARE, TARGET};
use crate::plan::{Goal, Operation, Plan};
use crate::scope::Scope;
use crate::settle::Settled;
use anyhow::Result;
use harness::onetime::{Journal, Operation as Call, Share};
use kube::api::{Api, ListParams};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// All that is known of a plan that has ended.
pub struct Evidence {
    plan: Plan,
    settled: Settled,
    journal: Journal,
    now_ms: i64,
    history: History,
    /// The share as the API server has it in the end.
    share: Option<Value>,
    logs: String,
    events: String,
}

impl Evidence {
    pub async fn gather(scope: &Scope, plan: &Plan, settled: Settled) -> Result<Self> {
        let share = scope.shares.get_opt(SHARE).await?;
        let events: Api<k8s_openapi::api::events::v1::Event> =
            Api::namespaced(scope.client.clone(), &scope.namespace);
        let events = events.list(&ListParams::default()).await?;
        Ok(Self {
            plan: plan.clone(),
            settled,
            journal: scope.service.journal(),
            now_ms: scope.service.now_ms(),
            history: scope.watches.now(),
            share: share.map(|share| serde_json::to_value(&share)).transpose()?,
            logs: logs(scope),
            events: serde_json::to_string(&events.items)?,
        })
    }

    pub fn add_logs(&mut self, scope: &Scope) {
        self.logs = logs(scope);
    }

    /// Two attempts for one recipient have no answer, and nobody can tell whose a receipt is: the one that the plan
    /// loses, and one whose answer took longer than its deadline on a busy machine.
    fn another_was_lost(&self) -> bool {
        let lost = self.logs.matches("the service's answer was lost").count();
        self.plan.operation == Operation::HeldEdit && lost > 1
    }

    /// Whether the share can be taken back now: it has a link.
    pub fn can_be_deleted(&self) -> bool {
        self.plan.operation.goal() == Goal::Ready && self.settled == Settled::Done
    }

    /// Whether the link that the share had in the end still works.
    pub fn still_works(&self, scope: &Scope) -> bool {
        let journal = scope.service.journal();
        let mut shares = journal.shares.iter();
        shares.any(|share| {
            self.final_link() == Some(share.link.as_str()) && share.is_live(scope.service.now_ms())
        })
    }

    /// The versions of the share's status, each with the uid and generation of its share.
    fn statuses(&self) -> impl Iterator<Item = (&Value, &Value)> {
        self.history
            .shares
            .iter()
            .map(|version| (&version.object["metadata"], &version.object["status"]))
    }

    fn published(&self) -> BTreeSet<&str> {
        let links = self.statuses().filter_map(|(_, status)| status["link"].as_str());
        links.collect()
    }

    fn final_link(&self) -> Option<&str> {
        self.share.as_ref()?["status"]["link"].as_str()
    }

    fn mails(&self, share: &Share) -> usize {
        let mails = self.journal.mails.iter();
        mails.filter(|mail| mail.secret_key == share.secret_key).count()
    }
}

fn logs(scope: &Scope) -> String {
    scope.operators.iter().map(|operator| operator.log()).collect()
}

/// Every broken promise, in words.
pub fn violations(evidence: &Evidence) -> Vec<String> {
    let mut found = Vec::new();
    if evidence.settled == Settled::Held && !evidence.plan.may_hold() && !evidence.another_was_lost() {
        found.push("held, though it can be found out".to_owned());
    }
    one_link(evidence, &mut found);
    one_mail(evidence, &mut found);
    nothing_lost(evidence, &mut found);
    link_is_right(evidence, &mut found);
    no_regress(evidence, &mut found);
    intent_first(evidence, &mut found);
    apart(evidence, &mut found);
    written_once(evidence, &mut found);
    found
}

/// How many requests asked for this lifetime: it tells which request a link at the service belongs to.
fn requests_of(plan: &Plan, ttl: u64) -> usize {
    match ttl {
        _ if ttl == objects::ttl_seconds(1) && asks_anew(plan) => 2,
        _ if ttl == objects::ttl_seconds(1) => 1,
        _ if ttl == objects::ttl_seconds(2) && plan.operation.edits() => 1,
        _ => 0,
    }
}

/// Whether a share that was created again asks for a link of its own, because the old one was burned.
fn asks_anew(plan: &Plan) -> bool {
    match plan.operation {
        Operation::Recreate => true,
        Operation::DeleteReturn => !plan.returns_in_time(),
        _ => false,
    }
}

fn one_link(evidence: &Evidence, found: &mut Vec<String>) {
    let mut by_request = BTreeMap::<&str, BTreeSet<&str>>::new();
    for (_, status) in evidence.statuses() {
        if let (Some(request), Some(link)) = (status["requestHash"].as_str(), status["link"].as_str()) {
            by_request.entry(request).or_default().insert(link);
        }
    }
    if by_request.values().any(|links| links.len() > 1) {
        found.push("a request had several links in its status".to_owned());
    }
    let published = evidence.published();
    let mut by_ttl = BTreeMap::<u64, usize>::new();
    for share in &evidence.journal.shares {
        if published.contains(share.link.as_str()) {
            *by_ttl.entry(share.ttl).or_default() += 1;
        }
    }
    for (ttl, links) in by_ttl {
        if links > requests_of(&evidence.plan, ttl) {
            found.push(format!("{links} links were published for the request of {ttl} s"));
        }
    }
}

fn one_mail(evidence: &Evidence, found: &mut Vec<String>) {
    let mut by_ttl = BTreeMap::<u64, usize>::new();
    for share in &evidence.journal.shares {
        *by_ttl.entry(share.ttl).or_default() += evidence.mails(share);
    }
    for (ttl, mails) in by_ttl {
        let allowed = if evidence.plan.operation.mails() {
            requests_of(&evidence.plan, ttl)
        } else {
            0
        };
        if mails > allowed {
            found.push(format!("{mails} e-mails were sent for the request of {ttl} s"));
        }
    }
}

/// A link that works is in the status, or nobody has it, or a person was told that it may exist.
fn nothing_lost(evidence: &Evidence, found: &mut Vec<String>) {
    let published = evidence.published();
    for share in &evidence.journal.shares {
        let in_status = evidence.final_link() == Some(share.link.as_str());
        let unknown = evidence.mails(share) == 0 && !published.contains(share.link.as_str());
        let told = evidence.settled == Settled::Held && !published.contains(share.link.as_str());
        if share.is_live(evidence.now_ms) && !in_status && !unknown && !told {
            let (was, mails) = (published.contains(share.link.as_str()), evidence.mails(share));
            found.push(format!(
                "a link of {} s works and is in no status (published before: {was}, mails: {mails})",
                share.ttl
            ));
        }
    }
}

/// What the status says in the end is so.
fn link_is_right(evidence: &Evidence, found: &mut Vec<String>) {
    if evidence.plan.operation.goal() != Goal::Ready || evidence.settled == Settled::Held {
        return;
    }
    let link = evidence.final_link();
    let share = evidence
        .journal
        .shares
        .iter()
        .find(|share| link == Some(share.link.as_str()));
    let Some(share) = share else {
        found.push("the status has a link that the service does not know".to_owned());
        return;
    };
    if !share.is_live(evidence.now_ms) {
        found.push(format!("the link in the status is dead: {:?}", share.state));
    }
    let request = if evidence.plan.operation.edits() { 2 } else { 1 };
    if !evidence.plan.operation.generates() && share.value != objects::value(request).into_bytes() {
        found.push("the link carries another value".to_owned());
    }
    if share.passphrase.is_some() != evidence.plan.passphrase {
        found.push("the passphrase is not what was asked for".to_owned());
    }
    if evidence.plan.operation.mails() && evidence.mails(share) == 0 {
        found.push("the recipient of the link in the status was not mailed".to_owned());
    }
}

/// Within one generation of a share, what has ended stays so.
fn no_regress(evidence: &Evidence, found: &mut Vec<String>) {
    let mut ended = BTreeMap::<(String, String), String>::new();
    for (meta, status) in evidence.statuses() {
        let key = (meta["uid"].to_string(), status["observedGeneration"].to_string());
        let state = status["state"].as_str().unwrap_or_default();
        match ended.get(&key) {
            Some(before) if before != state => {
                found.push(format!("the state went from {before} to {state}"));
            }
            None if matches!(state, "Received" | "Burned" | "Expired") => {
                ended.insert(key, state.to_owned());
            }
            _ => {}
        }
    }
}

/// Each request that creates has an intent of its own in the ledger.
fn intent_first(evidence: &Evidence, found: &mut Vec<String>) {
    let creates = |call: Call| matches!(call, Call::Share | Call::Generate);
    let posts = evidence.journal.requests.iter();
    let posts = posts.filter(|request| creates(request.operation)).count();
    let intents: BTreeSet<String> = evidence
        .history
        .entries()
        .filter_map(|entry| entry["phase"]["intent"]["nonce"].as_str().map(str::to_owned))
        .collect();
    if posts > intents.len() {
        found.push(format!(
            "{posts} requests to create, and {} intents",
            intents.len()
        ));
    }
}

/// A try that gave no link is not repeated within ten seconds.
fn apart(evidence: &Evidence, found: &mut Vec<String>) {
    let creates = |call: Call| matches!(call, Call::Share | Call::Generate);
    let posts = evidence.journal.requests.iter();
    let posts: Vec<_> = posts.filter(|request| creates(request.operation)).collect();
    let known = evidence.published();
    for pair in posts.windows(2) {
        let made = evidence.journal.shares.iter();
        let mut made = made.filter(|share| share.request == pair[0].order);
        let gap = pair[1].at_ms - pair[0].at_ms;
        if gap < 10_000 && !made.any(|share| known.contains(share.link.as_str())) {
            found.push(format!("sent again after {gap} ms without a link"));
        }
    }
}

/// Nothing secret is where it can be read, and nothing panicked. For when the logs are complete.
pub fn leaks(evidence: &Evidence, found: &mut Vec<String>) {
    use base64::Engine as _;
    let mut secrets = vec![
        ("a token", objects::TOKEN.to_owned()),
        ("a passphrase", objects::PASSPHRASE.to_owned()),
        ("a value", "canary-value".to_owned()),
    ];
    for share in &evidence.journal.shares {
        secrets.push(("a metadata key", share.metadata_key.clone()));
        let value = String::from_utf8_lossy(&share.value).into_owned();
        secrets.push((
            "an encoded value",
            base64::engine::general_purpose::STANDARD.encode(&value),
        ));
        secrets.push(("a value", value));
    }
    let statuses: String = evidence
        .statuses()
        .map(|(_, status)| status.to_string())
        .collect();
    let places = [
        ("the logs", &evidence.logs),
        ("the events", &evidence.events),
        ("a status", &statuses),
    ];
    for (place, text) in places {
        for (what, secret) in secrets.iter().filter(|(_, secret)| text.contains(secret)) {
            found.push(format!("{what} is in {place} ({} bytes)", secret.len()));
        }
    }
    for share in &evidence.journal.shares {
        if evidence.logs.contains(&share.secret_key) || evidence.events.contains(&share.secret_key) {
            found.push("the key of a link is in the logs or events".to_owned());
        }
    }
    if evidence.logs.contains("panicked at") {
        found.push("the operator panicked".to_owned());
    }
}

/// A generated value is the one behind the published link, and no other was ever written for that request.
fn written_once(evidence: &Evidence, found: &mut Vec<String>) {
    if !evidence.plan.operation.generates() {
        return;
    }
    let targets = evidence.history.secrets.iter();
    let targets = targets.filter(|version| version.object["metadata"]["name"] == TARGET);
    let versions: Vec<&str> = targets
        .map(|version| version.object["data"]["password"].as_str().unwrap_or_default())
        .collect();
    let requests = if evidence.plan.operation.edits() { 2 } else { 1 };
    if versions.len() > requests {
        found.push(format!("the target was written {} times", versions.len()));
    }
    if evidence.settled == Settled::Held {
        return;
    }
    use base64::Engine as _;
    let link = evidence.final_link();
    let behind = evidence.journal.shares.iter();
    let mut behind = behind.filter(|share| link == Some(share.link.as_str()));
    let value = behind
        .next()
        .map(|share| base64::engine::general_purpose::STANDARD.encode(&share.value));
    if value.as_deref() != versions.last().copied() {
        found.push("the target does not hold the value behind the link".to_owned());
    }
}
