//! Which server is left alone, and for which kind of call: after a rate limit, or while it fails. PURE: it is told the
//! time.
//!
//! A rate limit counts for everybody who calls with that account, as the service counts. A failure counts for the
//! providers of one namespace alone: a tenant must not be able to close a server for others.

use super::target::{Kind, Target};
use crate::api::condition::Reason;
use crate::backoff;
use crate::problem::Problem;
use std::collections::HashMap;
use std::time::Duration;

/// No pause after a rate limit is longer, whatever the service asks for.
const LONGEST_LIMIT: Duration = Duration::from_secs(3600);

/// So many failures in a row open the circuit.
const FAILURES: u32 = 5;

/// How long it stays open, the first time and at most; twice as long after each call that tried in vain.
const CIRCUIT_PAUSES: [u64; 4] = [30, 60, 120, 300];

/// What nobody asked about for so long is forgotten.
const FORGET: Duration = Duration::from_secs(2 * 3600);

/// How a call went, as far as others must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The service works.
    Answered,
    /// The service wants less, perhaps only after so many seconds.
    Limited(Option<u64>),
    /// The server was not reached, did not answer, or failed.
    Failed,
    /// It answered something that says nothing of its load.
    Other,
}

/// Why nothing may be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The service limits the rate: until then, and while one call tries whether it still does.
    Limited(Duration),
    /// The service failed several times in a row: until then, when one call tries.
    Failing(Duration),
    /// One call tries whether the service works again.
    Tried,
}

impl Closed {
    /// When it may open without anything else happening.
    pub(super) fn until(self) -> Option<Duration> {
        match self {
            Self::Limited(until) | Self::Failing(until) => Some(until),
            Self::Tried => None,
        }
    }

    /// What to tell of it: whose service it is, and what else there is to say.
    pub(super) fn problem(self, whose: &str, remark: &str) -> Problem {
        let (reason, what) = match self {
            Self::Limited(_) => (
                Reason::RateLimited,
                format!("the service limits the rate of {whose}"),
            ),
            Self::Failing(_) | Self::Tried => (
                Reason::Unavailable,
                format!("the service of {whose} failed several times in a row"),
            ),
        };
        let text = format!("{what}; the operator will retry automatically{remark}");
        Problem::passing(reason, text)
    }
}

/// Whether a call is the one that tries whether the service works again. To be given back, or learned from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Probe {
    /// It tries a server that failed.
    circuit: bool,
    /// It tries an account whose rate was limited.
    limit: bool,
}

impl Probe {
    /// Whether it tries a server that failed.
    pub(super) fn tries(self) -> bool {
        self.circuit
    }
}

#[derive(Default)]
struct Limit {
    until: Duration,
    /// How many followed each other, each after the pause of the last.
    count: u32,
    /// Whether one call tries, after the pause, whether the limit is over. All others would be refused with it.
    is_tried: bool,
}

#[derive(Default)]
struct Circuit {
    failures: u32,
    /// How often it opened in a row.
    opened: u32,
    until: Duration,
    is_tried: bool,
    last_used: Duration,
}

/// The pauses of all servers.
#[derive(Default)]
pub(super) struct Pauses {
    limits: HashMap<(String, Option<String>, Kind), Limit>,
    circuits: HashMap<(String, Option<String>, Kind), Circuit>,
}

fn limit_key(target: &Target, kind: Kind) -> (String, Option<String>, Kind) {
    (target.server.clone(), target.account.clone(), kind)
}

fn circuit_key(target: &Target, kind: Kind) -> (String, Option<String>, Kind) {
    (target.server.clone(), target.namespace.clone(), kind)
}

impl Pauses {
    /// Whether a call may begin now.
    pub(super) fn check(&self, target: &Target, kind: Kind, now: Duration) -> Result<(), Closed> {
        if let Some(limit) = self.limits.get(&limit_key(target, kind))
            && (limit.until > now || limit.is_tried)
        {
            return Err(Closed::Limited(limit.until));
        }
        match self.circuits.get(&circuit_key(target, kind)) {
            Some(circuit) if circuit.until > now => Err(Closed::Failing(circuit.until)),
            Some(circuit) if circuit.opened > 0 && circuit.is_tried => Err(Closed::Tried),
            _ => Ok(()),
        }
    }

    /// Whether a call that `check` allowed may still be made.
    pub(super) fn still_allows(&self, target: &Target, kind: Kind, probe: Probe, now: Duration) -> bool {
        match self.check(target, kind, now) {
            Ok(()) => true,
            Err(Closed::Limited(until)) => probe.limit && until <= now,
            Err(Closed::Tried) => probe.circuit,
            Err(Closed::Failing(_)) => false,
        }
    }

    /// A call begins, which `check` allowed.
    pub(super) fn begin(&mut self, target: &Target, kind: Kind, now: Duration) -> Probe {
        let limit = self.limits.get_mut(&limit_key(target, kind));
        let limit = limit.filter(|limit| !limit.is_tried);
        let circuit = self.circuits.get_mut(&circuit_key(target, kind));
        let circuit = circuit.filter(|circuit| circuit.opened > 0 && !circuit.is_tried);
        let probe = Probe {
            circuit: circuit.is_some(),
            limit: limit.is_some(),
        };
        if let Some(limit) = limit {
            limit.is_tried = true;
        }
        if let Some(circuit) = circuit {
            circuit.is_tried = true;
            circuit.last_used = now;
        }
        probe
    }

    /// A call that had begun was not made after all.
    pub(super) fn give_back(&mut self, target: &Target, kind: Kind, probe: Probe) {
        if probe.limit
            && let Some(limit) = self.limits.get_mut(&limit_key(target, kind))
        {
            limit.is_tried = false;
        }
        if probe.circuit
            && let Some(circuit) = self.circuits.get_mut(&circuit_key(target, kind))
        {
            circuit.is_tried = false;
        }
    }

    /// Learns from how a call went.
    pub(super) fn learn(
        &mut self,
        target: &Target,
        kind: Kind,
        probe: Probe,
        outcome: Outcome,
        now: Duration,
    ) {
        self.give_back(target, kind, probe);
        match outcome {
            Outcome::Answered => {
                // One that was under way when the limit was met says nothing of what came after it.
                if probe.limit {
                    self.limits.remove(&limit_key(target, kind));
                }
                self.circuits.remove(&circuit_key(target, kind));
            }
            Outcome::Other => drop(self.circuits.remove(&circuit_key(target, kind))),
            Outcome::Limited(asked) => {
                let limit = self.limits.entry(limit_key(target, kind)).or_default();
                // Those that were under way when the limit was met are one and the same.
                if limit.until <= now || limit.count == 0 {
                    limit.count = limit.count.saturating_add(1);
                }
                // A service that asks for less than it needs would be asked again and again.
                let asked = Duration::from_secs(asked.unwrap_or_default());
                let pause = backoff::provider_pause(limit.count).max(asked).min(LONGEST_LIMIT);
                limit.until = limit.until.max(now + pause);
            }
            Outcome::Failed => {
                let circuit = self.circuits.entry(circuit_key(target, kind)).or_default();
                circuit.failures = circuit.failures.saturating_add(1);
                circuit.last_used = now;
                // Those that were under way when it opened say nothing new.
                let is_open = circuit.until > now;
                if circuit.failures >= FAILURES && !is_open {
                    let nth = usize::try_from(circuit.opened).unwrap_or(usize::MAX);
                    let pause = CIRCUIT_PAUSES[nth.min(CIRCUIT_PAUSES.len() - 1)];
                    circuit.opened = circuit.opened.saturating_add(1);
                    circuit.until = now + Duration::from_secs(pause);
                }
            }
        }
    }

    /// Whether nothing is paused, or was within the time that is remembered.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.limits.is_empty() && self.circuits.is_empty()
    }

    /// Forgets what says nothing any more.
    pub(super) fn tidy(&mut self, now: Duration) {
        self.limits.retain(|_, limit| limit.until + FORGET > now);
        self.circuits
            .retain(|_, circuit| circuit.until.max(circuit.last_used) + FORGET > now);
    }
}

#[cfg(test)]
mod tests;
