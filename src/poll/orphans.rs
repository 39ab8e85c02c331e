//! Entries whose share is not there any more: burns what the share's policy says, resolves what is in doubt only to
//! burn it, and forgets tombstones when their time is over.
//!
//! There is no finalizer: a deletion never waits for this. That a share is gone is believed only of a live answer that
//! names it, or its namespace, while its kind is served.

use crate::api::share::{DeletionPolicy, OneTimeShare};
use crate::kubernetes::{ApiError, bounded, is_gone};
use crate::ledger::{Attempt, BurnReason, Entry, Finished, LedgerError, Owner, Phase, Versioned};
use crate::share::context::Context;
use crate::share::effects::{burn, resolve};
use crate::share::error::Failure;
use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::runtime::reflector::{ObjectRef, Store};
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// How many are worked on at once.
const CONCURRENCY: usize = 8;

/// So many links of missing shares at the start, and more than half of all: a restore that went wrong, perhaps.
const MASS: usize = 10;

/// Between two looks whether an unlisted namespace is gone.
const INTERVAL: Duration = Duration::from_secs(60);

/// What the poll remembers from round to round.
#[derive(Default)]
pub(super) struct Orphans {
    started: bool,
    /// Entries that are left alone because too many were missing at the start.
    quarantine: HashSet<Owner>,
    /// When to go on with what is in doubt.
    later: Mutex<HashMap<String, Instant>>,
    /// When to look again whether a namespace is gone.
    looks: HashMap<String, Instant>,
}

impl Orphans {
    pub(super) async fn poll(
        &mut self,
        context: &Context,
        shares: &Store<OneTimeShare>,
        entries: &[Versioned],
    ) {
        self.look_for_unlisted(context).await;
        let absent: Vec<&Versioned> = entries
            .iter()
            // Another cluster's entries say nothing about this one's shares.
            .filter(|read| read.entry.cluster == context.cluster)
            .filter(|read| context.options.namespaces.include(&read.entry.owner.namespace))
            // Nor does a namespace that could not be listed.
            .filter(|read| !context.unlisted.contains(&read.entry.owner.namespace))
            .filter(|read| shares.get(&reference(&read.entry.owner)).is_none())
            .collect();
        self.guard(context, entries, &absent);
        let now = Timestamp::now();
        let due = absent
            .into_iter()
            .filter(|read| self.is_due(context, &read.entry, now));
        let due: Vec<&Versioned> = due.collect();
        if due.is_empty() || !kind_is_served(context).await {
            return;
        }
        let this = &*self;
        futures::stream::iter(due)
            .for_each_concurrent(CONCURRENCY, |read| async move {
                match this.follow(context, read).await {
                    // Somebody else wrote the entry; the next round sees what it is now.
                    Ok(()) | Err(Failure::Ledger(LedgerError::Conflict)) => {}
                    Err(error) => tracing::warn!(%error, "the link of a missing share could not be dealt with; trying again"),
                }
            })
            .await;
    }

    /// A namespace that is gone refuses its list because its Role went with it. That there is nothing in it is known.
    async fn look_for_unlisted(&mut self, context: &Context) {
        self.looks.retain(|_, time| *time > Instant::now());
        for namespace in context.unlisted.all() {
            if self.looks.contains_key(&namespace) {
                continue;
            }
            if namespace_is_gone(context, &namespace).await == Ok(true) {
                context.unlisted.remove(&namespace);
            } else {
                self.looks.insert(namespace, Instant::now() + INTERVAL);
            }
        }
    }

    /// Sets links aside when very many shares are missing at the start.
    fn guard(&mut self, context: &Context, entries: &[Versioned], absent: &[&Versioned]) {
        let burnable =
            |entry: &Entry| matches!(entry.phase, Phase::Shared(_)) && entry.deletion == DeletionPolicy::Burn;
        if !std::mem::replace(&mut self.started, true) && !context.options.allow_mass_burn {
            let all = entries.iter().filter(|read| burnable(&read.entry)).count();
            let missing: HashSet<Owner> = absent
                .iter()
                .filter(|read| burnable(&read.entry))
                .map(|read| read.entry.owner.clone())
                .collect();
            if missing.len() >= MASS && missing.len() * 2 > all {
                tracing::error!(
                    missing = missing.len(),
                    all,
                    "very many shares are missing; their links are not burned. Restart with --allow-mass-burn if they were deleted on purpose"
                );
                self.quarantine = missing;
            }
        }
        if !self.quarantine.is_empty() {
            let absent: HashSet<&Owner> = absent.iter().map(|read| &read.entry.owner).collect();
            self.quarantine.retain(|owner| absent.contains(owner));
        }
        context.metrics.quarantined(self.quarantine.len());
    }

    fn is_due(&self, context: &Context, entry: &Entry, now: Timestamp) -> bool {
        let waits = entry.retry.pause_until(now).is_some();
        match &entry.phase {
            Phase::Shared(link) => {
                let burns = entry.deletion == DeletionPolicy::Burn || link.undelivered.is_some();
                burns && !self.quarantine.contains(&entry.owner)
            }
            Phase::Burning(_) => !waits,
            Phase::Intent(attempt) if attempt.needs_decision => {
                is_over(context, attempt.started_at, attempt.ttl_seconds, now)
            }
            Phase::Intent(attempt) => self.is_resolvable(context, attempt),
            // An entry that never had a link has nothing to remember.
            Phase::Idle => entry.request.epoch == 0 && entry.superseded.is_empty(),
            Phase::Finished(Finished { at, facts, .. }) => is_over(context, *at, facts.ttl_seconds, now),
        }
    }

    fn is_resolvable(&self, context: &Context, attempt: &Attempt) -> bool {
        let safe_after = attempt.safe_after();
        let later = self
            .later
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        context.sightings.known_for(&attempt.nonce) >= safe_after
            && later
                .get(&attempt.nonce)
                .is_none_or(|time| *time <= Instant::now())
    }

    async fn follow(&self, context: &Context, read: &Versioned) -> Result<(), Failure> {
        if !step!("gone", share_is_gone(context, &read.entry.owner))? && !mutant!("burn-unasked") {
            return Ok(());
        }
        match &read.entry.phase {
            Phase::Shared(_) => {
                let marked = burn::begin(context, read, BurnReason::Deleted).await?;
                if let Phase::Burning(burning) = &marked.entry.phase.clone() {
                    burn::go_on(context, marked, burning).await?;
                }
            }
            Phase::Burning(burning) => {
                burn::go_on(context, read.clone(), burning).await?;
            }
            Phase::Intent(attempt) if !attempt.needs_decision => self.resolve(context, read, attempt).await?,
            Phase::Intent(_) | Phase::Idle | Phase::Finished(_) => {
                step!("remove", context.ledger.remove(read))?;
            }
        }
        Ok(())
    }

    /// What is found is burned in the next round.
    async fn resolve(
        &self,
        context: &Context,
        read: &Versioned,
        attempt: &Attempt,
    ) -> Result<(), LedgerError> {
        let outcome = resolve::resolve(context, read.clone(), attempt).await?;
        let mut later = self
            .later
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        later.retain(|_, time| *time > Instant::now());
        if let resolve::Outcome::Later(wait) = outcome {
            later.insert(attempt.nonce.clone(), Instant::now() + wait);
        }
        Ok(())
    }
}

/// Whoever was refused asks for the namespace: the Role that let one read its shares goes with it.
async fn share_is_gone(context: &Context, owner: &Owner) -> Result<bool, ApiError> {
    let api: Api<OneTimeShare> = Api::namespaced(context.kubernetes.clone(), &owner.namespace);
    match is_gone(&api, &owner.name).await {
        Err(refused) if refused.is_forbidden() => match namespace_is_gone(context, &owner.namespace).await {
            Ok(true) => Ok(true),
            _ => Err(refused),
        },
        answer => answer,
    }
}

async fn namespace_is_gone(context: &Context, namespace: &str) -> Result<bool, ApiError> {
    let api: Api<Namespace> = Api::all(context.kubernetes.clone());
    is_gone(&api, namespace).await
}

fn reference(owner: &Owner) -> ObjectRef<OneTimeShare> {
    ObjectRef::new(&owner.name).within(&owner.namespace)
}

/// Whether an entry need not be remembered any more: past the retention, and past the life of the service's receipt.
fn is_over(context: &Context, end: Timestamp, ttl_seconds: u64, now: Timestamp) -> bool {
    let receipt = Duration::from_secs(ttl_seconds.saturating_mul(2));
    let keep = SignedDuration::try_from(context.options.ledger_retention.max(receipt))
        .unwrap_or(SignedDuration::MAX);
    end.checked_add(keep).is_ok_and(|over| over < now)
}

/// While its kind is going, every share is, and nobody meant to burn them.
async fn kind_is_served(context: &Context) -> bool {
    let api: Api<CustomResourceDefinition> = Api::all(context.kubernetes.clone());
    match bounded(api.get("onetimeshares.onetimeshare.dev")).await {
        Ok(crd) => {
            let conditions = crd
                .status
                .and_then(|status| status.conditions)
                .unwrap_or_default();
            crd.metadata.deletion_timestamp.is_none()
                && conditions
                    .iter()
                    .any(|condition| condition.type_ == "Established" && condition.status == "True")
        }
        Err(error) => {
            tracing::warn!(%error, "whether OneTimeShares are served cannot be read");
            false
        }
    }
}
