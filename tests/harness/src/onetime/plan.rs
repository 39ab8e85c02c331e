//! The plan of faults: which request is struck.
//!
//! It only chooses; what a fault does is in `serve`.

use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::fault::Fault;
use super::route::Operation;

/// Which requests a rule is for.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    operation: Option<Operation>,
    account: Option<String>,
    recipient: Option<String>,
    nth: Option<u64>,
    chance: Option<(f64, u64)>,
}

impl Matcher {
    /// Every request.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// Requests of that operation.
    #[must_use]
    pub fn operation(operation: Operation) -> Self {
        Self {
            operation: Some(operation),
            ..Self::default()
        }
    }

    /// … with credentials of that user name, right or wrong.
    #[must_use]
    pub fn account(mut self, username: &str) -> Self {
        self.account = Some(username.to_owned());
        self
    }

    /// … whose `recipient` is exactly that.
    #[must_use]
    pub fn recipient(mut self, recipient: &str) -> Self {
        self.recipient = Some(recipient.to_owned());
        self
    }

    /// … only the n-th of those that match otherwise, counted from 1 since the rule was pushed.
    #[must_use]
    pub fn nth(mut self, nth: u64) -> Self {
        self.nth = Some(nth);
        self
    }

    /// … with that probability, from that seed.
    #[must_use]
    pub fn chance(mut self, probability: f64, seed: u64) -> Self {
        self.chance = Some((probability, seed));
        self
    }
}

/// One entry of the plan.
#[derive(Clone, Debug)]
pub struct Rule {
    matcher: Matcher,
    fault: Fault,
    times: Option<u64>,
    without_mail: bool,
}

impl Rule {
    /// Strikes once.
    #[must_use]
    pub fn once(matcher: Matcher, fault: Fault) -> Self {
        Self {
            matcher,
            fault,
            times: Some(1),
            without_mail: false,
        }
    }

    /// Strikes so many times.
    #[must_use]
    pub fn times(times: u64, matcher: Matcher, fault: Fault) -> Self {
        Self {
            matcher,
            fault,
            times: Some(times),
            without_mail: false,
        }
    }

    /// Strikes until [`Plan::clear`].
    #[must_use]
    pub fn always(matcher: Matcher, fault: Fault) -> Self {
        Self {
            matcher,
            fault,
            times: None,
            without_mail: false,
        }
    }

    /// The mail is not sent, though the share is stored (`v1-redis-stopped` on v0.26: `hincrby` refused).
    #[must_use]
    pub fn without_mail(mut self) -> Self {
        self.without_mail = true;
        self
    }
}

struct Pending {
    rule: Rule,
    seen: u64,
    rng: Option<StdRng>,
}

#[derive(Default)]
struct Rules {
    pending: Vec<Pending>,
    hits: u64,
}

/// The plan: rules in order, the first that matches strikes. Cloning gives a handle to the same plan.
#[derive(Clone, Default)]
pub struct Plan(Arc<Mutex<Rules>>);

/// What the plan is asked about.
pub(super) struct Sight<'a> {
    pub(super) operation: Operation,
    pub(super) account: Option<&'a str>,
    pub(super) recipient: Option<&'a str>,
}

/// What strikes.
pub(super) struct Strike {
    pub(super) fault: Fault,
    pub(super) without_mail: bool,
}

impl Plan {
    /// Adds a rule at the end.
    pub fn push(&self, rule: Rule) {
        let rng = rule.matcher.chance.map(|(_, seed)| StdRng::seed_from_u64(seed));
        self.lock().pending.push(Pending { rule, seen: 0, rng });
    }

    /// Adds a rule that strikes once, for that operation.
    pub fn once(&self, operation: Operation, fault: Fault) {
        self.push(Rule::once(Matcher::operation(operation), fault));
    }

    /// Adds a rule that strikes until [`Plan::clear`], for that operation.
    pub fn always(&self, operation: Operation, fault: Fault) {
        self.push(Rule::always(Matcher::operation(operation), fault));
    }

    /// Forgets every rule.
    pub fn clear(&self) {
        self.lock().pending.clear();
    }

    /// How many rules have not been used up.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.lock().pending.len()
    }

    /// How often a fault struck.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.lock().hits
    }

    /// Faults before reading are chosen apart from the others: the recipient is not known yet.
    pub(super) fn choose(&self, early: bool, sight: &Sight<'_>) -> Option<Strike> {
        let mut rules = self.lock();
        let at = rules
            .pending
            .iter_mut()
            .position(|p| p.rule.fault.is_early() == early && p.matches(sight))?;
        rules.hits += 1;
        let pending = rules.pending.get_mut(at)?;
        let strike = Strike {
            fault: pending.rule.fault.clone(),
            without_mail: pending.rule.without_mail,
        };
        if let Some(times) = &mut pending.rule.times {
            *times -= 1;
            if *times == 0 {
                rules.pending.remove(at);
            }
        }
        Some(strike)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Rules> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    fn matches(&mut self, sight: &Sight<'_>) -> bool {
        let Matcher {
            operation,
            account,
            recipient,
            nth,
            chance,
        } = &self.rule.matcher;
        let fits = operation.is_none_or(|o| o == sight.operation)
            && account.as_deref().is_none_or(|a| sight.account == Some(a))
            && recipient.as_deref().is_none_or(|r| sight.recipient == Some(r));
        if !fits {
            return false;
        }
        self.seen += 1;
        let lucky = match (chance, &mut self.rng) {
            (Some((probability, _)), Some(rng)) => rng.random_bool(probability.clamp(0.0, 1.0)),
            _ => true,
        };
        nth.is_none_or(|n| n == self.seen) && lucky
    }
}
