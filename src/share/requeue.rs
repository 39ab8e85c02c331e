//! When to look at a share again without a change.

use crate::api::condition::Reason;
use crate::api::share::RefreshPolicy;
use crate::backoff;
use crate::problem::Problem;
use crate::provider::Waits;
use crate::share::snapshot::ShareSnapshot;
use jiff::Timestamp;
use kube::runtime::controller::Action;
use std::time::Duration;

/// How often the value of a share that follows its changes is read.
pub(super) const CONTENT_INTERVAL: Duration = Duration::from_secs(60);

/// After so long, looks become seldom.
const LONG: Duration = Duration::from_secs(600);

/// When to look again without a trigger.
pub(super) fn requeue(snapshot: &ShareSnapshot, problem: Option<&Problem>, at: Option<Timestamp>) -> Action {
    if let Some(at) = at {
        let wait = Timestamp::now().duration_until(at);
        return Action::requeue(Duration::try_from(wait).unwrap_or_default() + Duration::from_millis(100));
    }
    match problem {
        None if follows_content(snapshot) => Action::requeue(CONTENT_INTERVAL),
        None => Action::await_change(),
        // Only an edit of the share helps, and that triggers us.
        Some(problem) if only_an_edit_helps(problem, snapshot) => Action::await_change(),
        // Another share's attempt is in the way, which ends within a minute or two.
        Some(problem) if problem.reason == Reason::InProgress => {
            Action::requeue(backoff::look_again(waited(snapshot), seed(snapshot)).min(CONTENT_INTERVAL))
        }
        Some(_) => Action::requeue(backoff::look_again(waited(snapshot), seed(snapshot))),
    }
}

/// When to look again at a share that waits in line. It is triggered when it is called, so that this only tells how
/// long the line is, and heals what went wrong.
pub(super) fn wait_for_turn(snapshot: &ShareSnapshot, waits: &Waits) -> Action {
    match waits.problem {
        None => Action::requeue(waits.tells_in + Duration::from_millis(50)),
        Some(_) => Action::requeue(backoff::look_again(LONG.max(waits.waited), seed(snapshot))),
    }
}

/// How long this request has waited for its link. Zero when the status does not tell yet.
fn waited(snapshot: &ShareSnapshot) -> Duration {
    let generation = snapshot.share.metadata.generation;
    let status = snapshot.share.status.as_ref();
    let since = status
        .filter(|status| status.observed_generation == generation)
        .and_then(|status| status.waiting_since.as_ref());
    let waited = since.map(|since| Duration::try_from(since.0.duration_until(Timestamp::now())));
    waited.and_then(Result::ok).unwrap_or_default()
}

fn seed(snapshot: &ShareSnapshot) -> &str {
    snapshot.share.metadata.uid.as_deref().unwrap_or_default()
}

fn follows_content(snapshot: &ShareSnapshot) -> bool {
    snapshot
        .request
        .as_ref()
        .is_ok_and(|request| request.refresh == RefreshPolicy::OnChange)
}

fn only_an_edit_helps(problem: &Problem, snapshot: &ShareSnapshot) -> bool {
    match problem.reason {
        Reason::Uncertain
        | Reason::LedgerLost
        | Reason::TtlInvalid
        | Reason::Suspended
        | Reason::WaitedTooLong => true,
        // What is wrong may be in another object.
        Reason::RecipientInvalid => snapshot.share.spec.recipient_from.is_none(),
        _ => false,
    }
}
