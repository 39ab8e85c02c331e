//! What every reconcile has at hand.

use crate::onetime::Clock;
use crate::provider::Providers;
use crate::share::event::Events;
use crate::share::ledger::Ledger;
use crate::telemetry::Metrics;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The settings that a share's life depends on.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long an attempt may take from before its intent to the last byte of its answer. Whole seconds.
    pub attempt_deadline: Duration,
    /// How long any other request to the service may take.
    pub request_timeout: Duration,
    /// How many shares are worked on at once.
    pub concurrency: u16,
}

/// What every reconcile has at hand.
pub struct Context {
    /// The API server.
    pub kubernetes: kube::Client,
    /// The uid of the namespace `kube-system`: names this cluster.
    pub cluster: String,
    /// The ledger.
    pub ledger: Ledger,
    /// The providers.
    pub providers: Providers,
    /// For how long attempts have been known.
    pub attempts: AttemptClock,
    /// Events for users.
    pub events: Events,
    /// Counters.
    pub metrics: Metrics,
    /// Settings.
    pub options: Options,
}

/// When this process first saw each unresolved attempt, on the boot-time clock: it goes on while the machine sleeps,
/// and no other process's clock is believed.
#[derive(Debug)]
pub struct AttemptClock {
    clock: Clock,
    seen: Mutex<HashMap<String, Duration>>,
}

impl AttemptClock {
    /// A clock that has seen nothing.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            seen: Mutex::default(),
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
        now.saturating_sub(*seen.entry(nonce.to_owned()).or_insert(now))
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
        let attempts = AttemptClock::new(clock.clone());
        attempts.saw("a");
        clock.advance(Duration::from_secs(3));
        assert_eq!(attempts.known_for("b"), Duration::ZERO);
        assert_eq!(attempts.known_for("a"), Duration::from_secs(3));
        attempts.forget("a");
        assert_eq!(attempts.known_for("a"), Duration::ZERO);
    }
}
