//! Deliberate mistakes of `decide` and `recover`, to show that the tests notice them: see `src/mutant.rs`. PURE.

use super::facts::{Facts, StatusClaim};
use super::neighbour::{self, Telling};
use super::recover::right;
use super::recover::{Clocks, History, Known, Lookup, LookupResult, Patience, Resolution};
use super::rules;
use super::step::Step;
use crate::api::condition::Reason;
use crate::api::share::OneTimeShareStatus;
use crate::ledger::{Attempt, Entry, Phase, RequestKey};
use crate::onetime::Recent;
use crate::share::inputs::request::FINGERPRINT_VERSION;
use std::time::Duration;

/// Decides, with the mistake that the environment names.
#[must_use]
pub fn decide(facts: &Facts<'_>, entry: Option<&Entry>) -> Step {
    let mut facts = facts.clone();
    if mutant!("ignore-told") && entry.is_none() && facts.status_claim.request.is_some() {
        facts.status_claim = StatusClaim::default();
        facts.entry_was_known = false;
    }
    if mutant!("forget-entry") {
        facts.entry_was_known = false;
    }
    if mutant!("forget-sent") {
        facts.sent_ago = None;
    }
    if mutant!("forget-vanished") {
        facts.vanished = None;
    }
    let (rule, step) = rules::explain(&facts, entry);
    match (rule, step, entry) {
        ("the_entry_is_newer_than_the_share", step, _) => step,
        (_, Step::Send { .. } | Step::Burn | Step::Deliver, Some(entry)) if pauses_on(&facts, entry) => {
            Step::wait(entry.retry.problem.clone(), facts.now)
        }
        (_, _, Some(entry)) if revokes_any(&facts, entry) && facts.live => Step::Revoke,
        (_, _, Some(entry)) if revokes_any(&facts, entry) => Step::ReadLive,
        (_, Step::WaitOutDeadline(_), _) if mutant!("no-deadline-wait") => Step::Resolve,
        ("the_cache_may_be_older_than_the_entry", _, _) if mutant!("cached-change") => {
            facts.live = true;
            rules::decide(&facts, entry)
        }
        (
            "we_burned_the_link_unread",
            Step::Send {
                mut request,
                burn_first,
            },
            Some(entry),
        ) if mutant!("same-epoch") => {
            request.epoch = entry.request.epoch;
            Step::Send { request, burn_first }
        }
        ("the_edit_came_after_the_end", _, Some(entry)) if mutant!("edit-resends") => resend(&facts, entry),
        ("the_policy_changed", Step::UpdatePolicy { .. }, Some(entry))
            if mutant!("forget-uid") && entry.share_uid != facts.uid =>
        {
            Step::DONE
        }
        (
            _,
            Step::Requeue {
                problem: Some(problem),
                at: None,
            },
            _,
        ) if mutant!("wait-for-ever") && problem.reason == Reason::WaitedTooLong => {
            facts.waiting_since = None;
            rules::decide(&facts, entry)
        }
        (_, step, _) => step,
    }
}

fn pauses_on(facts: &Facts<'_>, entry: &Entry) -> bool {
    mutant!("endless-pause") && entry.retry.not_before.is_some_and(|time| time > facts.now)
}

fn resend(facts: &Facts<'_>, entry: &Entry) -> Step {
    let print = facts
        .request
        .ok()
        .and_then(|request| request.fingerprint(FINGERPRINT_VERSION));
    match print {
        Some(fingerprint) if facts.live => Step::Send {
            request: RequestKey {
                version: FINGERPRINT_VERSION,
                fingerprint,
                epoch: entry.request.epoch.saturating_add(1),
            },
            burn_first: false,
        },
        _ => Step::ReadLive,
    }
}

fn revokes_any(facts: &Facts<'_>, entry: &Entry) -> bool {
    mutant!("revoke-any") && facts.burn.is_some() && matches!(entry.phase, Phase::Shared(_))
}

/// Whether a step needs the namespace, with the mistake that the environment names.
#[must_use]
pub fn needs_namespace(step: &Step, has_entry: bool) -> bool {
    neighbour::needs_namespace(step, has_entry) && !mutant!("ignore-neighbour")
}

/// Whether a share may be told of, with the mistake that the environment names.
#[must_use]
pub fn may_tell(status: Option<&OneTimeShareStatus>, generation: i64, untold_for: Duration) -> Telling {
    match neighbour::may_tell(status, generation, untold_for) {
        _ if mutant!("contradict-neighbour") => Telling::Now,
        telling => telling,
    }
}

/// Decides about a lost answer, with the mistake that the environment names.
#[must_use]
pub fn resolve(
    attempt: &Attempt,
    lookup: Option<&Lookup>,
    history: History,
    patience: Patience,
) -> Resolution {
    let found_none = matches!(lookup, Some(Lookup::Found(LookupResult::None)));
    let too_soon = mutant!("one-look") || (mutant!("no-settling") && history.found_none.is_some());
    if mutant!("mail-again") || (found_none && too_soon) {
        return Resolution::SendAgain;
    }
    right::resolve(attempt, lookup, history, patience)
}

/// Finds the receipt of a lost answer, with the mistake that the environment names.
#[must_use]
pub fn find(attempt: &Attempt, recent: &Recent, known: &Known, clocks: Clocks) -> LookupResult {
    let (mut recent, mut known) = (recent.clone(), known.clone());
    known.rivals &= !mutant!("ignore-rivals");
    if mutant!("clock-of-ours") {
        recent.now = Some(clocks.now);
    }
    if mutant!("ttl-fits") {
        recent.receipts.retain(|receipt| {
            receipt
                .ttl_seconds
                .is_none_or(|granted| granted <= attempt.ttl_seconds)
        });
    }
    match right::find(attempt, &recent, &known, clocks) {
        // Of several; one that may be a rival's is another mistake.
        LookupResult::Several if mutant!("pick-first") => {
            let mut fitting = right::fitting(attempt, &recent, &known, clocks);
            match (fitting.next(), fitting.next()) {
                (Some(first), Some(_)) => LookupResult::One(first.metadata_key.clone()),
                _ => LookupResult::Several,
            }
        }
        LookupResult::Incomplete if mutant!("any-list") => LookupResult::None,
        LookupResult::Unclear if mutant!("unclear-is-none") => LookupResult::None,
        found => found,
    }
}

/// Gathers what the ledger knows, with the mistake that the environment names.
#[must_use]
pub fn gather<'a>(attempt: &Attempt, entries: impl IntoIterator<Item = &'a Entry>) -> Known {
    if !mutant!("forget-past") {
        return right::gather(attempt, entries);
    }
    let mut entries: Vec<Entry> = entries.into_iter().cloned().collect();
    entries.iter_mut().for_each(|entry| entry.past.clear());
    right::gather(attempt, &entries)
}
