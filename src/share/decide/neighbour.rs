//! Another operator, with another ledger, may send for the same namespace: what needs the namespace to be ours, and when
//! its shares may be told that it is not. PURE.

use super::step::Step;
use crate::api::condition::{Reason, STALLED};
use crate::api::share::OneTimeShareStatus;
use std::time::Duration;

/// How long the other operator has for its own status before this one says that it sends nothing.
pub const NEIGHBOUR_GRACE: Duration = Duration::from_secs(30);

/// Whether a step needs the namespace to be ours: it sends, or the share has no entry in our ledger, so that whatever is
/// shown of it could contradict the operator that works on it. What has an entry of ours goes on: links are followed,
/// burned and shown.
#[must_use]
pub fn needs_namespace(step: &Step, has_entry: bool) -> bool {
    match step {
        Step::Ignore | Step::ReadLive => false,
        Step::Send { .. } => true,
        Step::ReadContent
        | Step::ReadInputs
        | Step::Requeue { .. }
        | Step::UpdatePolicy { .. }
        | Step::Rebuild(_)
        | Step::WaitOutDeadline(_)
        | Step::Resolve
        | Step::Revoke
        | Step::Burn
        | Step::Deliver => !has_entry,
    }
}

/// Whether the status of a share in another's namespace may say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// Somebody tells of this generation already: it stays as it is.
    Never,
    /// Not before this time has passed: the other operator may be at work.
    After(Duration),
    /// Nobody does.
    Now,
}

/// Two operators must not write one status in turn. So this one speaks only of a generation that no status tells of, once
/// the other had its time, and is silent as soon as somebody else spoke.
#[must_use]
pub fn may_tell(status: Option<&OneTimeShareStatus>, generation: i64, untold_for: Duration) -> Telling {
    let observed = status.and_then(|status| status.observed_generation);
    if observed.is_some_and(|observed| observed >= generation) {
        return if status.is_some_and(is_our_word) {
            Telling::Now
        } else {
            Telling::Never
        };
    }
    match NEIGHBOUR_GRACE.saturating_sub(untold_for) {
        Duration::ZERO => Telling::Now,
        wait => Telling::After(wait),
    }
}

fn is_our_word(status: &OneTimeShareStatus) -> bool {
    let mut conditions = status.conditions.iter();
    conditions.any(|c| c.type_ == STALLED && c.reason == Reason::OtherOperator.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::RequestKey;
    use serde_json::json;

    #[test]
    fn what_begins_needs_the_namespace_and_what_goes_on_does_not() {
        let request = RequestKey {
            version: 1,
            fingerprint: "a".into(),
            epoch: 0,
        };
        let send = Step::Send {
            request: request.clone(),
            burn_first: true,
        };
        assert!(needs_namespace(&send, true) && needs_namespace(&send, false));
        // An entry that was made from the status of somebody else's share would be burned and polled here, too.
        assert!(needs_namespace(&Step::Rebuild(request), false));
        assert!(needs_namespace(&Step::DONE, false));
        for step in [
            Step::DONE,
            Step::Resolve,
            Step::Revoke,
            Step::Burn,
            Step::Deliver,
            Step::ReadContent,
            Step::WaitOutDeadline(Duration::ZERO),
        ] {
            assert!(!needs_namespace(&step, true), "{step:?}");
        }
        for step in [Step::Ignore, Step::ReadLive] {
            assert!(!needs_namespace(&step, false), "{step:?}");
        }
    }

    fn status(observed: Option<i64>, stalled: Option<Reason>) -> OneTimeShareStatus {
        let conditions: Vec<_> = stalled
            .iter()
            .map(|reason| {
                json!({
                    "type": "Stalled", "status": "True", "reason": reason.as_str(), "message": "",
                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                })
            })
            .collect();
        serde_json::from_value(json!({"observedGeneration": observed, "conditions": conditions}))
            .expect("a status")
    }

    #[test]
    fn only_what_nobody_tells_of_is_told() {
        let early = Duration::from_secs(10);
        let wait = Telling::After(NEIGHBOUR_GRACE.saturating_sub(early));
        let other = Some(Reason::OtherOperator);
        for (status, at_once, later) in [
            (None, wait, Telling::Now),
            (Some(status(None, None)), wait, Telling::Now),
            (Some(status(Some(2), None)), Telling::Never, Telling::Never),
            (
                Some(status(Some(2), Some(Reason::SecretEmpty))),
                Telling::Never,
                Telling::Never,
            ),
            (Some(status(Some(2), other)), Telling::Now, Telling::Now),
            // An edit that the other operator has not looked at yet.
            (Some(status(Some(1), None)), wait, Telling::Now),
            (Some(status(Some(1), other)), wait, Telling::Now),
        ] {
            let telling = |untold| may_tell(status.as_ref(), 2, untold);
            assert_eq!(telling(early), at_once, "{status:?}");
            assert_eq!(telling(NEIGHBOUR_GRACE), later, "{status:?}");
        }
    }
}
