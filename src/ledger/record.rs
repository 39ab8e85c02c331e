//! Writing an outcome: it exists nowhere else, so the write is repeated until the API server takes it.

use super::entry::{Entry, Phase, Retry};
use super::store::{Ledger, LedgerError, Versioned};
use crate::backoff;
use std::time::Duration;

/// How long to retry the write of an outcome.
const RECORD_FOR: Duration = Duration::from_secs(300);

impl Ledger {
    /// Writes an outcome, and retries while the API server does not answer, for up to five minutes.
    ///
    /// # Errors
    /// [`LedgerError::Conflict`] when the entry is in another phase by now, and [`LedgerError::Api`].
    pub async fn record(
        &self,
        mut read: Versioned,
        phase: Phase,
        retry: Retry,
    ) -> Result<Versioned, LedgerError> {
        let give_up = tokio::time::Instant::now() + RECORD_FOR;
        let mut failures = 0;
        loop {
            let entry = Entry {
                phase: phase.clone(),
                retry: retry.clone(),
                ..read.entry.clone()
            };
            match self.replace(&read, entry).await {
                Err(LedgerError::Api(error)) if tokio::time::Instant::now() < give_up => {
                    failures += 1;
                    tracing::warn!(%error, failures, "writing an outcome to the ledger failed; will retry");
                    tokio::time::sleep(
                        backoff::delay(failures, &read.entry.write).min(Duration::from_secs(5)),
                    )
                    .await;
                }
                // Somebody touched the entry and left the phase alone: the outcome still belongs to it.
                Err(LedgerError::Conflict) => match self.read_live(&read.entry.owner).await? {
                    Some(found) if found.entry.phase == read.entry.phase || mutant!("force-outcome") => {
                        read = found;
                    }
                    _ => return Err(LedgerError::Conflict),
                },
                result => return result,
            }
        }
    }
}
