//! How a share's state looks to its user: PURE. The status is a projection of the ledger entry and of the problem at
//! hand; nothing is read back from it but the times at which conditions changed.

use crate::api::condition::{EMAIL_REQUESTED, FINISHED, READY, RECEIVED, RECONCILING, Reason, STALLED};
use crate::api::share::{OneTimeShareStatus, ShareState};
use crate::ledger::{BurnReason, Burning, Ending, Entry, Link, LinkFacts, Phase};
use crate::problem::Problem;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// What a status is made from.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// The generation of the spec that was looked at.
    pub generation: i64,
    /// The ledger entry.
    pub entry: Option<&'a Entry>,
    /// Whether the entry speaks of the request that the spec makes now.
    pub current: bool,
    /// What keeps the request from its link.
    pub problem: Option<&'a Problem>,
    /// The status so far: only the times of its conditions are used.
    pub previous: Option<&'a OneTimeShareStatus>,
    /// The wall clock.
    pub now: Timestamp,
}

/// How the current request stands: what every condition follows from.
enum Standing<'a> {
    Alive(&'a Link),
    Over(Ending),
    Held(&'a Problem),
    Waits(&'a Problem),
    Works(Reason, &'static str),
}

/// Makes the status.
#[must_use]
pub fn render(view: &View<'_>) -> OneTimeShareStatus {
    let standing = standing(view);
    let phase = view.entry.map(|entry| &entry.phase);
    let link = phase.and_then(living);
    let facts = phase.and_then(facts);
    OneTimeShareStatus {
        observed_generation: Some(view.generation),
        state: Some(state(&standing)),
        secret_key: link.map(|share| share.secret_key.expose().to_owned()),
        link: link.map(|share| share.url.expose().to_owned()),
        recipient: facts.and_then(|facts| facts.recipients.first().cloned()),
        ttl_seconds: facts.and_then(|facts| i64::try_from(facts.ttl_seconds).ok()),
        created_at: facts.map(|facts| seconds(facts.created_at)),
        expires_at: facts.map(|facts| seconds(facts.expires_at)),
        finished_at: phase.and_then(finished_at).map(seconds),
        passphrase_required: facts.map(|facts| facts.passphrase_required),
        share_domain: facts.and_then(|facts| facts.share_domain.clone()),
        custid: facts.map(|facts| facts.custid.clone()),
        request_hash: facts.and(view.entry).map(|entry| entry.request.status_form()),
        attempt: phase.and_then(attempt).map(str::to_owned),
        conditions: conditions(view, &standing, facts),
    }
}

/// The API keeps whole seconds: with more, a status would never equal the stored one and be written again and again.
fn seconds(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

fn standing<'a>(view: &View<'a>) -> Standing<'a> {
    if let (Some(entry), true) = (view.entry, view.current) {
        match &entry.phase {
            Phase::Shared(share) if share.undelivered.is_none() => return Standing::Alive(share),
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
        (Some(problem), _) if problem.remedy.needs_person() => Standing::Held(problem),
        (Some(problem), _) => Standing::Waits(problem),
        (None, Some(Phase::Burning(_))) => Standing::Works(Reason::Burning, "the old link is being burned"),
        (None, Some(Phase::Intent(_))) => Standing::Works(
            Reason::InDoubt,
            "an answer of the service was lost; finding out what became of it",
        ),
        (None, _) => Standing::Works(Reason::InProgress, "the link is being created"),
    }
}

fn state(standing: &Standing<'_>) -> ShareState {
    match standing {
        Standing::Alive(_) => ShareState::Shared,
        Standing::Over(Ending::Received) => ShareState::Received,
        Standing::Over(Ending::Burned) => ShareState::Burned,
        Standing::Over(Ending::Expired) => ShareState::Expired,
        Standing::Held(_) => ShareState::Failed,
        Standing::Waits(_) | Standing::Works(..) => ShareState::Pending,
    }
}

fn living(phase: &Phase) -> Option<&Link> {
    match phase {
        // A generated value that could still be lost makes its link worthless: it is not shown before.
        Phase::Shared(share) if share.undelivered.is_some() => None,
        Phase::Shared(share) => Some(share),
        // One that was burned before it was ever shown is not shown now.
        Phase::Burning(Burning {
            link: share,
            why: BurnReason::Replaced | BurnReason::Deleted | BurnReason::Asked,
        }) => Some(share),
        Phase::Burning(_) | Phase::Idle | Phase::Intent(_) | Phase::Finished(_) => None,
    }
}

/// What the service said of the link, if there is or was one.
#[must_use]
pub fn facts(phase: &Phase) -> Option<&LinkFacts> {
    match phase {
        Phase::Shared(share) | Phase::Burning(Burning { link: share, .. }) => Some(&share.facts),
        Phase::Finished(finished) => Some(&finished.facts),
        Phase::Idle | Phase::Intent(_) => None,
    }
}

fn attempt(phase: &Phase) -> Option<&str> {
    match phase {
        Phase::Shared(share) | Phase::Burning(Burning { link: share, .. }) => Some(&share.attempt),
        Phase::Finished(finished) => Some(&finished.attempt),
        Phase::Idle | Phase::Intent(_) => None,
    }
}

fn finished_at(phase: &Phase) -> Option<Timestamp> {
    match phase {
        Phase::Finished(finished) => Some(finished.at),
        Phase::Idle | Phase::Intent(_) | Phase::Shared(_) | Phase::Burning(_) => None,
    }
}

fn conditions(view: &View<'_>, standing: &Standing<'_>, facts: Option<&LinkFacts>) -> Vec<Condition> {
    let drafts = [
        Some(ready(standing)),
        received(standing),
        finished(standing),
        facts.and_then(email_requested),
        reconciling(standing),
        stalled(standing),
    ];
    drafts.into_iter().flatten().map(|draft| draft.at(view)).collect()
}

/// A condition without the fields that depend on what was there before.
struct Draft {
    type_: &'static str,
    status: &'static str,
    reason: Reason,
    message: String,
}

impl Draft {
    fn new(type_: &'static str, status: &'static str, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            type_,
            status,
            reason,
            message: message.into(),
        }
    }

    fn at(self, view: &View<'_>) -> Condition {
        let before = view
            .previous
            .and_then(|status| status.conditions.iter().find(|c| c.type_ == self.type_));
        let since = before
            .filter(|c| c.status == self.status)
            .map(|c| c.last_transition_time.clone());
        Condition {
            last_transition_time: since.unwrap_or_else(|| seconds(view.now)),
            message: self.message,
            observed_generation: Some(view.generation),
            reason: self.reason.as_str().into(),
            status: self.status.into(),
            type_: self.type_.into(),
        }
    }
}

/// Stays True when the link's life is over: what was asked for was done.
fn ready(standing: &Standing<'_>) -> Draft {
    match standing {
        Standing::Alive(share) => {
            let message = match clamped(&share.facts) {
                Some(clamped) => format!("the link was created; {clamped}"),
                None => "the link was created".to_owned(),
            };
            Draft::new(READY, "True", Reason::Shared, message)
        }
        Standing::Over(_) => Draft::new(READY, "True", Reason::Shared, "the link was created"),
        Standing::Held(problem) => Draft::new(READY, "False", problem.reason, &problem.message),
        Standing::Waits(problem) => Draft::new(READY, "Unknown", problem.reason, &problem.message),
        Standing::Works(reason, message) => Draft::new(READY, "Unknown", *reason, *message),
    }
}

/// Recorded in v1-share-ttl: the service grants what it likes, and says so only in its answer.
#[must_use]
pub fn clamped(facts: &LinkFacts) -> Option<String> {
    let LinkFacts {
        asked_ttl_seconds,
        ttl_seconds,
        ..
    } = facts;
    (asked_ttl_seconds != ttl_seconds).then(|| {
        format!(
            "it lives {ttl_seconds} s, because the service did not grant the {asked_ttl_seconds} s asked for"
        )
    })
}

fn received(standing: &Standing<'_>) -> Option<Draft> {
    match standing {
        Standing::Alive(_) => Some(Draft::new(
            RECEIVED,
            "Unknown",
            Reason::Waiting,
            "nobody has opened the link yet",
        )),
        Standing::Over(Ending::Received) => Some(Draft::new(
            RECEIVED,
            "True",
            Reason::Received,
            "the link was opened",
        )),
        Standing::Over(Ending::Burned) => Some(Draft::new(
            RECEIVED,
            "False",
            Reason::Burned,
            "the link was burned before anybody opened it",
        )),
        Standing::Over(Ending::Expired) => Some(Draft::new(
            RECEIVED,
            "False",
            Reason::Expired,
            "the link expired before anybody opened it; set spec.requestId to a new value to send another",
        )),
        Standing::Held(_) | Standing::Waits(_) | Standing::Works(..) => None,
    }
}

fn finished(standing: &Standing<'_>) -> Option<Draft> {
    match standing {
        Standing::Alive(_) => Some(Draft::new(
            FINISHED,
            "False",
            Reason::Waiting,
            "the link can be opened",
        )),
        Standing::Over(how) => {
            let reason = match how {
                Ending::Received => Reason::Received,
                Ending::Burned => Reason::Burned,
                Ending::Expired => Reason::Expired,
            };
            Some(Draft::new(
                FINISHED,
                "True",
                reason,
                "the link can no longer be opened",
            ))
        }
        Standing::Held(_) | Standing::Waits(_) | Standing::Works(..) => None,
    }
}

/// Recorded in v1-share-recipient: an answer with an empty `recipient` list means that no mail was sent.
fn email_requested(facts: &LinkFacts) -> Option<Draft> {
    match (facts.mail_asked, facts.recipients.is_empty()) {
        (false, _) => None,
        (true, false) => Some(Draft::new(
            EMAIL_REQUESTED,
            "True",
            Reason::Requested,
            "the service says that it mails the link",
        )),
        (true, true) => Some(Draft::new(
            EMAIL_REQUESTED,
            "False",
            Reason::NotMailed,
            "the service created the link and mailed nobody; hand over the link yourself, or correct spec.recipient to send a new one",
        )),
    }
}

fn reconciling(standing: &Standing<'_>) -> Option<Draft> {
    match standing {
        Standing::Waits(problem) => Some(Draft::new(RECONCILING, "True", problem.reason, &problem.message)),
        Standing::Works(reason, message) => Some(Draft::new(RECONCILING, "True", *reason, *message)),
        Standing::Alive(_) | Standing::Over(_) | Standing::Held(_) => None,
    }
}

fn stalled(standing: &Standing<'_>) -> Option<Draft> {
    match standing {
        Standing::Held(problem) => Some(Draft::new(STALLED, "True", problem.reason, &problem.message)),
        Standing::Alive(_) | Standing::Over(_) | Standing::Waits(_) | Standing::Works(..) => None,
    }
}

#[cfg(test)]
mod tests;
