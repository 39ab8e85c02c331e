//! The ledger has no entry of the share, or an older one than the status: PURE.

use crate::ledger::{Phase, RequestKey};
use crate::share::decide::case::{Asks, Case};
use crate::share::decide::problems;
use crate::share::decide::step::Step;
use crate::share::decide::ways::{once_live, send};

/// This process knew an entry, and the status that tells of its link may not be in the cache yet.
pub(super) fn the_entry_was_lost_a_moment_ago(case: &Case<'_>) -> Option<Step> {
    let facts = case.facts;
    let lost = case.asks == Asks::First && facts.status_claim.request.is_none() && facts.entry_was_known;
    (lost && !facts.live).then_some(Step::ReadLive)
}

/// The status tells of a link for this very request, and the ledger is too old to know it: sending could be the second
/// time.
pub(super) fn the_status_knows_a_link_that_the_ledger_does_not(case: &Case<'_>) -> Option<Step> {
    let claim = case.facts.status_claim.request.as_ref()?;
    status_is_ahead_of_ledger(case, claim).then(|| once_live(case, || if_complete(case, claim)))
}

fn if_complete(case: &Case<'_>, claim: &RequestKey) -> Step {
    if case.facts.status_claim.complete {
        Step::Rebuild(claim.clone())
    } else {
        Step::problem(problems::ledger_lost())
    }
}

fn status_is_ahead_of_ledger(case: &Case<'_>, claim: &RequestKey) -> bool {
    let Some(request) = case.request() else {
        return false;
    };
    let Some(entry) = case.entry else {
        return request.fingerprint(claim.version).as_ref() == Some(&claim.fingerprint);
    };
    let asks = request.fingerprint(entry.request.version);
    let of_this_request = asks.as_ref() == Some(&claim.fingerprint);
    let later = claim.epoch > entry.request.epoch;
    // A link or its end is the outcome of the one attempt that counts.
    let open = claim == &entry.request && matches!(entry.phase, Phase::Idle | Phase::Intent(_));
    let unknown = case
        .facts
        .status_claim
        .attempt
        .is_some_and(|attempt| !entry.knows(attempt));
    case.facts.status_claim.attempt.is_some() && of_this_request && (later || (open && unknown))
}

/// This process last saw an attempt of this very request without an outcome in the entry, and somebody deleted the entry:
/// what became of the attempt can no longer be found out, and its recipient may have been mailed.
pub(super) fn the_entry_vanished_with_an_attempt(case: &Case<'_>) -> Option<Step> {
    let vanished = case
        .facts
        .vanished
        .as_ref()
        .filter(|_| case.asks == Asks::First)?;
    let asks = case.request()?.fingerprint(vanished.version);
    let is_same = asks.as_ref() == Some(&vanished.fingerprint);
    is_same.then(|| once_live(case, || Step::problem(problems::attempt_lost())))
}

/// The edit came after the link's end and was noted: it asked for nothing then, and asks for nothing because the entry is
/// lost.
pub(super) fn the_status_tells_of_a_noted_edit(case: &Case<'_>) -> Option<Step> {
    let claim = &case.facts.status_claim;
    let request = claim.request.as_ref()?;
    let noted = case.asks == Asks::First && claim.noted && claim.complete;
    noted.then(|| once_live(case, || Step::Rebuild(request.clone())))
}

/// The status answers another request than the spec makes now: a new one, with the next epoch.
pub(super) fn the_status_answers_an_earlier_request(case: &Case<'_>) -> Option<Step> {
    let claim = case.facts.status_claim.request.as_ref()?;
    (case.asks == Asks::First).then(|| once_live(case, || send(case, claim.epoch.saturating_add(1), false)))
}

/// Neither the ledger nor the status knows anything of the share.
pub(super) fn nothing_was_ever_sent(case: &Case<'_>) -> Option<Step> {
    (case.asks == Asks::First).then(|| send(case, 0, false))
}
