//! A fair order: keys are served in turn, however much waits behind each of them. Knows neither time nor tasks.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Something that waits behind a key of a [`Ring`].
pub trait Waiting {
    /// Whether nothing waits there any more, so that the key can go.
    fn is_empty(&self) -> bool;
}

impl<T> Waiting for VecDeque<T> {
    fn is_empty(&self) -> bool {
        Self::is_empty(self)
    }
}

/// Keys in the order in which they are served next, and what waits behind each.
#[derive(Debug)]
pub struct Ring<K, V> {
    order: VecDeque<K>,
    values: HashMap<K, V>,
}

impl<K, V> Default for Ring<K, V> {
    fn default() -> Self {
        Self {
            order: VecDeque::new(),
            values: HashMap::new(),
        }
    }
}

impl<K, V> Waiting for Ring<K, V> {
    fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

impl<K: Clone + Eq + Hash, V: Default + Waiting> Ring<K, V> {
    /// What waits behind a key, to add to it. A new key is served last.
    pub fn entry(&mut self, key: &K) -> &mut V {
        if !self.values.contains_key(key) {
            self.order.push_back(key.clone());
        }
        self.values.entry(key.clone()).or_default()
    }

    /// What waits behind a key, to look at.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.values.get(key)
    }

    /// What waits behind each key, in no order.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.values.values()
    }

    /// Takes from the first key that has something to give. That key is served last from then on; those that had
    /// nothing to give keep their place.
    pub fn next<R>(&mut self, mut take: impl FnMut(&K, &mut V) -> Option<R>) -> Option<R> {
        let mut at = 0;
        while let Some(key) = self.order.get(at) {
            let Some(value) = self.values.get_mut(key) else {
                self.order.remove(at);
                continue;
            };
            let taken = take(key, value);
            let is_empty = value.is_empty();
            if taken.is_none() && !is_empty {
                at += 1;
                continue;
            }
            if let Some(key) = self.order.remove(at) {
                match is_empty {
                    true => drop(self.values.remove(&key)),
                    false => self.order.push_back(key),
                }
            }
            if taken.is_some() {
                return taken;
            }
        }
        None
    }

    /// Takes something out of what waits behind a key.
    pub fn take_out<R>(&mut self, key: &K, take: impl FnOnce(&mut V) -> R) -> Option<R> {
        let value = self.values.get_mut(key)?;
        let taken = take(value);
        if value.is_empty() {
            self.values.remove(key);
            self.order.retain(|other| other != key);
        }
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Queue = Ring<&'static str, VecDeque<u32>>;

    fn pop(queue: &mut Queue) -> Option<(&'static str, u32)> {
        queue.next(|key, waiting| Some((*key, waiting.pop_front()?)))
    }

    #[test]
    fn keys_are_served_in_turn() {
        let mut queue = Queue::default();
        for number in 0..3 {
            queue.entry(&"many").push_back(number);
        }
        queue.entry(&"one").push_back(9);
        let order: Vec<_> = std::iter::from_fn(|| pop(&mut queue)).collect();
        assert_eq!(order, [("many", 0), ("one", 9), ("many", 1), ("many", 2)]);
        assert!(queue.is_empty() && queue.values.is_empty(), "nothing is kept");
    }

    #[test]
    fn a_key_that_cannot_give_keeps_its_place() {
        let mut queue = Queue::default();
        for key in ["blocked", "free", "other"] {
            queue.entry(&key).extend([1, 2]);
        }
        let unblocked = |key: &&'static str, waiting: &mut VecDeque<u32>| {
            (*key != "blocked").then(|| waiting.pop_front())?.map(|_| *key)
        };
        assert_eq!(queue.next(unblocked), Some("free"));
        assert_eq!(queue.next(unblocked), Some("other"));
        assert_eq!(pop(&mut queue), Some(("blocked", 1)));
    }

    proptest! {
        /// Whatever waits: between two turns of a key, no other key has two.
        #[test]
        fn nobody_is_served_twice_before_another_once(
            counts in prop::collection::vec(0u32..20, 3),
        ) {
            let mut queue = Queue::default();
            for (key, count) in ["a", "b", "c"].into_iter().zip(&counts) {
                for number in 0..*count {
                    queue.entry(&key).push_back(number);
                }
            }
            let served: Vec<_> = std::iter::from_fn(|| pop(&mut queue)).collect();
            prop_assert_eq!(served.len(), counts.iter().sum::<u32>() as usize);
            for (at, (key, number)) in served.iter().enumerate() {
                for (other, count) in ["a", "b", "c"].into_iter().zip(&counts) {
                    let before = served[..at].iter().filter(|(k, _)| *k == other).count();
                    let fair = (*number).min(*count) as usize;
                    prop_assert!(before >= fair && before <= fair + 1, "{} {:?}", key, served);
                }
            }
        }
    }
}
