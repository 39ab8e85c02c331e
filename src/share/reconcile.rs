//! One share, once: read the ledger, decide, act, show. The only place where decisions and effects meet.

use crate::api::condition::Reason;
use crate::api::share::{OneTimeShare, OneTimeShareStatus};
use crate::kubernetes::{ApiError, bounded};
use crate::share::context::Context;
use crate::share::decide::{Facts, Step, Told, decide};
use crate::share::event::{Notice, notices};
use crate::share::ledger::{Entry, LedgerError, Owner, Phase, RequestKey, Versioned};
use crate::share::problem::Problem;
use crate::share::recover::{self, Resolution};
use crate::share::request::Request;
use crate::share::status::{View, facts as facts_of, render};
use crate::share::{attempt, backoff, burn};
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};
use std::sync::Arc;
use std::time::Duration;

/// More steps than any share needs in one go; what is left then goes on at the next reconcile.
const STEPS: usize = 8;

/// What kept a reconcile from its end. It is tried again soon.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The API server.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The share has no namespace, name or uid, which the API server never allows.
    #[error("the share has no namespace, name or uid")]
    Anonymous,
}

/// A share as it was read, and whether that was just now.
struct Seen {
    share: Arc<OneTimeShare>,
    owner: Owner,
    request: Result<Request, Problem>,
    live: bool,
}

impl Seen {
    fn new(share: Arc<OneTimeShare>, live: bool) -> Result<Self, Failure> {
        match (
            share.namespace(),
            share.metadata.name.clone(),
            &share.metadata.uid,
        ) {
            (Some(namespace), Some(name), Some(_)) => {
                let request = Request::parse(&share.spec);
                Ok(Self {
                    share,
                    owner: Owner { namespace, name },
                    request,
                    live,
                })
            }
            _ => Err(Failure::Anonymous),
        }
    }
}

/// Brings one share one stretch further.
///
/// # Errors
/// [`Failure`], when the ledger or the API server did not do what was asked.
pub async fn reconcile(share: Arc<OneTimeShare>, context: Arc<Context>) -> Result<Action, Failure> {
    let mut seen = Seen::new(share, false)?;
    for _ in 0..STEPS {
        // The ledger is read before the sources, so that the compare-and-swap of the intent covers both.
        let read = context.ledger.read(&seen.owner)?;
        let entry = read.as_ref().map(|read| &read.entry);
        let step = decide(&facts(&context, &seen, entry), entry);
        match act(&context, &seen, read.as_ref(), step).await {
            Ok(Next::Done(action)) => return Ok(action),
            Ok(Next::Again) => {}
            Ok(Next::ReadLive) => match read_live(&context, &seen.owner).await? {
                Some(live) => seen = Seen::new(live, true)?,
                None => return Ok(Action::await_change()),
            },
            // Somebody else was faster: decide again on what is there now.
            Err(Failure::Ledger(LedgerError::Conflict)) => {
                context.ledger.read_live(&seen.owner).await?;
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(Action::requeue(Duration::from_secs(1)))
}

enum Next {
    Done(Action),
    Again,
    ReadLive,
}

async fn act(context: &Context, seen: &Seen, read: Option<&Versioned>, step: Step) -> Result<Next, Failure> {
    match (step, read) {
        (Step::Ignore, _) => Ok(Next::Done(Action::await_change())),
        (Step::ReadLive, _) => Ok(Next::ReadLive),
        (Step::Rest { problem, wake }, _) => {
            show(context, seen, read, problem.as_ref()).await?;
            Ok(Next::Done(rest(seen, problem.as_ref(), wake)))
        }
        (Step::Settle(wait), _) => {
            show(context, seen, read, None).await?;
            Ok(Next::Done(Action::requeue(wait)))
        }
        (Step::Resolve, Some(read)) => resolve(context, seen, read).await,
        (Step::Burn, Some(read)) => burn_old(context, read).await,
        (Step::Send { request, burn_first }, _) => send(context, seen, read, request, burn_first).await,
        (Step::Resolve | Step::Burn, None) => Ok(Next::Done(Action::await_change())),
    }
}

async fn send(
    context: &Context,
    seen: &Seen,
    read: Option<&Versioned>,
    key: RequestKey,
    burn_first: bool,
) -> Result<Next, Failure> {
    let Ok(request) = &seen.request else {
        return Ok(Next::Done(Action::await_change()));
    };
    let prepared = match attempt::prepare(context, &seen.owner, request).await {
        Ok(prepared) => prepared,
        Err(problem) => {
            show(context, seen, read, Some(&problem)).await?;
            return Ok(Next::Done(rest(seen, Some(&problem), None)));
        }
    };
    match read {
        Some(read) if burn_first => {
            burn::begin(context, read).await?;
        }
        read => {
            // Boxed: the future of the whole HTTP exchange is large.
            let sent = Box::pin(attempt::send(context, &seen.share, read, key, request, prepared));
            with_progress(context, seen, sent).await?;
        }
    }
    Ok(Next::Again)
}

/// Work that takes over two seconds shows itself; quicker work costs no extra write.
async fn with_progress<T>(
    context: &Context,
    seen: &Seen,
    work: impl Future<Output = Result<T, LedgerError>>,
) -> Result<T, Failure> {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        result = &mut work => return Ok(result?),
        () = tokio::time::sleep(Duration::from_secs(2)) => {}
    }
    let shown = show_progress(context, seen);
    let (result, shown) = tokio::join!(work, shown);
    if let Err(error) = shown {
        tracing::debug!(%error, "progress could not be shown");
    }
    Ok(result?)
}

async fn resolve(context: &Context, seen: &Seen, read: &Versioned) -> Result<Next, Failure> {
    let Phase::Intent(attempt) = &read.entry.phase else {
        return Ok(Next::Again);
    };
    if recover::apply(context, read.clone(), attempt).await? == Resolution::SendAgain {
        let note = "an answer of the service was lost; nobody holds that link, so a new one is created and the lost one dies by its ttl";
        context
            .events
            .publish(&seen.share, Notice::warning(Reason::LinkLost, note))
            .await;
    }
    Ok(Next::Again)
}

async fn burn_old(context: &Context, read: &Versioned) -> Result<Next, Failure> {
    if let Phase::Burning(share) = &read.entry.phase {
        burn::go_on(context, read.clone(), share).await?;
    }
    Ok(Next::Again)
}

fn facts<'a>(context: &'a Context, seen: &'a Seen, entry: Option<&Entry>) -> Facts<'a> {
    let meta = &seen.share.metadata;
    let status = seen.share.status.as_ref();
    Facts {
        uid: meta.uid.as_deref().unwrap_or_default(),
        generation: meta.generation.unwrap_or_default(),
        request: seen.request.as_ref(),
        suspend: seen.share.spec.suspend,
        deleting: meta.deletion_timestamp.is_some(),
        told: Told {
            request: status.and_then(|status| RequestKey::from_status_form(status.request_hash.as_deref()?)),
            attempt: status.and_then(|status| status.attempt.as_deref()),
        },
        live: seen.live,
        cluster: &context.cluster,
        attempt_known_for: match entry.map(|entry| &entry.phase) {
            Some(Phase::Intent(attempt)) => context.attempts.known_for(&attempt.nonce),
            _ => Duration::ZERO,
        },
        now: Timestamp::now(),
    }
}

/// When to look again without being told.
fn rest(seen: &Seen, problem: Option<&Problem>, wake: Option<Timestamp>) -> Action {
    if let Some(wake) = wake {
        let wait = Timestamp::now().duration_until(wake);
        return Action::requeue(Duration::try_from(wait).unwrap_or_default() + Duration::from_millis(100));
    }
    match problem {
        None => Action::await_change(),
        // Only an edit of the share helps, and that wakes us.
        Some(problem) if only_an_edit_helps(problem) => Action::await_change(),
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

fn only_an_edit_helps(problem: &Problem) -> bool {
    matches!(
        problem.reason,
        Reason::Uncertain
            | Reason::LedgerLost
            | Reason::TtlInvalid
            | Reason::RecipientInvalid
            | Reason::Suspended
    )
}

async fn read_live(context: &Context, owner: &Owner) -> Result<Option<Arc<OneTimeShare>>, ApiError> {
    let api: Api<OneTimeShare> = Api::namespaced(context.kubernetes.clone(), &owner.namespace);
    Ok(bounded(api.get_opt(&owner.name)).await?.map(Arc::new))
}

async fn show_progress(context: &Context, seen: &Seen) -> Result<(), Failure> {
    let read = context.ledger.read(&seen.owner)?;
    // What was there before the attempt is shown as being worked on, not the attempt itself: it is not in doubt yet.
    let before = read.filter(|read| !matches!(read.entry.phase, Phase::Intent(_)));
    show(context, seen, before.as_ref(), None).await
}

/// Writes the status, if it differs from what is there, and tells what changed.
async fn show(
    context: &Context,
    seen: &Seen,
    read: Option<&Versioned>,
    problem: Option<&Problem>,
) -> Result<(), Failure> {
    let entry = read.map(|read| &read.entry);
    let previous = seen.share.status.as_ref();
    let status = render(&View {
        generation: seen.share.metadata.generation.unwrap_or_default(),
        entry,
        current: entry.is_some_and(|entry| speaks_of(entry, &seen.request)),
        problem,
        previous,
        now: Timestamp::now(),
    });
    if previous == Some(&status) {
        return Ok(());
    }
    write_status(context, seen, previous, &status).await?;
    for notice in notices(previous, &status, entry.and_then(|entry| facts_of(&entry.phase))) {
        context.metrics.notice(notice.reason);
        context.events.publish(&seen.share, notice).await;
    }
    Ok(())
}

fn speaks_of(entry: &Entry, request: &Result<Request, Problem>) -> bool {
    let print = request
        .as_ref()
        .ok()
        .and_then(|request| request.fingerprint(entry.request.version));
    print.as_ref() == Some(&entry.request.fingerprint)
}

async fn write_status(
    context: &Context,
    seen: &Seen,
    previous: Option<&OneTimeShareStatus>,
    status: &OneTimeShareStatus,
) -> Result<(), Failure> {
    let api: Api<OneTimeShare> = Api::namespaced(context.kubernetes.clone(), &seen.owner.namespace);
    let patch = serde_json::json!({
        // A share that was re-created meanwhile must not get this status: another uid is a conflict.
        "metadata": { "uid": seen.share.metadata.uid },
        "status": merge(previous, status),
    });
    match bounded(api.patch_status(&seen.owner.name, &PatchParams::default(), &Patch::Merge(&patch))).await {
        // Deleted meanwhile: nobody is left to be told.
        Err(error) if error.is_not_found() => Ok(()),
        result => Ok(result.map(drop)?),
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
