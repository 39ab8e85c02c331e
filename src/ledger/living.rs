//! Which shares may have an unfinished attempt or a living link, by namespace and provider: an index of what this process
//! saw. PURE. It may still name one whose entry somebody deleted; [`super::Ledger::living`] looks again.

use super::codec;
use super::entry::{Entry, Owner, Phase};
use super::link::Burning;
use crate::api::share::ProviderRef;
use k8s_openapi::api::core::v1::Secret;
use std::collections::HashMap;

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

#[derive(Debug, Default)]
pub(super) struct Living {
    /// By the name of the entry.
    places: HashMap<String, Place>,
    /// Each share with the name of its entry.
    owners: HashMap<Place, HashMap<String, Owner>>,
}

impl Living {
    /// Notes what an entry holds now.
    pub(super) fn note(&mut self, name: &str, secret: &Secret) {
        let entry = codec::may_live(secret).then(|| codec::decode(secret).ok());
        let Some((place, owner)) = entry
            .flatten()
            .and_then(|entry| Some((entry.place()?, entry.owner)))
        else {
            return self.forget(name);
        };
        if self.places.get(name) != Some(&place) {
            self.forget(name);
            self.places.insert(name.to_owned(), place.clone());
        }
        self.owners
            .entry(place)
            .or_default()
            .insert(name.to_owned(), owner);
    }

    /// Forgets an entry.
    pub(super) fn forget(&mut self, name: &str) {
        if let Some(place) = self.places.remove(name)
            && let Some(owners) = self.owners.get_mut(&place)
        {
            owners.remove(name);
            if owners.is_empty() {
                self.owners.remove(&place);
            }
        }
    }

    /// The shares that may live there.
    pub(super) fn at(&self, place: &Place) -> Vec<Owner> {
        let owners = self.owners.get(place);
        owners.into_iter().flat_map(HashMap::values).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::fixtures::{attempt, entry, link};

    #[test]
    fn a_share_is_there_from_its_intent_to_its_end() {
        let mut living = Living::default();
        let note = |living: &mut Living, phase: Phase| {
            let secret = codec::encode(&entry(phase), "ledger", None).expect("a secret");
            living.note("e", &secret);
        };
        let place = entry(Phase::Intent(attempt())).place().expect("a place");
        for phase in [Phase::Intent(attempt()), Phase::Shared(link())] {
            note(&mut living, phase);
            assert_eq!(living.at(&place).len(), 1);
        }
        let mut elsewhere = link();
        elsewhere.route.provider.name = "another".into();
        let other = entry(Phase::Shared(elsewhere.clone())).place().expect("a place");
        note(&mut living, Phase::Shared(elsewhere));
        assert_eq!((living.at(&place).len(), living.at(&other).len()), (0, 1));
        note(&mut living, Phase::Idle);
        assert!(living.places.is_empty() && living.owners.is_empty(), "{living:?}");
    }
}
