//! What to do next for a share: PURE. No clock, no client, no async.
//!
//! The same function serves the operator, the table tests and the model checker. It never sends: it says what a
//! reconciler that holds these facts may do.

mod facts;
mod problems;
pub mod recover;
mod step;
#[cfg(test)]
mod tests;

pub use facts::{Facts, StatusClaim};
pub use problems::uncertain;
pub use step::Step;

use crate::api::share::RefreshPolicy;
use crate::ledger::{Attempt, BurnReason, Ending, Entry, Finished, MAX_SUPERSEDED, Phase, RequestKey};
use crate::share::inputs::request::{FINGERPRINT_VERSION, Request};
use std::time::Duration;

/// How long after an attempt's deadline nobody may act on it: covers the difference of two boot-time clocks over one
/// deadline, and a request that is still in a socket's buffer when the sender resets it.
pub const SLACK: Duration = Duration::from_secs(5);

/// How long a changed request waits for an earlier attempt to be resolved before it goes on without.
pub const RESOLVE_LIMIT: Duration = Duration::from_secs(900);

/// Decides from the facts and the share's ledger entry.
#[must_use]
pub fn decide(facts: &Facts<'_>, entry: Option<&Entry>) -> Step {
    if entry.is_some_and(|entry| entry.share_uid == facts.uid && facts.generation < entry.generation) {
        return Step::Ignore;
    }
    if entry.is_some_and(|entry| is_to_be_revoked(facts, entry)) {
        return if facts.live { Step::Revoke } else { Step::ReadLive };
    }
    let request = match (facts.request, entry) {
        (Ok(request), _) => request,
        // A spec that cannot be read changes nothing of what was begun before.
        (Err(_), Some(entry)) if matches!(entry.phase, Phase::Burning(_)) => return burning(facts, entry),
        (Err(problem), _) => return Step::rest(problem.clone()),
    };
    let Some(entry) = entry else {
        return without_entry(facts, request);
    };
    match request.fingerprint(entry.request.version) {
        None => Step::rest(problems::newer_operator()),
        Some(print) if status_is_ahead_of_ledger(facts, entry, &print) => lost(facts),
        Some(print) if print == entry.request.fingerprint => same_request(facts, entry, request),
        Some(_) => changed_request(facts, entry, request),
    }
}

/// Whether a user wants the link burned that the entry holds, whatever else the spec says. The wish names one attempt, so
/// that an old one says nothing about a new link.
fn is_to_be_revoked(facts: &Facts<'_>, entry: &Entry) -> bool {
    match &entry.phase {
        Phase::Shared(_) if mutant!("revoke-any") => facts.burn.is_some(),
        Phase::Shared(share) => entry.cluster == facts.cluster && facts.burn == Some(share.attempt.as_str()),
        Phase::Idle | Phase::Intent(_) | Phase::Burning(_) | Phase::Finished(_) => false,
    }
}

fn without_entry(facts: &Facts<'_>, request: &Request) -> Step {
    match &facts.status_claim.request {
        // The entry was lost, and the status that tells of its link may not be in the cache yet.
        None if facts.entry_was_known && !facts.live && !mutant!("forget-entry") => Step::ReadLive,
        None => send(facts, request, 0, false),
        Some(_) if mutant!("ignore-told") => send(facts, request, 0, false),
        // The status tells of a link that the ledger does not know: sending could be the second time.
        Some(told) if request.fingerprint(told.version).as_ref() == Some(&told.fingerprint) => lost(facts),
        Some(_) if !facts.live => Step::ReadLive,
        Some(told) => send(facts, request, told.epoch.saturating_add(1), false),
    }
}

/// Whether the status tells of an attempt for the present request that the ledger is too old to know.
fn status_is_ahead_of_ledger(facts: &Facts<'_>, entry: &Entry, print: &str) -> bool {
    let Some(told) = &facts.status_claim.request else {
        return false;
    };
    if facts.status_claim.attempt.is_none() || told.fingerprint != print {
        return false;
    }
    told.epoch > entry.request.epoch
        || (told == &entry.request && matches!(entry.phase, Phase::Idle | Phase::Intent(_)))
}

fn lost(facts: &Facts<'_>) -> Step {
    match &facts.status_claim.request {
        Some(_) if !facts.live => Step::ReadLive,
        Some(told) if facts.status_claim.complete => Step::Rebuild(told.clone()),
        _ => Step::rest(problems::ledger_lost()),
    }
}

fn same_request(facts: &Facts<'_>, entry: &Entry, request: &Request) -> Step {
    if entry.cluster != facts.cluster {
        return elsewhere(entry);
    }
    match &entry.phase {
        Phase::Idle => idle(facts, entry, request),
        Phase::Intent(attempt) => in_doubt(facts, attempt),
        Phase::Burning(_) => burning(facts, entry),
        Phase::Shared(share) if share.undelivered.is_some() => deliver(facts, entry),
        Phase::Shared(_) => settled(facts, entry, request),
        Phase::Finished(finished) if finished.burned_for == Some(BurnReason::MailedElsewhere) => {
            Step::rest(problems::mailed_elsewhere())
        }
        // The recipient was mailed a link that is burned now, and must not be mailed again.
        Phase::Finished(finished) if lost_with_mail(finished) => Step::rest(problems::value_lost()),
        Phase::Finished(finished) if unread_and_ours(finished) => anew(facts, entry, request),
        Phase::Finished(_) => settled(facts, entry, request),
    }
}

/// Nothing was sent, or what was sent was refused.
fn idle(facts: &Facts<'_>, entry: &Entry, request: &Request) -> Step {
    let waits = entry.retry.not_before.filter(|time| *time > facts.now);
    match waits {
        Some(time) if !facts.suspend && !facts.deleting => Step::wait(entry.retry.problem.clone(), time),
        // A share that was re-created may be gone again: the cache may not know yet.
        _ if entry.share_uid != facts.uid && !facts.live => Step::ReadLive,
        _ => send(facts, request, entry.request.epoch, false),
    }
}

/// A link that we burned unread for a reason that is gone: the share was deleted and is there again, its spec was edited
/// and edited back, or its value was lost. One that was opened meanwhile stays received.
fn unread_and_ours(finished: &Finished) -> bool {
    finished.how != Ending::Received
        && matches!(
            finished.burned_for,
            Some(BurnReason::Deleted | BurnReason::Replaced | BurnReason::ValueLost)
        )
}

fn lost_with_mail(finished: &Finished) -> bool {
    finished.burned_for == Some(BurnReason::ValueLost) && finished.facts.mail_asked
}

/// A new epoch of the same request.
fn anew(facts: &Facts<'_>, entry: &Entry, request: &Request) -> Step {
    if facts.live {
        let next = u64::from(!mutant!("same-epoch"));
        send(facts, request, entry.request.epoch.saturating_add(next), false)
    } else {
        Step::ReadLive
    }
}

/// An entry that was restored from another cluster's backup is shown, and never sent or burned from here.
fn elsewhere(entry: &Entry) -> Step {
    match &entry.phase {
        Phase::Shared(_) | Phase::Finished(_) => Step::DONE,
        Phase::Idle | Phase::Intent(_) | Phase::Burning(_) => Step::rest(problems::other_cluster()),
    }
}

/// The link is there or was. What is left is to notice a changed value, and to note what the spec says about the end.
fn settled(facts: &Facts<'_>, entry: &Entry, request: &Request) -> Step {
    let content = match (request.refresh, facts.content, &entry.content) {
        (RefreshPolicy::Once, _, _) => None,
        (RefreshPolicy::OnChange, None, _) => return Step::ReadContent,
        // Marks with two salts tell nothing: the entry was written after the value was read.
        (RefreshPolicy::OnChange, Some(now), Some(then)) if now.salt != then.salt => {
            return Step::ReadContent;
        }
        (RefreshPolicy::OnChange, Some(now), Some(then)) if now != then => {
            return changed_request(facts, entry, request);
        }
        // The policy was switched on after the link was made: from now on changes count.
        (RefreshPolicy::OnChange, Some(now), _) => Some(now.clone()),
    };
    if entry.content != content
        || (entry.deletion != request.deletion && matches!(entry.phase, Phase::Shared(_)))
    {
        return if facts.live {
            Step::UpdatePolicy {
                deletion: request.deletion,
                content,
            }
        } else {
            Step::ReadLive
        };
    }
    Step::DONE
}

fn changed_request(facts: &Facts<'_>, entry: &Entry, request: &Request) -> Step {
    // A cached share may be older than the one that this entry was written for.
    if !facts.live && !mutant!("cached-change") {
        return Step::ReadLive;
    }
    let epoch = entry.request.epoch.saturating_add(1);
    match &entry.phase {
        Phase::Intent(attempt) if !attempt.needs_decision && facts.attempt_known_for < RESOLVE_LIMIT => {
            in_doubt(facts, attempt)
        }
        Phase::Intent(_) if entry.superseded.len() >= MAX_SUPERSEDED => Step::rest(problems::too_many_lost()),
        // Another cluster's link is not ours to burn.
        Phase::Burning(_) | Phase::Shared(_) if entry.cluster != facts.cluster => {
            send(facts, request, epoch, false)
        }
        Phase::Burning(_) => burning(facts, entry),
        Phase::Shared(_) => send(facts, request, epoch, true),
        Phase::Idle | Phase::Intent(_) | Phase::Finished(_) => send(facts, request, epoch, false),
    }
}

fn in_doubt(facts: &Facts<'_>, attempt: &Attempt) -> Step {
    if attempt.needs_decision {
        return Step::rest(uncertain());
    }
    let safe_after = Duration::from_secs(attempt.deadline_seconds).saturating_add(SLACK);
    match safe_after.checked_sub(facts.attempt_known_for) {
        Some(rest) if !rest.is_zero() && !mutant!("no-deadline-wait") => Step::WaitOutDeadline(rest),
        _ => Step::Resolve,
    }
}

fn burning(facts: &Facts<'_>, entry: &Entry) -> Step {
    unless_waiting(facts, entry, Step::Burn)
}

fn deliver(facts: &Facts<'_>, entry: &Entry) -> Step {
    unless_waiting(facts, entry, Step::Deliver)
}

fn unless_waiting(facts: &Facts<'_>, entry: &Entry, step: Step) -> Step {
    match entry.retry.not_before {
        Some(time) if time > facts.now => Step::wait(entry.retry.problem.clone(), time),
        _ => step,
    }
}

fn send(facts: &Facts<'_>, request: &Request, epoch: u64, burn_first: bool) -> Step {
    if facts.deleting {
        return Step::DONE;
    }
    if facts.suspend {
        return Step::rest(problems::suspended());
    }
    match request.fingerprint(FINGERPRINT_VERSION) {
        Some(fingerprint) => {
            let request = RequestKey {
                version: FINGERPRINT_VERSION,
                fingerprint,
                epoch,
            };
            Step::Send { request, burn_first }
        }
        None => Step::rest(problems::newer_operator()),
    }
}
