//! Up to when the cache of shares is known to be complete, learnt from own writes without another request.
//!
//! The API server orders all writes, and a watch brings them in that order. Once the watch has brought an own write, it has
//! brought every write that was made before that one was sent. An operator that has much to do writes often, so it knows
//! of every share what the API server had a moment ago.

use crate::share::read_at::ReadAt;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Writes that the watch has not brought yet are remembered up to this number.
const MOST: usize = 1000;

/// How fresh the cache of shares is. It never knows where several watches fill the cache: a list of one of them is told as
/// changes, in no order.
#[derive(Debug, Default)]
pub struct Freshness(Mutex<Watched>);

#[derive(Debug, Default)]
struct Watched {
    /// When each own write was sent, by the version that it made.
    written: BTreeMap<u64, ReadAt>,
    /// The newest version that the watch has brought.
    passed: u64,
    complete_at: Option<ReadAt>,
}

impl Watched {
    fn settle(&mut self) {
        let later = self.written.split_off(&self.passed.saturating_add(1));
        let brought = std::mem::replace(&mut self.written, later);
        self.complete_at = brought.into_values().chain(self.complete_at).max();
    }
}

impl Freshness {
    /// Notes an own write of a share: when it was sent, and the versions before and after it. One that changed nothing
    /// made no version, and says nothing.
    pub fn wrote(&self, sent: ReadAt, before: Option<&str>, after: Option<&str>) {
        let after = after.filter(|after| before.is_some_and(|before| before != *after));
        let Some(version) = after.and_then(number) else {
            return;
        };
        let mut watched = self.lock();
        watched.written.insert(version, sent);
        if watched.written.len() > MOST {
            watched.written.pop_last();
        }
        watched.settle();
    }

    /// Notes that the cache holds a version that the watch brought.
    pub fn brought(&self, version: Option<&str>) {
        let Some(version) = version.and_then(number) else {
            return;
        };
        let mut watched = self.lock();
        watched.passed = version.max(watched.passed);
        watched.settle();
    }

    /// Notes that the watch broke off: what it brings next may be older.
    pub fn broke_off(&self) {
        *self.lock() = Watched::default();
    }

    /// When the cache was complete. None where nothing tells.
    pub fn complete_at(&self) -> Option<ReadAt> {
        if mutant!("believe-cache") {
            return Some(ReadAt::now());
        }
        self.lock().complete_at
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Versions are decimal numbers that grow. Where they are not, nothing is known.
fn number(version: &str) -> Option<u64> {
    version.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_as_fresh_as_the_last_own_write_that_came_back() {
        let freshness = Freshness::default();
        let [first, second] = [10, 20].map(ReadAt::at_second);
        freshness.wrote(first, Some("1"), Some("7"));
        assert_eq!(freshness.complete_at(), None, "the watch is behind");
        freshness.brought(Some("6"));
        assert_eq!(freshness.complete_at(), None, "still behind");
        freshness.brought(Some("8"));
        assert_eq!(freshness.complete_at(), Some(first), "it came to the write");
        // Its answer comes after the watch has brought it.
        freshness.brought(Some("9"));
        freshness.wrote(second, Some("1"), Some("9"));
        assert_eq!(freshness.complete_at(), Some(second));
        freshness.wrote(first, Some("1"), Some("5"));
        assert_eq!(freshness.complete_at(), Some(second), "it never goes back");
        freshness.wrote(ReadAt::at_second(30), Some("9"), Some("9"));
        assert_eq!(freshness.complete_at(), Some(second), "nothing was written");
        freshness.broke_off();
        assert_eq!(freshness.complete_at(), None);
        freshness.brought(Some("a-name"));
        freshness.wrote(first, Some("1"), None);
        assert_eq!(freshness.complete_at(), None);
    }

    #[test]
    fn there_is_a_bound() {
        let freshness = Freshness::default();
        for version in 1..=MOST + 10 {
            freshness.wrote(ReadAt::now(), Some("1"), Some(&version.to_string()));
        }
        assert_eq!(freshness.lock().written.len(), MOST);
    }
}
