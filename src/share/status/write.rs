//! Writing a share's status, if it differs from what is there, and telling what changed.

use super::events::notices;
use super::render::{facts, render};
use super::view::View;
use crate::api::condition::{READY, Reason};
use crate::api::share::{OneTimeShare, OneTimeShareStatus, ShareState};
use crate::kubernetes::bounded;
use crate::ledger::{Entry, Versioned};
use crate::problem::Problem;
use crate::share::context::Context;
use crate::share::decide::edited_after_the_end;
use crate::share::error::Failure;
use crate::share::inputs::request::Request;
use crate::share::read_at::ReadAt;
use crate::share::snapshot::ShareSnapshot;
use jiff::Timestamp;
use kube::Api;
use kube::api::{Patch, PatchParams};
use std::time::Duration;

/// Shows the entry, or the problem at hand.
pub(in crate::share) async fn status(
    context: &Context,
    snapshot: &ShareSnapshot,
    read: Option<&Versioned>,
    problem: Option<&Problem>,
) -> Result<(), Failure> {
    // The status is all that is left to tell of the link: without it the next look would find nothing that forbids sending.
    if let Some(problem) = problem.filter(|problem| problem.reason == Reason::LedgerLost) {
        return lost(context, snapshot, read, problem).await;
    }
    let entry = read.map(|read| &read.entry);
    let edited = edited(snapshot, entry);
    let status = render(&view(snapshot, entry, problem, edited.as_deref()));
    if goes_back(snapshot.share.status.as_ref(), &status) {
        // The cache of the ledger may be older than the status: an end that was shown must not be taken back.
        let live = context.ledger.read_live(&snapshot.owner).await?;
        if live.as_ref().map(Versioned::version) != read.map(Versioned::version) {
            return Err(Failure::Stale);
        }
    }
    apply(context, snapshot, &status, entry).await
}

/// Shows that the ledger lost something. What only this process still knows of the attempt goes into the status, so that
/// the next process does not send again either.
async fn lost(
    context: &Context,
    snapshot: &ShareSnapshot,
    read: Option<&Versioned>,
    problem: &Problem,
) -> Result<(), Failure> {
    let mut previous = snapshot.share.status.clone().unwrap_or_default();
    if previous.attempt.is_none()
        && let (None, Some(vanished)) = (read, context.ledger.vanished(&snapshot.owner))
    {
        previous.request_hash = Some(vanished.request.status_form());
        previous.attempt = Some(vanished.attempt);
    }
    over(context, snapshot, previous, problem).await
}

/// Whether a link that was shown to be over would be shown to live.
fn goes_back(before: Option<&OneTimeShareStatus>, after: &OneTimeShareStatus) -> bool {
    let over = |state| {
        matches!(
            state,
            Some(ShareState::Received | ShareState::Burned | ShareState::Expired)
        )
    };
    before.is_some_and(|before| {
        over(before.state)
            && after.state == Some(ShareState::Shared)
            && before.request_hash == after.request_hash
    })
}

/// Shows a problem, and leaves what the status tells of the link as it is.
pub(in crate::share) async fn conditions(
    context: &Context,
    snapshot: &ShareSnapshot,
    problem: &Problem,
) -> Result<(), Failure> {
    let previous = snapshot.share.status.clone().unwrap_or_default();
    over(context, snapshot, previous, problem).await
}

/// Shows a problem over what a status tells of the link.
async fn over(
    context: &Context,
    snapshot: &ShareSnapshot,
    previous: OneTimeShareStatus,
    problem: &Problem,
) -> Result<(), Failure> {
    let OneTimeShareStatus {
        observed_generation,
        state,
        conditions,
        ..
    } = render(&view(snapshot, None, Some(problem), None));
    let status = OneTimeShareStatus {
        observed_generation,
        state,
        conditions,
        ..previous
    };
    apply(context, snapshot, &status, None).await
}

/// The fields that were edited after the end of the link, where nothing is sent for that.
fn edited(snapshot: &ShareSnapshot, entry: Option<&Entry>) -> Option<Vec<String>> {
    let uid = snapshot.share.metadata.uid.as_deref()?;
    edited_after_the_end(entry?, snapshot.request.as_ref().ok()?, uid)
}

fn view<'a>(
    snapshot: &'a ShareSnapshot,
    entry: Option<&'a Entry>,
    problem: Option<&'a Problem>,
    edited: Option<&'a [String]>,
) -> View<'a> {
    View {
        generation: snapshot.share.metadata.generation.unwrap_or_default(),
        entry,
        current: edited.is_some() || entry.is_some_and(|entry| speaks_of(entry, &snapshot.request)),
        edited: edited.unwrap_or_default(),
        problem,
        previous: snapshot.share.status.as_ref(),
        now: Timestamp::now(),
    }
}

async fn apply(
    context: &Context,
    snapshot: &ShareSnapshot,
    status: &OneTimeShareStatus,
    entry: Option<&Entry>,
) -> Result<(), Failure> {
    let previous = snapshot.share.status.as_ref();
    if previous == Some(status) {
        return Ok(());
    }
    write_status(context, snapshot, previous, status).await?;
    if let (Some(attempt), Some(_)) = (&status.attempt, &status.link) {
        let waited = || waited(&snapshot.share, snapshot.began, Timestamp::now());
        context.metrics.shown(attempt, waited);
    }
    for notice in notices(previous, status, entry.and_then(|entry| facts(&entry.phase))) {
        context.metrics.notice(notice.reason);
        context.events.publish(&snapshot.share, notice).await;
    }
    Ok(())
}

/// Whether an entry is of the request that the spec makes now.
fn speaks_of(entry: &Entry, request: &Result<Request, Problem>) -> bool {
    let print = request
        .as_ref()
        .ok()
        .and_then(|request| request.fingerprint(entry.request.version));
    print.as_ref() == Some(&entry.request.fingerprint)
}

async fn write_status(
    context: &Context,
    snapshot: &ShareSnapshot,
    previous: Option<&OneTimeShareStatus>,
    status: &OneTimeShareStatus,
) -> Result<(), Failure> {
    let api: Api<OneTimeShare> = Api::namespaced(context.kubernetes.clone(), &snapshot.owner.namespace);
    let patch = serde_json::json!({
        // What was read may be old by now: a status of the past, or of a share that was re-created, must not be shown.
        "metadata": {
            "uid": snapshot.share.metadata.uid,
            "resourceVersion": snapshot.share.metadata.resource_version,
        },
        "status": merge(previous, status),
    });
    let sent = ReadAt::now();
    match bounded(api.patch_status(
        &snapshot.owner.name,
        &PatchParams::default(),
        &Patch::Merge(&patch),
    ))
    .await
    {
        // Deleted meanwhile: nobody is left to be told.
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) if error.is_conflict() => Err(Failure::Stale),
        result => {
            let written = result?;
            let [before, after] = [&snapshot.share.metadata, &written.metadata]
                .map(|metadata| metadata.resource_version.as_deref());
            context.freshness.wrote(sent, before, after);
            Ok(())
        }
    }
}

/// The status as a merge patch: what is there and should not be is set to null.
fn merge(previous: Option<&OneTimeShareStatus>, status: &OneTimeShareStatus) -> serde_json::Value {
    let object = |status: &OneTimeShareStatus| match serde_json::to_value(status) {
        Ok(serde_json::Value::Object(object)) => object,
        _ => serde_json::Map::new(),
    };
    let mut wanted = object(status);
    for (key, _) in previous.map(object).unwrap_or_default() {
        wanted.entry(key).or_insert(serde_json::Value::Null);
    }
    serde_json::Value::Object(wanted)
}

/// How long the request that a share makes has waited for its link. The first one since the share was created; a later
/// one since the status said that the share is not ready, or else since it was first looked at, which was at `began`.
fn waited(share: &OneTimeShare, began: Timestamp, now: Timestamp) -> Duration {
    let status = share.status.as_ref();
    let since = if status.is_none_or(|status| status.created_at.is_none()) {
        let created = share.metadata.creation_timestamp.as_ref();
        created.map_or(began, |time| time.0)
    } else {
        let ready = status.and_then(|status| status.conditions.iter().find(|c| c.type_ == READY));
        ready
            .filter(|ready| ready.status != "True")
            .map_or(began, |ready| ready.last_transition_time.0.min(began))
    };
    // Zero when the clocks disagree.
    Duration::try_from(since.duration_until(now)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::fixtures::now;
    use jiff::SignedDuration;
    use serde_json::json;

    #[test]
    fn the_wait_begins_with_the_request() {
        let at = |seconds| now() + SignedDuration::from_secs(seconds);
        let share = |status: serde_json::Value| -> OneTimeShare {
            serde_json::from_value(json!({
                "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
                "metadata": {"name": "alice", "creationTimestamp": at(-100)},
                "spec": {"secretRef": {"name": "alice"}}, "status": status,
            }))
            .expect("a share")
        };
        let ready = |status: &str| {
            json!({"attempt": "earlier", "createdAt": at(-90), "conditions": [{
                "type": "Ready", "status": status, "reason": "Shared", "message": "", "lastTransitionTime": at(-50),
            }]})
        };
        for (status, seconds) in [
            (json!(null), 102),
            (json!({"state": "Pending"}), 102),
            (json!({"state": "Pending", "attempt": "in doubt"}), 102),
            (ready("Unknown"), 52),
            (ready("False"), 52),
            (ready("True"), 2),
        ] {
            assert_eq!(
                waited(&share(status.clone()), at(0), at(2)),
                Duration::from_secs(seconds),
                "{status}"
            );
        }
        assert_eq!(
            waited(&share(json!(null)), at(0), at(-200)),
            Duration::ZERO,
            "clocks differ"
        );
    }
}
