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
    /// The service limits the rate: until then.
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
pub struct Probe(bool);

impl Probe {
    /// Whether it is.
    pub(super) fn tries(self) -> bool {
        self.0
    }
}

#[derive(Default)]
struct Limit {
    until: Duration,
    /// How many followed each other, each after the pause of the last.
    count: u32,
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
            && limit.until > now
        {
            return Err(Closed::Limited(limit.until));
        }
        match self.circuits.get(&circuit_key(target, kind)) {
            Some(circuit) if circuit.until > now => Err(Closed::Failing(circuit.until)),
            Some(circuit) if circuit.opened > 0 && circuit.is_tried => Err(Closed::Tried),
            _ => Ok(()),
        }
    }

    /// A call begins, which `check` allowed.
    pub(super) fn begin(&mut self, target: &Target, kind: Kind, now: Duration) -> Probe {
        let circuit = self.circuits.get_mut(&circuit_key(target, kind));
        let Some(circuit) = circuit.filter(|circuit| circuit.opened > 0 && !circuit.is_tried) else {
            return Probe(false);
        };
        circuit.is_tried = true;
        circuit.last_used = now;
        Probe(true)
    }

    /// A call that had begun was not made after all.
    pub(super) fn give_back(&mut self, target: &Target, kind: Kind, probe: Probe) {
        if let (Probe(true), Some(circuit)) = (probe, self.circuits.get_mut(&circuit_key(target, kind))) {
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
                self.limits.remove(&limit_key(target, kind));
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

    /// Forgets what says nothing any more.
    pub(super) fn tidy(&mut self, now: Duration) {
        self.limits.retain(|_, limit| limit.until + FORGET > now);
        self.circuits
            .retain(|_, circuit| circuit.until.max(circuit.last_used) + FORGET > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn target(namespace: Option<&str>, account: Option<&str>) -> Target {
        Target {
            server: "server".into(),
            account: account.map(str::to_owned),
            namespace: namespace.map(str::to_owned),
        }
    }

    struct Called {
        pauses: Pauses,
        now: Duration,
    }

    impl Called {
        fn new() -> Self {
            Self {
                pauses: Pauses::default(),
                now: 1000 * S,
            }
        }

        fn call(&mut self, target: &Target, kind: Kind, outcome: Outcome) {
            assert_eq!(self.check(target, kind), Ok(()), "{kind:?}");
            let probe = self.pauses.begin(target, kind, self.now);
            self.pauses.learn(target, kind, probe, outcome, self.now);
        }

        fn check(&self, target: &Target, kind: Kind) -> Result<(), Closed> {
            self.pauses.check(target, kind, self.now)
        }
    }

    #[test]
    fn a_rate_limit_pauses_this_kind_of_call_of_this_account() {
        let mut called = Called::new();
        let ours = target(None, Some("ops"));
        called.call(&ours, Kind::Mail, Outcome::Limited(None));
        let until = Closed::Limited(1010 * S);
        assert_eq!(called.check(&ours, Kind::Mail), Err(until));
        assert_eq!(
            called.check(&target(Some("team"), Some("ops")), Kind::Mail),
            Err(until)
        );
        for kind in [Kind::Create, Kind::Look, Kind::Burn] {
            assert_eq!(called.check(&ours, kind), Ok(()), "{kind:?}");
        }
        assert_eq!(called.check(&target(None, Some("other")), Kind::Mail), Ok(()));
        called.now += 10 * S;
        assert_eq!(called.check(&ours, Kind::Mail), Ok(()));
    }

    /// `Retry-After: 0` was sent by a real proxy: 43 POSTs a second.
    #[test]
    fn limits_in_a_row_pause_longer_whatever_they_ask_for() {
        let mut called = Called::new();
        let ours = target(None, None);
        for (asked, seconds) in [
            (Some(0), 10),
            (Some(0), 30),
            (Some(90), 90),
            (None, 120),
            (Some(u64::MAX), 3600),
        ] {
            called.call(&ours, Kind::Create, Outcome::Limited(asked));
            // A second one that was under way counts as the same.
            let late = Outcome::Limited(asked);
            called
                .pauses
                .learn(&ours, Kind::Create, Probe(false), late, called.now);
            called.now += Duration::from_millis(seconds * 1000 - 1);
            assert!(
                called.check(&ours, Kind::Create).is_err(),
                "{seconds} s are not over"
            );
            called.now += Duration::from_millis(2);
        }
        called.call(&ours, Kind::Create, Outcome::Answered);
        called.call(&ours, Kind::Create, Outcome::Limited(Some(0)));
        called.now += 10 * S;
        assert_eq!(called.check(&ours, Kind::Create), Ok(()), "an answer begins anew");
    }

    #[test]
    fn failures_in_a_row_open_the_circuit_and_one_call_tries() {
        let mut called = Called::new();
        let ours = target(Some("team"), None);
        for _ in 1..FAILURES {
            called.call(&ours, Kind::Burn, Outcome::Failed);
        }
        called.call(&ours, Kind::Burn, Outcome::Other);
        for _ in 0..FAILURES {
            called.call(&ours, Kind::Burn, Outcome::Failed);
        }
        for seconds in [30, 60, 120, 300, 300] {
            let until = called.now + seconds * S;
            assert_eq!(called.check(&ours, Kind::Burn), Err(Closed::Failing(until)));
            assert_eq!(called.check(&ours, Kind::Create), Ok(()), "another kind");
            assert_eq!(called.check(&target(None, None), Kind::Burn), Ok(()), "others");
            called.now = until;
            let probe = called.pauses.begin(&ours, Kind::Burn, called.now);
            assert_eq!(probe, Probe(true));
            assert_eq!(called.check(&ours, Kind::Burn), Err(Closed::Tried));
            called.pauses.give_back(&ours, Kind::Burn, probe);
            called.call(&ours, Kind::Burn, Outcome::Failed);
        }
        called.now += 300 * S;
        called.call(&ours, Kind::Burn, Outcome::Answered);
        called.call(&ours, Kind::Burn, Outcome::Failed);
        assert_eq!(called.check(&ours, Kind::Burn), Ok(()), "an answer closes it");
    }

    #[test]
    fn nothing_is_kept_for_ever() {
        let mut called = Called::new();
        for number in 0..100 {
            let other = Target {
                server: number.to_string(),
                ..target(None, None)
            };
            called.call(&other, Kind::Create, Outcome::Failed);
            called.call(&other, Kind::Create, Outcome::Limited(None));
        }
        called.now += FORGET + 10 * S;
        called.pauses.tidy(called.now);
        assert!(called.pauses.limits.is_empty() && called.pauses.circuits.is_empty());
    }
}
