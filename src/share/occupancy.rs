//! What this process knows of whose the namespaces are. Asks nobody: `effects::occupy` does.

use crate::backoff;
use crate::clock::Clock;
use crate::problem::Problem;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A share that nobody tells of is remembered this long.
const FORGET: Duration = Duration::from_secs(900);

/// Whose the namespaces are, as far as it was asked.
pub struct Occupancy {
    /// The uid of the namespace of this operator's ledger.
    ledger_uid: String,
    clock: Clock,
    /// One for each namespace with a share that needed it.
    places: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Place>>>>,
}

/// What is known of one namespace.
#[derive(Debug, Default)]
struct Place {
    verdict: Option<Verdict>,
    /// How often it was found not to be ours.
    refusals: u32,
    /// Shares that no status tells of yet: their generation, and since when.
    untold: HashMap<String, (i64, Duration)>,
}

#[derive(Debug)]
enum Verdict {
    Ours,
    Refused { problem: Problem, until: Duration },
}

/// Nothing may begin in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub problem: Problem,
    /// When it is asked about again.
    pub again: Duration,
}

impl Occupancy {
    /// Knows of no namespace yet.
    #[must_use]
    pub fn new(ledger_uid: String, clock: Clock) -> Self {
        Self {
            ledger_uid,
            clock,
            places: Mutex::default(),
        }
    }

    /// The uid of the namespace of this operator's ledger.
    #[must_use]
    pub fn ledger_uid(&self) -> &str {
        &self.ledger_uid
    }

    /// Whether a namespace is ours. Asks when that is not known: one question at a time for a namespace, none again once
    /// it is ours, and else after a pause that grows.
    ///
    /// # Errors
    /// [`Refused`] with what `ask` said last.
    pub async fn enter(
        &self,
        namespace: &str,
        ask: impl Future<Output = Result<(), Problem>>,
    ) -> Result<(), Refused> {
        let place = self.place(namespace);
        let mut place = place.lock().await;
        let now = self.clock.now();
        match &place.verdict {
            Some(Verdict::Ours) => return Ok(()),
            Some(Verdict::Refused { problem, until }) if *until > now => {
                return Err(Refused {
                    problem: problem.clone(),
                    again: until.saturating_sub(now),
                });
            }
            Some(Verdict::Refused { .. }) | None => {}
        }
        match ask.await {
            Ok(()) => {
                *place = Place {
                    verdict: Some(Verdict::Ours),
                    ..Place::default()
                };
                Ok(())
            }
            Err(problem) => {
                place.refusals = place.refusals.saturating_add(1);
                let again = backoff::delay(place.refusals, namespace);
                place.verdict = Some(Verdict::Refused {
                    problem: problem.clone(),
                    until: self.clock.now() + again,
                });
                Err(Refused { problem, again })
            }
        }
    }

    /// For how long this process has known that a generation of a share is told of by nobody; zero the first time.
    pub async fn untold_for(&self, namespace: &str, uid: &str, generation: i64) -> Duration {
        let now = self.clock.now();
        let place = self.place(namespace);
        let untold = &mut place.lock().await.untold;
        untold.retain(|_, (_, since)| now.saturating_sub(*since) < FORGET);
        let (known, since) = untold.entry(uid.to_owned()).or_insert((generation, now));
        if *known != generation {
            (*known, *since) = (generation, now);
        }
        now.saturating_sub(*since)
    }

    /// Forgets the namespaces without shares.
    pub fn keep_only(&self, namespaces: &HashSet<&str>) {
        self.places
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|namespace, _| namespaces.contains(namespace.as_str()));
    }

    fn place(&self, namespace: &str) -> Arc<tokio::sync::Mutex<Place>> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        match places.get(namespace) {
            Some(place) => Arc::clone(place),
            None => Arc::clone(places.entry(namespace.to_owned()).or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::condition::Reason;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Asked {
        occupancy: Occupancy,
        clock: Clock,
        times: AtomicU32,
    }

    impl Asked {
        fn new() -> Self {
            let clock = Clock::by_hand();
            Self {
                occupancy: Occupancy::new("ours".into(), clock.clone()),
                clock,
                times: AtomicU32::new(0),
            }
        }

        async fn enter(&self, answer: Result<(), Problem>) -> Result<(), Refused> {
            let ask = async {
                self.times.fetch_add(1, Ordering::Relaxed);
                answer
            };
            self.occupancy.enter("team", ask).await
        }

        fn times(&self) -> u32 {
            self.times.load(Ordering::Relaxed)
        }
    }

    fn other() -> Result<(), Problem> {
        Err(Problem::administrator(Reason::OtherOperator, "another"))
    }

    #[tokio::test]
    async fn what_is_ours_is_asked_about_once() {
        let asked = Asked::new();
        for _ in 0..3 {
            assert_eq!(asked.enter(Ok(())).await, Ok(()));
            asked.clock.advance(Duration::from_secs(100_000));
        }
        assert_eq!(asked.times(), 1);
    }

    #[tokio::test]
    async fn what_is_not_is_asked_about_after_a_pause_that_grows() {
        let asked = Asked::new();
        let mut pauses = Vec::new();
        for times in 1..=8 {
            let refused = asked.enter(other()).await.expect_err("another's");
            assert_eq!(asked.enter(Ok(())).await, Err(refused.clone()), "the last answer");
            assert_eq!(asked.times(), times);
            asked.clock.advance(refused.again);
            pauses.push(refused.again);
        }
        assert!(pauses[0] < pauses[3] && pauses[3] < pauses[7], "{pauses:?}");
        assert_eq!(asked.enter(Ok(())).await, Ok(()), "it was released");
    }

    #[tokio::test]
    async fn a_namespace_without_shares_is_forgotten() {
        let asked = Asked::new();
        assert_eq!(asked.enter(Ok(())).await, Ok(()));
        asked.occupancy.keep_only(&HashSet::from(["team"]));
        assert_eq!(asked.enter(other()).await, Ok(()));
        asked.occupancy.keep_only(&HashSet::from(["another"]));
        assert!(asked.enter(other()).await.is_err());
        assert_eq!(asked.times(), 2);
    }

    #[tokio::test]
    async fn a_share_is_untold_since_its_generation_was_first_seen() {
        let Asked { occupancy, clock, .. } = Asked::new();
        let untold = async |generation| occupancy.untold_for("team", "uid", generation).await;
        assert_eq!(untold(1).await, Duration::ZERO);
        clock.advance(Duration::from_secs(3));
        assert_eq!(untold(1).await, Duration::from_secs(3));
        assert_eq!(untold(2).await, Duration::ZERO);
        clock.advance(FORGET);
        assert_eq!(untold(2).await, Duration::ZERO, "nothing is kept for ever");
    }
}
