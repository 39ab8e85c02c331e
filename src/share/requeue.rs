//! When to look at a share again without a change.

use crate::api::condition::Reason;
use crate::api::share::RefreshPolicy;
use crate::backoff;
use crate::problem::Problem;
use crate::share::snapshot::ShareSnapshot;
use jiff::Timestamp;
use kube::runtime::controller::Action;
use std::time::Duration;

/// How often the value of a share that follows its changes is read.
pub(super) const CONTENT_INTERVAL: Duration = Duration::from_secs(60);

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
        Some(_) => {
            let created = snapshot
                .share
                .metadata
                .creation_timestamp
                .as_ref()
                .map_or(Timestamp::UNIX_EPOCH, |time| time.0);
            let age = Duration::try_from(created.duration_until(Timestamp::now())).unwrap_or_default();
            Action::requeue(backoff::look_again(
                age,
                snapshot.share.metadata.uid.as_deref().unwrap_or_default(),
            ))
        }
    }
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
