//! Attempts whose answers were lost, of shares that are there: the superseded ones and those on hold. One task for each
//! server, so that one list of an account serves all of them.

use super::accounts::{Looks, Pauses, is_current, is_ours};
use super::on_hold::heal;
use super::server::{Job, Kind, Server};
use super::superseded::{may_be_sought, settle};
use super::unit::Unit;
use crate::ledger::{Attempt, LedgerError, Phase, Versioned};
use crate::share::CachedShare;
use crate::share::context::Context;
use kube::runtime::reflector::Store;
use std::collections::BTreeMap;

/// One attempt whose time has come.
pub(super) struct Due {
    read: Versioned,
    attempt: Attempt,
    on_hold: bool,
}

/// What is remembered of lost attempts from round to round.
#[derive(Default)]
pub(super) struct Lost {
    pauses: Pauses,
}

impl Lost {
    /// The attempts whose time has come, by server, of these entries.
    pub(super) fn due(&self, context: &Context, unresolved: &[Versioned]) -> BTreeMap<Job, Vec<Due>> {
        self.pauses.tidy();
        let mut due = BTreeMap::<Job, Vec<Due>>::new();
        let mut add = |read: &Versioned, attempt: &Attempt, on_hold| {
            let server = Server::of(&attempt.route, &read.entry.owner.namespace);
            let attempts = due.entry(Job::at(server, Kind::Lost)).or_default();
            attempts.push(Due {
                read: read.clone(),
                attempt: attempt.clone(),
                on_hold,
            });
        };
        let is_ours = |read: &&Versioned| is_ours(context, &read.entry.cluster, &read.entry.owner);
        for read in unresolved.iter().filter(is_ours) {
            // The first that is due: what is done to it changes the entry.
            let superseded = &read.entry.superseded;
            if let Some(attempt) = superseded
                .iter()
                .find(|attempt| self.pauses.is_over(attempt) && may_be_sought(context, attempt))
            {
                add(read, attempt, false);
            }
            if let Phase::Intent(attempt) = &read.entry.phase
                && attempt.needs_decision
                && attempt.mails()
                && self.pauses.is_over(attempt)
            {
                add(read, attempt, true);
            }
        }
        due
    }

    pub(super) async fn work(
        &self,
        context: &Context,
        shares: &Store<CachedShare>,
        unit: &Unit,
        mut due: Vec<Due>,
    ) {
        // Those that need no list first: one that always fails must not keep known links from being burned.
        due.sort_by_key(|due| due.attempt.metadata_key.is_none());
        let mut looks = Looks::default();
        for Due {
            read,
            attempt,
            on_hold,
        } in due
        {
            let Some(_place) = unit.place().await else { return };
            if !is_current(context, &read) {
                continue;
            }
            self.pauses.begin(context, &read.entry.owner.namespace, &attempt);
            let done = match on_hold {
                true => heal(context, shares, unit, &read, &attempt, &mut looks).await,
                false => settle(context, shares, unit, &read, &attempt, &mut looks).await,
            };
            match done {
                // Somebody else wrote the entry; the next round sees what it is now.
                Ok(()) | Err(LedgerError::Conflict | LedgerError::Paused) => {}
                Err(error) => tracing::warn!(%error, "a lost attempt could not be dealt with; will retry"),
            }
        }
    }
}
