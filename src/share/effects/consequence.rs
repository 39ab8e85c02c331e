//! What follows from a POST that gave no link: PURE. Whether its intent stays, when it is tried again, what the user is
//! told, and whether the provider must prove itself first.
//!
//! Every no has a pause that grows with the noes in a row, whatever the service asks for. An answer that nobody knows
//! proves nothing: the attempt stays in doubt, and what came back is told.

use super::refusal::refused;
use crate::api::condition::Reason;
use crate::api::provider::CredentialsRef;
use crate::backoff;
use crate::ledger::Retry;
use crate::onetime::{CreateError, Unknown, Why, Words};
use crate::problem::Problem;
use crate::provider::{ProviderId, unauthorized};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// So many unknown answers in a row are no accident: a person must look.
const TOO_MANY_UNKNOWN: u32 = 3;

/// What follows for the entry.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Consequence {
    /// Nothing was stored and nothing mailed: the entry is idle until this is over.
    Idle(Retry),
    /// Nobody knows: the intent stays. With what came back, where that is worth telling.
    InDoubt(Option<Retry>),
}

/// What follows for the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Nothing.
    Kept,
    /// Its credentials were refused.
    CredentialsRefused,
    /// This was no answer of the API: nothing more is sent until the API answered again.
    ApiDoubted,
}

/// Through what it was sent, and after what.
pub(super) struct Sent<'a> {
    pub(super) provider: &'a ProviderId,
    pub(super) credentials: Option<&'a CredentialsRef>,
    /// What the entry knew of earlier tries.
    pub(super) before: &'a Retry,
    /// The wall clock.
    pub(super) now: Timestamp,
    /// Spreads the pauses.
    pub(super) seed: &'a str,
}

/// What follows from an error.
pub(super) fn of(error: &CreateError, sent: &Sent<'_>) -> (Consequence, Trust) {
    let id = sent.provider;
    let idle = |problem, unexpected| Consequence::Idle(sent.retry(problem, unexpected));
    let unexpected = sent.before.unexpected;
    match error {
        CreateError::Unauthorized => (
            idle(not_authorized(sent), 0),
            match sent.credentials {
                Some(_) => Trust::CredentialsRefused,
                None => Trust::Kept,
            },
        ),
        CreateError::Refused(refusal) => (idle(refused(refusal, id), 0), Trust::Kept),
        // What stood between is not the answer that a row of unknown ones waits for.
        CreateError::RateLimited { .. } => (idle(limited(id), unexpected), Trust::Kept),
        CreateError::NotSent(transport) => {
            let text = format!(
                "the service of {id} cannot be reached ({transport}); the operator will retry automatically"
            );
            let problem = Problem::passing(Reason::Unavailable, text);
            (idle(problem, unexpected), Trust::Kept)
        }
        CreateError::UnknownOutcome(Why::Timeout | Why::ConnectionLost | Why::ServerFault) => {
            (Consequence::InDoubt(None), Trust::Kept)
        }
        CreateError::UnknownOutcome(why) => {
            let count = unexpected.saturating_add(1);
            let retry = sent.retry(unexpected_answer(id, why, count), count);
            (Consequence::InDoubt(Some(retry)), trust(why))
        }
    }
}

impl Sent<'_> {
    /// After one more failure.
    fn retry(&self, problem: Problem, unexpected: u32) -> Retry {
        let failures = self.before.failures.saturating_add(1);
        let wait = if problem.reason == Reason::UnexpectedAnswer && problem.remedy.needs_person() {
            backoff::seldom(failures, self.seed)
        } else {
            backoff::pause(failures, self.seed)
        };
        let wait = if mutant!("no-pause") { Duration::ZERO } else { wait };
        Retry {
            failures,
            not_before: Some(later(self.now, wait)),
            problem: Some(problem),
            unexpected,
            inputs: self.before.inputs.clone(),
            pause_seconds: None, // the ledger fills it in
        }
    }
}

/// What follows when an attempt in doubt turns out to have left nothing that somebody holds. What came back, if anything
/// did, is in the entry already. After an answer that never came it is sent again at once, as deadline and slack were a
/// pause; a service that keeps losing answers is asked ever more seldom.
pub(super) fn after_loss(before: &Retry, mails: bool, now: Timestamp, seed: &str) -> Retry {
    if before.not_before.is_some() {
        return before.clone();
    }
    let failures = before.failures.saturating_add(1);
    let note = "answers of the service keep being lost; the operator will retry automatically";
    let wait = match failures {
        1 => None,
        // Each may leave a copy of the value, of which nobody is told.
        _ if !mails => Some(backoff::long_pause(failures, seed)),
        _ => Some(backoff::pause(failures, seed)),
    };
    Retry {
        failures,
        not_before: wait.map(|wait| later(now, wait)),
        problem: wait.map(|_| Problem::passing(Reason::LinkLost, note)),
        ..before.clone()
    }
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

fn not_authorized(sent: &Sent<'_>) -> Problem {
    let id = sent.provider;
    sent.credentials.map_or_else(
        || {
            let text = format!(
                "the service of {id} allows no anonymous shares: give the provider spec.credentialsSecretRef"
            );
            Problem::administrator(Reason::Unauthorized, text)
        },
        |reference| unauthorized(id, reference),
    )
}

fn limited(id: &ProviderId) -> Problem {
    let text = format!("the service limits the rate of {id}; the operator will retry automatically");
    Problem::passing(Reason::RateLimited, text)
}

/// A redirect, a page and a success without a share are of something else than the API.
fn trust(why: &Why) -> Trust {
    match why {
        Why::Unrecognised(Unknown { page: false, .. }) => Trust::Kept,
        _ => Trust::ApiDoubted,
    }
}

/// What came back, in our words, with the service's behind them as far as they are known.
fn unexpected_answer(id: &ProviderId, why: &Why, count: u32) -> Problem {
    let (what, remedy, words) = described(why);
    let text = |rest: &str| format!("the service of {id} {what}; {rest}");
    let problem = if count < TOO_MANY_UNKNOWN {
        let rest = "whether it made a link is being determined; the operator will retry automatically";
        Problem::passing(Reason::UnexpectedAnswer, text(rest))
    } else {
        let rest = format!(
            "this is answer {count} of this kind in a row: {remedy}; the operator retries when the share, a Secret that it names or the provider changes, else once an hour"
        );
        Problem::administrator(Reason::UnexpectedAnswer, text(&rest))
    };
    match words {
        Some(words) => problem.saying(words.as_str()),
        None => problem,
    }
}

/// What an answer was, the remedy, and its words.
fn described(why: &Why) -> (String, &'static str, Option<&Words>) {
    let url = "correct the url of the provider, or what stands before the server";
    match why {
        Why::Redirected(redirect) => {
            let (status, target) = (redirect.status, redirect.target.as_ref());
            let to = target.map_or(String::new(), |target| format!(" to {target}"));
            (
                format!("redirects{to} ({status}) instead of answering"),
                url,
                None,
            )
        }
        Why::Malformed(Unknown {
            status, page: true, ..
        })
        | Why::Unrecognised(Unknown {
            status, page: true, ..
        }) => (format!("answered with a page for people ({status})"), url, None),
        Why::Malformed(Unknown { status, words, .. }) => (
            format!("reported success ({status}) without a link"),
            url,
            words.as_ref(),
        ),
        Why::Unrecognised(Unknown { status, words, .. }) => (
            format!("answered with an error that the operator does not know ({status})"),
            "change what the answer names in the share or the provider, or ask the administrator of the service",
            words.as_ref(),
        ),
        Why::TooLarge => ("gave an answer of more than 1 MiB".to_owned(), url, None),
        Why::Timeout | Why::ConnectionLost | Why::ServerFault => (why.to_string(), url, None),
    }
}

#[cfg(test)]
mod tests;
