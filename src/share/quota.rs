//! How many shares of one namespace may have a link through one provider at a time (`maxSharesPerNamespace`).
//!
//! What counts is in the ledger: an unfinished attempt or a link that can still be opened. What was admitted in this
//! process and is not in the ledger yet counts, too, so that of many shares at once no more than the limit are sent. Who
//! was refused is told when there is room again. A share whose link was burned for another one keeps its place for a moment.

mod counts;

use crate::api::condition::Reason;
use crate::api::share::ProviderRef;
use crate::ledger::{BurnReason, Ending, Entry, Finished, Ledger, Owner, Phase, Place};
use crate::problem::Problem;
use crate::provider::Resolved;
use counts::Counts;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::mpsc::UnboundedSender;

/// The limits of all providers.
#[derive(Clone)]
pub struct Quota {
    counts: Arc<Mutex<Counts>>,
    /// Triggers a share that was refused.
    room: UnboundedSender<Owner>,
}

/// The right to have a link, until the ledger tells of it.
pub struct Admission {
    quota: Quota,
    place: Place,
    owner: Owner,
}

impl Drop for Admission {
    fn drop(&mut self) {
        let next = self.quota.counts().leave(&self.place, &self.owner);
        self.quota.tell(next);
    }
}

impl Quota {
    /// Nobody is admitted yet. `room` triggers a share.
    #[must_use]
    pub fn new(room: UnboundedSender<Owner>) -> Self {
        Self {
            counts: Arc::default(),
            room,
        }
    }

    /// Whether a share may have a link through a provider. One that has an attempt or a link there may. None where the
    /// provider has no limit.
    ///
    /// # Errors
    /// A problem that passes when the link of another share ends.
    pub fn admit(
        &self,
        ledger: &Ledger,
        owner: &Owner,
        provider: &Resolved,
    ) -> Result<Option<Admission>, Problem> {
        let Some(limit) = provider.spec.max_shares_per_namespace else {
            return Ok(None);
        };
        let place = Place {
            namespace: owner.namespace.clone(),
            provider: ProviderRef {
                kind: provider.id.kind(),
                name: provider.id.name.clone(),
            },
        };
        // Held while the ledger is asked: of two that come at once the second one sees the first.
        let mut counts = self.counts();
        let living = ledger.living(&place);
        let limit_of_one = usize::try_from(limit).unwrap_or(1);
        if !counts.enter(&place, owner, &living, limit_of_one, Instant::now()) {
            return Err(full(provider, owner, limit));
        }
        Ok(Some(Admission {
            quota: self.clone(),
            place,
            owner: owner.clone(),
        }))
    }

    /// Notes a write of the ledger: the end of a link makes room for another share.
    pub fn written(&self, before: Option<&Entry>, after: &Entry) {
        let (before, now) = (before.and_then(Entry::place), after.place());
        if let Some(place) = &now {
            self.counts().noted(place, &after.owner);
        }
        if let Some(place) = before.filter(|place| Some(place) != now.as_ref()) {
            let now = Instant::now();
            let next = if goes_on(after) {
                self.counts().keep(&place, &after.owner, now);
                None
            } else {
                self.counts().ended(&place, &after.owner)
            };
            self.tell(next);
        }
    }

    fn tell(&self, next: Option<Owner>) {
        if let Some(owner) = next {
            // Without a receiver the operator is shutting down.
            let _ = self.room.send(owner);
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a link was burned to make another one.
fn goes_on(entry: &Entry) -> bool {
    matches!(
        &entry.phase,
        Phase::Finished(Finished {
            how: Ending::Burned,
            burned_for: Some(BurnReason::Replaced | BurnReason::ValueLost),
            ..
        })
    )
}

fn full(provider: &Resolved, owner: &Owner, limit: i64) -> Problem {
    Problem::passing(
        Reason::TooManyShares,
        format!(
            "{} creates links for at most {limit} shares of namespace {:?} at a time (its spec.maxSharesPerNamespace): this share follows automatically when the link of another one is received, burned or expires; delete a share that nobody needs, or have the limit raised",
            provider.id, owner.namespace
        ),
    )
}
