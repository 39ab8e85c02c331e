//! Which events were published a moment ago, so that a repetition is counted and not published again. PURE but for the
//! clock. Bounded: of very many events only the last ones are remembered.

use crate::api::condition::Reason;
use crate::clock::Clock;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// So long after it was published an event is counted when it is repeated.
const REMEMBERED: Duration = Duration::from_secs(360);

/// So many events are remembered at most.
const AT_MOST: usize = 1000;

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Subject {
    /// The uid of the object.
    pub(super) uid: String,
    pub(super) warning: bool,
    pub(super) reason: Reason,
}

struct Published {
    name: String,
    count: i32,
    at: Duration,
}

/// The events of the last minutes.
pub(super) struct Recent {
    clock: Clock,
    published: HashMap<Subject, Published>,
    /// The oldest first.
    order: VecDeque<(Duration, Subject)>,
}

impl Recent {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            published: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// The name of the event that was published about this a moment ago, and how often it has happened now.
    pub(super) fn repeated(&mut self, subject: &Subject) -> Option<(String, i32)> {
        self.tidy();
        let published = self.published.get_mut(subject)?;
        published.count = published.count.saturating_add(1);
        Some((published.name.clone(), published.count))
    }

    /// Notes that an event was published.
    pub(super) fn published(&mut self, subject: Subject, name: String) {
        let at = self.clock.now();
        self.order.push_back((at, subject.clone()));
        self.published.insert(subject, Published { name, count: 1, at });
        self.tidy();
    }

    fn tidy(&mut self) {
        let now = self.clock.now();
        while let Some((at, _)) = self.order.front()
            && (self.order.len() > AT_MOST || now.saturating_sub(*at) >= REMEMBERED)
        {
            let Some((at, subject)) = self.order.pop_front() else {
                return;
            };
            // It may have been published anew since.
            if self.published.get(&subject).is_some_and(|known| known.at == at) {
                self.published.remove(&subject);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(uid: &str) -> Subject {
        Subject {
            uid: uid.to_owned(),
            warning: false,
            reason: Reason::Shared,
        }
    }

    #[test]
    fn a_repetition_is_counted_for_a_while() {
        let clock = Clock::by_hand();
        let mut recent = Recent::new(clock.clone());
        assert_eq!(recent.repeated(&subject("a")), None);
        recent.published(subject("a"), "event".to_owned());
        assert_eq!(recent.repeated(&subject("a")), Some(("event".to_owned(), 2)));
        clock.advance(REMEMBERED - Duration::from_secs(1));
        assert_eq!(recent.repeated(&subject("a")), Some(("event".to_owned(), 3)));
        assert_eq!(recent.repeated(&subject("b")), None);
        let warning = Subject {
            warning: true,
            ..subject("a")
        };
        assert_eq!(recent.repeated(&warning), None);
        clock.advance(Duration::from_secs(1));
        assert_eq!(recent.repeated(&subject("a")), None);
        assert!(recent.published.is_empty() && recent.order.is_empty());
    }

    #[test]
    fn of_very_many_the_last_ones_are_remembered() {
        let clock = Clock::by_hand();
        let mut recent = Recent::new(clock.clone());
        for number in 0..3 * AT_MOST {
            clock.advance(Duration::from_millis(1));
            recent.published(subject(&number.to_string()), number.to_string());
            // One that goes on being published anew stays.
            recent.published(subject("a"), "a".to_owned());
        }
        assert!(recent.published.len() <= AT_MOST && recent.order.len() <= AT_MOST);
        assert_eq!(recent.repeated(&subject("0")), None);
        let last = (3 * AT_MOST - 1).to_string();
        assert!(recent.repeated(&subject(&last)).is_some() && recent.repeated(&subject("a")).is_some());
    }
}
