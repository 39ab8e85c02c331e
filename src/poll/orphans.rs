//! Entries whose share is not there any more: burns what the share's policy says, resolves what is in doubt only to
//! burn it, and forgets tombstones when their time is over.
//!
//! There is no finalizer: a deletion never waits for this. That a share is gone is believed only of a live answer that
//! names it, or its namespace, and only when the definition under which the entry was written is still served after
//! that answer. Shares that are missing in large numbers without having been seen to go are waited for: see `mass`.

use super::accounts::{is_ours, share_of};
use super::missing::{Missing, burns};
use crate::api::share::OneTimeShare;
use crate::kubernetes::definition::Seen;
use crate::kubernetes::namespaces::{self, Standing};
use crate::kubernetes::{ApiError, is_gone};
use crate::ledger::{Attempt, BurnReason, Entry, Finished, LedgerError, Owner, Phase, Versioned};
use crate::share::context::Context;
use crate::share::effects::{burn, resolve};
use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use kube::Api;
use kube::runtime::reflector::Store;
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// How many are worked on at once.
const CONCURRENCY: usize = 8;

/// How many are asked for before the definition is read and the first of them burned.
const CHUNK: usize = 64;

/// The longest pause after a share could not be dealt with.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What the poll remembers from round to round.
#[derive(Default)]
pub(super) struct Orphans {
    missing: Missing,
    /// When to go on with what is in doubt.
    later: Mutex<HashMap<String, Instant>>,
    /// After how many failures, and until when, a share is left alone.
    pauses: Mutex<HashMap<Owner, (u32, Instant)>>,
}

impl Orphans {
    pub(super) async fn poll(
        &mut self,
        context: &Context,
        shares: &Store<OneTimeShare>,
        entries: &[Versioned],
    ) {
        self.missing.look_for_unlisted(context).await;
        let ours: Vec<&Versioned> = entries
            .iter()
            // Another cluster's entries say nothing about this one's shares.
            .filter(|read| is_ours(context, read))
            // Nor does a namespace that could not be listed.
            .filter(|read| !context.unlisted.contains(&read.entry.owner.namespace))
            .collect();
        let absent: Vec<&Versioned> = ours
            .iter()
            .copied()
            .filter(|read| share_of(shares, &read.entry.owner).is_none())
            .collect();
        let (older, absent) = self.without_older(context, absent);
        let there: HashSet<&Owner> = absent.iter().map(|read| &read.entry.owner).collect();
        self.pauses().retain(|owner, _| there.contains(owner));
        let links = ours
            .iter()
            .copied()
            .filter(|read| !older.contains(&read.entry.owner));
        let going = self.missing.guard(context, links, &absent).await;
        let now = Timestamp::now();
        let due: Vec<&Versioned> = absent
            .into_iter()
            .filter(|read| self.is_due(context, &going, &read.entry, now))
            .collect();
        for chunk in due.chunks(CHUNK) {
            self.work(context, chunk).await;
        }
    }

    /// Leaves out the links whose shares went with an earlier definition: nobody deleted those.
    fn without_older<'a>(
        &self,
        context: &Context,
        absent: Vec<&'a Versioned>,
    ) -> (HashSet<Owner>, Vec<&'a Versioned>) {
        let definition = context.definition.cached();
        let is_older = |read: &Versioned| {
            burns(&read.entry) && definition.as_ref().is_some_and(|seen| read.is_older_than(seen))
        };
        let (older, absent): (Vec<_>, Vec<_>) = absent.into_iter().partition(|read| is_older(read));
        context.metrics.of_older_definition(older.len());
        (
            older.into_iter().map(|read| read.entry.owner.clone()).collect(),
            absent,
        )
    }

    fn is_due(&self, context: &Context, going: &HashSet<String>, entry: &Entry, now: Timestamp) -> bool {
        let waits = entry.retry.pause_until(now).is_some();
        let paused = self
            .pauses()
            .get(&entry.owner)
            .is_some_and(|(_, until)| *until > Instant::now());
        match &entry.phase {
            _ if paused => false,
            Phase::Shared(_) => {
                let seen_to_go =
                    context.deletions.contains(&entry.owner) || going.contains(&entry.owner.namespace);
                burns(entry) && (seen_to_go || self.missing.lets_go(&entry.owner))
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

    /// Asks for each share, then for the definition, and then acts: a definition that is served after a share was not
    /// found, and is still the one of the entry, was served all the time.
    async fn work(&self, context: &Context, due: &[&Versioned]) {
        let asked = futures::stream::iter(0..due.len())
            .map(|at| async move {
                let gone = step!("gone", share_is_gone(context, &due[at].entry.owner));
                (at, gone)
            })
            .buffer_unordered(CONCURRENCY);
        let answers: Vec<_> = asked.collect().await;
        let mut gone = Vec::new();
        for (at, answer) in answers {
            let read = due[at];
            match answer {
                Ok(true) => gone.push(read),
                _ if mutant!("burn-unasked") => gone.push(read),
                // The cache is behind, and will know soon.
                Ok(false) => self.pause(&read.entry.owner),
                Err(error) => {
                    tracing::warn!(%error, "whether a missing share is gone cannot be read; trying again");
                    self.pause(&read.entry.owner);
                }
            }
        }
        if gone.is_empty() {
            return;
        }
        let Some(definition) = served(context).await else {
            gone.iter().for_each(|read| self.pause(&read.entry.owner));
            return;
        };
        let (gone, definition) = (&gone, &definition);
        futures::stream::iter(0..gone.len())
            .for_each_concurrent(CONCURRENCY, |at| async move {
                let read = gone[at];
                match self.follow(context, read, definition).await {
                    // Somebody else wrote the entry; the next round sees what it is now.
                    Ok(()) | Err(LedgerError::Conflict | LedgerError::Paused) => {}
                    Err(error) => {
                        tracing::warn!(%error, "the link of a missing share could not be dealt with; trying again");
                        self.pause(&read.entry.owner);
                    }
                }
            })
            .await;
    }

    /// Leaves a share alone for a while, longer each time.
    fn pause(&self, owner: &Owner) {
        let mut pauses = self.pauses();
        let (failures, until) = pauses.entry(owner.clone()).or_insert((0, Instant::now()));
        *until = Instant::now() + Duration::from_secs(1 << (*failures).min(16)).min(LONGEST_PAUSE);
        *failures += 1;
    }

    fn pauses(&self) -> std::sync::MutexGuard<'_, HashMap<Owner, (u32, Instant)>> {
        self.pauses
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn follow(
        &self,
        context: &Context,
        read: &Versioned,
        definition: &Seen,
    ) -> Result<(), LedgerError> {
        match &read.entry.phase {
            // The definition is another one than a moment ago.
            Phase::Shared(_) if read.is_older_than(definition) => {}
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

/// The definition, while shares are served.
async fn served(context: &Context) -> Option<Seen> {
    match context.definition.read().await {
        Ok(definition) => definition.served.then_some(definition),
        Err(error) => {
            tracing::warn!(%error, "whether OneTimeShares are served cannot be read");
            None
        }
    }
}

/// Whoever was refused asks for the namespace: the Role that let one read its shares goes with it.
async fn share_is_gone(context: &Context, owner: &Owner) -> Result<bool, ApiError> {
    let api: Api<OneTimeShare> = Api::namespaced(context.kubernetes.clone(), &owner.namespace);
    match is_gone(&api, &owner.name).await {
        Err(refused) if refused.is_forbidden() => {
            match namespaces::standing(&context.kubernetes, &owner.namespace).await {
                Ok(Standing::Gone) => Ok(true),
                _ => Err(refused),
            }
        }
        answer => answer,
    }
}

/// Whether an entry need not be remembered any more: past the retention, and past the life of the service's receipt.
fn is_over(context: &Context, end: Timestamp, ttl_seconds: u64, now: Timestamp) -> bool {
    let receipt = Duration::from_secs(ttl_seconds.saturating_mul(2));
    let keep = SignedDuration::try_from(context.options.ledger_retention.max(receipt))
        .unwrap_or(SignedDuration::MAX);
    end.checked_add(keep).is_ok_and(|over| over < now)
}
