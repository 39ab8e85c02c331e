//! Shares that are missing in large numbers: a restore that went wrong looks like that, and nobody deleted one of them.
//! PURE but for the clock.
//!
//! Only of shares that a list does not show: one that a watch saw going, and one whose namespace goes, is believed.

use crate::clock::Clock;
use crate::ledger::Owner;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

/// So many links of missing shares, and more than half of those of their namespaces, are very many.
pub(super) const MASS: usize = 10;

/// How long very many that go missing while the operator runs are waited for.
const WAIT: Duration = Duration::from_secs(600);

/// Whatever a list does not show must be missing for so long: a cache learns of a new list one by one.
const SETTLED: Duration = Duration::from_secs(3);

/// What is remembered of missing shares from round to round.
pub(super) struct Mass {
    clock: Clock,
    /// Since when each is missing.
    since: HashMap<Owner, Duration>,
    held: HashMap<Owner, Held>,
    /// Those that were waited for long enough, or that the administrator let go.
    released: HashSet<Owner>,
    /// The namespaces of which a list was compared with the ledger before.
    compared: HashSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    /// Missing at the start: until the administrator says so.
    FromTheStart,
    /// Missing from a later list, and waited for since then.
    Since(Duration),
}

/// What a round found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// How many are held from now on.
    pub(super) new: usize,
    /// How many are held.
    pub(super) held: usize,
    /// Whether any of them waits for the administrator.
    pub(super) from_the_start: bool,
}

impl Mass {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            since: HashMap::new(),
            held: HashMap::new(),
            released: HashSet::new(),
            compared: HashSet::new(),
        }
    }

    /// The namespaces in which very many of these are missing, of so many links in each namespace.
    pub(super) fn namespaces(&self, missing: &[&Owner], links: &BTreeMap<&str, usize>) -> BTreeSet<String> {
        let mut counts = BTreeMap::<&str, usize>::new();
        for owner in missing.iter().filter(|owner| !self.released.contains(owner)) {
            *counts.entry(&owner.namespace).or_default() += 1;
        }
        very_many(&counts, links)
    }

    /// Notes which shares are missing, after those of namespaces that go were left out. `released`: the administrator lets
    /// all of them go.
    pub(super) fn note(
        &mut self,
        missing: &[&Owner],
        links: &BTreeMap<&str, usize>,
        released: bool,
    ) -> Count {
        let now = self.clock.now();
        let there: HashSet<&Owner> = missing.iter().copied().collect();
        self.since.retain(|owner, _| there.contains(owner));
        self.held.retain(|owner, _| there.contains(owner));
        self.released.retain(|owner| there.contains(owner));
        for owner in missing {
            self.since.entry((*owner).clone()).or_insert(now);
        }
        let very_many = self.namespaces(missing, links);
        let mut new = 0;
        for owner in missing
            .iter()
            .filter(|owner| very_many.contains(&owner.namespace))
        {
            if !self.held.contains_key(*owner) && !self.released.contains(*owner) {
                let held = match self.compared.contains(&owner.namespace) {
                    true => Held::Since(now),
                    false => Held::FromTheStart,
                };
                self.held.insert((*owner).clone(), held);
                new += 1;
            }
        }
        self.compared.extend(links.keys().map(|name| (*name).to_owned()));
        let over = |held: &Held| match held {
            Held::FromTheStart => false,
            Held::Since(since) => now.saturating_sub(*since) >= WAIT,
        };
        let freed: Vec<Owner> = self
            .held
            .iter()
            .filter(|(_, held)| released || mutant!("burn-mass") || over(held))
            .map(|(owner, _)| owner.clone())
            .collect();
        for owner in freed {
            self.held.remove(&owner);
            self.released.insert(owner);
        }
        Count {
            new,
            held: self.held.len(),
            from_the_start: self.held.values().any(|held| *held == Held::FromTheStart),
        }
    }

    /// Whether a missing share may be believed to be deleted.
    pub(super) fn lets_go(&self, owner: &Owner) -> bool {
        let settled = |since: &Duration| self.clock.now().saturating_sub(*since) >= SETTLED;
        !self.held.contains_key(owner) && self.since.get(owner).is_none_or(settled)
    }
}

/// Very many of all, or of one namespace, whatever is missing elsewhere.
fn very_many(missing: &BTreeMap<&str, usize>, links: &BTreeMap<&str, usize>) -> BTreeSet<String> {
    let of = |namespace: &str| links.get(namespace).copied().unwrap_or_default();
    let is_mass = |missing: usize, all: usize| missing >= MASS && missing * 2 > all;
    let together = is_mass(missing.values().sum(), missing.keys().map(|name| of(name)).sum());
    missing
        .iter()
        .filter(|(name, count)| together || is_mass(**count, of(name)))
        .map(|(name, _)| (*name).to_owned())
        .collect()
}

#[cfg(test)]
mod tests;
