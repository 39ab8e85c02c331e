//! How many single looks a server is asked for: v0.23 counts 1,000 from one address in 20 minutes, whoever they are for.
//! PURE but for the clock.
//!
//! Those that share a server take turns, so that one namespace with very many links does not use up the looks of all.

use super::server::Server;
use crate::clock::Clock;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So many looks may follow each other at once.
const BURST: u32 = 200;

/// Another one is free after so long: with the burst, at most 800 in any 20 minutes. The rest is for the looks that burning
/// and lost answers need, and for what an operator did that was restarted.
const STEP: Duration = Duration::from_secs(2);

/// One that waits is passed over when it has not asked for so long.
const ASKS_WITHIN: Duration = Duration::from_secs(60);

/// The looks of all servers.
pub(super) struct Budget {
    clock: Clock,
    buckets: Mutex<HashMap<String, Bucket>>,
}

/// The looks of one server.
struct Bucket {
    free: u32,
    /// Up to when what became free is counted.
    counted: Duration,
    /// The namespaces that were refused, and when they last asked. None: providers of the cluster.
    waiting: VecDeque<(Option<String>, Duration)>,
}

impl Budget {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            buckets: Mutex::default(),
        }
    }

    /// Takes one look. False when none is free, or it is another namespace's turn.
    pub(super) fn take(&self, server: &Server) -> bool {
        let now = self.clock.now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(server.endpoint.clone()).or_insert(Bucket {
            free: BURST,
            counted: now,
            waiting: VecDeque::new(),
        });
        bucket.refill(now);
        bucket.take(&server.namespace, now)
    }

    /// Forgets the servers that nobody looked at for a while.
    pub(super) fn tidy(&self) {
        let now = self.clock.now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.retain(|_, bucket| {
            bucket.refill(now);
            bucket.free < BURST
        });
    }
}

impl Bucket {
    fn refill(&mut self, now: Duration) {
        let steps = now.saturating_sub(self.counted).as_secs() / STEP.as_secs();
        self.free = u32::try_from(steps).map_or(BURST, |steps| self.free.saturating_add(steps).min(BURST));
        self.counted += STEP * u32::try_from(steps).unwrap_or(u32::MAX);
        if self.free == BURST {
            self.counted = now;
        }
    }

    fn take(&mut self, namespace: &Option<String>, now: Duration) -> bool {
        self.waiting
            .retain(|(_, asked)| now.saturating_sub(*asked) < ASKS_WITHIN);
        let place = self.waiting.iter().position(|(other, _)| other == namespace);
        // As many as wait before it may each take one.
        let before = place.unwrap_or(self.waiting.len());
        if self.free as usize > before {
            if let Some(place) = place {
                self.waiting.remove(place);
            }
            self.free -= 1;
            return true;
        }
        match place {
            Some(place) => self.waiting[place].1 = now,
            None => self.waiting.push_back((namespace.clone(), now)),
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn server(namespace: &str, endpoint: &str) -> Server {
        Server {
            namespace: Some(namespace.to_owned()).filter(|name| !name.is_empty()),
            endpoint: endpoint.to_owned(),
        }
    }

    #[test]
    fn at_most_800_in_any_20_minutes() {
        let clock = Clock::by_hand();
        let budget = Budget::new(clock.clone());
        let mut taken = Vec::new();
        for second in 0..7200u64 {
            // Nothing for a while, so that a burst comes in the middle.
            if !(2400..3600).contains(&second) {
                while budget.take(&server("", "a")) {
                    taken.push(second);
                }
            }
            clock.advance(SECOND);
        }
        let most = (0..7200)
            .map(|begin| {
                taken
                    .iter()
                    .filter(|at| (begin..begin + 1200).contains(*at))
                    .count()
            })
            .max();
        assert!(most.is_some_and(|most| (700..=800).contains(&most)), "{most:?}");
        assert!(taken.len() > 3000, "as many as may be: {}", taken.len());
    }

    #[test]
    fn each_server_has_its_own() {
        let budget = Budget::new(Clock::by_hand());
        while budget.take(&server("", "a")) {}
        assert!(budget.take(&server("", "b")));
        assert!(
            !budget.take(&server("x", "a")),
            "counted for all namespaces together"
        );
    }

    #[test]
    fn namespaces_take_turns() {
        let clock = Clock::by_hand();
        let budget = Budget::new(clock.clone());
        let (greedy, modest) = (server("greedy", "a"), server("modest", "a"));
        while budget.take(&greedy) {}
        assert!(!budget.take(&modest));
        let (mut of_greedy, mut of_modest) = (0, 0);
        for _ in 0..100 {
            clock.advance(STEP);
            // Asks first, and often.
            for _ in 0..10 {
                of_greedy += u32::from(budget.take(&greedy));
            }
            of_modest += u32::from(budget.take(&modest));
        }
        assert_eq!(of_greedy + of_modest, 100, "none is left unused");
        assert!(of_modest > 30, "{of_modest} of 100");
        // One that asks no more keeps nobody waiting for long.
        let mut alone = 0;
        for _ in 0..100 {
            clock.advance(STEP);
            alone += u32::from(budget.take(&greedy));
        }
        assert!(alone > 60, "{alone}");
    }

    #[test]
    fn one_that_is_full_again_is_forgotten() {
        let clock = Clock::by_hand();
        let budget = Budget::new(clock.clone());
        assert!(budget.take(&server("", "a")));
        budget.tidy();
        assert_eq!(budget.buckets.lock().unwrap().len(), 1);
        clock.advance(STEP);
        budget.tidy();
        assert!(budget.buckets.lock().unwrap().is_empty());
    }
}
