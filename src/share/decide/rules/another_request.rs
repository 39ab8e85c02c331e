//! The spec makes another request than the entry records: PURE.

use super::same_request::still_runs_for;
use crate::ledger::{Attempt, Phase};
use crate::share::decide::case::Case;
use crate::share::decide::limits::RESOLVE_LIMIT;
use crate::share::decide::problems;
use crate::share::decide::step::Step;
use crate::share::decide::ways::{after_the_pause, send};

/// A cached share may be older than the one that the entry was written for: acting on it would send an old request again.
pub(super) fn the_cache_may_be_older_than_the_entry(case: &Case<'_>) -> Option<Step> {
    case.another()?;
    (!case.facts.live).then_some(Step::ReadLive)
}

/// What became of an earlier attempt is found out first, up to a limit: its link is to be burned, and sending beside it
/// would make the two hard to tell apart.
pub(super) fn an_earlier_attempt_is_unresolved(case: &Case<'_>) -> Option<Step> {
    let attempt = lost(case)?;
    let resolves = !attempt.needs_decision && case.facts.attempt_known_for < RESOLVE_LIMIT;
    resolves.then(|| still_runs_for(case, attempt).map_or(Step::Resolve, Step::WaitOutDeadline))
}

/// The list of attempts to look for and burn is bounded: one that falls off it would never be burned.
pub(super) fn too_many_attempts_are_lost(case: &Case<'_>) -> Option<Step> {
    lost(case)?;
    case.entry?
        .has_too_many_lost()
        .then(|| Step::problem(problems::too_many_lost()))
}

fn lost<'a>(case: &Case<'a>) -> Option<&'a Attempt> {
    match &case.another()?.phase {
        Phase::Intent(attempt) => Some(attempt),
        Phase::Idle | Phase::Shared(_) | Phase::Burning(_) | Phase::Finished(_) => None,
    }
}

/// The new link waits until the old one is dead.
pub(super) fn the_old_link_is_being_burned(case: &Case<'_>) -> Option<Step> {
    let entry = case.another().filter(|_| !case.is_foreign())?;
    matches!(entry.phase, Phase::Burning(_)).then(|| after_the_pause(case, entry, Step::Burn))
}

/// Two links of one share must not live at the same time. A link of another cluster is not ours to burn.
pub(super) fn the_old_link_lives(case: &Case<'_>) -> Option<Step> {
    let entry = case.another().filter(|_| !case.is_foreign())?;
    let next = entry.request.epoch.saturating_add(1);
    matches!(entry.phase, Phase::Shared(_)).then(|| send(case, next, true))
}

/// No link of the earlier request lives here.
pub(super) fn nothing_stands_in_the_way(case: &Case<'_>) -> Option<Step> {
    let next = case.another()?.request.epoch.saturating_add(1);
    Some(send(case, next, false))
}

/// A finished link is replaced for a new `requestID` or a changed value only: a person who tidies up an old spec wants
/// nobody mailed again.
pub(super) fn the_edit_came_after_the_end(case: &Case<'_>) -> Option<Step> {
    case.edited().map(|_| Step::DONE)
}
