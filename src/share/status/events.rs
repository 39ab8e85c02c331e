//! Events: what a person who runs `kubectl describe` reads. Made from the change of a status (PURE), so that a state
//! that stays the same is told once. Never carries a link, key, value, passphrase or address in full.

use super::conditions::clamped;
use crate::api::condition::{EMAIL_REQUESTED, READY, RECEIVED, Reason, UP_TO_DATE};
use crate::api::share::OneTimeShareStatus;
use crate::ledger::LinkFacts;
use crate::problem::without_words;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

pub use crate::telemetry::{Events, Notice};

/// What a change of the status is worth telling: PURE. `facts` are what the service said of the link that the new
/// status shows.
#[must_use]
pub fn notices(
    before: Option<&OneTimeShareStatus>,
    after: &OneTimeShareStatus,
    facts: Option<&LinkFacts>,
) -> Vec<Notice> {
    // An attempt that is in doubt is named, too; it has a link once it tells when that was created.
    let made = |status: &OneTimeShareStatus| status.attempt.clone().filter(|_| status.created_at.is_some());
    let new_link = made(after).is_some() && made(after) != before.and_then(made);
    let mut notices = Vec::new();
    if let Some(ready) =
        changed(before, after, READY).or_else(|| condition(Some(after), READY).filter(|_| new_link))
    {
        notices.extend(ready_notice(ready, after));
    }
    if new_link
        && let Some(mail) = condition(Some(after), EMAIL_REQUESTED)
        && mail.status == "False"
    {
        notices.push(Notice::warning(Reason::NotMailed, &mail.message));
    }
    if new_link && let Some(clamped) = facts.and_then(clamped) {
        notices.push(Notice::warning(Reason::TtlClamped, clamped));
    }
    if let Some(edited) = changed(before, after, UP_TO_DATE) {
        notices.push(Notice::warning(Reason::NeedsNewRequestID, &edited.message));
    }
    if let Some(received) = changed(before, after, RECEIVED) {
        notices.extend(match received.status.as_str() {
            "True" => Some(Notice::normal(Reason::Received, &received.message)),
            "False" if received.reason == Reason::Expired.as_str() => {
                Some(Notice::warning(Reason::Expired, &received.message))
            }
            "False" => Some(Notice::normal(Reason::Burned, &received.message)),
            "Unknown" if received.reason == Reason::OutcomeUnknown.as_str() => {
                Some(Notice::warning(Reason::OutcomeUnknown, &received.message))
            }
            _ => None,
        });
    }
    notices
}

fn ready_notice(ready: &Condition, after: &OneTimeShareStatus) -> Option<Notice> {
    if ready.status == "True" {
        let until = after
            .expires_at
            .as_ref()
            .map(|time| format!("; it can be opened until {}", time.0));
        let mailed = after
            .recipient
            .as_ref()
            .map(|mask| format!("; the service mails it to {mask}"));
        return Some(Notice::normal(
            Reason::Shared,
            format!(
                "created a one-time link{}{}",
                until.unwrap_or_default(),
                mailed.unwrap_or_default()
            ),
        ));
    }
    let reason = Reason::ALL
        .iter()
        .find(|reason| reason.as_str() == ready.reason)?;
    match reason {
        Reason::InProgress | Reason::Burning | Reason::InDoubt | Reason::Suspended => None,
        reason => Some(Notice::warning(*reason, without_words(&ready.message))),
    }
}

fn condition<'a>(status: Option<&'a OneTimeShareStatus>, type_: &str) -> Option<&'a Condition> {
    status?
        .conditions
        .iter()
        .find(|condition| condition.type_ == type_)
}

/// The condition, when its status or reason is new.
fn changed<'a>(
    before: Option<&OneTimeShareStatus>,
    after: &'a OneTimeShareStatus,
    type_: &str,
) -> Option<&'a Condition> {
    let now = condition(Some(after), type_)?;
    let same =
        condition(before, type_).is_some_and(|then| then.status == now.status && then.reason == now.reason);
    (!same).then_some(now)
}

#[cfg(test)]
mod tests;
