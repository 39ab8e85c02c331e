//! Whose turn it is: a queue that serves namespaces in turn and, within one, the demanded before the routine. PURE.
//!
//! The providers of the cluster count as a namespace of their own.

use super::settings::ProviderId;
use std::collections::{BTreeMap, HashMap, VecDeque};

type Namespace = Option<String>;

/// Why something waits for its turn. The earlier one goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Something changed, or somebody waits for it.
    Demanded,
    /// It is time again.
    Routine,
}

/// Those that wait for their turn, and how many have theirs.
#[derive(Debug)]
pub(super) struct Turns {
    /// So many at once in all, and in one namespace.
    most: usize,
    most_of_one: usize,
    at_work: usize,
    /// One for each namespace that waits or works.
    queues: HashMap<Namespace, Queue>,
    /// The namespaces that may be served, the next one first: each waits and has a free place.
    ring: VecDeque<Namespace>,
    /// Counts those that came.
    came: u64,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: BTreeMap<(Urgency, u64), ProviderId>,
    places: HashMap<ProviderId, (Urgency, u64)>,
    at_work: usize,
    in_ring: bool,
}

impl Turns {
    /// Nobody waits. At most so many have their turn at once, in all and in one namespace.
    pub(super) fn new(most: usize, most_of_one: usize) -> Self {
        Self {
            most,
            most_of_one,
            at_work: 0,
            queues: HashMap::new(),
            ring: VecDeque::new(),
            came: 0,
        }
    }

    /// Waits for a turn. Who waits already keeps its place, or goes forward to those that are as urgent.
    pub(super) fn wait(&mut self, id: ProviderId, urgency: Urgency) {
        let namespace = id.namespace.clone();
        let queue = self.queues.entry(namespace.clone()).or_default();
        if let Some(place) = queue.places.get(&id).copied() {
            if place.0 <= urgency {
                return;
            }
            queue.waiting.remove(&place);
        }
        self.came += 1;
        let place = (urgency, self.came);
        queue.waiting.insert(place, id.clone());
        queue.places.insert(id, place);
        self.enrol(namespace);
    }

    /// Gives the next one its turn, until [`Turns::over`].
    pub(super) fn next(&mut self) -> Option<ProviderId> {
        if self.at_work >= self.most {
            return None;
        }
        let namespace = self.ring.pop_front()?;
        let queue = self.queues.get_mut(&namespace)?;
        queue.in_ring = false;
        let (_, id) = queue.waiting.pop_first()?;
        queue.places.remove(&id);
        queue.at_work += 1;
        self.at_work += 1;
        self.enrol(namespace);
        Some(id)
    }

    /// Ends a turn.
    pub(super) fn over(&mut self, id: &ProviderId) {
        let Some(queue) = self.queues.get_mut(&id.namespace) else {
            return;
        };
        queue.at_work = queue.at_work.saturating_sub(1);
        self.at_work = self.at_work.saturating_sub(1);
        if queue.at_work == 0 && queue.waiting.is_empty() {
            self.queues.remove(&id.namespace);
        } else {
            self.enrol(id.namespace.clone());
        }
    }

    /// A namespace that waits and has a free place comes last in the ring.
    fn enrol(&mut self, namespace: Namespace) {
        let most = self.most_of_one;
        if let Some(queue) = self.queues.get_mut(&namespace)
            && !queue.in_ring
            && !queue.waiting.is_empty()
            && queue.at_work < most
        {
            queue.in_ring = true;
            self.ring.push_back(namespace);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn id(namespace: &str, name: u8) -> ProviderId {
        ProviderId {
            namespace: Some(namespace.to_owned()).filter(|namespace| !namespace.is_empty()),
            name: name.to_string(),
        }
    }

    fn served(turns: &mut Turns) -> Vec<String> {
        std::iter::from_fn(|| turns.next())
            .map(|id| format!("{}{}", id.namespace.unwrap_or_default(), id.name))
            .collect()
    }

    #[test]
    fn one_namespace_takes_its_places_and_no_more() {
        let mut turns = Turns::new(64, 4);
        for name in 0..100 {
            turns.wait(id("a", name), Urgency::Demanded);
        }
        turns.wait(id("b", 0), Urgency::Routine);
        turns.wait(id("", 0), Urgency::Routine);
        assert_eq!(served(&mut turns), ["a0", "b0", "0", "a1", "a2", "a3"]);
        turns.over(&id("a", 2));
        assert_eq!(served(&mut turns), ["a4"]);
    }

    #[test]
    fn namespaces_are_served_in_turn() {
        let mut turns = Turns::new(3, 4);
        for name in 0..3 {
            turns.wait(id("a", name), Urgency::Routine);
        }
        for name in 0..3 {
            turns.wait(id("b", name), Urgency::Routine);
        }
        assert_eq!(served(&mut turns), ["a0", "b0", "a1"]);
        turns.over(&id("a", 0));
        assert_eq!(served(&mut turns), ["b1"]);
    }

    #[test]
    fn the_demanded_go_first_within_their_namespace() {
        let mut turns = Turns::new(1, 1);
        for name in 0..3 {
            turns.wait(id("a", name), Urgency::Routine);
        }
        turns.wait(id("a", 3), Urgency::Demanded);
        turns.wait(id("a", 2), Urgency::Demanded);
        turns.wait(id("a", 3), Urgency::Routine);
        let mut order = Vec::new();
        while let Some(next) = turns.next() {
            turns.over(&next);
            order.push(next.name);
        }
        assert_eq!(order, ["3", "2", "0", "1"]);
        assert!(
            turns.queues.is_empty() && turns.ring.is_empty(),
            "nothing is kept"
        );
    }

    /// What one step of a random run does.
    #[derive(Clone, Debug)]
    enum Act {
        Wait(u8, u8, bool),
        Next,
        Over(usize),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (0u8..4, 0u8..12, any::<bool>()).prop_map(|(space, name, urgent)| Act::Wait(space, name, urgent)),
            Just(Act::Next),
            (0usize..20).prop_map(Act::Over),
        ]
    }

    proptest! {
        #[test]
        fn nobody_is_lost_served_twice_or_over_the_bounds(acts in prop::collection::vec(act(), 0..300)) {
            let mut turns = Turns::new(5, 2);
            let (mut waiting, mut at_work) = (HashSet::new(), Vec::<ProviderId>::new());
            for act in acts {
                match act {
                    Act::Wait(space, name, urgent) => {
                        let id = id(["", "a", "b", "c"][usize::from(space)], name);
                        // As the plan of checks does: who works does not wait, too.
                        if !at_work.contains(&id) {
                            waiting.insert(id.clone());
                            turns.wait(id, if urgent { Urgency::Demanded } else { Urgency::Routine });
                        }
                    }
                    Act::Next => {
                        let full = |id: &&ProviderId| at_work.iter().filter(|other| other.namespace == id.namespace).count() >= 2;
                        let may = at_work.len() < 5 && !waiting.iter().all(|id| full(&id));
                        let next = turns.next();
                        prop_assert_eq!(next.is_some(), may);
                        if let Some(next) = next {
                            prop_assert!(waiting.remove(&next));
                            at_work.push(next);
                        }
                    }
                    Act::Over(at) => {
                        if !at_work.is_empty() {
                            turns.over(&at_work.swap_remove(at % at_work.len()));
                        }
                    }
                }
                for id in &at_work {
                    prop_assert!(at_work.iter().filter(|other| other.namespace == id.namespace).count() <= 2);
                }
            }
        }

        /// Whoever comes waits for at most one turn of each other namespace before its own namespace has one.
        #[test]
        fn a_newcomer_waits_for_one_turn_of_each_other(crowd in prop::collection::vec(1usize..40, 1..6)) {
            let mut turns = Turns::new(1, 1);
            for (space, count) in crowd.iter().enumerate() {
                for name in 0..*count {
                    turns.wait(id(&format!("n{space}"), u8::try_from(name).unwrap_or_default()), Urgency::Demanded);
                }
            }
            turns.wait(id("late", 0), Urgency::Routine);
            let mut before = 0;
            while let Some(next) = turns.next() {
                turns.over(&next);
                if next.namespace.as_deref() == Some("late") { break; }
                before += 1;
            }
            prop_assert!(before <= crowd.len());
        }
    }
}
