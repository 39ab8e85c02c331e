//! A share as a reconcile sees it, and the facts that `decide` needs. Changes nothing.

use crate::api::condition::UP_TO_DATE;
use crate::api::share::{OneTimeShare, OneTimeShareStatus};
use crate::ledger::rebuild;
use crate::ledger::{ContentMark, Owner, Phase, RequestKey, Versioned};
use crate::problem::Problem;
use crate::share::context::Context;
use crate::share::decide::{Facts, StatusClaim};
use crate::share::inputs::request::Request;
use crate::share::read_at::ReadAt;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use std::sync::Arc;
use std::time::Duration;

/// A share as it was read, and whether that was just now.
pub(super) struct ShareSnapshot {
    pub(super) share: Arc<OneTimeShare>,
    pub(super) owner: Owner,
    pub(super) request: Result<Request, Problem>,
    /// The version of the ledger entry (empty when there was none) that was read before this share was read from the
    /// API server. None for a share from the cache.
    read_after: Option<String>,
    /// The value as it was read a moment ago, for shares that follow its changes.
    pub(super) content: Option<ContentMark>,
    /// A hash of what the share would be tried with now, as it was read a moment ago.
    pub(super) inputs: Option<String>,
    /// When the share was read.
    pub(super) read_at: ReadAt,
    /// When the API server still had it so, where that is known.
    pub(super) known_at: Option<ReadAt>,
    /// When the reconcile began.
    pub(super) began: Timestamp,
}

impl ShareSnapshot {
    /// A share from the cache, which was complete at `known_at`. None when it has no namespace, name or uid, which the API
    /// server never allows.
    pub(super) fn cached(share: Arc<OneTimeShare>, known_at: Option<ReadAt>) -> Option<Self> {
        share.uid()?;
        Some(Self {
            owner: Owner::of(&*share)?,
            request: Request::parse(&share.spec),
            share,
            read_after: None,
            content: None,
            inputs: None,
            read_at: ReadAt::now(),
            known_at,
            began: Timestamp::now(),
        })
    }

    /// The same share as the API server has it, read after this version of its entry.
    pub(super) fn live(self, share: Arc<OneTimeShare>, read: Option<&Versioned>) -> Option<Self> {
        Some(Self {
            read_after: Some(version(read)),
            content: self.content,
            inputs: self.inputs,
            began: self.began,
            ..Self::cached(share, None)?
        })
    }
}

fn version(read: Option<&Versioned>) -> String {
    read.map(Versioned::version).unwrap_or_default().to_owned()
}

/// What `decide` is told.
pub(super) fn facts<'a>(
    context: &'a Context,
    snapshot: &'a ShareSnapshot,
    read: Option<&Versioned>,
) -> Facts<'a> {
    let meta = &snapshot.share.metadata;
    let status = snapshot.share.status.as_ref();
    Facts {
        uid: meta.uid.as_deref().unwrap_or_default(),
        generation: meta.generation.unwrap_or_default(),
        request: snapshot.request.as_ref(),
        suspend: snapshot.share.spec.suspend,
        deleting: meta.deletion_timestamp.is_some(),
        burn: snapshot
            .share
            .annotations()
            .get(crate::api::BURN)
            .map(String::as_str),
        status_claim: StatusClaim {
            request: status.and_then(|status| RequestKey::from_status_form(status.request_hash.as_deref()?)),
            attempt: status.and_then(|status| status.attempt.as_deref()),
            complete: status.is_some_and(rebuild::is_complete),
            noted: status.is_some_and(|status| is_noted(status, meta.generation)),
        },
        live: snapshot.read_after.as_deref() == Some(version(read).as_str()),
        cluster: &context.cluster,
        is_of_older_definition: read
            .zip(context.definition.cached())
            .is_some_and(|(read, definition)| read.is_older_than(&definition)),
        content: snapshot.content.as_ref(),
        entry_was_known: context.ledger.knew(&snapshot.owner),
        vanished: match read {
            None => context
                .ledger
                .vanished(&snapshot.owner)
                .map(|vanished| vanished.request),
            Some(_) => None,
        },
        attempt_known_for: match read.map(|read| &read.entry.phase) {
            Some(Phase::Intent(attempt)) => context.sightings.known_for(&attempt.nonce),
            _ => Duration::ZERO,
        },
        sent_ago: context.sightings.sent_ago(&snapshot.owner),
        inputs: snapshot.inputs.as_deref(),
        waiting_since: status
            .filter(|status| status.observed_generation == meta.generation)
            .and_then(|status| status.waiting_since.as_ref())
            .map(|time| time.0),
        max_wait: context.options.max_wait,
        now: Timestamp::now(),
    }
}

/// Whether a status says of this generation that the edit came after the link's end.
fn is_noted(status: &OneTimeShareStatus, generation: Option<i64>) -> bool {
    let of_this_generation = status.observed_generation == generation;
    let not_up_to_date = |condition: &Condition| condition.type_ == UP_TO_DATE && condition.status == "False";
    of_this_generation && status.conditions.iter().any(not_up_to_date)
}
