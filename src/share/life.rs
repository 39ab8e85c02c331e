//! What a write says of a link's life: PURE. A write of the ledger is a compare-and-swap, so that each change is
//! counted by the one writer that made it, however often it is looked at afterwards.

use crate::api::condition::READY;
use crate::api::share::OneTimeShare;
use crate::share::ledger::{BurnReason, Burning, Ending, Entry, Phase, ShareFacts};
use jiff::Timestamp;
use std::time::Duration;

/// Something that happened to a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was created, by this attempt.
    Created {
        /// Names the attempt.
        attempt: String,
        /// What came of mailing it, where that was asked for.
        mail: Option<Mail>,
    },
    /// It was opened, so long after it was created.
    Received(Duration),
    /// It expired unread.
    Expired,
    /// It was burned unread: by us and why, or by somebody else.
    Burned(Option<BurnReason>),
    /// Whatever became of the link of this attempt, it is over.
    Over {
        /// Names the attempt.
        attempt: String,
    },
}

/// What the service made of the request to mail a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mail {
    /// It says that it mails the recipient.
    Accepted,
    /// It created the link and mails nobody.
    NotMailed,
    /// It mails somebody else.
    Elsewhere,
}

impl Mail {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Accepted, Self::NotMailed, Self::Elsewhere];

    /// The label of metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::NotMailed => "not_mailed",
            Self::Elsewhere => "elsewhere",
        }
    }

    fn of(facts: &ShareFacts) -> Option<Self> {
        match facts {
            ShareFacts {
                mail_asked: false, ..
            } => None,
            ShareFacts {
                mailed_elsewhere: true,
                ..
            } => Some(Self::Elsewhere),
            ShareFacts { recipients, .. } if recipients.is_empty() => Some(Self::NotMailed),
            ShareFacts { .. } => Some(Self::Accepted),
        }
    }
}

/// What happened between two versions of an entry. An entry that was made again from a status tells of nothing new.
#[must_use]
pub fn events(before: Option<&Entry>, after: &Entry) -> Vec<Event> {
    let Some(before) = before.map(|entry| &entry.phase) else {
        return Vec::new();
    };
    let mut events = Vec::new();
    if let (Phase::Intent(attempt), Some((made_by, facts))) = (before, link(&after.phase))
        && attempt.nonce == made_by
    {
        events.push(Event::Created {
            attempt: attempt.nonce.clone(),
            mail: Mail::of(facts),
        });
    }
    if let Phase::Finished(finished) = &after.phase
        && unfinished(before) == Some(&finished.attempt)
    {
        events.push(match finished.how {
            Ending::Received => Event::Received(between(finished.facts.created_at, finished.at)),
            Ending::Expired => Event::Expired,
            Ending::Burned => Event::Burned(finished.burned_for),
        });
        events.push(Event::Over {
            attempt: finished.attempt.clone(),
        });
    }
    events
}

fn link(phase: &Phase) -> Option<(&str, &ShareFacts)> {
    match phase {
        Phase::Shared(share) | Phase::Burning(Burning { share, .. }) => Some((&share.attempt, &share.facts)),
        Phase::Finished(finished) => Some((&finished.attempt, &finished.facts)),
        Phase::Idle | Phase::Intent(_) => None,
    }
}

/// The attempt whose link may still be opened.
fn unfinished(phase: &Phase) -> Option<&String> {
    match phase {
        Phase::Intent(attempt) => Some(&attempt.nonce),
        Phase::Shared(share) | Phase::Burning(Burning { share, .. }) => Some(&share.attempt),
        Phase::Idle | Phase::Finished(_) => None,
    }
}

/// How long the request that a share makes has waited for its link. The first one since the share was created; a later
/// one since the status said that the share is not ready, or else since it was first looked at, which was at `began`.
#[must_use]
pub fn waited(share: &OneTimeShare, began: Timestamp, now: Timestamp) -> Duration {
    let status = share.status.as_ref();
    let since = if status.is_none_or(|status| status.attempt.is_none()) {
        let created = share.metadata.creation_timestamp.as_ref();
        created.map_or(began, |time| time.0)
    } else {
        let ready = status.and_then(|status| status.conditions.iter().find(|c| c.type_ == READY));
        ready
            .filter(|ready| ready.status != "True")
            .map_or(began, |ready| ready.last_transition_time.0.min(began))
    };
    between(since, now)
}

/// Nothing when the clocks disagree.
fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(from.duration_until(to)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::fixtures::{attempt, burned_for, burning, entry, finished, held, now, share};
    use crate::share::ledger::Finished;
    use jiff::SignedDuration;
    use serde_json::json;

    fn between_phases(before: Phase, after: Phase) -> Vec<Event> {
        events(Some(&entry(before)), &entry(after))
    }

    fn created(mail: Option<Mail>) -> Event {
        Event::Created {
            attempt: "nonce".into(),
            mail,
        }
    }

    fn over() -> Event {
        Event::Over {
            attempt: "nonce".into(),
        }
    }

    #[test]
    fn every_change_is_told_once() {
        let intent = || Phase::Intent(attempt());
        let shared = || Phase::Shared(share());
        let received = || {
            Phase::Finished(Finished {
                at: now() + SignedDuration::from_secs(90),
                ..finished(Ending::Received)
            })
        };
        let opened = || Event::Received(Duration::from_secs(90));
        let mailed = || created(Some(Mail::Accepted));
        let replaced = || Phase::Finished(burned_for(BurnReason::Replaced));
        for (before, after, wanted) in [
            (Phase::Idle, intent(), vec![]),
            (intent(), Phase::Idle, vec![]),
            (intent(), Phase::Intent(held()), vec![]),
            (intent(), shared(), vec![mailed()]),
            (intent(), burning(), vec![mailed()]),
            // An adopted one may be opened already.
            (intent(), received(), vec![mailed(), opened(), over()]),
            (shared(), shared(), vec![]),
            (shared(), burning(), vec![]),
            (shared(), received(), vec![opened(), over()]),
            (
                shared(),
                Phase::Finished(finished(Ending::Expired)),
                vec![Event::Expired, over()],
            ),
            (
                shared(),
                Phase::Finished(finished(Ending::Burned)),
                vec![Event::Burned(None), over()],
            ),
            (
                burning(),
                replaced(),
                vec![Event::Burned(Some(BurnReason::Replaced)), over()],
            ),
            // The recipient was faster.
            (burning(), received(), vec![opened(), over()]),
            (received(), received(), vec![]),
            (replaced(), intent(), vec![]),
        ] {
            assert_eq!(
                between_phases(before.clone(), after.clone()),
                wanted,
                "{before:?} to {after:?}"
            );
        }
    }

    #[test]
    fn what_is_made_again_from_a_status_is_no_news() {
        for phase in [
            Phase::Shared(share()),
            Phase::Finished(finished(Ending::Received)),
        ] {
            assert_eq!(events(None, &entry(phase.clone())), []);
            assert_eq!(between_phases(Phase::Idle, phase), []);
        }
        let mut other = attempt();
        other.nonce = "another".into();
        assert_eq!(between_phases(Phase::Intent(other), Phase::Shared(share())), []);
    }

    #[test]
    fn mails_are_what_the_service_says() {
        let with = |change: fn(&mut ShareFacts)| {
            let mut share = share();
            change(&mut share.facts);
            between_phases(Phase::Intent(attempt()), Phase::Shared(share))
        };
        assert_eq!(with(|facts| facts.mail_asked = false), [created(None)]);
        assert_eq!(
            with(|facts| facts.recipients.clear()),
            [created(Some(Mail::NotMailed))]
        );
        assert_eq!(
            with(|facts| facts.mailed_elsewhere = true),
            [created(Some(Mail::Elsewhere))]
        );
    }

    #[test]
    fn the_wait_begins_with_the_request() {
        let at = |seconds| now() + SignedDuration::from_secs(seconds);
        let share = |status: serde_json::Value| -> OneTimeShare {
            serde_json::from_value(json!({
                "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
                "metadata": {"name": "alice", "creationTimestamp": at(-100)},
                "spec": {"secretRef": {"name": "alice"}}, "status": status,
            }))
            .expect("a share")
        };
        let ready = |status: &str| {
            json!({"attempt": "earlier", "conditions": [{
                "type": "Ready", "status": status, "reason": "Shared", "message": "", "lastTransitionTime": at(-50),
            }]})
        };
        for (status, seconds) in [
            (json!(null), 102),
            (json!({"state": "Pending"}), 102),
            (ready("Unknown"), 52),
            (ready("False"), 52),
            (ready("True"), 2),
        ] {
            assert_eq!(
                waited(&share(status.clone()), at(0), at(2)),
                Duration::from_secs(seconds),
                "{status}"
            );
        }
        assert_eq!(
            waited(&share(json!(null)), at(0), at(-200)),
            Duration::ZERO,
            "clocks differ"
        );
    }
}
