//! What every reconcile has at hand.

use crate::clock::Clock;
use crate::kubernetes::namespaces::{Namespaces, Unlisted};
use crate::ledger::{Ledger, Owner};
use crate::provider::Providers;
use crate::share::event::Events;
use crate::share::source::Sources;
use crate::telemetry::Metrics;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;

/// The settings that a share's life depends on.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long an attempt may take from before its intent to the last byte of its answer. Whole seconds.
    pub attempt_deadline: Duration,
    /// How long any other request to the service may take.
    pub request_timeout: Duration,
    /// The namespaces that are worked on.
    pub namespaces: Namespaces,
    /// How many shares are worked on at once.
    pub concurrency: u16,
    /// Between the two looks that must both find no trace of a lost answer before anything is sent again.
    pub settling_time: Duration,
    /// Whether values may be generated, and so Secrets written.
    pub generate: bool,
    /// Whether every Secret that a share names needs the label [`crate::kubernetes::secret::SHAREABLE`].
    pub labelled_only: bool,
    /// How long the entry of a deleted share is kept after its link's end.
    pub ledger_retention: Duration,
    /// Whether shares that are missing in large numbers at the start are believed to be deleted.
    pub allow_mass_burn: bool,
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
    /// The namespaces whose shares could not be listed.
    pub unlisted: Unlisted,
    /// Queues of attempts that could be mistaken for each other.
    pub lanes: Lanes,
    /// For how long attempts have been known.
    pub attempts: AttemptClock,
    /// Events for users.
    pub events: Events,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Settings.
    pub options: Options,
}

impl Context {
    /// What a share can name.
    #[must_use]
    pub fn sources<'a>(&'a self, owner: &'a Owner) -> Sources<'a> {
        Sources {
            client: &self.kubernetes,
            namespace: &owner.namespace,
            labelled_only: self.options.labelled_only,
        }
    }
}

/// Lets attempts of one lane go one at a time within this process. Between processes the ledger does that.
#[derive(Debug, Default)]
pub struct Lanes(Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>);

impl Lanes {
    /// Waits for the turn of an attempt in this lane.
    pub async fn enter(&self, lane: &str) -> OwnedMutexGuard<()> {
        let lane = {
            let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            lanes.retain(|_, lane| lane.strong_count() > 0);
            let slot = lanes.entry(lane.to_owned()).or_default();
            slot.upgrade().unwrap_or_else(|| {
                let lane = Arc::default();
                *slot = Arc::downgrade(&lane);
                lane
            })
        };
        lane.lock_owned().await
    }
}

/// When this process first saw each unresolved attempt, on the boot-time clock: it goes on while the machine sleeps,
/// and no other process's clock is believed.
#[derive(Debug)]
pub struct AttemptClock {
    clock: Clock,
    seen: Mutex<HashMap<String, Sighting>>,
}

#[derive(Clone, Copy, Debug)]
struct Sighting {
    first: Duration,
    found_none: Option<Duration>,
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
        let sighting = seen.entry(nonce.to_owned()).or_insert(Sighting {
            first: now,
            found_none: None,
        });
        now.saturating_sub(sighting.first)
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
        let attempts = AttemptClock::new(clock.clone());
        attempts.saw("a");
        clock.advance(Duration::from_secs(3));
        assert_eq!(attempts.known_for("b"), Duration::ZERO);
        assert_eq!(attempts.known_for("a"), Duration::from_secs(3));
        attempts.forget("a");
        assert_eq!(attempts.known_for("a"), Duration::ZERO);
    }
}
