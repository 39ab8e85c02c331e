//! How the current request stands: the one thing that the state and every condition follow from. PURE.

use super::view::View;
use crate::api::condition::Reason;
use crate::api::share::ShareState;
use crate::ledger::{BurnReason, Ending, Link, Phase};
use crate::problem::Problem;

/// How the current request stands: what every condition follows from.
pub(super) enum Standing<'a> {
    /// The link can be opened.
    Alive(&'a Link),
    /// Nobody can say whether the link lives: its time is over, or the service does not know it.
    Unknown(&'a Link),
    /// The life of the link is over.
    Over(Ending),
    /// A person must act.
    NeedsPerson(&'a Problem),
    /// Something is missing that will come.
    Waits(&'a Problem),
    /// The operator works on it.
    Works(Reason, &'static str),
}

pub(super) fn standing<'a>(view: &View<'a>) -> Standing<'a> {
    if let (Some(entry), true) = (view.entry, view.current) {
        match &entry.phase {
            Phase::Shared(link) if link.undelivered.is_none() => {
                return match link.outcome_unknown {
                    true => Standing::Unknown(link),
                    false => Standing::Alive(link),
                };
            }
            // One that we burned unread for the request's own sake did not do what was asked for.
            Phase::Finished(finished)
                if matches!(finished.burned_for, None | Some(BurnReason::Asked))
                    || finished.how == Ending::Received =>
            {
                return Standing::Over(finished.how);
            }
            Phase::Finished(_) | Phase::Shared(_) | Phase::Idle | Phase::Intent(_) | Phase::Burning(_) => {}
        }
    }
    match (view.problem, view.entry.map(|entry| &entry.phase)) {
        (Some(problem), _) if problem.remedy.needs_person() => Standing::NeedsPerson(problem),
        (Some(problem), _) => Standing::Waits(problem),
        (None, Some(Phase::Burning(_))) => Standing::Works(Reason::Burning, "the old link is being burned"),
        (None, Some(Phase::Intent(_))) => Standing::Works(
            Reason::InDoubt,
            "the response of the service was lost; the operator determines what happened",
        ),
        (None, _) => Standing::Works(Reason::InProgress, "the link is being created"),
    }
}

pub(super) fn state(standing: &Standing<'_>) -> ShareState {
    match standing {
        Standing::Alive(_) | Standing::Unknown(_) => ShareState::Shared,
        Standing::Over(Ending::Received) => ShareState::Received,
        Standing::Over(Ending::Burned) => ShareState::Burned,
        Standing::Over(Ending::Expired) => ShareState::Expired,
        Standing::NeedsPerson(_) => ShareState::Failed,
        Standing::Waits(_) | Standing::Works(..) => ShareState::Pending,
    }
}
