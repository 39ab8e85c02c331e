//! Which entries are followed up whose share is not there any more: what the share's policy says is burned, what is in
//! doubt is resolved only to burn it, and tombstones are forgotten when their time is over. `follow_up` does it.
//!
//! There is no finalizer: a deletion never waits for this. That a share is gone is believed only of a live answer that
//! names it, or its namespace, and only when the definition under which the entry was written is still served after
//! that answer. Shares that are missing in large numbers without having been seen to go are waited for: see `mass`.

use super::accounts::{is_ours, share_of};
use super::follow_up::FollowUp;
use super::missing::{Missing, burns};
use super::server::{Job, Kind, Server};
use crate::ledger::{Burning, Entry, Finished, Owner, Phase, Versioned};
use crate::share::CachedShare;
use crate::share::context::Context;
use jiff::{SignedDuration, Timestamp};
use kube::runtime::reflector::Store;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// What the poll remembers from round to round.
pub(super) struct Orphans {
    missing: Missing,
    follow_up: Arc<FollowUp>,
}

impl Orphans {
    pub(super) fn new(follow_up: Arc<FollowUp>) -> Self {
        Self {
            missing: Missing::default(),
            follow_up,
        }
    }

    /// The entries that are to be followed up, by server and kind.
    pub(super) async fn due(
        &mut self,
        context: &Context,
        shares: &Store<CachedShare>,
        entries: &[Versioned],
    ) -> BTreeMap<Job, Vec<Versioned>> {
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
        self.follow_up.keep_only(&there);
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
        let owners = due.iter().map(|read| read.entry.owner.clone());
        self.follow_up.note_due(owners.collect());
        let mut jobs = BTreeMap::<Job, Vec<Versioned>>::new();
        for read in due {
            jobs.entry(job(&read.entry)).or_default().push(read.clone());
        }
        jobs
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
        match &entry.phase {
            _ if self.follow_up.is_paused(&entry.owner) => false,
            Phase::Shared(_) => {
                let seen_to_go =
                    context.deletions.contains(&entry.owner) || going.contains(&entry.owner.namespace);
                burns(entry) && (seen_to_go || self.missing.lets_go(&entry.owner))
            }
            Phase::Burning(_) => !waits,
            Phase::Intent(attempt) if attempt.needs_decision => {
                is_over(context, attempt.started_at, attempt.ttl_seconds, now)
            }
            Phase::Intent(attempt) => self.follow_up.is_resolvable(context, attempt),
            // An entry that never had a link has nothing to remember.
            Phase::Idle => entry.request.epoch == 0 && entry.superseded.is_empty(),
            Phase::Finished(Finished { at, facts, .. }) => is_over(context, *at, facts.ttl_seconds, now),
        }
    }
}

/// Who follows an entry up. Burns are apart from what needs lists.
fn job(entry: &Entry) -> Job {
    let (route, kind) = match &entry.phase {
        Phase::Shared(link) | Phase::Burning(Burning { link, .. }) => (&link.route, Kind::Burns),
        Phase::Intent(attempt) if !attempt.needs_decision => (&attempt.route, Kind::InDoubt),
        Phase::Intent(_) | Phase::Idle | Phase::Finished(_) => return Job::tidying(),
    };
    Job::at(Server::of(route, &entry.owner.namespace), kind)
}

/// Whether an entry need not be remembered any more: past the retention, and past the life of the service's receipt.
fn is_over(context: &Context, end: Timestamp, ttl_seconds: u64, now: Timestamp) -> bool {
    let receipt = Duration::from_secs(ttl_seconds.saturating_mul(2));
    let keep = SignedDuration::try_from(context.options.ledger_retention.max(receipt))
        .unwrap_or(SignedDuration::MAX);
    end.checked_add(keep).is_ok_and(|over| over < now)
}
