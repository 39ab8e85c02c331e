//! Writing an outcome: it exists nowhere else, so the write is repeated until the API server takes it, whatever became
//! of the entry meanwhile.

use super::attempt::Attempt;
use super::entry::{Entry, MAX_SUPERSEDED, Phase};
use super::link::{Burning, Link};
use super::retry::Retry;
use super::store::{Ledger, LedgerError};
use super::versioned::Versioned;
use crate::backoff;
use std::time::Duration;
use tokio::time::Instant;

/// How long to retry the write of an outcome.
const RECORD_FOR: Duration = Duration::from_secs(300);

/// How long to retry when the outcome is a link that works: nobody else knows it.
const RECORD_LINK_FOR: Duration = Duration::from_secs(3600);

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// After somebody else's write; grows with each.
const AFTER_CONFLICT: Duration = Duration::from_millis(20);

/// Where an outcome belongs after somebody else changed the entry. PURE.
#[derive(Clone, Debug, PartialEq)]
enum Place {
    /// The entry is still about the attempt.
    Entry,
    /// Somebody deleted the entry: it is created again.
    NewEntry,
    /// The entry went on without the attempt: this is its new list of attempts to burn.
    Superseded(Vec<Attempt>),
    /// Nowhere: it is known already, or nothing of it can be lost.
    Nowhere,
}

impl Ledger {
    /// Writes an outcome, and retries while the API server does not take it: for up to an hour when it is a link that
    /// works, else for up to five minutes. Creates the entry again when somebody deleted it.
    ///
    /// # Errors
    /// [`LedgerError::Conflict`] when the entry is about something else by now; a link that works is then in its list of
    /// attempts to burn. [`LedgerError::Api`] and [`LedgerError::Refused`] after that time.
    pub async fn record(
        &self,
        mut read: Versioned,
        phase: Phase,
        retry: Retry,
    ) -> Result<Versioned, LedgerError> {
        let patience = link(&phase).map_or(RECORD_FOR, |_| RECORD_LINK_FOR);
        let give_up = Instant::now() + patience;
        let (mut failures, mut conflicts) = (0, 0);
        loop {
            // Boxed: many futures that are kept hold this one.
            match Box::pin(self.put(&mut read, &phase, &retry)).await {
                Ok(Some(written)) => return Ok(written),
                Ok(None) => {
                    conflicts += 1;
                    tokio::time::sleep((AFTER_CONFLICT * conflicts).min(LONGEST_PAUSE)).await;
                }
                Err(LedgerError::Api(error) | LedgerError::Refused(error)) if Instant::now() < give_up => {
                    failures += 1;
                    tracing::warn!(%error, failures, "writing an outcome to the ledger failed; will retry");
                    let pause = backoff::delay(failures, &read.entry.write);
                    tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Tries once. None when somebody else was faster, and `read` or the entry's place is another now.
    async fn put(
        &self,
        read: &mut Versioned,
        phase: &Phase,
        retry: &Retry,
    ) -> Result<Option<Versioned>, LedgerError> {
        let outcome = Entry {
            phase: phase.clone(),
            retry: retry.clone(),
            ..read.entry.clone()
        };
        match self.replace(read, outcome.clone()).await {
            Err(LedgerError::Conflict) => {}
            result => return result.map(Some),
        }
        let found = self.read_live(&read.entry.owner).await?;
        let written = match (
            place(&read.entry, found.as_ref().map(|found| &found.entry), phase),
            found,
        ) {
            (Place::Entry, Some(found)) => {
                *read = found;
                return Ok(None);
            }
            (Place::NewEntry, _) => {
                tracing::warn!(
                    "the ledger entry was deleted meanwhile; it is created again with the outcome"
                );
                self.create_again(&read.entry, outcome).await.map(Some)
            }
            (Place::Superseded(superseded), Some(found)) => {
                let entry = Entry {
                    superseded,
                    ..found.entry.clone()
                };
                self.replace(&found, entry).await?;
                tracing::warn!("the ledger entry went on without this attempt; its link will be burned");
                return Err(LedgerError::Conflict);
            }
            (_, None) => {
                // A definite no: the attempt that the entry held came to nothing, and nothing of it is lost.
                self.settled(&read.entry.owner);
                return Err(LedgerError::Conflict);
            }
            (Place::Nowhere, Some(_)) => return Err(LedgerError::Conflict),
        };
        match written {
            Err(LedgerError::Conflict) => Ok(None),
            result => result,
        }
    }
}

/// Where an outcome belongs. `before` is the entry that the attempt was made from, `found` the one that is there now.
fn place(before: &Entry, found: Option<&Entry>, outcome: &Phase) -> Place {
    let Some(found) = found else {
        // After a definite no there is nothing to lose.
        let loses = !matches!(outcome, Phase::Idle) && !mutant!("lose-outcome");
        return if loses { Place::NewEntry } else { Place::Nowhere };
    };
    // Somebody touched the entry and left the phase alone.
    if found.phase == before.phase || mutant!("force-outcome") {
        return Place::Entry;
    }
    match (&before.phase, link(outcome)) {
        (Phase::Intent(attempt), Some(link)) if !mutant!("lose-outcome") => set_aside(found, attempt, link),
        _ => Place::Nowhere,
    }
}

/// Puts a link into the list of those to burn.
fn set_aside(found: &Entry, attempt: &Attempt, link: &Link) -> Place {
    if found.phase.attempt() == Some(&attempt.nonce) {
        return Place::Nowhere;
    }
    let mut superseded = found.superseded.clone();
    let known = superseded.iter().position(|known| known.nonce == attempt.nonce);
    match known {
        Some(at) if superseded[at].metadata_key.is_some() => return Place::Nowhere,
        Some(at) => superseded[at].metadata_key.clone_from(&link.metadata_key),
        // One whose key is known is burned soon: it may exceed the bound for a while.
        None if superseded.len() < 2 * MAX_SUPERSEDED => superseded.push(Attempt {
            metadata_key: link.metadata_key.clone(),
            ..attempt.clone()
        }),
        None => return Place::Nowhere,
    }
    Place::Superseded(superseded)
}

/// The link of an outcome, while it may work.
fn link(phase: &Phase) -> Option<&Link> {
    match phase {
        Phase::Shared(link) | Phase::Burning(Burning { link, .. }) => Some(link),
        Phase::Idle | Phase::Intent(_) | Phase::Finished(_) => None,
    }
}

#[cfg(test)]
mod tests;
