//! One look at an account's list serves every lost attempt of it in a round, and none is looked for too often.

use super::schedule::interval;
use crate::api::share::OneTimeShare;
use crate::ledger::{Attempt, LedgerError, Owner, Versioned};
use crate::provider::ProviderId;
use crate::share::context::Context;
use crate::share::effects::look::Look;
use kube::runtime::reflector::{ObjectRef, Store};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The longest pause between two looks for the same attempt.
const LONGEST: Duration = Duration::from_secs(900);

/// Whether an entry is of this cluster and of the namespaces that are worked on.
pub(super) fn is_ours(context: &Context, read: &Versioned) -> bool {
    read.entry.cluster == context.cluster && context.options.namespaces.include(&read.entry.owner.namespace)
}

/// The share of an entry, as the cache has it.
pub(super) fn share_of(shares: &Store<OneTimeShare>, owner: &Owner) -> Option<Arc<OneTimeShare>> {
    shares.get(&ObjectRef::new(&owner.name).within(&owner.namespace))
}

/// The looks of one round.
#[derive(Default)]
pub(super) struct Looks(HashMap<(ProviderId, Option<String>), Option<Look>>);

impl Looks {
    /// The look at the account of an attempt. None when it cannot be asked.
    pub(super) async fn at(
        &mut self,
        context: &Context,
        namespace: &str,
        attempt: &Attempt,
    ) -> Result<Option<&Look>, LedgerError> {
        let id = ProviderId::of(&attempt.route.provider, namespace);
        let account = (id, attempt.route.account.clone());
        if !self.0.contains_key(&account) {
            let look = Look::at(context, namespace, attempt).await?;
            self.0.insert(account.clone(), look.ok());
        }
        Ok(self.0.get(&account).and_then(Option::as_ref))
    }
}

/// When to look for which attempt again.
#[derive(Default)]
pub(super) struct Pauses(HashMap<String, Instant>);

impl Pauses {
    /// Forgets those that are over.
    pub(super) fn tidy(&mut self) {
        self.0.retain(|_, time| *time > Instant::now());
    }

    pub(super) fn is_over(&self, attempt: &Attempt) -> bool {
        !self.0.contains_key(&attempt.nonce)
    }

    /// Begins a pause that grows with the time that the attempt has been known.
    pub(super) fn begin(&mut self, context: &Context, namespace: &str, attempt: &Attempt) {
        let id = ProviderId::of(&attempt.route.provider, namespace);
        let known_for = context.sightings.known_for(&attempt.nonce);
        let shortest = interval(context, &id).min(LONGEST);
        let pause = (known_for / 10).clamp(shortest, LONGEST);
        self.0.insert(attempt.nonce.clone(), Instant::now() + pause);
    }
}
