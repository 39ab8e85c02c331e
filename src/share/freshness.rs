//! Up to when the cache of shares is known to be complete, learnt from own writes without another request.
//!
//! The API server orders all writes, and a watch brings them in that order. Once the watch has brought an own write, it has
//! brought every write that was made before that one was sent. An operator that has much to do writes often, so it knows
//! of every share what the API server had a moment ago.

use crate::share::read_at::ReadAt;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Writes that the watch has not brought yet are remembered up to this number, for each watch.
const MOST: usize = 1000;

/// How fresh the cache of shares is.
#[derive(Debug)]
pub struct Freshness {
    /// Whether one watch brings the shares of all namespaces. Otherwise each namespace has its own.
    one_watch: bool,
    watches: Mutex<HashMap<String, Watched>>,
}

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
    /// Nothing is known yet.
    #[must_use]
    pub fn new(one_watch: bool) -> Self {
        Self {
            one_watch,
            watches: Mutex::default(),
        }
    }

    /// Notes an own write of a share: when it was sent, and the versions before and after it. One that changed nothing
    /// made no version, and says nothing.
    pub fn wrote(&self, namespace: &str, sent: ReadAt, before: Option<&str>, after: Option<&str>) {
        let after = after.filter(|after| before.is_some_and(|before| before != *after));
        let Some(version) = after.and_then(number) else {
            return;
        };
        self.at(namespace, |watched| {
            watched.written.insert(version, sent);
            if watched.written.len() > MOST {
                watched.written.pop_last();
            }
            watched.settle();
        });
    }

    /// Notes that the cache holds a version that the watch brought.
    pub fn brought(&self, namespace: &str, version: Option<&str>) {
        let Some(version) = version.and_then(number) else {
            return;
        };
        self.at(namespace, |watched| {
            watched.passed = version.max(watched.passed);
            watched.settle();
        });
    }

    /// Notes that a watch broke off: what it brings next may be older.
    pub fn broke_off(&self) {
        self.lock().clear();
    }

    /// When the cache was complete. None where nothing tells.
    pub fn complete_at(&self, namespace: &str) -> Option<ReadAt> {
        if mutant!("believe-cache") {
            return Some(ReadAt::now());
        }
        self.at(namespace, |watched| watched.complete_at)
    }

    fn at<T>(&self, namespace: &str, act: impl FnOnce(&mut Watched) -> T) -> T {
        let watch = if self.one_watch { "" } else { namespace };
        let mut watches = self.lock();
        if let Some(watched) = watches.get_mut(watch) {
            return act(watched);
        }
        act(watches.entry(watch.to_owned()).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Watched>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
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
        let freshness = Freshness::new(true);
        let [first, second] = [10, 20].map(ReadAt::at_second);
        freshness.wrote("a", first, Some("1"), Some("7"));
        assert_eq!(freshness.complete_at("a"), None, "the watch is behind");
        freshness.brought("b", Some("6"));
        assert_eq!(freshness.complete_at("a"), None, "still behind");
        freshness.brought("b", Some("8"));
        assert_eq!(
            freshness.complete_at("a"),
            Some(first),
            "all namespaces are one watch"
        );
        // Its answer comes after the watch has brought it.
        freshness.brought("a", Some("9"));
        freshness.wrote("a", second, Some("1"), Some("9"));
        assert_eq!(freshness.complete_at("b"), Some(second));
        freshness.wrote("a", first, Some("1"), Some("5"));
        assert_eq!(freshness.complete_at("b"), Some(second), "it never goes back");
        freshness.wrote("a", ReadAt::at_second(30), Some("9"), Some("9"));
        assert_eq!(freshness.complete_at("b"), Some(second), "nothing was written");
        freshness.broke_off();
        assert_eq!(freshness.complete_at("b"), None);
        freshness.brought("a", Some("a-name"));
        freshness.wrote("a", first, Some("1"), None);
        assert_eq!(freshness.complete_at("a"), None);
    }

    #[test]
    fn a_watch_says_nothing_of_the_namespaces_of_another() {
        let freshness = Freshness::new(false);
        let sent = ReadAt::now();
        freshness.wrote("a", sent, Some("1"), Some("7"));
        freshness.brought("b", Some("8"));
        assert_eq!(freshness.complete_at("a"), None);
        freshness.brought("a", Some("7"));
        assert_eq!(freshness.complete_at("a"), Some(sent));
        assert_eq!(freshness.complete_at("b"), None);
    }

    #[test]
    fn there_is_a_bound() {
        let freshness = Freshness::new(true);
        for version in 1..=MOST + 10 {
            freshness.wrote("a", ReadAt::now(), Some("1"), Some(&version.to_string()));
        }
        assert_eq!(freshness.at("a", |watched| watched.written.len()), MOST);
    }
}
