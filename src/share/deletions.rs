//! The shares of which a watch said that they were deleted: each was seen to go, and is not only missing from a list.

use crate::ledger::Owner;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many are remembered. One that is forgotten counts as missing from a list.
const MOST: usize = 50_000;

/// The shares that were seen to go.
#[derive(Clone, Debug, Default)]
pub struct Deletions(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    /// With the number of the round of the poll in which each was seen to go.
    seen: HashMap<Owner, u64>,
    round: u64,
}

impl Deletions {
    /// The watch said that a share was deleted.
    pub fn deleted(&self, owner: Owner) {
        let mut kept = self.lock();
        if kept.seen.len() < MOST {
            let round = kept.round;
            kept.seen.insert(owner, round);
        }
    }

    /// The watch showed a share.
    pub fn appeared(&self, owner: &Owner) {
        self.lock().seen.remove(owner);
    }

    /// Whether a share was seen to go.
    #[must_use]
    pub fn contains(&self, owner: &Owner) -> bool {
        self.lock().seen.contains_key(owner)
    }

    /// Begins a round. Forgets those that nothing is left to do for: without a link to burn, for some rounds, because
    /// the cache of the ledger may be behind.
    pub fn next_round(&self, is_needed: impl Fn(&Owner) -> bool) {
        const ROUNDS: u64 = 60;
        let mut kept = self.lock();
        kept.round += 1;
        let round = kept.round;
        kept.seen.retain(|owner, since| {
            if is_needed(owner) {
                *since = round;
            }
            *since + ROUNDS > round
        });
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(name: &str) -> Owner {
        Owner {
            namespace: "ns".into(),
            name: name.into(),
        }
    }

    #[test]
    fn a_deletion_is_remembered_while_it_is_needed() {
        let deletions = Deletions::default();
        for name in ["burned", "waits", "back"] {
            deletions.deleted(owner(name));
        }
        deletions.appeared(&owner("back"));
        assert!(!deletions.contains(&owner("back")), "it was created again");
        for _ in 0..59 {
            deletions.next_round(|owner| owner.name == "waits");
        }
        assert!(
            deletions.contains(&owner("burned")),
            "the ledger's cache may be behind"
        );
        for _ in 0..2 {
            deletions.next_round(|owner| owner.name == "waits");
        }
        assert!(!deletions.contains(&owner("burned")));
        assert!(deletions.contains(&owner("waits")));
    }

    #[test]
    fn there_is_a_bound() {
        let deletions = Deletions::default();
        for number in 0..MOST + 10 {
            deletions.deleted(owner(&number.to_string()));
        }
        assert!(!deletions.contains(&owner(&MOST.to_string())));
    }
}
