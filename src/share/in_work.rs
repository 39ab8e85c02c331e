//! The shares that are being worked on. A change of an entry that comes meanwhile is looked at when the work is done: most
//! are its own writes, and the watch of the ledger often brings them before that of the shares brings the status.

use crate::ledger::Owner;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The shares that are being worked on, and whether their entries changed meanwhile. There are never more than are worked on
/// at once, or wait for a service.
#[derive(Debug, Default)]
pub(super) struct InWork(Mutex<HashMap<Owner, bool>>);

impl InWork {
    /// The work on a share begins.
    pub(super) fn begins(&self, owner: &Owner) {
        self.lock().insert(owner.clone(), false);
    }

    /// Notes a change of an entry for the end of the work. False when its share is not being worked on.
    pub(super) fn notes(&self, owner: &Owner) -> bool {
        let mut shares = self.lock();
        let Some(changed) = shares.get_mut(owner) else {
            return false;
        };
        *changed = true;
        true
    }

    /// The work on a share ends. Whether its entry changed meanwhile.
    pub(super) fn ends(&self, owner: &Owner) -> bool {
        self.lock().remove(owner).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Owner, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_kept_until_the_work_ends() {
        let shares = InWork::default();
        let [alice, bob] = ["alice", "bob"].map(|name| Owner {
            namespace: "ns".into(),
            name: name.into(),
        });
        assert!(!shares.notes(&alice), "nobody works on it");
        shares.begins(&alice);
        shares.begins(&bob);
        assert!(shares.notes(&alice));
        assert!(shares.ends(&alice) && !shares.ends(&bob));
        assert!(!shares.notes(&alice) && !shares.ends(&alice));
    }
}
