//! Which shares have an unfinished attempt or a living link, by namespace and provider. PURE.

use super::entry::{Entry, Phase};
use super::line::Line;
use super::link::Burning;
use crate::api::share::ProviderRef;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The shares of one namespace through one provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The namespace of the shares.
    pub namespace: String,
    /// The provider that they name.
    pub provider: ProviderRef,
}

impl Entry {
    /// Through which provider an attempt may be under way or a link can still be opened.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        let route = match &self.phase {
            Phase::Intent(attempt) => &attempt.route,
            Phase::Shared(link) | Phase::Burning(Burning { link, .. }) => &link.route,
            Phase::Idle | Phase::Finished(_) => return None,
        };
        Some(Place {
            namespace: self.owner.namespace.clone(),
            provider: route.provider.clone(),
        })
    }
}

impl Place {
    /// The same, of the line of an entry.
    pub(super) fn of(line: &Line) -> Option<Self> {
        Some(Self {
            namespace: line.owner().namespace.clone(),
            provider: line.route()?.route.provider.clone(),
        })
    }
}

/// The names of the entries at each place.
#[derive(Debug, Default)]
pub(super) struct Living(HashMap<Place, HashSet<Arc<str>>>);

impl Living {
    /// Notes where an entry is now.
    pub(super) fn enter(&mut self, name: &Arc<str>, place: Place) {
        self.0.entry(place).or_default().insert(Arc::clone(name));
    }

    /// Notes that an entry is no longer there.
    pub(super) fn leave(&mut self, name: &str, place: &Place) {
        if let Some(names) = self.0.get_mut(place) {
            names.remove(name);
            if names.is_empty() {
                self.0.remove(place);
            }
        }
    }

    /// The names of those that are there.
    pub(super) fn at(&self, place: &Place) -> impl Iterator<Item = &Arc<str>> {
        self.0.get(place).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::fixtures::{attempt, entry, line, link};

    #[test]
    fn an_entry_is_where_its_attempt_or_link_is() {
        let place = entry(Phase::Intent(attempt())).place().expect("a place");
        for phase in [Phase::Intent(attempt()), Phase::Shared(link())] {
            assert_eq!(Place::of(&line(entry(phase))), Some(place.clone()));
        }
        assert_eq!(Place::of(&line(entry(Phase::Idle))), None);
        let mut living = Living::default();
        let name: Arc<str> = "e".into();
        living.enter(&name, place.clone());
        assert_eq!(living.at(&place).count(), 1);
        living.leave("e", &place);
        assert!(living.0.is_empty(), "{living:?}");
    }
}
