//! Steps that several rules share, each with its precondition: PURE.

use super::case::Case;
use super::problems;
use super::step::Step;
use crate::ledger::{Entry, RequestKey};
use crate::share::inputs::request::FINGERPRINT_VERSION;

/// Takes an irreversible step only on a share that was just read from the API server.
pub(in crate::share::decide) fn once_live(case: &Case<'_>, step: impl FnOnce() -> Step) -> Step {
    if case.facts.live { step() } else { Step::ReadLive }
}

/// Waits while the last failure asks for a pause; the step then.
pub(in crate::share::decide) fn after_the_pause(case: &Case<'_>, entry: &Entry, step: Step) -> Step {
    match entry.retry.not_before {
        Some(time) if case.pauses(entry) => Step::wait(entry.retry.problem.clone(), time),
        _ => step,
    }
}

/// Sends, unless the user holds new links back or the share is going.
pub(in crate::share::decide) fn send(case: &Case<'_>, epoch: u64, burn_first: bool) -> Step {
    if case.facts.deleting {
        return Step::DONE;
    }
    if case.facts.suspend {
        return Step::problem(problems::suspended());
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
