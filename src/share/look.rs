//! What a look at an account's list showed, and what it says of a lost attempt. No client.

use crate::ledger::{Attempt, Entry, Route};
use crate::onetime::{CallError, Recent};
use crate::provider::Resolved;
use crate::share::decide::recover::{self, Clocks, Lookup, LookupResult};
use crate::share::sightings::Sightings;
use jiff::Timestamp;
use std::collections::HashMap;

/// The provider of lost attempts, and what its list showed.
pub struct Look {
    /// The provider as it is now.
    pub(super) provider: Resolved,
    listed: Result<Listed, Lookup>,
    answer: Option<Result<(), CallError>>,
}

/// A whole list, with what the ledger knew before it and after it.
pub(super) struct Listed {
    pub(super) recent: Recent,
    /// When it had arrived.
    pub(super) at: Timestamp,
    pub(super) before: Vec<Entry>,
    pub(super) after: Vec<Entry>,
    /// The hashes of the metadata keys of all links after it.
    pub(super) keys: Vec<String>,
    /// Which attempt has claimed which receipt.
    pub(super) claimed: HashMap<String, String>,
}

impl Look {
    pub(super) fn new(
        provider: Resolved,
        listed: Result<Listed, Lookup>,
        answer: Option<Result<(), CallError>>,
    ) -> Self {
        Self {
            provider,
            listed,
            answer,
        }
    }

    /// How the service answered. None: it was not asked.
    #[must_use]
    pub fn answer(&self) -> Option<Result<(), &CallError>> {
        self.answer.as_ref().map(|answer| answer.as_ref().copied())
    }

    /// What it says of an attempt of this account.
    #[must_use]
    pub fn of(&self, sightings: &Sightings, attempt: &Attempt) -> Lookup {
        let listed = match &self.listed {
            Ok(listed) => listed,
            Err(lookup) => return lookup.clone(),
        };
        let Listed {
            recent,
            at,
            before,
            after,
            keys,
            claimed,
        } = listed;
        let mut known = recover::gather(attempt, after).expecting(&attempt.route, before);
        known.keys.extend(keys.iter().cloned());
        known.keys.extend(
            claimed
                .iter()
                .filter(|(_, nonce)| **nonce != attempt.nonce)
                .map(|(hash, _)| hash.clone()),
        );
        let clocks = Clocks {
            ago: sightings.age(attempt, *at),
            now: *at,
        };
        match recover::find(attempt, recent, &known, clocks) {
            // The provider has another address by now, perhaps of another server: what its list lacks says nothing.
            LookupResult::None if !self.is_there(&attempt.route) => Lookup::NotYet,
            found => Lookup::Found(found),
        }
    }

    /// Whether the provider still is where an attempt was sent.
    fn is_there(&self, route: &Route) -> bool {
        self.provider.settings.endpoint.base().as_str() == route.endpoint
    }
}
