//! What this process knows of the ledger beside the watch's cache: its own writes, until the watch has brought them
//! back, the names of all entries there ever were, and which of them may live.

use super::codec;
use super::entry::{Owner, Phase, RequestKey};
use super::lanes::Lanes;
use super::living::{Living, Place};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Without it the reconcile that a status write causes would see the entry as it was before.
#[derive(Default)]
pub(super) struct OwnWrites(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    own: HashMap<String, Secret>,
    /// By name of the entry: what it held when it was last seen, where that was an attempt without an outcome.
    known: HashMap<String, Option<Vanished>>,
    lanes: Lanes,
    living: Living,
}

/// An attempt without an outcome, whose entry is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vanished {
    /// What was asked for.
    pub request: RequestKey,
    /// The nonce of the attempt.
    pub attempt: String,
}

/// The attempt that an entry holds, if it holds one without an outcome.
fn unresolved(secret: &Secret) -> Option<Vanished> {
    if !codec::is_intent(secret) {
        return None;
    }
    let entry = codec::decode(secret).ok()?;
    match entry.phase {
        Phase::Intent(attempt) => Some(Vanished {
            request: entry.request,
            attempt: attempt.nonce,
        }),
        Phase::Idle | Phase::Shared(_) | Phase::Burning(_) | Phase::Finished(_) => None,
    }
}

impl OwnWrites {
    /// Notes what a write or a live read of this entry found.
    pub(super) fn remember(&self, name: String, found: Option<Secret>) {
        let mut kept = self.lock();
        let mut before = match found {
            Some(secret) => {
                kept.known.insert(name.clone(), unresolved(&secret));
                kept.lanes.note(&name, &secret);
                kept.living.note(&name, &secret);
                kept.own.insert(name, secret)
            }
            None => kept.own.remove(&name),
        };
        before.iter_mut().for_each(codec::wipe);
    }

    /// Notes that the watch brought this entry.
    pub(super) fn note(&self, secret: &Secret) {
        let name = secret.name_any();
        let mut kept = self.lock();
        // What was written here is newer than what the watch still brings.
        if kept.own.get(&name).is_none_or(|own| is_at_least(secret, own)) {
            kept.lanes.note(&name, secret);
            kept.living.note(&name, secret);
            kept.known.insert(name, unresolved(secret));
        }
    }

    /// Notes that nothing came of the attempt that a vanished entry held.
    pub(super) fn settled(&self, name: &str) {
        if let Some(unresolved) = self.lock().known.get_mut(name) {
            *unresolved = None;
        }
    }

    /// Forgets an entry that this process removed: nothing of it was lost.
    pub(super) fn removed(&self, name: &str) {
        let mut kept = self.lock();
        kept.own.remove(name).iter_mut().for_each(codec::wipe);
        kept.known.remove(name);
        kept.lanes.forget(name);
        kept.living.forget(name);
    }

    /// The shares that may have an attempt or a living link there.
    pub(super) fn living(&self, place: &Place) -> Vec<Owner> {
        self.lock().living.at(place)
    }

    /// Forgets that a share lives: its entry says otherwise, or is gone.
    pub(super) fn is_dead(&self, name: &str) {
        self.lock().living.forget(name);
    }

    /// Forgets an own write that somebody deleted before the watch brought it: the cache will never have it.
    pub(super) fn forget(&self, deleted: &Secret) {
        let name = deleted.name_any();
        let mut kept = self.lock();
        if kept.own.get(&name).is_none_or(|own| is_at_least(deleted, own)) {
            kept.own.remove(&name).iter_mut().for_each(codec::wipe);
            kept.lanes.forget(&name);
        }
    }

    /// Hands the own write of this entry to `read`, while it is newer than what the cache has.
    pub(super) fn newer<T>(
        &self,
        name: &str,
        cached: Option<&Secret>,
        read: impl FnOnce(&Secret) -> T,
    ) -> Option<T> {
        let mut kept = self.lock();
        let own = kept.own.get(name)?;
        if cached.is_some_and(|cached| is_at_least(cached, own)) {
            kept.own.remove(name).iter_mut().for_each(codec::wipe);
            return None;
        }
        Some(read(own))
    }

    /// Whether an attempt of another entry keeps a lane.
    pub(super) fn is_taken(&self, lane: &str, endpoint: &str, own_name: &str) -> bool {
        let now = Timestamp::now();
        self.lock().lanes.is_taken(lane, endpoint, own_name, now)
    }

    /// Whether there ever was an entry of this name.
    pub(super) fn knew(&self, name: &str) -> bool {
        self.lock().known.contains_key(name)
    }

    /// The attempt without an outcome that the entry of this name held when it was last seen.
    pub(super) fn unresolved(&self, name: &str) -> Option<Vanished> {
        self.lock().known.get(name).cloned().flatten()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether `seen` is the same object as `own` or a later one of it. Versions are decimal numbers that grow; where
/// they are not, what the watch brings is believed: the compare-and-swap protects from the rest.
fn is_at_least(seen: &Secret, own: &Secret) -> bool {
    let number = |secret: &Secret| {
        secret
            .resource_version()
            .and_then(|version| version.parse::<u64>().ok())
    };
    match (number(seen), number(own)) {
        (Some(seen), Some(own)) => seen >= own,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(version: &str) -> Secret {
        let mut secret = Secret::default();
        secret.metadata.name = Some("e".to_owned());
        secret.metadata.resource_version = Some(version.to_owned());
        secret
    }

    fn newest(own_writes: &OwnWrites, cached: Option<&Secret>) -> Option<String> {
        own_writes
            .newer("e", cached, ResourceExt::resource_version)
            .flatten()
    }

    #[test]
    fn an_own_write_counts_until_the_watch_has_brought_it() {
        let own_writes = OwnWrites::default();
        assert!(!own_writes.knew("e"));
        own_writes.remember("e".to_owned(), Some(entry("10")));
        assert!(own_writes.knew("e"));
        assert_eq!(newest(&own_writes, None).as_deref(), Some("10"));
        assert_eq!(newest(&own_writes, Some(&entry("9"))).as_deref(), Some("10"));
        assert_eq!(newest(&own_writes, Some(&entry("10"))), None);
        assert_eq!(newest(&own_writes, None), None);
    }

    #[test]
    fn an_own_write_that_was_deleted_is_forgotten_and_its_name_is_not() {
        let own_writes = OwnWrites::default();
        own_writes.remember("e".to_owned(), Some(entry("10")));
        own_writes.forget(&entry("9"));
        assert_eq!(newest(&own_writes, None).as_deref(), Some("10"));
        own_writes.forget(&entry("11"));
        assert_eq!(newest(&own_writes, None), None);
        assert!(own_writes.knew("e"));
    }

    #[test]
    fn an_attempt_without_an_outcome_is_remembered_when_its_entry_vanishes() {
        use crate::ledger::fixtures::{attempt, entry as entry_of, link};
        let own_writes = OwnWrites::default();
        let secret = |phase, version: &str| {
            let entry = entry_of(phase);
            codec::encode(&entry, "ledger", Some(version.to_owned())).expect("a secret")
        };
        let intent = secret(Phase::Intent(attempt()), "10");
        let name = intent.name_any();
        own_writes.remember(name.clone(), Some(intent.clone()));
        // A live look that finds nothing, and a late event of the watch, change nothing.
        own_writes.forget(&intent);
        own_writes.remember(name.clone(), None);
        let vanished = own_writes.unresolved(&name).expect("an attempt");
        assert_eq!(vanished.attempt, "nonce");
        own_writes.settled(&name);
        assert_eq!(own_writes.unresolved(&name), None, "nothing came of it");
        own_writes.note(&intent);
        assert!(own_writes.unresolved(&name).is_some());
        own_writes.remember(name.clone(), Some(secret(Phase::Shared(link()), "11")));
        assert_eq!(own_writes.unresolved(&name), None);
        own_writes.note(&intent);
        assert_eq!(own_writes.unresolved(&name), None, "the watch is behind");
        own_writes.removed(&name);
        assert!(!own_writes.knew(&name), "removed by us");
    }
}
