//! Entries of several shards: whose an entry is, how a shard takes one that another shard wrote, and what all of them know.
//!
//! The index holds only a shard's own entries, so that an entry which is not there may be another shard's.

use super::attempt::Route;
use super::codec::{self, SECRET_TYPE};
use super::entry::{Entry, Owner};
use super::store::{Ledger, LedgerError};
use super::versioned::Versioned;
use crate::kubernetes::pages;
use crate::shard::Shard;
use kube::api::ListParams;

impl Versioned {
    /// Whether another shard wrote the entry last: it is to be taken before anything is decided.
    #[must_use]
    pub fn is_of_another_shard(&self) -> bool {
        self.of_another_shard && !mutant!("act-on-others-entry")
    }
}

impl Ledger {
    /// Which entries the index holds.
    #[must_use]
    pub fn shard(&self) -> &Shard {
        &self.shard
    }

    /// The entry of a share, whichever shard wrote it: from the index, and where there may be one that the index does not
    /// hold, from the API server.
    ///
    /// # Errors
    /// As [`Ledger::read_live`].
    pub async fn find(&self, owner: &Owner) -> Result<Option<Versioned>, LedgerError> {
        match self.read(owner)? {
            None if self.shard.is_part() => self.read_live(owner).await,
            read => Ok(read),
        }
    }

    /// Makes an entry this shard's own, if it is still the one that was read. What it says stays.
    ///
    /// # Errors
    /// As [`Ledger::replace`].
    pub async fn take(&self, read: &Versioned) -> Result<Versioned, LedgerError> {
        if mutant!("take-without-cas") {
            let newest = self.read_live(&read.entry.owner).await?;
            return self
                .replace(newest.as_ref().unwrap_or(read), read.entry.clone())
                .await;
        }
        self.replace(read, read.entry.clone()).await
    }

    /// The entries that tell which receipts the list of an account must show, of all shards.
    ///
    /// # Errors
    /// As [`Ledger::of_account`].
    pub async fn expected_of_account(&self, route: &Route) -> Result<Vec<Entry>, LedgerError> {
        match self.shard.is_part() {
            true => self.of_account(route).await,
            false => self.concerning(route),
        }
    }

    /// The entries that may concern an account: of this shard from the index, of the others every one that can be read, from
    /// the API server.
    ///
    /// # Errors
    /// As [`Ledger::concerning`], and [`LedgerError::Api`].
    pub async fn of_all_shards(&self, route: &Route) -> Result<Vec<Entry>, LedgerError> {
        let mut all = self.concerning(route)?;
        let Some(others) = self.shard.entries_of_others() else {
            return Ok(all);
        };
        let params = ListParams::default()
            .labels(&others)
            .fields(&format!("type={SECRET_TYPE}"));
        pages::for_each(&self.api, params, |secret| {
            all.extend(codec::decode(&secret).ok());
        })
        .await?;
        Ok(all)
    }
}

#[cfg(test)]
mod tests;
