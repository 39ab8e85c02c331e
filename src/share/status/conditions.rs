//! The conditions of a share, one function for each: PURE.

use super::standing::Standing;
use super::view::{View, seconds};
use crate::api::condition::{
    EMAIL_REQUESTED, FINISHED, READY, RECEIVED, RECONCILING, Reason, STALLED, UP_TO_DATE,
};
use crate::ledger::{Ending, LinkFacts};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// All conditions that apply.
pub(super) fn conditions(
    view: &View<'_>,
    standing: &Standing<'_>,
    facts: Option<&LinkFacts>,
) -> Vec<Condition> {
    let drafts = [
        Some(ready(standing)),
        received(standing),
        finished(standing),
        facts.and_then(email_requested),
        up_to_date(view, standing),
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
        Standing::Alive(share) | Standing::Unknown(share) => {
            let message = match clamped(&share.facts) {
                Some(clamped) => format!("the link was created; {clamped}"),
                None => "the link was created".to_owned(),
            };
            Draft::new(READY, "True", Reason::Shared, message)
        }
        Standing::Over(_) => Draft::new(READY, "True", Reason::Shared, "the link was created"),
        Standing::NeedsPerson(problem) => Draft::new(READY, "False", problem.reason, &problem.message),
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
        Standing::Unknown(_) => Some(outcome_unknown(RECEIVED)),
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
            "the link expired before anybody opened it; set spec.requestID to a new value to send another",
        )),
        Standing::NeedsPerson(_) | Standing::Waits(_) | Standing::Works(..) => None,
    }
}

fn outcome_unknown(type_: &'static str) -> Draft {
    Draft::new(
        type_,
        "Unknown",
        Reason::OutcomeUnknown,
        "the link's time is over or the service no longer knows it, and the service does not say whether it was opened; the operator keeps asking",
    )
}

fn finished(standing: &Standing<'_>) -> Option<Draft> {
    match standing {
        Standing::Alive(_) => Some(Draft::new(
            FINISHED,
            "False",
            Reason::Waiting,
            "the link can be opened",
        )),
        Standing::Unknown(_) => Some(outcome_unknown(FINISHED)),
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
        Standing::NeedsPerson(_) | Standing::Waits(_) | Standing::Works(..) => None,
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

/// Only there when it is False: an edit after the end sends nothing, which a person may not expect.
fn up_to_date(view: &View<'_>, standing: &Standing<'_>) -> Option<Draft> {
    let is_edited = !view.edited.is_empty() && matches!(standing, Standing::Over(_));
    is_edited.then(|| {
        let message = format!(
            "spec was edited after the link's life was over ({}), and nothing is sent for that; set spec.requestID to a new value to send a new link",
            view.edited.join(", ")
        );
        Draft::new(UP_TO_DATE, "False", Reason::NeedsNewRequestID, message)
    })
}

fn reconciling(standing: &Standing<'_>) -> Option<Draft> {
    match standing {
        Standing::Waits(problem) => Some(Draft::new(RECONCILING, "True", problem.reason, &problem.message)),
        Standing::Works(reason, message) => Some(Draft::new(RECONCILING, "True", *reason, *message)),
        Standing::Alive(_) | Standing::Unknown(_) | Standing::Over(_) | Standing::NeedsPerson(_) => None,
    }
}

fn stalled(standing: &Standing<'_>) -> Option<Draft> {
    match standing {
        Standing::NeedsPerson(problem) => Some(Draft::new(STALLED, "True", problem.reason, &problem.message)),
        Standing::Alive(_)
        | Standing::Unknown(_)
        | Standing::Over(_)
        | Standing::Waits(_)
        | Standing::Works(..) => None,
    }
}
