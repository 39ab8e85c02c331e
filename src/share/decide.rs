//! What to do next for a share: PURE. No clock, no client, no async.
//!
//! The same function serves the operator, the table tests and the model checker. It never sends: it says what a
//! reconciler that holds these facts may do.

use crate::api::condition::Reason;
use crate::share::ledger::{Attempt, Entry, Phase, RequestKey};
use crate::share::problem::Problem;
use crate::share::request::{FINGERPRINT_VERSION, Request};
use jiff::Timestamp;
use std::time::Duration;

/// How long after an attempt's deadline nobody may act on it: covers the difference of two boot-time clocks over one
/// deadline, and a request that is still in a socket's buffer when the sender resets it.
pub const SLACK: Duration = Duration::from_secs(5);

/// What is known of a share at one moment.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The share's uid.
    pub uid: &'a str,
    /// The share's generation.
    pub generation: i64,
    /// What it asks for, or why that cannot be read.
    pub request: Result<&'a Request, &'a Problem>,
    /// Whether new links are held back.
    pub suspend: bool,
    /// Whether the share is being deleted and only waits for somebody's finalizer.
    pub deleting: bool,
    /// The request and attempt that the share's status tells of.
    pub told: Told<'a>,
    /// Whether the share was read from the API server just now, and not from a cache.
    pub live: bool,
    /// This cluster: the uid of the namespace `kube-system`.
    pub cluster: &'a str,
    /// How long this process has known the attempt that the entry holds.
    pub attempt_known_for: Duration,
    /// The wall clock.
    pub now: Timestamp,
}

/// What a status tells of the past. It is compared with the ledger only to notice that the ledger lost something.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told<'a> {
    /// The request that the status answers.
    pub request: Option<RequestKey>,
    /// The attempt that made the link.
    pub attempt: Option<&'a str>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// These facts are older than the ledger: touch nothing, newer ones are on their way.
    Ignore,
    /// Read the share from the API server and decide again: what comes next cannot be taken back.
    ReadLive,
    /// Nothing to send. Show the entry, with this problem if there is one, and look again then.
    Rest {
        /// What a person or time must cure.
        problem: Option<Problem>,
        /// When to look again without being told.
        wake: Option<Timestamp>,
    },
    /// An answer was lost and the attempt may still be running: look again after this long.
    Settle(Duration),
    /// An answer was lost and its sender certainly sends no more: find out what happened.
    Resolve,
    /// Gather the sources; when they are good, burn the old link if there is one, and send this request.
    Send {
        /// The request to write into the intent.
        request: RequestKey,
        /// Whether a link of an earlier request lives and must be burned before.
        burn_first: bool,
    },
    /// Go on burning the old link.
    Burn,
}

impl Step {
    fn rest(problem: Problem) -> Self {
        Self::Rest {
            problem: Some(problem),
            wake: None,
        }
    }

    const DONE: Self = Self::Rest {
        problem: None,
        wake: None,
    };
}

/// Decides from the facts and the share's ledger entry.
#[must_use]
pub fn decide(facts: &Facts<'_>, entry: Option<&Entry>) -> Step {
    let Some(entry) = entry else {
        return without_entry(facts);
    };
    if entry.share_uid == facts.uid && facts.generation < entry.generation {
        return Step::Ignore;
    }
    let request = match facts.request {
        Ok(request) => request,
        Err(problem) => return unreadable(facts, entry, problem),
    };
    match request.fingerprint(entry.request.version) {
        None => Step::rest(newer_operator()),
        Some(fingerprint) if fingerprint == entry.request.fingerprint => same_request(facts, entry),
        Some(_) => changed_request(facts, entry, request),
    }
}

fn without_entry(facts: &Facts<'_>) -> Step {
    let request = match facts.request {
        Ok(request) => request,
        Err(problem) => return Step::rest(problem.clone()),
    };
    if let Some(told) = &facts.told.request {
        // The status tells of a link and the ledger does not: sending could be the second time.
        if request.fingerprint(told.version).as_ref() == Some(&told.fingerprint) {
            return Step::rest(ledger_lost());
        }
        let epoch = told.epoch.saturating_add(1);
        return send(facts, request, epoch, false);
    }
    send(facts, request, 0, false)
}

/// A spec that cannot be read changes nothing of what was sent before.
fn unreadable(facts: &Facts<'_>, entry: &Entry, problem: &Problem) -> Step {
    match &entry.phase {
        Phase::Burning(_) => burning(facts, entry),
        Phase::Idle | Phase::Intent(_) | Phase::Shared(_) | Phase::Finished(_) => Step::rest(problem.clone()),
    }
}

fn burning(facts: &Facts<'_>, entry: &Entry) -> Step {
    match entry.retry.not_before {
        Some(time) if time > facts.now => Step::Rest {
            problem: entry.retry.problem.clone(),
            wake: Some(time),
        },
        _ => Step::Burn,
    }
}

fn same_request(facts: &Facts<'_>, entry: &Entry) -> Step {
    match &entry.phase {
        Phase::Idle if is_ahead(facts, entry) => Step::rest(ledger_lost()),
        Phase::Idle => match entry.retry.not_before {
            Some(time) if time > facts.now => Step::Rest {
                problem: entry.retry.problem.clone(),
                wake: Some(time),
            },
            _ => resend(facts, entry),
        },
        Phase::Intent(attempt) => in_doubt(facts, attempt),
        Phase::Burning(_) => burning(facts, entry),
        Phase::Shared(_) | Phase::Finished(_) => Step::DONE,
    }
}

/// Whether the status knows of an attempt for the very request that the ledger says was never answered.
fn is_ahead(facts: &Facts<'_>, entry: &Entry) -> bool {
    facts.told.attempt.is_some() && facts.told.request.as_ref() == Some(&entry.request)
}

fn resend(facts: &Facts<'_>, entry: &Entry) -> Step {
    match facts.request {
        Ok(request) => send(facts, request, entry.request.epoch, false),
        Err(problem) => Step::rest(problem.clone()),
    }
}

fn changed_request(facts: &Facts<'_>, entry: &Entry, request: &Request) -> Step {
    // A cached share may be older than the one that this entry was written for.
    if !facts.live {
        return Step::ReadLive;
    }
    let epoch = entry.request.epoch.saturating_add(1);
    match &entry.phase {
        Phase::Intent(attempt) if !attempt.held => in_doubt(facts, attempt),
        Phase::Burning(_) => burning(facts, entry),
        // Another cluster's link is not ours to burn.
        Phase::Shared(_) => send(facts, request, epoch, entry.cluster == facts.cluster),
        Phase::Idle | Phase::Intent(_) | Phase::Finished(_) => send(facts, request, epoch, false),
    }
}

fn in_doubt(facts: &Facts<'_>, attempt: &Attempt) -> Step {
    if attempt.held {
        return Step::rest(uncertain());
    }
    let safe_after = Duration::from_secs(attempt.deadline_seconds).saturating_add(SLACK);
    match safe_after.checked_sub(facts.attempt_known_for) {
        Some(rest) if !rest.is_zero() => Step::Settle(rest),
        _ => Step::Resolve,
    }
}

fn send(facts: &Facts<'_>, request: &Request, epoch: u64, burn_first: bool) -> Step {
    if facts.deleting {
        return Step::DONE;
    }
    if facts.suspend {
        return Step::rest(Problem::passing(
            Reason::Suspended,
            "spec.suspend is true: set it to false to create the link",
        ));
    }
    match request.fingerprint(FINGERPRINT_VERSION) {
        Some(fingerprint) => Step::Send {
            request: RequestKey {
                version: FINGERPRINT_VERSION,
                fingerprint,
                epoch,
            },
            burn_first,
        },
        None => Step::rest(newer_operator()),
    }
}

fn ledger_lost() -> Problem {
    Problem::edit(
        Reason::LedgerLost,
        "the status tells of a link that the operator's ledger does not know, so nothing is sent; set spec.requestId to a new value to ask for a new link",
    )
}

/// Nothing more is sent for this request, because somebody may already have the mail.
#[must_use]
pub fn uncertain() -> Problem {
    Problem::edit(
        Reason::Uncertain,
        "the service's answer was lost and the recipient may have been mailed, so nothing more is sent; ask the recipient, or set spec.requestId to a new value to send a new link",
    )
}

fn newer_operator() -> Problem {
    Problem::administrator(
        Reason::LedgerMismatch,
        "the ledger entry of this share was written by a newer version of the operator: upgrade this one",
    )
}

#[cfg(test)]
mod tests;
