//! When a server that fails is left alone, by whatever key the caller tells servers and kinds of calls apart. No client, and
//! time only from a clock that is handed in.
//!
//! After several failures in a row a key is paused, longer each time, and one call tries again when the pause is over. After a
//! rate limit it is paused as the service is after any limit.

use crate::backoff;
use crate::clock::Clock;
use crate::onetime::CallError;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// So many failures in a row begin a pause.
const FAILURES: u32 = 5;

/// The first pause. Each that follows is twice as long.
const FIRST: Duration = Duration::from_secs(30);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(300);

/// No pause after a rate limit is longer, whatever the service asks for.
const LONGEST_LIMIT: Duration = Duration::from_secs(3600);

/// How a call went, as far as its server is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The server answered, whatever it said.
    Answered,
    /// It did not, or reported a fault of its own.
    Failed,
    /// It takes no more calls for now, and asks for so many seconds, where it tells.
    Limited(Option<u64>),
}

impl Heard {
    /// How a call that may be repeated went.
    #[must_use]
    pub fn of(error: Option<&CallError>) -> Self {
        match error {
            Some(CallError::RateLimited { retry_after_seconds }) => Self::Limited(*retry_after_seconds),
            Some(CallError::Timeout | CallError::Unavailable(_)) => Self::Failed,
            Some(
                CallError::Unauthorized
                | CallError::Gone
                | CallError::WrongPassphrase
                | CallError::Refused(_)
                | CallError::Malformed(_),
            )
            | None => Self::Answered,
        }
    }
}

/// What is known of one key.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Failures since the last answer.
    failures: u32,
    /// Rate limits since the last answer, those of one pause counted once.
    limits: u32,
    /// Until when it is left alone.
    until: Option<Duration>,
    /// Whether it ever answered.
    answered: bool,
}

/// The breakers of all keys.
#[derive(Debug)]
pub struct Breakers<K> {
    clock: Clock,
    states: Mutex<HashMap<K, State>>,
}

impl<K: Eq + Hash + Clone> Breakers<K> {
    /// Nothing was heard yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            states: Mutex::default(),
        }
    }

    /// Whether a key is left alone now.
    pub fn is_open(&self, key: &K) -> bool {
        let now = self.clock.now();
        self.lock().get(key).is_some_and(|state| state.pauses(now))
    }

    /// Whether a key is left alone now because it takes no more calls.
    pub fn is_limited(&self, key: &K) -> bool {
        let now = self.clock.now();
        self.lock()
            .get(key)
            .is_some_and(|state| state.limits > 0 && state.pauses(now))
    }

    /// Whether a key answered the last time. One that did not, or was never asked, gets one call at a time.
    pub fn is_proven(&self, key: &K) -> bool {
        self.lock()
            .get(key)
            .is_some_and(|state| state.answered && state.failures == 0 && state.limits == 0)
    }

    /// Notes how a call went. Tells how long the pause is that begins with it, if one does. What comes of the calls that were
    /// under way when a pause began lengthens nothing.
    pub fn note(&self, key: &K, heard: Heard) -> Option<Duration> {
        let now = self.clock.now();
        let mut states = self.lock();
        let state = states.entry(key.clone()).or_default();
        let pause = match heard {
            Heard::Answered => {
                // Of calls that were under way together some may be limited and others not.
                if !state.pauses(now) || state.limits == 0 {
                    *state = State {
                        answered: true,
                        ..State::default()
                    };
                }
                return None;
            }
            _ if state.pauses(now) => return None,
            Heard::Failed => {
                state.failures = state.failures.saturating_add(1);
                let over = state.failures.checked_sub(FAILURES)?;
                FIRST.saturating_mul(1 << over.min(16)).min(LONGEST)
            }
            Heard::Limited(asked) => {
                state.limits = state.limits.saturating_add(1);
                let asked = Duration::from_secs(asked.unwrap_or_default());
                backoff::provider_pause(state.limits)
                    .max(asked)
                    .min(LONGEST_LIMIT)
            }
        };
        state.until = Some(now.saturating_add(pause));
        Some(pause)
    }

    /// Forgets all keys but these.
    pub fn keep_only(&self, is_needed: impl Fn(&K) -> bool) {
        self.lock().retain(|key, _| is_needed(key));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pauses(&self, now: Duration) -> bool {
        self.until.is_some_and(|until| until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    struct Fixture {
        clock: Clock,
        breakers: Breakers<&'static str>,
    }

    impl Fixture {
        fn new() -> Self {
            let clock = Clock::by_hand();
            Self {
                breakers: Breakers::new(clock.clone()),
                clock,
            }
        }

        fn hear(&self, heard: Heard) -> Option<u64> {
            self.breakers.note(&"a", heard).map(|pause| pause.as_secs())
        }

        /// How long the pause lasts that runs now, in seconds.
        fn lasts(&self) -> u64 {
            let begin = self.clock.now();
            while self.breakers.is_open(&"a") {
                self.clock.advance(SECOND);
            }
            (self.clock.now() - begin).as_secs()
        }
    }

    #[test]
    fn failures_in_a_row_begin_pauses_that_grow() {
        let fixture = Fixture::new();
        for _ in 1..FAILURES {
            assert_eq!(fixture.hear(Heard::Failed), None);
            assert!(!fixture.breakers.is_open(&"a"));
        }
        let mut pauses = Vec::new();
        for _ in 0..6 {
            // One probe for each pause.
            pauses.push(fixture.hear(Heard::Failed));
            assert!(fixture.breakers.is_open(&"a"));
            assert!(!fixture.breakers.is_open(&"b"), "another server");
            // Those that were under way when the pause began.
            assert_eq!(fixture.hear(Heard::Failed), None);
            assert_eq!(Some(fixture.lasts()), *pauses.last().expect("one"));
        }
        assert_eq!(pauses, [30, 60, 120, 240, 300, 300].map(Some));
    }

    #[test]
    fn an_answer_ends_it() {
        let fixture = Fixture::new();
        assert!(!fixture.breakers.is_proven(&"a"), "never asked");
        for _ in 0..FAILURES {
            fixture.hear(Heard::Failed);
        }
        assert!(fixture.breakers.is_open(&"a") && !fixture.breakers.is_limited(&"a"));
        fixture.hear(Heard::Answered);
        assert!(!fixture.breakers.is_open(&"a"));
        assert!(fixture.breakers.is_proven(&"a"));
        for _ in 1..FAILURES {
            assert_eq!(fixture.hear(Heard::Failed), None, "counted anew");
            assert!(!fixture.breakers.is_proven(&"a"));
        }
        assert_eq!(fixture.hear(Heard::Failed), Some(30));
    }

    #[test]
    fn limits_in_a_row_pause_longer_whatever_they_ask_for() {
        let fixture = Fixture::new();
        for (asked, seconds) in [
            (Some(0), 10),
            (None, 30),
            (Some(90), 90),
            (None, 120),
            (Some(u64::MAX), 3600),
        ] {
            assert_eq!(fixture.hear(Heard::Limited(asked)), Some(seconds));
            assert_eq!(fixture.hear(Heard::Limited(asked)), None, "the same pause");
            fixture.hear(Heard::Answered);
            assert!(fixture.breakers.is_limited(&"a"), "an answer to an earlier call");
            assert!(fixture.breakers.is_open(&"a"));
            assert_eq!(fixture.lasts(), seconds);
        }
        fixture.hear(Heard::Answered);
        assert_eq!(fixture.hear(Heard::Limited(None)), Some(10));
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let fixture = Fixture::new();
        fixture.hear(Heard::Answered);
        fixture.breakers.keep_only(|_| false);
        assert!(fixture.breakers.lock().is_empty());
    }

    #[test]
    fn any_answer_is_an_answer() {
        use crate::onetime::Flaw;
        assert_eq!(Heard::of(None), Heard::Answered);
        assert_eq!(Heard::of(Some(&CallError::Gone)), Heard::Answered);
        assert_eq!(
            Heard::of(Some(&CallError::Malformed(Flaw::Shape))),
            Heard::Answered
        );
        assert_eq!(Heard::of(Some(&CallError::Timeout)), Heard::Failed);
        let limited = CallError::RateLimited {
            retry_after_seconds: Some(7),
        };
        assert_eq!(Heard::of(Some(&limited)), Heard::Limited(Some(7)));
    }
}
