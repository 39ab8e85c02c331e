//! What else the ledger is asked: the entries of an account, and who is first in a lane.

use super::attempt::{Attempt, Route};
use super::codec::{self, SECRET_TYPE};
use super::entry::{Entry, Owner};
use super::lanes::{Asking, Lanes, UnderWay};
use super::living::Place;
use super::reach::Reach;
use super::store::{Ledger, LedgerError};
use super::versioned::Versioned;
use crate::kubernetes::bounded;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::ListParams;
use std::time::Duration;

/// The longest wait for the watch before the operator lists the lane instead.
const PATIENCE: Duration = Duration::from_secs(2);

/// The wait takes at most this part of the remaining time (1/4), so that the list and the POST still fit.
const PART_FOR_THE_WATCH: u32 = 4;

impl Ledger {
    /// The entries of an account, whatever address of its server they name, from the API server.
    ///
    /// # Errors
    /// [`LedgerError::Api`], and [`LedgerError::Codec`] when one cannot be read: what is not known could be anything.
    pub async fn of_account(&self, route: &Route) -> Result<Vec<Entry>, LedgerError> {
        let mut found = self
            .list(&format!("{}={}", codec::ACCOUNT, route.account_hash()))
            .await?;
        let of_first_version = format!("{}={},!{}", codec::ROUTE, route.hash(), codec::ACCOUNT);
        found.extend(self.list(&of_first_version).await?);
        found
            .iter()
            .map(|secret| codec::decode(secret).map_err(LedgerError::from))
            .collect()
    }

    /// Whether another share's attempt of a lane is under way, as far as this process saw: a hint that spares an intent.
    /// [`Ledger::is_oldest_in_lane`] decides.
    #[must_use]
    pub fn seems_taken(&self, lane: &str, endpoint: &str, owner: &Owner) -> bool {
        let asking = Asking {
            lane,
            endpoint,
            name: &owner.entry_name(),
            now: Timestamp::now(),
        };
        self.index().lanes().is_taken(asking)
    }

    /// The shares that have an unfinished attempt or a link that can still be opened, in a namespace and through a provider.
    #[must_use]
    pub fn living(&self, place: &Place) -> Vec<Owner> {
        self.index().living(place)
    }

    /// The entries that may tell of a receipt or an attempt of an account, as far as this process saw.
    ///
    /// # Errors
    /// [`LedgerError::Codec`], which would be a mistake in this program.
    pub fn concerning(&self, route: &Route) -> Result<Vec<Entry>, LedgerError> {
        let account = route.account_hash();
        let mut lines = self.lines();
        lines.retain(|line| line.may_concern(&account));
        lines.iter().map(|line| Ok(line.open()?.entry)).collect()
    }

    /// The hashes of the metadata keys of all links, as far as this process saw: also those of other accounts, because an
    /// account may have been renamed.
    #[must_use]
    pub fn key_hashes(&self) -> Vec<String> {
        let lines = self.lines();
        let hashes = lines.iter().filter_map(|line| line.key_hash());
        hashes.map(|hash| hash.to_string()).collect()
    }

    /// Whether no older attempt of the same lane is under way. Asked after the intent was written, so that of two
    /// attempts at least one sees the other: the watch tells once it has brought the intent, and where it is late, a list.
    /// `time` is what is left for the whole attempt.
    ///
    /// # Errors
    /// [`LedgerError::Api`]
    pub async fn is_oldest_in_lane(
        &self,
        intent: &Versioned,
        attempt: &Attempt,
        time: Duration,
    ) -> Result<bool, LedgerError> {
        let version = &intent.resource_version;
        let patience = (time / PART_FOR_THE_WATCH).min(PATIENCE);
        let owner = &intent.entry.owner;
        let asking = Asking {
            lane: &attempt.lane(&owner.namespace),
            endpoint: &attempt.route.endpoint,
            name: &owner.entry_name(),
            now: Timestamp::now(),
        };
        if !self.lane_reach().comes_to(version, patience).await {
            let mut lanes = Lanes::default();
            for secret in self.list(codec::LANE).await? {
                lanes.note(&secret.name_any().into(), UnderWay::of(&secret));
            }
            return Ok(!lanes.has_older(asking, version));
        }
        Ok(match &self.all_lanes {
            Some(all) => !all.lanes().has_older(asking, version),
            None => !self.index().lanes().has_older(asking, version),
        })
    }

    fn lane_reach(&self) -> &Reach {
        self.all_lanes.as_ref().map_or(&self.reach, |all| &all.reach)
    }

    async fn list(&self, labels: &str) -> Result<Vec<Secret>, LedgerError> {
        let params = ListParams::default()
            .labels(labels)
            .fields(&format!("type={SECRET_TYPE}"));
        Ok(bounded(self.api.list(&params)).await?.items)
    }
}
