//! What this process knows of the ledger beside the watch's cache: its own writes, until the watch has brought them
//! back, and the names of all entries there ever were.

use super::codec;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Without it the reconcile that a status write causes would see the entry as it was before.
#[derive(Default)]
pub(super) struct OwnWrites(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    own: HashMap<String, Secret>,
    known: HashSet<String>,
}

impl OwnWrites {
    /// Notes what a write or a live read of this entry found.
    pub(super) fn remember(&self, name: String, found: Option<Secret>) {
        let mut kept = self.lock();
        let mut before = match found {
            Some(secret) => {
                kept.known.insert(name.clone());
                kept.own.insert(name, secret)
            }
            None => kept.own.remove(&name),
        };
        before.iter_mut().for_each(codec::wipe);
    }

    /// Notes that the watch brought this entry.
    pub(super) fn note(&self, name: String) {
        self.lock().known.insert(name);
    }

    /// Forgets an own write that somebody deleted before the watch brought it: the cache will never have it.
    pub(super) fn forget(&self, deleted: &Secret) {
        let name = deleted.name_any();
        let mut kept = self.lock();
        if kept.own.get(&name).is_some_and(|own| is_at_least(deleted, own)) {
            kept.own.remove(&name).iter_mut().for_each(codec::wipe);
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

    /// Whether there ever was an entry of this name.
    pub(super) fn knew(&self, name: &str) -> bool {
        self.lock().known.contains(name)
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
}
