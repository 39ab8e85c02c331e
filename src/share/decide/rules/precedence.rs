//! Rules that apply whatever the spec asks for: PURE.

use crate::ledger::Phase;
use crate::share::decide::case::{Asks, Case};
use crate::share::decide::problems;
use crate::share::decide::step::Step;
use crate::share::decide::ways::{after_the_pause, once_live};

/// A cache that lags would undo what a newer spec did.
pub(super) fn the_entry_is_newer_than_the_share(case: &Case<'_>) -> Option<Step> {
    let entry = case.entry?;
    let newer = entry.share_uid == case.facts.uid && case.facts.generation < entry.generation;
    newer.then_some(Step::Ignore)
}

/// The wish names one attempt, so that an old wish says nothing about a new link. Whatever else the spec says, this link
/// is to be burned.
pub(super) fn a_user_revokes_the_link(case: &Case<'_>) -> Option<Step> {
    let Phase::Shared(link) = case.phase()? else {
        return None;
    };
    let revoked = !case.is_foreign() && case.facts.burn == Some(link.attempt.as_str());
    revoked.then(|| once_live(case, || Step::Revoke))
}

/// While the definition of shares was replaced, the share was missing and nobody deleted it. It is back: from now on its
/// deletion counts again.
pub(super) fn the_share_came_back_under_another_definition(case: &Case<'_>) -> Option<Step> {
    let entry = case
        .entry
        .filter(|_| case.facts.is_of_older_definition && !case.is_foreign())?;
    matches!(entry.phase, Phase::Shared(_)).then(|| {
        once_live(case, || Step::UpdatePolicy {
            uid: entry.share_uid.clone(),
            generation: entry.generation,
            deletion: entry.deletion,
            content: entry.content.clone(),
            fields: entry.fields.clone(),
        })
    })
}

/// A spec that cannot be read changes nothing of what was begun before.
pub(super) fn a_burn_goes_on_with_an_unreadable_spec(case: &Case<'_>) -> Option<Step> {
    let entry = case.entry.filter(|_| case.asks == Asks::Unreadable)?;
    matches!(entry.phase, Phase::Burning(_)).then(|| after_the_pause(case, entry, Step::Burn))
}

/// What cannot be read cannot be sent.
pub(super) fn the_spec_is_unreadable(case: &Case<'_>) -> Option<Step> {
    let problem = case.facts.request.err()?;
    Some(Step::problem(problem.clone()))
}

/// An older operator cannot tell whether the request is the same, and would send it again.
pub(super) fn a_newer_operator_wrote_the_entry(case: &Case<'_>) -> Option<Step> {
    (case.asks == Asks::Incomparable).then(|| Step::problem(problems::newer_operator()))
}
