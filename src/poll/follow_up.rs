//! What is done about entries whose share is missing: asks whether it is gone, and then burns, resolves or forgets.
//!
//! The order is what makes it safe: first each share is asked for, then the definition is read, and then it is acted. A
//! definition that is served after a share was not found, and is still the one of the entry, was served all the time.

use super::accounts::is_current;
use super::unit::{CONCURRENCY, Unit};
use crate::api::share::OneTimeShare;
use crate::kubernetes::definition::Seen;
use crate::kubernetes::namespaces::{self, Standing};
use crate::kubernetes::{ApiError, is_gone};
use crate::ledger::{Attempt, BurnReason, LedgerError, Owner, Phase, Versioned};
use crate::share::context::Context;
use crate::share::effects::{burn, resolve};
use futures::StreamExt;
use kube::Api;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// How many shares are asked for before the definition is read and the first of them acted upon, when the server answers.
const CHUNK: usize = 64;

/// How many shares are asked for at once, for all servers together.
const ASKED_AT_ONCE: usize = 16;

/// The longest pause after a share could not be dealt with.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What is remembered of the entries that were acted upon.
pub(super) struct FollowUp {
    /// Those that the last round found due. A task may have begun earlier: since then very many others may have gone missing.
    due: Mutex<HashSet<Owner>>,
    /// When to go on with what is in doubt.
    later: Mutex<HashMap<String, Instant>>,
    /// After how many failures, and until when, a share is left alone.
    pauses: Mutex<HashMap<Owner, (u32, Instant)>>,
    asks: Semaphore,
}

impl Default for FollowUp {
    fn default() -> Self {
        Self {
            due: Mutex::default(),
            later: Mutex::default(),
            pauses: Mutex::default(),
            asks: Semaphore::new(ASKED_AT_ONCE),
        }
    }
}

impl FollowUp {
    /// Forgets all shares but these.
    pub(super) fn keep_only(&self, missing: &HashSet<&Owner>) {
        lock(&self.pauses).retain(|owner, _| missing.contains(owner));
        lock(&self.later).retain(|_, time| *time > Instant::now());
    }

    /// Notes which shares this round found due. No other one is acted upon from now on.
    pub(super) fn note_due(&self, due: HashSet<Owner>) {
        *lock(&self.due) = due;
    }

    /// Whether an entry is to be acted upon still.
    fn is_due(&self, context: &Context, read: &Versioned) -> bool {
        lock(&self.due).contains(&read.entry.owner) && is_current(context, read)
    }

    /// Whether a share is left alone now.
    pub(super) fn is_paused(&self, owner: &Owner) -> bool {
        lock(&self.pauses)
            .get(owner)
            .is_some_and(|(_, until)| *until > Instant::now())
    }

    /// Whether it is time to go on with an attempt that is in doubt.
    pub(super) fn is_resolvable(&self, context: &Context, attempt: &Attempt) -> bool {
        let waits = lock(&self.later)
            .get(&attempt.nonce)
            .is_some_and(|time| *time > Instant::now());
        context.sightings.known_for(&attempt.nonce) >= attempt.safe_after() && !waits
    }

    /// Follows up entries of one server, or such that need none. Of a server that did not answer yet it begins with one.
    pub(super) async fn work(&self, context: &Context, unit: &Unit, due: Vec<Versioned>) {
        let mut rest = &due[..];
        while !rest.is_empty() && unit.goes_on() {
            let size = if unit.is_proven() { CHUNK } else { 1 };
            let (chunk, others) = rest.split_at(size.min(rest.len()));
            self.chunk(context, unit, chunk).await;
            rest = others;
        }
    }

    async fn chunk(&self, context: &Context, unit: &Unit, due: &[Versioned]) {
        let due: Vec<&Versioned> = due.iter().filter(|read| self.is_due(context, read)).collect();
        let gone = unit.unless_stopped(self.gone(context, &due)).await;
        let gone = gone.unwrap_or_default();
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
                let Some(_place) = unit.place().await else { return };
                if !self.is_due(context, read) {
                    return;
                }
                match self.follow(context, unit, read, definition).await {
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

    /// Those whose share is gone.
    async fn gone<'a>(&self, context: &Context, due: &[&'a Versioned]) -> Vec<&'a Versioned> {
        let asked = futures::stream::iter(0..due.len())
            .map(|at| async move {
                let _place = self.asks.acquire().await;
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
        gone
    }

    /// Leaves a share alone for a while, longer each time.
    fn pause(&self, owner: &Owner) {
        let mut pauses = lock(&self.pauses);
        let (failures, until) = pauses.entry(owner.clone()).or_insert((0, Instant::now()));
        *until = Instant::now() + Duration::from_secs(1 << (*failures).min(16)).min(LONGEST_PAUSE);
        *failures += 1;
    }

    async fn follow(
        &self,
        context: &Context,
        unit: &Unit,
        read: &Versioned,
        definition: &Seen,
    ) -> Result<(), LedgerError> {
        match &read.entry.phase {
            // The definition is another one than a moment ago.
            Phase::Shared(_) if read.is_older_than(definition) => {}
            Phase::Shared(_) => {
                let marked = burn::begin(context, read, BurnReason::Deleted).await?;
                burn(context, unit, marked).await?;
            }
            Phase::Burning(_) => burn(context, unit, read.clone()).await?,
            Phase::Intent(attempt) if !attempt.needs_decision => {
                self.resolve(context, unit, read, attempt).await?;
            }
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
        unit: &Unit,
        read: &Versioned,
        attempt: &Attempt,
    ) -> Result<(), LedgerError> {
        let tell = |failure: Option<&_>| unit.heard(failure);
        let outcome = resolve::resolve_and_tell(context, read.clone(), attempt, tell).await?;
        if let resolve::Outcome::Later(wait) = outcome {
            lock(&self.later).insert(attempt.nonce.clone(), Instant::now() + wait);
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Burns the link of an entry that is marked.
async fn burn(context: &Context, unit: &Unit, marked: Versioned) -> Result<(), LedgerError> {
    if let Phase::Burning(burning) = &marked.entry.phase.clone() {
        let (_, answer) = burn::go_on_and_tell(context, marked, burning).await?;
        match answer {
            Some(answer) => unit.heard(answer.as_ref().err()),
            // It cannot be asked for, which says nothing of the others.
            None if burning.link.metadata_key.is_none() => {}
            // Others found that the server is to be left alone, or it may not be reached any more.
            None => unit.give_up(),
        }
    }
    Ok(())
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
