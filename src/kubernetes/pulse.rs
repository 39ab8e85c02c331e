//! Whether the standing watches still bring anything while the API server answers other calls.
//!
//! Owns: when each watch last showed a sign of life, and since when the API server answers. Must not: know HTTP; see
//! `observed` for what tells this. Says nothing of the objects.

use crate::clock::Clock;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A watch without a sign of life for longer is stale.
const STALE: Duration = Duration::from_secs(300);

/// An API server that gave no answer for longer does not answer. Each watch begins again more often than that.
const SILENT: Duration = Duration::from_secs(120);

/// A watch that stood for so long has shown that it works, however it ended: proxies cut quiet connections.
const STOOD: Duration = Duration::from_secs(10);

/// Which watch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watch {
    /// The plural of the kind, or `ledger`.
    pub kind: String,
    /// None for all namespaces, and for a kind that is in none.
    pub namespace: Option<String>,
}

/// As a person reads it.
impl fmt::Display for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind.as_str() {
            "ledger" => "the ledger",
            "onetimeshares" => "OneTimeShares",
            "shareproviders" => "ShareProviders",
            "clustershareproviders" => "ClusterShareProviders",
            "secrets" => "the metadata of Secrets",
            other => other,
        };
        write!(f, "the watch of {kind}")?;
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None => Ok(()),
        }
    }
}

/// What is known of one watch.
#[derive(Clone, Copy, Debug)]
struct Life {
    /// The last sign of life, or when it was first asked for.
    last: Duration,
    /// Whether the API server refused it.
    refused: bool,
}

/// What is known of the API server.
#[derive(Clone, Copy, Debug)]
struct Answers {
    since: Duration,
    last: Duration,
}

#[derive(Debug, Default)]
struct Known {
    watches: BTreeMap<Watch, Life>,
    answers: Option<Answers>,
}

/// The signs of life of all watches. Shared by its clones.
#[derive(Clone, Debug)]
pub struct Pulse {
    clock: Clock,
    known: Arc<Mutex<Known>>,
}

impl Pulse {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            known: Arc::default(),
        }
    }

    /// The API server answered something.
    pub(crate) fn answered(&self) {
        let now = self.clock.now();
        let mut known = self.lock();
        let since = known
            .answers
            .filter(|answers| now.saturating_sub(answers.last) <= SILENT)
            .map_or(now, |answers| answers.since);
        known.answers = Some(Answers { since, last: now });
    }

    /// A watch is asked for. Returns when.
    pub(crate) fn asked(&self, watch: &Watch) -> Duration {
        let now = self.clock.now();
        let life = Life {
            last: now,
            refused: false,
        };
        self.lock().watches.entry(watch.clone()).or_insert(life);
        now
    }

    /// The API server refused a watch.
    pub(super) fn refused(&self, watch: &Watch) {
        if let Some(life) = self.lock().watches.get_mut(watch) {
            life.refused = true;
        }
    }

    /// Something came.
    pub(super) fn lives(&self, watch: &Watch) {
        let now = self.clock.now();
        if let Some(life) = self.lock().watches.get_mut(watch) {
            *life = Life {
                last: now,
                refused: false,
            };
        }
    }

    /// The other side ended a watch that began then.
    pub(super) fn ended(&self, watch: &Watch, began: Duration) {
        if self.clock.now().saturating_sub(began) >= STOOD {
            self.lives(watch);
        }
    }

    /// No watch stands any more.
    pub fn forget_all(&self) {
        self.lock().watches.clear();
    }

    /// A watch that brings nothing although the API server answers, and for how long. A watch that is refused in one
    /// namespace does not count while another one of its kind works: the log names it, and the others go on.
    #[must_use]
    pub fn stale(&self) -> Option<(Watch, Duration)> {
        let now = self.clock.now();
        let known = self.lock();
        let answers = known
            .answers
            .filter(|answers| now.saturating_sub(answers.last) <= SILENT)?;
        let silent_for = |life: &Life| now.saturating_sub(life.last.max(answers.since));
        let is_stale = |life: &Life| silent_for(life) > STALE;
        let works = |kind: &str| {
            let of_kind = known.watches.iter().filter(|(watch, _)| watch.kind == kind);
            of_kind.map(|(_, life)| life).any(|life| !is_stale(life))
        };
        let stale = known.watches.iter().find(|(watch, life)| {
            is_stale(life) && !(life.refused && watch.namespace.is_some() && works(&watch.kind))
        });
        stale.map(|(watch, life)| (watch.clone(), silent_for(life)))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    struct Fixture {
        clock: Clock,
        pulse: Pulse,
    }

    impl Fixture {
        fn new() -> Self {
            let clock = Clock::by_hand();
            clock.advance(Duration::from_secs(1000));
            let pulse = Pulse::new(clock.clone());
            Self { clock, pulse }
        }

        /// Minute by minute, with what happens in each.
        fn minutes(&self, count: u32, each: impl Fn(&Pulse)) {
            for _ in 0..count {
                self.clock.advance(MINUTE);
                each(&self.pulse);
            }
        }

        fn stale(&self) -> Option<String> {
            self.pulse.stale().map(|(watch, _)| watch.to_string())
        }
    }

    fn watch(kind: &str, namespace: Option<&str>) -> Watch {
        Watch {
            kind: kind.into(),
            namespace: namespace.map(str::to_owned),
        }
    }

    #[test]
    fn a_silent_watch_is_stale_after_five_minutes_of_other_answers() {
        let fixture = Fixture::new();
        let (silent, lively) = (watch("onetimeshares", None), watch("ledger", Some("the-ledger")));
        fixture.pulse.asked(&silent);
        fixture.pulse.asked(&lively);
        fixture.pulse.answered();
        let minute = |pulse: &Pulse| {
            pulse.answered();
            pulse.lives(&lively);
        };
        fixture.minutes(5, minute);
        assert_eq!(fixture.stale(), None);
        fixture.minutes(1, minute);
        assert_eq!(fixture.stale().as_deref(), Some("the watch of OneTimeShares"));
        fixture.pulse.lives(&silent);
        assert_eq!(fixture.stale(), None);
    }

    #[test]
    fn nothing_is_stale_while_the_api_server_does_not_answer() {
        let fixture = Fixture::new();
        fixture.pulse.asked(&watch("onetimeshares", None));
        fixture.pulse.answered();
        fixture.minutes(30, |_| {});
        assert_eq!(fixture.stale(), None, "it was away all the time");
        fixture.pulse.answered();
        assert_eq!(fixture.stale(), None, "it is back only now");
        fixture.minutes(5, Pulse::answered);
        assert_eq!(fixture.stale(), None);
        fixture.minutes(1, Pulse::answered);
        assert!(fixture.stale().is_some(), "it is back for long");
    }

    #[test]
    fn a_watch_that_stood_and_ended_lives_and_one_that_ends_at_once_does_not() {
        for (stood, stale) in [(STOOD, false), (Duration::from_secs(1), true)] {
            let fixture = Fixture::new();
            let quiet = watch("shareproviders", None);
            fixture.pulse.answered();
            fixture.pulse.asked(&quiet);
            fixture.minutes(10, |pulse| {
                pulse.answered();
                let began = pulse.asked(&quiet);
                fixture.clock.advance(stood);
                pulse.ended(&quiet, began);
            });
            assert_eq!(fixture.stale().is_some(), stale, "{stood:?}");
        }
    }

    #[test]
    fn a_namespace_that_refuses_its_watch_does_not_count_while_another_one_works() {
        let fixture = Fixture::new();
        let (refused, works) = (
            watch("onetimeshares", Some("closed")),
            watch("onetimeshares", Some("open")),
        );
        fixture.pulse.asked(&refused);
        fixture.pulse.asked(&works);
        let refuse = |pulse: &Pulse| {
            pulse.answered();
            pulse.refused(&refused);
        };
        fixture.minutes(10, |pulse| {
            refuse(pulse);
            pulse.lives(&works);
        });
        assert_eq!(fixture.stale(), None);
        fixture.minutes(10, refuse);
        assert_eq!(
            fixture.stale().as_deref(),
            Some("the watch of OneTimeShares in namespace closed"),
            "none works any more"
        );
        fixture.pulse.forget_all();
        assert_eq!(fixture.stale(), None);
    }
}
