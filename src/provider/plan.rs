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
mod tests;
