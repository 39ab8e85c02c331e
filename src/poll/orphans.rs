//! Which entries are followed up whose share is not there any more: what the share's policy says is burned, what is in
//! doubt is resolved only to burn it, and tombstones are forgotten when their time is over. `follow_up` does it.
//!
//! There is no finalizer: a deletion never waits for this. That a share is gone is believed only of a live answer that
//! names it, or its namespace, and only when the definition under which the entry was written is still served after
//! that answer. Shares that are missing in large numbers without having been seen to go are waited for: see `mass`.

use super::accounts::{is_ours, share_of};
use super::follow_up::FollowUp;
use super::missing::Missing;
use super::server::{Job, Kind, Server};
use crate::ledger::{Burning, Entry, Line, Owner, Phase, Stage, Versioned};
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
        lines: &[Arc<Line>],
    ) -> BTreeMap<Job, Vec<Versioned>> {
        self.missing.look_for_unlisted(context).await;
        let ours: Vec<&Line> = lines
            .iter()
            .map(Arc::as_ref)
            // Another cluster's entries say nothing about this one's shares.
            .filter(|line| is_ours(context, line.cluster(), line.owner()))
            // Nor does a namespace that could not be listed.
            .filter(|line| !context.unlisted.contains(&line.owner().namespace))
            .collect();
        let absent: Vec<&Line> = ours
            .iter()
            .copied()
            .filter(|line| share_of(shares, line.owner()).is_none())
            .collect();
        let (older, absent) = self.without_older(context, absent);
        let there: HashSet<&Owner> = absent.iter().map(|line| line.owner()).collect();
        self.follow_up.keep_only(&there);
        let links = ours.iter().copied().filter(|line| !older.contains(line.owner()));
        let going = self.missing.guard(context, links, &absent).await;
        let now = Timestamp::now();
        let due = absent
            .into_iter()
            .filter_map(|line| self.if_due(context, &going, line, now));
        let due: Vec<Versioned> = due.collect();
        let owners = due.iter().map(|read| read.entry.owner.clone());
        self.follow_up.note_due(owners.collect());
        let mut jobs = BTreeMap::<Job, Vec<Versioned>>::new();
        for read in due {
            jobs.entry(job(&read.entry)).or_default().push(read);
        }
        jobs
    }

    /// Leaves out the links whose shares went with an earlier definition: nobody deleted those.
    fn without_older<'a>(
        &self,
        context: &Context,
        absent: Vec<&'a Line>,
    ) -> (HashSet<&'a Owner>, Vec<&'a Line>) {
        let definition = context.definition.cached();
        let is_older =
            |line: &Line| line.burns() && definition.as_ref().is_some_and(|seen| line.is_older_than(seen));
        let (older, absent): (Vec<_>, Vec<_>) = absent.into_iter().partition(|line| is_older(line));
        context.metrics.of_older_definition(older.len());
        (older.into_iter().map(Line::owner).collect(), absent)
    }

    /// The entry, when it is to be followed up now. Opened only where its line does not tell.
    fn if_due(
        &self,
        context: &Context,
        going: &HashSet<String>,
        line: &Line,
        now: Timestamp,
    ) -> Option<Versioned> {
        let owner = line.owner();
        if self.follow_up.is_paused(owner) {
            return None;
        }
        let may_be_due = match line.stage() {
            Stage::Shared(_) => {
                let seen_to_go = context.deletions.contains(owner) || going.contains(&owner.namespace);
                line.burns() && (seen_to_go || self.missing.lets_go(owner))
            }
            // An entry that never had a link has nothing to remember.
            Stage::Idle { is_blank } => *is_blank,
            Stage::Finished { at, ttl_seconds, .. } => is_over(context, *at, *ttl_seconds, now),
            Stage::Burning(_) | Stage::Intent { .. } => true,
        };
        let read = may_be_due.then(|| line.open().ok()).flatten()?;
        let is_due = match &read.entry.phase {
            Phase::Burning(_) => read.entry.retry.pause_until(now).is_none(),
            Phase::Intent(attempt) if attempt.needs_decision => {
                is_over(context, attempt.started_at, attempt.ttl_seconds, now)
            }
            Phase::Intent(attempt) => self.follow_up.is_resolvable(context, attempt),
            Phase::Shared(_) | Phase::Idle | Phase::Finished(_) => true,
        };
        is_due.then_some(read)
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
