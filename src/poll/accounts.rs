//! One look at an account's list serves every lost attempt of it in a task, and none is looked for too often.

use super::schedule::interval;
use super::unit::Unit;
use crate::ledger::{Attempt, LedgerError, Owner, Versioned};
use crate::provider::ProviderId;
use crate::share::CachedShare;
use crate::share::context::Context;
use crate::share::effects::look;
use crate::share::look::Look;
use kube::runtime::reflector::{ObjectRef, Store};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The longest pause between two looks for the same attempt.
const LONGEST: Duration = Duration::from_secs(900);

/// Whether an entry is of this cluster and of the namespaces that are worked on.
pub(super) fn is_ours(context: &Context, cluster: &str, owner: &Owner) -> bool {
    cluster == context.cluster && context.options.namespaces.include(&owner.namespace)
}

/// Whether an entry is still the one that was read, as far as this process knows. What a task was given may be older than
/// what the last one wrote.
pub(super) fn is_current(context: &Context, read: &Versioned) -> bool {
    context.ledger.version(&read.entry.owner).as_deref() == Some(read.version())
}

/// The share of an entry, as the cache has it.
pub(super) fn share_of(shares: &Store<CachedShare>, owner: &Owner) -> Option<Arc<CachedShare>> {
    shares.get(&ObjectRef::new(&owner.name).within(&owner.namespace))
}

/// A look at an account, and when it began.
pub(super) struct Looked {
    pub(super) look: Look,
    began: Duration,
}

impl Looked {
    /// How long ago a look first found no trace of an attempt, counted up to when this one began: a list that was read while
    /// the settling time ran is no second look.
    pub(super) fn found_none_before(&self, context: &Context, attempt: &Attempt) -> Option<Duration> {
        let ago = context.sightings.found_none_for(&attempt.nonce)?;
        let age = context.hearing.clock().now().saturating_sub(self.began);
        Some(ago.saturating_sub(age))
    }
}

/// The looks of one task.
#[derive(Default)]
pub(super) struct Looks(HashMap<(ProviderId, Option<String>), Option<Looked>>);

impl Looks {
    /// The look at the account of an attempt. None when it cannot be asked, or the operator ends.
    pub(super) async fn at(
        &mut self,
        context: &Context,
        unit: &Unit,
        namespace: &str,
        attempt: &Attempt,
    ) -> Result<Option<&Looked>, LedgerError> {
        let id = ProviderId::of(&attempt.route.provider, namespace);
        let account = (id, attempt.route.account.clone());
        if !self.0.contains_key(&account) {
            let began = context.hearing.clock().now();
            let Some(look) = unit
                .unless_stopped(Box::pin(look::at_list(context, namespace, attempt)))
                .await
            else {
                return Ok(None);
            };
            let look = look?.ok();
            if let Some(answer) = look.as_ref().and_then(Look::answer) {
                unit.heard(answer.err());
            }
            self.0
                .insert(account.clone(), look.map(|look| Looked { look, began }));
        }
        Ok(self.0.get(&account).and_then(Option::as_ref))
    }
}

/// When to look for which attempt again.
#[derive(Default)]
pub(super) struct Pauses(Mutex<HashMap<String, Instant>>);

impl Pauses {
    /// Forgets those that are over.
    pub(super) fn tidy(&self) {
        self.lock().retain(|_, time| *time > Instant::now());
    }

    pub(super) fn is_over(&self, attempt: &Attempt) -> bool {
        let pauses = self.lock();
        pauses
            .get(&attempt.nonce)
            .is_none_or(|time| *time <= Instant::now())
    }

    /// Begins a pause that grows with the time that the attempt has been known.
    pub(super) fn begin(&self, context: &Context, namespace: &str, attempt: &Attempt) {
        let id = ProviderId::of(&attempt.route.provider, namespace);
        let known_for = context.sightings.known_for(&attempt.nonce);
        let shortest = interval(context, &id).min(LONGEST);
        let pause = (known_for / 10).clamp(shortest, LONGEST);
        self.lock().insert(attempt.nonce.clone(), Instant::now() + pause);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
