//! Who was admitted and is perhaps not in the ledger yet, whose place is kept, and who waits: PURE.

use crate::ledger::{Owner, Place};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

/// So many shares of one place are told at once when there is room. Further ones, and those behind shares that were deleted
/// while they waited, notice when they look again.
const MOST_WAITING: usize = 1000;

/// For how long the place of a link is kept that was burned to make another one for the same share.
const KEPT: Duration = Duration::from_secs(30);

/// The counts of all places.
#[derive(Default)]
pub(super) struct Counts(HashMap<Place, Count>);

#[derive(Default)]
struct Count {
    admitted: HashMap<Owner, Admitted>,
    /// Whose places are kept, and until when.
    kept: HashMap<Owner, Instant>,
    /// In the order in which they came.
    waiting: BTreeMap<u64, Owner>,
    came: u64,
}

#[derive(Default)]
struct Admitted {
    /// How often.
    times: usize,
    /// Whether the ledger tells of it by now.
    in_ledger: bool,
}

impl Counts {
    /// Admits a share, if there is room for it beside those that live. Else it waits.
    pub(super) fn enter(
        &mut self,
        place: &Place,
        owner: &Owner,
        living: &[Owner],
        limit: usize,
        now: Instant,
    ) -> bool {
        let count = self.0.entry(place.clone()).or_default();
        count.kept.retain(|_, until| *until > now);
        let all: HashSet<&Owner> = living
            .iter()
            .chain(count.admitted.keys())
            .chain(count.kept.keys())
            .collect();
        let others = all.into_iter().filter(|other| *other != owner).count();
        let counts_already = living.contains(owner) || count.admitted.contains_key(owner);
        if others >= limit && !counts_already {
            let is_new = !count.waiting.values().any(|waiting| waiting == owner);
            if is_new && count.waiting.len() < MOST_WAITING {
                count.came += 1;
                count.waiting.insert(count.came, owner.clone());
            }
            return false;
        }
        count.waiting.retain(|_, waiting| waiting != owner);
        count.kept.remove(owner);
        let admitted = count.admitted.entry(owner.clone()).or_default();
        admitted.times += 1;
        admitted.in_ledger |= living.contains(owner);
        true
    }

    /// Notes that the ledger tells of a share.
    pub(super) fn noted(&mut self, place: &Place, owner: &Owner) {
        if let Some(count) = self.0.get_mut(place)
            && let Some(admitted) = count.admitted.get_mut(owner)
        {
            admitted.in_ledger = true;
        }
    }

    /// Ends an admission: from now on the ledger alone tells. Where it tells nothing, there is room for the next one.
    pub(super) fn leave(&mut self, place: &Place, owner: &Owner) -> Option<Owner> {
        let count = self.0.get_mut(place)?;
        let admitted = count.admitted.get_mut(owner)?;
        admitted.times = admitted.times.saturating_sub(1);
        if admitted.times > 0 {
            return None;
        }
        let in_ledger = admitted.in_ledger;
        count.admitted.remove(owner);
        let next = (!in_ledger).then(|| count.next()).flatten();
        self.tidy(place);
        next
    }

    /// Notes that a share has no link there any more. There is room for the next one, unless it is still admitted.
    pub(super) fn ended(&mut self, place: &Place, owner: &Owner) -> Option<Owner> {
        let count = self.0.get_mut(place)?;
        if let Some(admitted) = count.admitted.get_mut(owner) {
            admitted.in_ledger = false;
            return None;
        }
        let next = count.next();
        self.tidy(place);
        next
    }

    /// Keeps the place of a share whose link was burned to make another one.
    pub(super) fn keep(&mut self, place: &Place, owner: &Owner, now: Instant) {
        self.0.retain(|_, count| {
            count.kept.retain(|_, until| *until > now);
            !count.is_empty()
        });
        let count = self.0.entry(place.clone()).or_default();
        count.kept.insert(owner.clone(), now + KEPT);
        if let Some(admitted) = count.admitted.get_mut(owner) {
            admitted.in_ledger = false;
        }
    }

    fn tidy(&mut self, place: &Place) {
        if self.0.get(place).is_some_and(Count::is_empty) {
            self.0.remove(place);
        }
    }
}

impl Count {
    fn is_empty(&self) -> bool {
        self.admitted.is_empty() && self.waiting.is_empty() && self.kept.is_empty()
    }

    /// The one that has waited longest, which waits no more.
    fn next(&mut self) -> Option<Owner> {
        self.waiting.pop_first().map(|(_, owner)| owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::share::ProviderRef;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn place() -> Place {
        Place {
            namespace: "team".into(),
            provider: ProviderRef::default(),
        }
    }

    fn owner(name: usize) -> Owner {
        Owner {
            namespace: "team".into(),
            name: name.to_string(),
        }
    }

    #[test]
    fn so_many_are_admitted_and_the_first_that_waits_is_next() {
        let mut counts = Counts::default();
        let living = [owner(0)];
        let admitted: Vec<_> = (1..6)
            .map(|name| counts.enter(&place(), &owner(name), &living, 3, Instant::now()))
            .collect();
        assert_eq!(admitted, [true, true, false, false, false]);
        assert!(
            !counts.enter(&place(), &owner(4), &living, 3, Instant::now()),
            "comes again"
        );
        // Nothing was sent for the first one: the next that waits has its place.
        assert_eq!(counts.leave(&place(), &owner(1)), Some(owner(3)));
        assert!(counts.enter(&place(), &owner(3), &living, 3, Instant::now()));
        assert!(!counts.enter(&place(), &owner(5), &living, 3, Instant::now()));
        assert_eq!(
            counts.ended(&place(), &owner(0)),
            Some(owner(4)),
            "the end of a link"
        );
        counts.noted(&place(), &owner(2));
        assert_eq!(counts.leave(&place(), &owner(2)), None, "it has a link now");
        assert_eq!(counts.ended(&place(), &owner(2)), Some(owner(5)));
    }

    #[test]
    fn one_that_counts_does_not_count_twice() {
        let mut counts = Counts::default();
        let living = [owner(0), owner(1)];
        assert!(
            counts.enter(&place(), &owner(0), &living, 2, Instant::now()),
            "a new link for an edit"
        );
        assert!(
            counts.enter(&place(), &owner(0), &living, 2, Instant::now()),
            "read again"
        );
        assert!(
            counts.enter(&place(), &owner(1), &living, 1, Instant::now()),
            "the limit was lowered"
        );
        assert!(!counts.enter(&place(), &owner(2), &living, 2, Instant::now()));
        for name in [0, 0, 1] {
            assert_eq!(
                counts.leave(&place(), &owner(name)),
                None,
                "its link is still there"
            );
        }
        assert_eq!(counts.ended(&place(), &owner(0)), Some(owner(2)));
        assert!(counts.0.is_empty(), "nothing is kept");
    }

    #[test]
    fn a_place_is_kept_while_a_link_is_replaced() {
        let (mut counts, now) = (Counts::default(), Instant::now());
        let enter = |counts: &mut Counts, name, living: &[Owner], now| {
            counts.enter(&place(), &owner(name), living, 2, now)
        };
        assert!(!enter(&mut counts, 2, &[owner(0), owner(1)], now), "both live");
        counts.keep(&place(), &owner(0), now);
        assert!(!enter(&mut counts, 2, &[owner(1)], now), "the place is kept");
        assert!(
            enter(&mut counts, 0, &[owner(1)], now),
            "for the share that had it"
        );
        counts.noted(&place(), &owner(0));
        counts.leave(&place(), &owner(0));
        counts.keep(&place(), &owner(0), now);
        assert!(enter(&mut counts, 2, &[owner(1)], now + KEPT), "but not for ever");
        assert!(
            !enter(&mut counts, 0, &[owner(1)], now + KEPT),
            "a place that was kept too long is another's"
        );
    }

    /// What one step of a random run does.
    #[derive(Clone, Debug)]
    enum Act {
        /// A share wants a link.
        Enter(usize),
        /// Its intent is in the ledger.
        Write(usize),
        /// Its try is over.
        Leave(usize),
        /// Its link ends.
        End(usize),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (0usize..8).prop_map(Act::Enter),
            (0usize..8).prop_map(Act::Write),
            (0usize..8).prop_map(Act::Leave),
            (0usize..8).prop_map(Act::End),
        ]
    }

    proptest! {
        #[test]
        fn never_more_than_the_limit_and_none_is_forgotten(acts in prop::collection::vec(act(), 0..200)) {
            let (limit, mut counts) = (3, Counts::default());
            let (mut living, mut trying) = (BTreeSet::new(), BTreeSet::new());
            for act in acts {
                match act {
                    Act::Enter(name) if !trying.contains(&name) => {
                        let owners: Vec<_> = living.iter().map(|name| owner(*name)).collect();
                        let others = living.union(&trying).filter(|other| **other != name).count();
                        let admitted = counts.enter(&place(), &owner(name), &owners, limit, Instant::now());
                        prop_assert_eq!(admitted, others < limit || living.contains(&name));
                        if admitted { trying.insert(name); }
                    }
                    Act::Write(name) if trying.contains(&name) => {
                        living.insert(name);
                        counts.noted(&place(), &owner(name));
                    }
                    Act::Leave(name) => if trying.remove(&name) { counts.leave(&place(), &owner(name)); },
                    Act::End(name) => if living.remove(&name) { counts.ended(&place(), &owner(name)); },
                    Act::Enter(_) | Act::Write(_) => {}
                }
                prop_assert!(living.len() <= limit, "{:?}", living);
            }
        }
    }
}
