//! A share as a reconcile sees it: what `decide` is told of it, and when to look again. Changes nothing.

use crate::api::condition::Reason;
use crate::api::share::{OneTimeShare, RefreshPolicy};
use crate::backoff;
use crate::ledger::rebuild;
use crate::ledger::{ContentMark, Owner, Phase, RequestKey, Versioned};
use crate::problem::Problem;
use crate::share::context::Context;
use crate::share::decide::{Facts, Told};
use crate::share::request::Request;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use std::sync::Arc;
use std::time::Duration;

/// A share as it was read, and whether that was just now.
pub(super) struct Seen {
    pub(super) share: Arc<OneTimeShare>,
    pub(super) owner: Owner,
    pub(super) request: Result<Request, Problem>,
    /// The version of the ledger entry (empty when there was none) that was read before this share was read from the
    /// API server. None for a share from the cache.
    read_after: Option<String>,
    /// The value as it was read a moment ago, for shares that follow its changes.
    pub(super) content: Option<ContentMark>,
    /// When the reconcile began.
    pub(super) began: Timestamp,
}

impl Seen {
    /// A share from the cache. None when it has no namespace, name or uid, which the API server never allows.
    pub(super) fn cached(share: Arc<OneTimeShare>) -> Option<Self> {
        share.uid()?;
        Some(Self {
            owner: Owner {
                namespace: share.namespace()?,
                name: share.metadata.name.clone()?,
            },
            request: Request::parse(&share.spec),
            share,
            read_after: None,
            content: None,
            began: Timestamp::now(),
        })
    }

    /// The same share as the API server has it, read after this version of its entry.
    pub(super) fn live(self, share: Arc<OneTimeShare>, read: Option<&Versioned>) -> Option<Self> {
        Some(Self {
            read_after: Some(version(read)),
            content: self.content,
            began: self.began,
            ..Self::cached(share)?
        })
    }
}

fn version(read: Option<&Versioned>) -> String {
    read.map(Versioned::version).unwrap_or_default().to_owned()
}

/// How often the value of a share that follows its changes is read.
pub(super) const CONTENT_INTERVAL: Duration = Duration::from_secs(60);

/// What `decide` is told.
pub(super) fn facts<'a>(context: &'a Context, seen: &'a Seen, read: Option<&Versioned>) -> Facts<'a> {
    let meta = &seen.share.metadata;
    let status = seen.share.status.as_ref();
    Facts {
        uid: meta.uid.as_deref().unwrap_or_default(),
        generation: meta.generation.unwrap_or_default(),
        request: seen.request.as_ref(),
        suspend: seen.share.spec.suspend,
        deleting: meta.deletion_timestamp.is_some(),
        burn: seen.share.annotations().get(crate::api::BURN).map(String::as_str),
        told: Told {
            request: status.and_then(|status| RequestKey::from_status_form(status.request_hash.as_deref()?)),
            attempt: status.and_then(|status| status.attempt.as_deref()),
            complete: status.is_some_and(rebuild::is_complete),
        },
        live: seen.read_after.as_deref() == Some(version(read).as_str()),
        cluster: &context.cluster,
        content: seen.content.as_ref(),
        entry_was_known: context.ledger.knew(&seen.owner),
        attempt_known_for: match read.map(|read| &read.entry.phase) {
            Some(Phase::Intent(attempt)) => context.attempts.known_for(&attempt.nonce),
            _ => Duration::ZERO,
        },
        now: Timestamp::now(),
    }
}

/// When to look again without being told.
pub(super) fn rest(seen: &Seen, problem: Option<&Problem>, wake: Option<Timestamp>) -> Action {
    if let Some(wake) = wake {
        let wait = Timestamp::now().duration_until(wake);
        return Action::requeue(Duration::try_from(wait).unwrap_or_default() + Duration::from_millis(100));
    }
    match problem {
        None if follows_content(seen) => Action::requeue(CONTENT_INTERVAL),
        None => Action::await_change(),
        // Only an edit of the share helps, and that wakes us.
        Some(problem) if only_an_edit_helps(problem, seen) => Action::await_change(),
        Some(_) => {
            let created = seen
                .share
                .metadata
                .creation_timestamp
                .as_ref()
                .map_or(Timestamp::UNIX_EPOCH, |time| time.0);
            let age = Duration::try_from(created.duration_until(Timestamp::now())).unwrap_or_default();
            Action::requeue(backoff::look_again(
                age,
                seen.share.metadata.uid.as_deref().unwrap_or_default(),
            ))
        }
    }
}

fn follows_content(seen: &Seen) -> bool {
    seen.request
        .as_ref()
        .is_ok_and(|request| request.refresh == RefreshPolicy::OnChange)
}

fn only_an_edit_helps(problem: &Problem, seen: &Seen) -> bool {
    match problem.reason {
        Reason::Uncertain | Reason::LedgerLost | Reason::TtlInvalid | Reason::Suspended => true,
        // What is wrong may be in another object.
        Reason::RecipientInvalid => seen.share.spec.recipient_from.is_none(),
        _ => false,
    }
}
