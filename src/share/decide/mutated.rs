//! Deliberate mistakes of `decide` and `recover`, to show that the tests notice them: see `src/mutant.rs`. PURE.

use super::facts::{Facts, StatusClaim};
use super::recover::right;
use super::recover::{History, Known, Lookup, LookupResult, Patience, Resolution};
use super::rules;
use super::step::Step;
use crate::ledger::{Attempt, Entry, Phase};
use crate::onetime::RecentReceipt;

/// Decides, with the mistake that the environment names.
#[must_use]
pub fn decide(facts: &Facts<'_>, entry: Option<&Entry>) -> Step {
    let mut facts = facts.clone();
    if mutant!("ignore-told") && entry.is_none() {
        facts.status_claim = StatusClaim::default();
        facts.entry_was_known = false;
    }
    if mutant!("forget-entry") {
        facts.entry_was_known = false;
    }
    if let Some(step) = entry.and_then(|entry| revoke_any(&facts, entry)) {
        return step;
    }
    let step = rules::decide(&facts, entry);
    match (step, entry) {
        (Step::WaitOutDeadline(_), _) if mutant!("no-deadline-wait") => Step::Resolve,
        (Step::ReadLive, Some(entry)) if mutant!("cached-change") && asks_for_another(&facts, entry) => {
            facts.live = true;
            rules::decide(&facts, Some(entry))
        }
        (
            Step::Send {
                mut request,
                burn_first,
            },
            Some(entry),
        ) if mutant!("same-epoch") && request.fingerprint == entry.request.fingerprint => {
            request.epoch = entry.request.epoch;
            Step::Send { request, burn_first }
        }
        (step, _) => step,
    }
}

fn revoke_any(facts: &Facts<'_>, entry: &Entry) -> Option<Step> {
    let revokes = mutant!("revoke-any") && facts.burn.is_some() && matches!(entry.phase, Phase::Shared(_));
    revokes.then_some(if facts.live { Step::Revoke } else { Step::ReadLive })
}

fn asks_for_another(facts: &Facts<'_>, entry: &Entry) -> bool {
    facts.request.is_ok_and(|request| {
        request.fingerprint(entry.request.version).as_ref() != Some(&entry.request.fingerprint)
    })
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
pub fn find(attempt: &Attempt, receipts: &[RecentReceipt], known: &Known) -> LookupResult {
    let mut known = known.clone();
    known.rivals &= !mutant!("ignore-rivals");
    match right::find(attempt, receipts, &known) {
        LookupResult::Several if mutant!("pick-first") => right::fitting(attempt, receipts, &known)
            .next()
            .map_or(LookupResult::None, |first| {
                LookupResult::One(first.metadata_key.clone())
            }),
        found => found,
    }
}
