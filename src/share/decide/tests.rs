//! Every phase of an entry in every situation of its share, and what must hold in all of them.

mod after_a_no;
mod edits;
mod examples;
mod properties;
mod table;

use super::*;
use crate::api::condition::Reason;
use crate::ledger::{BurnReason, ContentMark, Ending, Entry, Phase, RequestKey, Retry, SLACK};
use crate::problem::Problem;
use crate::share::fixtures::{
    self, EPOCH, GENERATION, HERE, UID, attempt, burned_for, burning, entry, finished, key, link, now,
    on_hold, request, undelivered,
};
use crate::share::inputs::request::{FINGERPRINT_VERSION, Request};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(fixtures::DEADLINE_SECONDS);

/// How long a share of these tests may wait.
const MAX_WAIT: Duration = Duration::from_secs(1000);

/// Facts that own what they are made of.
#[derive(Clone, Debug)]
struct Fixture {
    uid: &'static str,
    generation: i64,
    request: Result<Request, Problem>,
    suspend: bool,
    deleting: bool,
    burn: Option<&'static str>,
    told: Option<(RequestKey, Option<&'static str>)>,
    /// Whether the status tells enough to make an entry from it.
    complete: bool,
    noted: bool,
    /// The value as it was read.
    content: Option<ContentMark>,
    live: bool,
    entry_was_known: bool,
    vanished: Option<RequestKey>,
    is_of_older_definition: bool,
    known_for: Duration,
    sent_ago: Option<Duration>,
    inputs: Option<&'static str>,
    waiting_since: Option<Timestamp>,
    now: Timestamp,
    entry: Option<Entry>,
}

impl Fixture {
    /// A share in the cache that asks for what its entry holds, and whose status tells nothing.
    fn of(phase: Option<Phase>) -> Self {
        Self {
            uid: UID,
            generation: GENERATION,
            request: Ok(request("1")),
            suspend: false,
            deleting: false,
            burn: None,
            told: None,
            complete: false,
            noted: false,
            content: None,
            live: false,
            entry_was_known: false,
            vanished: None,
            is_of_older_definition: false,
            known_for: Duration::ZERO,
            sent_ago: None,
            inputs: None,
            waiting_since: None,
            now: now(),
            entry: phase.map(recorded),
        }
    }

    fn facts(&self) -> Facts<'_> {
        let told = self.told.as_ref();
        Facts {
            uid: self.uid,
            generation: self.generation,
            request: self.request.as_ref(),
            suspend: self.suspend,
            deleting: self.deleting,
            burn: self.burn,
            status_claim: StatusClaim {
                request: told.map(|(key, _)| key.clone()),
                attempt: told.and_then(|(_, attempt)| *attempt),
                complete: self.complete,
                noted: self.noted,
            },
            live: self.live,
            cluster: HERE,
            content: self.content.as_ref(),
            entry_was_known: self.entry_was_known,
            vanished: self.vanished.clone(),
            is_of_older_definition: self.is_of_older_definition,
            attempt_known_for: self.known_for,
            sent_ago: self.sent_ago,
            inputs: self.inputs,
            waiting_since: self.waiting_since,
            max_wait: MAX_WAIT,
            now: self.now,
        }
    }

    fn decide(&self) -> Step {
        decide(&self.facts(), self.entry.as_ref())
    }

    /// The name of the rule that decides.
    fn rule(&self) -> &'static str {
        rules::explain(&self.facts(), self.entry.as_ref()).0
    }

    /// Whether the share asks for what the entry holds.
    fn is_same_request(&self) -> bool {
        match (&self.request, &self.entry) {
            (Ok(request), Some(entry)) => {
                request.fingerprint(entry.request.version).as_ref() == Some(&entry.request.fingerprint)
            }
            _ => false,
        }
    }
}

/// An entry whose writer recorded the fields of the request.
fn recorded(phase: Phase) -> Entry {
    let entry = entry(phase);
    Entry {
        fields: request("1").fields(&entry.owner),
        ..entry
    }
}

/// The request "1" with another lifetime.
fn tidied() -> Request {
    Request {
        ttl_seconds: 7200,
        ..request("1")
    }
}

/// A problem whose end is waited for.
fn waiting() -> Retry {
    Retry {
        failures: 2,
        not_before: Some(now() + SignedDuration::from_secs(10)),
        problem: Some(Problem::passing(Reason::RateLimited, "wait")),
        ..Retry::default()
    }
}

/// A step in the words of the table.
fn word(step: &Step) -> String {
    match step {
        Step::Ignore => "ignore".into(),
        Step::ReadLive => "read".into(),
        Step::ReadContent => "content".into(),
        Step::ReadInputs => "inputs".into(),
        Step::UpdatePolicy { .. } => "note".into(),
        Step::Deliver => "deliver".into(),
        Step::Rebuild(key) => format!("rebuild@{}", key.epoch),
        Step::WaitOutDeadline(_) => "settle".into(),
        Step::Resolve => "resolve".into(),
        Step::Revoke => "revoke".into(),
        Step::Burn => "burn".into(),
        Step::Send { request, burn_first } => {
            let burn = if *burn_first { "burn+" } else { "" };
            format!("{burn}send@{}", request.epoch)
        }
        Step::Requeue { problem, at } => {
            let until = if at.is_some() { "+wake" } else { "" };
            match problem {
                Some(problem) => format!("{:?}{until}", problem.reason),
                None => format!("done{until}"),
            }
        }
    }
}
