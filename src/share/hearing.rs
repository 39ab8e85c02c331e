//! What this process heard of the service about links, and when: on the boot-time clock, which nobody steps.

use crate::clock::Clock;
use crate::ledger::{Link, LinkLine};
use crate::share::decide::ends::Clocks;
use jiff::{SignedDuration, Timestamp};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long the service's clock is believed after it was told: it may be stepped, too.
const FRESH: Duration = Duration::from_secs(900);

/// A link of which something is heard.
pub trait Heard {
    /// The nonce of its attempt.
    fn attempt(&self) -> &str;
    /// The hash of its route.
    fn route(&self) -> Cow<'_, str>;
}

impl Heard for Link {
    fn attempt(&self) -> &str {
        &self.attempt
    }

    fn route(&self) -> Cow<'_, str> {
        self.route.hash().into()
    }
}

impl Heard for LinkLine {
    fn attempt(&self) -> &str {
        &self.attempt
    }

    fn route(&self) -> Cow<'_, str> {
        self.route.hash.as_str().into()
    }
}

/// For how long each link was asked for in vain, and what time it is at each service.
#[derive(Debug)]
pub struct Hearing {
    clock: Clock,
    heard: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    /// Since when nothing was learnt of the link of this attempt.
    silent: HashMap<String, Duration>,
    /// What the service of this route said its time was, and when.
    clocks: HashMap<String, (Timestamp, Duration)>,
}

impl Hearing {
    /// Has heard nothing yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            heard: Mutex::default(),
        }
    }

    /// The clock that all of it is measured with.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Notes that a link was asked for in vain.
    pub fn failed(&self, link: &impl Heard) {
        let now = self.clock.now();
        self.lock().silent.entry(link.attempt().to_owned()).or_insert(now);
    }

    /// Notes that the service said something of a link.
    pub fn answered(&self, link: &impl Heard) {
        self.lock().silent.remove(link.attempt());
    }

    /// Notes what time it is at the service of a link.
    pub fn told_time(&self, link: &impl Heard, time: Timestamp) {
        let now = self.clock.now();
        self.lock().clocks.insert(link.route().into_owned(), (time, now));
    }

    /// What time it is for a link.
    #[must_use]
    pub fn clocks(&self, link: &impl Heard) -> Clocks {
        let now = self.clock.now();
        let heard = self.lock();
        let silent_for = heard.silent.get(link.attempt());
        let service = heard.clocks.get(&*link.route());
        Clocks {
            ours: Timestamp::now(),
            service: service.and_then(|(time, at)| since(*time, now.saturating_sub(*at))),
            silent_for: silent_for.map_or(Duration::ZERO, |since| now.saturating_sub(*since)),
        }
    }

    /// Forgets everything but these links.
    pub fn keep_only<'a, L: Heard + 'a>(&self, links: impl Iterator<Item = &'a L>) {
        let mut heard = self.lock();
        let (mut attempts, mut routes) = (HashSet::new(), HashSet::new());
        for link in links {
            // There may be very many links, and those that are silent are few.
            if heard.silent.contains_key(link.attempt()) {
                attempts.insert(link.attempt());
            }
            routes.insert(link.route());
        }
        heard
            .silent
            .retain(|attempt, _| attempts.contains(attempt.as_str()));
        heard.clocks.retain(|route, _| routes.contains(route.as_str()));
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a clock shows so long after it was read. None when that is too long ago.
fn since(time: Timestamp, ago: Duration) -> Option<Timestamp> {
    let ago = SignedDuration::try_from(ago).ok().filter(|_| ago <= FRESH)?;
    time.checked_add(ago).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::fixtures::{link, now};

    #[test]
    fn silence_lasts_until_something_is_heard() {
        let clock = Clock::by_hand();
        let hearing = Hearing::new(clock.clone());
        assert_eq!(hearing.clocks(&link()).silent_for, Duration::ZERO);
        hearing.failed(&link());
        clock.advance(Duration::from_secs(5));
        hearing.failed(&link());
        assert_eq!(hearing.clocks(&link()).silent_for, Duration::from_secs(5));
        hearing.answered(&link());
        clock.advance(Duration::from_secs(5));
        assert_eq!(hearing.clocks(&link()).silent_for, Duration::ZERO);
        hearing.failed(&link());
        clock.advance(Duration::from_secs(5));
        hearing.keep_only(std::iter::once(&link()));
        assert_eq!(hearing.clocks(&link()).silent_for, Duration::from_secs(5));
        hearing.keep_only(std::iter::empty::<&Link>());
        assert_eq!(hearing.clocks(&link()).silent_for, Duration::ZERO);
    }

    #[test]
    fn the_services_clock_goes_on_and_grows_stale() {
        let clock = Clock::by_hand();
        let hearing = Hearing::new(clock.clone());
        assert_eq!(hearing.clocks(&link()).service, None);
        hearing.told_time(&link(), now());
        clock.advance(Duration::from_secs(7));
        let later = now() + SignedDuration::from_secs(7);
        assert_eq!(hearing.clocks(&link()).service, Some(later));
        let mut elsewhere = link();
        elsewhere.route.endpoint = "https://other.example.com/".into();
        assert_eq!(hearing.clocks(&elsewhere).service, None);
        clock.advance(FRESH);
        assert_eq!(hearing.clocks(&link()).service, None);
        hearing.told_time(&link(), now());
        hearing.keep_only(std::iter::empty::<&Link>());
        assert_eq!(hearing.clocks(&link()).service, None);
    }
}
