//! When this process first saw an attempt, when a look first found no trace of it, and when a share was last sent.

use crate::clock::{Clock, boot_id};
use crate::ledger::{Attempt, BootTime, Owner};
use crate::share::decide::MOMENT;
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// When this process first saw each unresolved attempt, on the boot-time clock: it goes on while the machine sleeps,
/// and no other process's clock is believed.
#[derive(Debug)]
pub struct Sightings {
    clock: Clock,
    seen: Mutex<HashMap<String, Sighting>>,
    /// Shares that were sent less than a moment ago and got no link.
    sent: Mutex<HashMap<Owner, Duration>>,
}

#[derive(Clone, Copy, Debug)]
struct Sighting {
    first: Duration,
    found_none: Option<Duration>,
}

impl Sightings {
    /// A clock that has seen nothing.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            seen: Mutex::default(),
            sent: Mutex::default(),
        }
    }

    /// Notes that an attempt exists. Only the first time counts.
    pub fn saw(&self, nonce: &str) {
        self.known_for(nonce);
    }

    /// How long this process has known an attempt; zero the first time.
    pub fn known_for(&self, nonce: &str) -> Duration {
        let now = self.clock.now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let sighting = seen.entry(nonce.to_owned()).or_insert(Sighting {
            first: now,
            found_none: None,
        });
        now.saturating_sub(sighting.first)
    }

    /// The present moment, for an attempt that begins.
    #[must_use]
    pub fn boot_time(&self) -> Option<BootTime> {
        Some(BootTime {
            id: boot_id()?.to_owned(),
            seconds: self.clock.now().as_secs(),
        })
    }

    /// How long ago an attempt began: by the boot-time clock where it was the same one, whatever became of the wall
    /// clock. Else by the wall clock, and at least as long as this process has known it.
    #[must_use]
    pub fn age(&self, attempt: &Attempt, now: Timestamp) -> Duration {
        let boot = attempt
            .boot
            .as_ref()
            .filter(|boot| boot_id() == Some(boot.id.as_str()));
        match boot {
            Some(boot) => self.clock.now().saturating_sub(Duration::from_secs(boot.seconds)),
            None => Duration::try_from(attempt.started_at.duration_until(now))
                .unwrap_or_default()
                .max(self.known_for(&attempt.nonce)),
        }
    }

    /// Notes that a look found no trace of an attempt. Only the first time counts.
    pub fn found_none(&self, nonce: &str) {
        let now = self.clock.now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sighting) = seen.get_mut(nonce) {
            sighting.found_none.get_or_insert(now);
        }
    }

    /// How long ago a look first found no trace of an attempt.
    pub fn found_none_for(&self, nonce: &str) -> Option<Duration> {
        let now = self.clock.now();
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(nonce)
            .and_then(|sighting| sighting.found_none)
            .map(|at| now.saturating_sub(at))
    }

    /// Notes that a share is sent now.
    pub fn sent(&self, owner: &Owner) {
        let now = self.clock.now();
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.retain(|_, at| now.saturating_sub(*at) < MOMENT);
        sent.insert(owner.clone(), now);
    }

    /// Notes that what was sent has its link: another request may follow at once.
    pub fn made(&self, owner: &Owner) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.remove(owner);
    }

    /// How long ago a share was last sent without a link, when that is less than a moment.
    pub fn sent_ago(&self, owner: &Owner) -> Option<Duration> {
        let now = self.clock.now();
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.get(owner)
            .map(|at| now.saturating_sub(*at))
            .filter(|ago| *ago < MOMENT)
    }

    /// Forgets all attempts but these.
    pub fn keep_only(&self, nonces: &HashSet<&str>) {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|nonce, _| nonces.contains(nonce.as_str()));
    }

    /// Forgets an attempt that is resolved.
    pub fn forget(&self, nonce: &str) {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(nonce);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_known_since_it_was_first_seen() {
        let clock = Clock::by_hand();
        let sightings = Sightings::new(clock.clone());
        sightings.saw("a");
        clock.advance(Duration::from_secs(3));
        assert_eq!(sightings.known_for("b"), Duration::ZERO);
        assert_eq!(sightings.known_for("a"), Duration::from_secs(3));
        sightings.forget("a");
        assert_eq!(sightings.known_for("a"), Duration::ZERO);
    }

    #[test]
    fn a_share_was_sent_for_a_moment() {
        let clock = Clock::by_hand();
        let sightings = Sightings::new(clock.clone());
        let owner = |name: &str| Owner {
            namespace: "ns".into(),
            name: name.into(),
        };
        sightings.sent(&owner("a"));
        sightings.sent(&owner("b"));
        sightings.made(&owner("b"));
        clock.advance(MOMENT - Duration::from_millis(1));
        assert_eq!(sightings.sent_ago(&owner("b")), None);
        assert!(sightings.sent_ago(&owner("a")).is_some());
        clock.advance(Duration::from_millis(1));
        assert_eq!(sightings.sent_ago(&owner("a")), None);
        sightings.sent(&owner("c"));
        assert_eq!(
            sightings.sent.lock().unwrap().len(),
            1,
            "the others are forgotten"
        );
    }
}
