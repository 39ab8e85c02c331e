//! When each provider is checked: at once when something changed, else after an interval that grows while it fails. PURE:
//! time is told.

use super::settings::ProviderId;
use super::turns::{Turns, Urgency};
use crate::backoff;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
use tokio::time::Instant;

/// How many checks run at once, in all and in one namespace.
const AT_ONCE: usize = 64;
const AT_ONCE_OF_ONE: usize = 4;

/// The pause after the first check that failed. It doubles with every further one.
const UNHEALTHY_INTERVAL: Duration = Duration::from_secs(15);

/// The longest of these pauses.
const LONGEST_UNHEALTHY_INTERVAL: Duration = Duration::from_secs(300);

/// Why a provider is to be checked before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Its credentials may have changed, or the service answered a share otherwise than the last check.
    Changed(ProviderId),
    /// A share waits for its first answer.
    Awaited(ProviderId),
}

/// Which object, and which version of its spec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Edition {
    pub(super) uid: Option<String>,
    pub(super) generation: Option<i64>,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The provider can be used.
    Ready,
    /// It cannot.
    NotReady,
    /// Its status could not be written.
    Unwritten,
    /// There is no such provider.
    Gone,
}

/// The checks of all providers. One line for each provider that exists.
#[derive(Debug)]
pub(super) struct Plan {
    /// How often a healthy provider is checked.
    interval: Duration,
    turns: Turns,
    known: HashMap<ProviderId, Known>,
    due: BTreeSet<(Instant, ProviderId)>,
}

#[derive(Debug)]
struct Known {
    edition: Edition,
    /// Checks in a row that failed.
    failures: u32,
    state: State,
}

#[derive(Debug)]
enum State {
    Due(Instant),
    Waiting,
    /// `again`: something changed meanwhile.
    Running {
        again: bool,
    },
}

impl Plan {
    /// Knows of no provider yet.
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            turns: Turns::new(AT_ONCE, AT_ONCE_OF_ONE),
            known: HashMap::new(),
            due: BTreeSet::new(),
        }
    }

    /// Notes a provider as it is now. Another edition than before is checked soon.
    pub(super) fn seen(&mut self, id: ProviderId, edition: Edition) {
        match self.known.get_mut(&id) {
            Some(known) if known.edition == edition => {}
            Some(known) => {
                known.edition = edition;
                self.demand(Demand::Changed(id));
            }
            None => {
                let known = Known {
                    edition,
                    failures: 0,
                    state: State::Waiting,
                };
                self.known.insert(id.clone(), known);
                self.turns.wait(id, Urgency::Demanded);
            }
        }
    }

    /// Has a provider checked soon. One that was not seen yet will be when it is.
    pub(super) fn demand(&mut self, demand: Demand) {
        let (id, changed) = match demand {
            Demand::Changed(id) => (id, true),
            Demand::Awaited(id) => (id, false),
        };
        let Some(known) = self.known.get_mut(&id) else {
            return;
        };
        if changed {
            known.failures = 0;
        }
        match &mut known.state {
            State::Running { again } => *again |= changed,
            State::Waiting => self.turns.wait(id, Urgency::Demanded),
            State::Due(at) => {
                self.due.remove(&(*at, id.clone()));
                known.state = State::Waiting;
                self.turns.wait(id, Urgency::Demanded);
            }
        }
    }

    /// The next provider to check now, until [`Plan::ended`].
    pub(super) fn next(&mut self, now: Instant) -> Option<ProviderId> {
        while let Some((at, _)) = self.due.first()
            && *at <= now
        {
            let Some((_, id)) = self.due.pop_first() else {
                break;
            };
            if let Some(known) = self.known.get_mut(&id) {
                known.state = State::Waiting;
                self.turns.wait(id, Urgency::Routine);
            }
        }
        let id = self.turns.next()?;
        if let Some(known) = self.known.get_mut(&id) {
            known.state = State::Running { again: false };
        }
        Some(id)
    }

    /// When a provider is due next that does not wait already.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Notes how a check ended.
    pub(super) fn ended(&mut self, id: ProviderId, outcome: Outcome, now: Instant) {
        self.turns.over(&id);
        let Some(known) = self.known.get_mut(&id) else {
            return;
        };
        let again = matches!(known.state, State::Running { again: true });
        if outcome == Outcome::Gone && !again {
            self.known.remove(&id);
            return;
        }
        known.failures = match outcome {
            Outcome::Ready => 0,
            _ if again => 0,
            _ => known.failures.saturating_add(1),
        };
        if again {
            known.state = State::Waiting;
            self.turns.wait(id, Urgency::Demanded);
            return;
        }
        let at = now + pause(outcome, known.failures, self.interval, &id);
        known.state = State::Due(at);
        self.due.insert((at, id));
    }
}

/// How long after a check the next one follows by itself.
fn pause(outcome: Outcome, failures: u32, interval: Duration, id: &ProviderId) -> Duration {
    let seed = format!("{:?} {}", id.namespace, id.name);
    let nominal = match outcome {
        Outcome::Ready => interval,
        Outcome::NotReady | Outcome::Gone => UNHEALTHY_INTERVAL
            .saturating_mul(1 << failures.saturating_sub(1).min(10))
            .min(LONGEST_UNHEALTHY_INTERVAL)
            .min(interval),
        Outcome::Unwritten => return backoff::delay(failures, &seed),
    };
    backoff::spread(nominal, &seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> ProviderId {
        ProviderId {
            namespace: Some("team".into()),
            name: name.into(),
        }
    }

    fn edition(generation: i64) -> Edition {
        Edition {
            uid: Some("uid".into()),
            generation: Some(generation),
        }
    }

    struct Planned {
        plan: Plan,
        now: Instant,
    }

    impl Planned {
        fn new() -> Self {
            Self {
                plan: Plan::new(Duration::from_secs(3600)),
                now: Instant::now(),
            }
        }

        /// Checks everything that may be checked now, with this outcome.
        fn check(&mut self, outcome: Outcome) -> Vec<String> {
            let ids: Vec<_> = std::iter::from_fn(|| self.plan.next(self.now)).collect();
            for id in &ids {
                self.plan.ended(id.clone(), outcome, self.now);
            }
            ids.into_iter().map(|id| id.name).collect()
        }

        /// Goes on to when something is due, and tells how long that was.
        fn wait(&mut self) -> Duration {
            let due = self.plan.next_due().expect("something is due");
            let waited = due - self.now;
            self.now = due;
            waited
        }
    }

    #[test]
    fn a_new_one_and_an_edited_one_are_checked_at_once_and_no_other() {
        let mut planned = Planned::new();
        planned.plan.seen(id("a"), edition(1));
        planned.plan.seen(id("b"), edition(1));
        assert_eq!(planned.check(Outcome::Ready), ["a", "b"]);
        planned.plan.seen(id("a"), edition(1));
        assert!(planned.check(Outcome::Ready).is_empty(), "its status was written");
        planned.plan.seen(id("b"), edition(2));
        assert_eq!(planned.check(Outcome::Ready), ["b"]);
    }

    #[test]
    fn pauses_grow_while_it_fails_and_an_edit_starts_anew() {
        let mut planned = Planned::new();
        planned.plan.seen(id("a"), edition(1));
        let mut pauses = Vec::new();
        for _ in 0..7 {
            assert_eq!(planned.check(Outcome::NotReady), ["a"]);
            pauses.push(planned.wait());
        }
        let at_most = [15, 30, 60, 120, 240, 300, 300].map(Duration::from_secs);
        for (pause, most) in pauses.iter().zip(at_most) {
            assert!(
                *pause <= most && *pause >= most.mul_f64(0.75),
                "{pause:?} of {most:?}"
            );
        }
        planned.check(Outcome::NotReady);
        planned.plan.demand(Demand::Changed(id("a")));
        assert_eq!(planned.check(Outcome::NotReady), ["a"]);
        assert!(planned.wait() <= UNHEALTHY_INTERVAL);
        planned.check(Outcome::Ready);
        assert!(planned.wait() > LONGEST_UNHEALTHY_INTERVAL);
    }

    #[test]
    fn one_that_fails_is_not_asked_less_often_than_a_healthy_one() {
        let mut planned = Planned::new();
        planned.plan.interval = Duration::from_secs(20);
        planned.plan.seen(id("a"), edition(1));
        for _ in 0..5 {
            planned.check(Outcome::NotReady);
            assert!(planned.wait() <= Duration::from_secs(20));
        }
    }

    #[test]
    fn what_changes_during_a_check_is_checked_after_it() {
        let mut planned = Planned::new();
        planned.plan.seen(id("a"), edition(1));
        for (changed, again) in [
            (Demand::Changed(id("a")), true),
            // The check that runs is what the share waits for.
            (Demand::Awaited(id("a")), false),
        ] {
            let running = planned.plan.next(planned.now).expect("its turn");
            planned.plan.demand(changed);
            assert_eq!(planned.plan.next(planned.now), None, "one at a time");
            planned.plan.ended(running, Outcome::NotReady, planned.now);
            assert_eq!(planned.check(Outcome::Ready).len(), usize::from(again));
            planned.wait();
        }
    }

    #[test]
    fn a_share_that_waits_has_it_checked_before_its_time() {
        let mut planned = Planned::new();
        planned.plan.seen(id("a"), edition(1));
        planned.check(Outcome::NotReady);
        planned.plan.demand(Demand::Awaited(id("a")));
        assert_eq!(planned.check(Outcome::NotReady), ["a"]);
    }

    #[test]
    fn the_demanded_overtake_those_that_are_due() {
        let mut planned = Planned::new();
        for number in 0..100 {
            planned.plan.seen(id(&number.to_string()), edition(1));
        }
        while !planned.check(Outcome::NotReady).is_empty() {}
        planned.now += Duration::from_secs(60);
        let hanging: Vec<_> = std::iter::from_fn(|| planned.plan.next(planned.now)).collect();
        assert_eq!(hanging.len(), AT_ONCE_OF_ONE);
        let last = (0..100)
            .map(|number| id(&number.to_string()))
            .rfind(|id| !hanging.contains(id))
            .expect("one that waits");
        planned.plan.seen(last.clone(), edition(2));
        planned
            .plan
            .ended(hanging[0].clone(), Outcome::NotReady, planned.now);
        assert_eq!(planned.plan.next(planned.now), Some(last));
    }

    #[test]
    fn those_that_are_gone_leave_nothing() {
        let mut planned = Planned::new();
        for number in 0..1000 {
            planned.plan.seen(id(&number.to_string()), edition(1));
        }
        while !planned.check(Outcome::Ready).is_empty() {}
        while planned.plan.next_due().is_some() {
            planned.wait();
            planned.check(Outcome::Gone);
        }
        let Plan {
            turns, known, due, ..
        } = planned.plan;
        assert!(known.is_empty() && due.is_empty(), "{known:?} {due:?} {turns:?}");
    }

    #[test]
    fn a_status_that_was_not_written_is_written_soon() {
        let mut planned = Planned::new();
        planned.plan.seen(id("a"), edition(1));
        planned.check(Outcome::Unwritten);
        assert!(planned.wait() <= Duration::from_secs(5));
    }
}
