//! The looks at accounts' lists of the last moments: when very many answers were lost together, one list tells of all of
//! them. No client.

use crate::clock::Clock;
use crate::provider::ProviderId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// So long after it began a look is used.
const FRESH: Duration = Duration::from_secs(5);

/// Whose list was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Account {
    /// Through which provider.
    pub provider: ProviderId,
    /// The account's name. None when anonymous.
    pub name: Option<String>,
}

/// The last look at each list.
pub struct Looks<L> {
    clock: Clock,
    last: Mutex<HashMap<Account, Last<L>>>,
}

struct Last<L> {
    /// When a look that is under way began.
    under_way: Option<Duration>,
    /// What the last one showed, and when it began.
    done: Option<(Duration, Arc<L>)>,
}

/// The right to look, until it is dropped.
pub struct Turn<'a, L> {
    looks: &'a Looks<L>,
    account: Account,
    began: Duration,
}

impl<L> Looks<L> {
    /// Nobody has looked yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            last: Mutex::new(HashMap::new()),
        }
    }

    /// What a look showed that began a moment ago, and how long ago that was.
    #[must_use]
    pub fn recent(&self, account: &Account) -> Option<(Arc<L>, Duration)> {
        let last = self.last();
        let (began, look) = last.get(account)?.done.as_ref()?;
        let age = self.clock.now().saturating_sub(*began);
        (age < FRESH).then(|| (Arc::clone(look), age))
    }

    /// Begins a look. None while another one at this list is under way.
    #[must_use]
    pub fn begin(&self, account: Account) -> Option<Turn<'_, L>> {
        let began = self.clock.now();
        let mut all = self.last();
        let last = all.entry(account.clone()).or_insert(Last {
            under_way: None,
            done: None,
        });
        if last.under_way.is_some() {
            return None;
        }
        last.under_way = Some(began);
        Some(Turn {
            looks: self,
            account,
            began,
        })
    }

    /// Forgets the looks that are not used any more: they may be large.
    pub fn tidy(&self) {
        let now = self.clock.now();
        self.last().retain(|_, last| {
            last.done = last
                .done
                .take()
                .filter(|(began, _)| now.saturating_sub(*began) < FRESH);
            last.under_way.is_some() || last.done.is_some()
        });
    }

    fn last(&self) -> MutexGuard<'_, HashMap<Account, Last<L>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L> Turn<'_, L> {
    /// Lets others use what the look showed.
    pub fn done(self, look: Arc<L>) {
        if let Some(last) = self.looks.last().get_mut(&self.account) {
            last.done = Some((self.began, look));
        }
    }
}

impl<L> Drop for Turn<'_, L> {
    fn drop(&mut self) {
        if let Some(last) = self.looks.last().get_mut(&self.account) {
            last.under_way = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str) -> Account {
        Account {
            provider: ProviderId {
                namespace: None,
                name: "default".to_owned(),
            },
            name: Some(name.to_owned()),
        }
    }

    #[test]
    fn one_looks_and_the_others_use_what_it_showed() {
        let clock = Clock::by_hand();
        let looks = Looks::new(clock.clone());
        assert!(looks.recent(&account("a")).is_none());
        let turn = looks.begin(account("a")).expect("a turn");
        assert!(looks.begin(account("a")).is_none(), "one at a time");
        assert!(looks.begin(account("b")).is_some(), "another list");
        clock.advance(Duration::from_secs(2));
        turn.done(Arc::new("list"));
        clock.advance(Duration::from_secs(1));
        let (look, age) = looks.recent(&account("a")).expect("a look");
        assert_eq!((*look, age), ("list", Duration::from_secs(3)), "since it began");
        assert!(looks.begin(account("a")).is_some());
        clock.advance(Duration::from_secs(2));
        assert!(looks.recent(&account("a")).is_none(), "too old");
        looks.tidy();
        assert!(looks.last().is_empty());
    }

    #[test]
    fn a_look_that_was_given_up_makes_room() {
        let looks = Looks::<()>::new(Clock::by_hand());
        drop(looks.begin(account("a")).expect("a turn"));
        let turn = looks.begin(account("a")).expect("a turn");
        looks.tidy();
        assert!(looks.begin(account("a")).is_none(), "it is under way");
        drop(turn);
        looks.tidy();
        assert!(looks.last().is_empty());
    }
}
