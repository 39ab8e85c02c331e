//! What happened to a link between two versions of its entry: PURE. A write of the ledger is a compare-and-swap, so
//! each change is counted by the one writer that made it, however often others look at it afterwards.

use crate::ledger::{BurnReason, Burning, Ending, Entry, LinkFacts, Phase};
use jiff::Timestamp;
use std::time::Duration;

/// Something that happened to a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transition {
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

    fn of(facts: &LinkFacts) -> Option<Self> {
        match facts {
            LinkFacts {
                mail_asked: false, ..
            } => None,
            LinkFacts {
                mailed_elsewhere: true,
                ..
            } => Some(Self::Elsewhere),
            LinkFacts { recipients, .. } if recipients.is_empty() => Some(Self::NotMailed),
            LinkFacts { .. } => Some(Self::Accepted),
        }
    }
}

/// What happened between two versions of an entry. An entry that was made again from a status tells of nothing new.
#[must_use]
pub fn transitions(before: Option<&Entry>, after: &Entry) -> Vec<Transition> {
    let Some(before) = before.map(|entry| &entry.phase) else {
        return Vec::new();
    };
    let mut transitions = Vec::new();
    if let (Phase::Intent(attempt), Some((made_by, facts))) = (before, link(&after.phase))
        && attempt.nonce == made_by
    {
        transitions.push(Transition::Created {
            attempt: attempt.nonce.clone(),
            mail: Mail::of(facts),
        });
    }
    if let Phase::Finished(finished) = &after.phase
        && unfinished(before) == Some(&finished.attempt)
    {
        transitions.push(match finished.how {
            Ending::Received => Transition::Received(between(finished.facts.created_at, finished.at)),
            Ending::Expired => Transition::Expired,
            Ending::Burned => Transition::Burned(finished.burned_for),
        });
        transitions.push(Transition::Over {
            attempt: finished.attempt.clone(),
        });
    }
    transitions
}

fn link(phase: &Phase) -> Option<(&str, &LinkFacts)> {
    match phase {
        Phase::Shared(link) | Phase::Burning(Burning { link, .. }) => Some((&link.attempt, &link.facts)),
        Phase::Finished(finished) => Some((&finished.attempt, &finished.facts)),
        Phase::Idle | Phase::Intent(_) => None,
    }
}

/// The attempt whose link may still be opened.
fn unfinished(phase: &Phase) -> Option<&String> {
    match phase {
        Phase::Intent(attempt) => Some(&attempt.nonce),
        Phase::Shared(link) | Phase::Burning(Burning { link, .. }) => Some(&link.attempt),
        Phase::Idle | Phase::Finished(_) => None,
    }
}

/// Nothing when the clocks disagree.
fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(from.duration_until(to)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{attempt, burned_for, burning, entry, finished, link, now, on_hold};
    use super::*;
    use crate::ledger::Finished;
    use jiff::SignedDuration;

    fn between_phases(before: Phase, after: Phase) -> Vec<Transition> {
        transitions(Some(&entry(before)), &entry(after))
    }

    fn created(mail: Option<Mail>) -> Transition {
        Transition::Created {
            attempt: "nonce".into(),
            mail,
        }
    }

    fn over() -> Transition {
        Transition::Over {
            attempt: "nonce".into(),
        }
    }

    #[test]
    fn every_change_is_told_once() {
        let intent = || Phase::Intent(attempt());
        let shared = || Phase::Shared(link());
        let received = || {
            Phase::Finished(Finished {
                at: now() + SignedDuration::from_secs(90),
                ..finished(Ending::Received)
            })
        };
        let opened = || Transition::Received(Duration::from_secs(90));
        let mailed = || created(Some(Mail::Accepted));
        let replaced = || Phase::Finished(burned_for(BurnReason::Replaced));
        for (before, after, wanted) in [
            (Phase::Idle, intent(), vec![]),
            (intent(), Phase::Idle, vec![]),
            (intent(), Phase::Intent(on_hold()), vec![]),
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
                vec![Transition::Expired, over()],
            ),
            (
                shared(),
                Phase::Finished(finished(Ending::Burned)),
                vec![Transition::Burned(None), over()],
            ),
            (
                burning(),
                replaced(),
                vec![Transition::Burned(Some(BurnReason::Replaced)), over()],
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
        for phase in [Phase::Shared(link()), Phase::Finished(finished(Ending::Received))] {
            assert_eq!(transitions(None, &entry(phase.clone())), []);
            assert_eq!(between_phases(Phase::Idle, phase), []);
        }
        let mut other = attempt();
        other.nonce = "another".into();
        assert_eq!(between_phases(Phase::Intent(other), Phase::Shared(link())), []);
    }

    #[test]
    fn mails_are_what_the_service_says() {
        let with = |change: fn(&mut LinkFacts)| {
            let mut link = link();
            change(&mut link.facts);
            between_phases(Phase::Intent(attempt()), Phase::Shared(link))
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
}
