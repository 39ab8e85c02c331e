//! Steps that several rules share, each with its precondition: PURE.

use super::case::Case;
use super::limits::MOMENT;
use super::problems;
use super::step::Step;
use crate::ledger::{Entry, RequestKey};
use crate::share::inputs::request::FINGERPRINT_VERSION;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Takes an irreversible step only on a share that was just read from the API server.
pub(in crate::share::decide) fn once_live(case: &Case<'_>, step: impl FnOnce() -> Step) -> Step {
    if case.facts.live { step() } else { Step::ReadLive }
}

/// Waits while the last failure asks for a pause; the step then.
pub(in crate::share::decide) fn after_the_pause(case: &Case<'_>, entry: &Entry, step: Step) -> Step {
    match case.pause(entry) {
        Some(until) => Step::wait(entry.retry.problem.clone(), until),
        None => step,
    }
}

/// Whatever a wall clock, an edit or a changed Secret says: a value is not sent twice within a moment.
fn it_was_sent_a_moment_ago(case: &Case<'_>) -> Option<Step> {
    let rest = MOMENT.checked_sub(case.facts.sent_ago?)?;
    let rest = SignedDuration::try_from(rest).unwrap_or_default();
    let until = case.facts.now.checked_add(rest).unwrap_or(Timestamp::MAX);
    let problem = case.same().and_then(|entry| entry.retry.problem.clone());
    Some(Step::wait(problem, until))
}

/// Sends, unless the user holds new links back, the share is going, or nobody may remember what it asks for.
pub(in crate::share::decide) fn send(case: &Case<'_>, epoch: u64, burn_first: bool) -> Step {
    if case.facts.deleting {
        return Step::DONE;
    }
    if case.facts.suspend {
        return Step::problem(problems::suspended());
    }
    if waited_too_long(case) {
        return Step::problem(problems::waited_too_long());
    }
    if let Some(wait) = it_was_sent_a_moment_ago(case) {
        return wait;
    }
    let fingerprint = case
        .request()
        .and_then(|request| request.fingerprint(FINGERPRINT_VERSION));
    match fingerprint {
        Some(fingerprint) => {
            let request = RequestKey {
                version: FINGERPRINT_VERSION,
                fingerprint,
                epoch,
            };
            Step::Send { request, burn_first }
        }
        None => Step::problem(problems::newer_operator()),
    }
}

/// The author of a spec may have lost the right to its Secret since, which only an edit checks again.
fn waited_too_long(case: &Case<'_>) -> bool {
    case.facts
        .waiting_since
        .map(|since| Duration::try_from(since.duration_until(case.facts.now)).unwrap_or_default())
        .is_some_and(|waited| waited >= case.facts.max_wait)
}
