//! The spec makes the request that the entry records: PURE.

use crate::api::share::RefreshPolicy;
use crate::ledger::{Attempt, Finished, Phase};
use crate::share::decide::case::{
    Case, Value, lost_its_value, was_burned_unread_by_us, was_mailed_elsewhere,
};
use crate::share::decide::limits::COMPARED_EVERY;
use crate::share::decide::problems::{self, uncertain};
use crate::share::decide::step::Step;
use crate::share::decide::ways::{after_the_pause, once_live, send};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// An entry from another cluster's backup is shown, and never sent or burned from here: its link may exist there.
pub(super) fn the_entry_is_of_another_cluster(case: &Case<'_>) -> Option<Step> {
    let entry = case.same().filter(|_| case.is_foreign())?;
    Some(match &entry.phase {
        Phase::Shared(_) | Phase::Finished(_) => Step::DONE,
        Phase::Idle | Phase::Intent(_) | Phase::Burning(_) => Step::problem(problems::other_cluster()),
    })
}

/// Nobody can tell what happened to the attempt: a person decides.
pub(super) fn the_attempt_is_on_hold(case: &Case<'_>) -> Option<Step> {
    attempt(case)?.needs_decision.then(|| Step::problem(uncertain()))
}

/// Its sender may still send until the deadline, and what it sent may arrive until the slack is over.
pub(super) fn the_attempt_may_still_run(case: &Case<'_>) -> Option<Step> {
    still_runs_for(case, attempt(case)?).map(Step::WaitOutDeadline)
}

/// How long the attempt may still run. None when it certainly sends no more.
pub(super) fn still_runs_for(case: &Case<'_>, attempt: &Attempt) -> Option<Duration> {
    let safe_after = attempt.safe_after();
    safe_after
        .checked_sub(case.facts.attempt_known_for)
        .filter(|rest| !rest.is_zero())
}

/// The attempt certainly sends no more, and its answer was lost.
pub(super) fn the_attempt_is_in_doubt(case: &Case<'_>) -> Option<Step> {
    attempt(case).map(|_| Step::Resolve)
}

fn attempt<'a>(case: &Case<'a>) -> Option<&'a Attempt> {
    match &case.same()?.phase {
        Phase::Intent(attempt) => Some(attempt),
        Phase::Idle | Phase::Shared(_) | Phase::Burning(_) | Phase::Finished(_) => None,
    }
}

/// What was sent was refused a moment ago. A share that does not want to send is told why instead.
pub(super) fn the_last_failure_asks_for_a_pause(case: &Case<'_>) -> Option<Step> {
    let entry = case.same().filter(|entry| entry.phase == Phase::Idle)?;
    let wants_to_send = !case.facts.suspend && !case.facts.deleting;
    let until = case.pause(entry).filter(|_| wants_to_send)?;
    let wait = |until| Some(Step::wait(entry.retry.problem.clone(), until));
    let compared =
        Timestamp::checked_add(case.facts.now, SignedDuration::try_from(COMPARED_EVERY).ok()?).ok()?;
    match (&entry.retry.inputs, case.facts.inputs) {
        (None, _) => wait(until),
        _ if until <= compared => wait(until),
        // Nothing can have changed yet that may be sent again already.
        (Some(_), None) if case.facts.sent_ago.is_some() => wait(compared),
        (Some(_), None) => Some(Step::ReadInputs),
        (Some(then), Some(now)) if then == now => wait(compared),
        // What was refused is not what would be sent now: the pause ends early.
        (Some(_), Some(_)) => None,
    }
}

/// A share that was created again may be gone again: the cache may not know yet.
pub(super) fn the_share_was_created_again(case: &Case<'_>) -> Option<Step> {
    let entry = case.same().filter(|entry| entry.phase == Phase::Idle)?;
    (entry.share_uid != case.facts.uid && !case.facts.live).then_some(Step::ReadLive)
}

/// Nothing was sent, or what was sent was refused.
pub(super) fn no_link_exists(case: &Case<'_>) -> Option<Step> {
    let entry = case.same().filter(|entry| entry.phase == Phase::Idle)?;
    Some(send(case, entry.request.epoch, false))
}

/// The ledger says that the link is to be burned: this goes on until the service says how it ended.
pub(super) fn the_link_is_being_burned(case: &Case<'_>) -> Option<Step> {
    let entry = case.same()?;
    matches!(entry.phase, Phase::Burning(_)).then(|| after_the_pause(case, entry, Step::Burn))
}

/// A generated value that could still be lost makes its link worthless: it goes to its Secret first.
pub(super) fn the_value_is_not_in_its_secret(case: &Case<'_>) -> Option<Step> {
    let entry = case.same()?;
    let undelivered = matches!(&entry.phase, Phase::Shared(link) if link.undelivered.is_some());
    undelivered.then(|| after_the_pause(case, entry, Step::Deliver))
}

/// Sending again would mail the same wrong address again.
pub(super) fn the_link_was_mailed_elsewhere(case: &Case<'_>) -> Option<Step> {
    was_mailed_elsewhere(finished(case)?).then(|| Step::problem(problems::mailed_elsewhere()))
}

/// The recipient was mailed a link that is burned now, and must not be mailed again.
pub(super) fn the_value_was_lost_with_the_mail(case: &Case<'_>) -> Option<Step> {
    lost_its_value(finished(case)?).then(|| Step::problem(problems::value_lost()))
}

/// A link that we burned for a reason that is gone is made again, in a new epoch: the same epoch would be a second link
/// of one request.
pub(super) fn we_burned_the_link_unread(case: &Case<'_>) -> Option<Step> {
    let epoch = case.entry?.request.epoch.saturating_add(1);
    was_burned_unread_by_us(finished(case)?).then(|| once_live(case, || send(case, epoch, false)))
}

fn finished<'a>(case: &Case<'a>) -> Option<&'a Finished> {
    match &case.same()?.phase {
        Phase::Finished(finished) => Some(finished),
        Phase::Idle | Phase::Intent(_) | Phase::Shared(_) | Phase::Burning(_) => None,
    }
}

/// Whether the value changed makes the difference, and nobody has looked.
pub(super) fn the_value_was_not_compared(case: &Case<'_>) -> Option<Step> {
    (case.value() == Value::Unread).then_some(Step::ReadContent)
}

/// The entry keeps what the spec says about the link's end, about changes of the value and about its fields, and whose link
/// it is: when they count, the share may be gone or edited.
pub(super) fn the_policy_changed(case: &Case<'_>) -> Option<Step> {
    let (entry, request) = case.followed()?;
    let content = match request.refresh {
        RefreshPolicy::Once => None,
        RefreshPolicy::OnChange => case.facts.content.cloned(),
    };
    // Of an edited spec the fields stay those of the link, so that taking the edit back is seen.
    let fields = match case.edited() {
        None => request.fields(&entry.owner),
        Some(_) if entry.fields.is_empty() => request.baseline(&entry.owner),
        Some(_) => entry.fields.clone(),
    };
    let ends_otherwise = entry.deletion != request.deletion && matches!(entry.phase, Phase::Shared(_));
    let is_another_object = entry.share_uid != case.facts.uid;
    (entry.content != content || entry.fields != fields || ends_otherwise || is_another_object).then(|| {
        once_live(case, || Step::UpdatePolicy {
            uid: case.facts.uid.to_owned(),
            generation: case.facts.generation,
            deletion: request.deletion,
            content,
            fields,
        })
    })
}
