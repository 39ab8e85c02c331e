//! From a step to the effect that does it, and to what the user sees of it.

use crate::api::condition::Reason;
use crate::ledger::rebuild;
use crate::ledger::{BurnReason, ContentMark, Entry, Phase, RequestKey, Versioned};
use crate::problem::Problem;
use crate::provider::ProviderId;
use crate::share::context::Context;
use crate::share::decide::Step;
use crate::share::effects::prepare::{self, NotPrepared};
use crate::share::effects::resolve::{self, Outcome};
use crate::share::effects::send::{self as sending, Sent};
use crate::share::effects::{burn, deliver};
use crate::share::error::Failure;
use crate::share::inputs::request::{Request, Source};
use crate::share::inputs::versions::versions;
use crate::share::requeue::{CONTENT_INTERVAL, requeue, wait_for_turn};
use crate::share::snapshot::ShareSnapshot;
use crate::share::status::events::Notice;
use crate::share::status::write;
use crate::share::turns::Turn;
use fail::fail_point;
use kube::runtime::controller::Action;
use secrecy::ExposeSecret;
use std::time::Duration;

/// After fewer failures, no pause is worth comparing what was tried with.
const PAUSES_ARE_SHORT: u32 = 2;

/// What follows a step.
pub(super) enum Next {
    /// Nothing more for now.
    Done(Action),
    /// Decide again: the entry has changed.
    Again,
    /// Read the share from the API server and decide again.
    ReadLive,
    /// Decide again, with this mark of the value.
    Content(ContentMark),
    /// Decide again, with this hash of what would be tried with.
    Inputs(String),
}

/// Does what was decided, and shows it.
pub(super) async fn act(
    context: &Context,
    snapshot: &ShareSnapshot,
    read: Option<&Versioned>,
    step: Step,
    turn: &Turn,
) -> Result<Next, Failure> {
    match (step, read) {
        (Step::Ignore, _) => Ok(Next::Done(Action::await_change())),
        (Step::ReadLive, _) => Ok(Next::ReadLive),
        (Step::ReadContent, read) => read_content(context, snapshot, read).await,
        (Step::ReadInputs, read) => read_inputs(context, snapshot, read).await,
        (Step::Requeue { problem, at }, read) => {
            fail_point!("status.before");
            write::status(context, snapshot, read, problem.as_ref()).await?;
            fail_point!("status.after");
            Ok(Next::Done(requeue(snapshot, problem.as_ref(), at)))
        }
        (Step::WaitOutDeadline(wait), read) => {
            write::status(context, snapshot, read, read.and_then(came_back)).await?;
            Ok(Next::Done(Action::requeue(wait)))
        }
        (Step::Send { request, burn_first }, read) => {
            send(context, snapshot, read, request, burn_first, turn).await
        }
        (Step::Rebuild(key), read) => rebuild_entry(context, snapshot, read, key).await,
        (
            Step::UpdatePolicy {
                uid,
                generation,
                deletion,
                content,
                fields,
            },
            Some(read),
        ) => {
            let entry = Entry {
                share_uid: uid,
                generation,
                deletion,
                content,
                fields,
                crd_uid: context.crd_uid(),
                ..read.entry.clone()
            };
            context.ledger.replace(read, entry).await?;
            Ok(Next::Again)
        }
        (Step::Resolve, Some(read)) => {
            turn.leave();
            resolve(context, snapshot, read).await
        }
        (Step::Burn, Some(read)) => {
            if let Phase::Burning(burning) = &read.entry.phase {
                turn.leave();
                burn::go_on(context, read.clone(), burning).await?;
            }
            Ok(Next::Again)
        }
        (Step::Deliver, Some(read)) => {
            if let Phase::Shared(link) = &read.entry.phase {
                deliver::deliver(context, read.clone(), link).await?;
            }
            Ok(Next::Again)
        }
        (Step::Revoke, Some(read)) => {
            burn::begin(context, read, BurnReason::Asked).await?;
            Ok(Next::Again)
        }
        (Step::UpdatePolicy { .. } | Step::Resolve | Step::Revoke | Step::Burn | Step::Deliver, None) => {
            Ok(Next::Done(Action::await_change()))
        }
    }
}

async fn read_content(
    context: &Context,
    snapshot: &ShareSnapshot,
    read: Option<&Versioned>,
) -> Result<Next, Failure> {
    let Ok(Request {
        source: Source::Secret(source),
        refresh,
        ..
    }) = &snapshot.request
    else {
        return Ok(Next::Done(Action::await_change()));
    };
    match context
        .sources(&snapshot.owner)
        .value(source, u64::MAX, *refresh)
        .await
    {
        Ok(value) => {
            let salt = read
                .and_then(|read| read.entry.content.as_ref())
                .map(|mark| mark.salt.clone());
            let value = value.expose_secret();
            Ok(Next::Content(salt.map_or_else(
                || ContentMark::new(value),
                |salt| ContentMark::with_salt(salt, value),
            )))
        }
        // The link that is there stays as it is; nothing is known to have changed.
        Err(problem) => {
            tracing::debug!(
                reason = problem.reason.as_str(),
                "the value cannot be compared now"
            );
            write::status(context, snapshot, read, None).await?;
            Ok(Next::Done(Action::requeue(CONTENT_INTERVAL)))
        }
    }
}

/// Whether something changed since the last try. What cannot be asked for has not changed.
async fn read_inputs(
    context: &Context,
    snapshot: &ShareSnapshot,
    read: Option<&Versioned>,
) -> Result<Next, Failure> {
    let retry = read.map(|read| &read.entry.retry);
    let Some(before) = retry.and_then(|retry| retry.inputs.clone()) else {
        return Ok(Next::Done(Action::await_change()));
    };
    let now = inputs(context, snapshot).await;
    Ok(Next::Inputs(now.unwrap_or(before)))
}

async fn inputs(context: &Context, snapshot: &ShareSnapshot) -> Option<String> {
    let request = snapshot.request.as_ref().ok()?;
    let id = ProviderId::of(&request.provider, &snapshot.owner.namespace);
    let provider = context.providers.version(&id);
    versions(&context.kubernetes, &snapshot.share, request, provider).await
}

/// What came back to the attempt in doubt that an entry holds, where that was an answer.
fn came_back(read: &Versioned) -> Option<&Problem> {
    let retry = &read.entry.retry;
    retry.not_before.and(retry.problem.as_ref())
}

async fn rebuild_entry(
    context: &Context,
    snapshot: &ShareSnapshot,
    read: Option<&Versioned>,
    key: RequestKey,
) -> Result<Next, Failure> {
    let deletion = snapshot.share.spec.deletion_policy;
    let Some(mut entry) = rebuild::rebuild(&snapshot.share, key, &context.cluster, deletion) else {
        return Ok(Next::Done(Action::await_change()));
    };
    entry.crd_uid = context.crd_uid();
    if let Ok(request) = &snapshot.request
        && request.fingerprint(entry.request.version).as_ref() == Some(&entry.request.fingerprint)
    {
        entry.fields = request.fields(&entry.owner);
    }
    tracing::warn!("the ledger had lost this share; its entry was made again from its status");
    match read {
        None => context.ledger.create(entry).await?,
        Some(read) => context.ledger.replace(read, entry).await?,
    };
    Ok(Next::Again)
}

async fn send(
    context: &Context,
    snapshot: &ShareSnapshot,
    read: Option<&Versioned>,
    key: RequestKey,
    burn_first: bool,
    turn: &Turn,
) -> Result<Next, Failure> {
    let Ok(request) = &snapshot.request else {
        return Ok(Next::Done(Action::await_change()));
    };
    let id = ProviderId::of(&request.provider, &snapshot.owner.namespace);
    // Read before the sources: what changes between the two ends a pause early, and is not overlooked.
    let inputs = match read {
        Some(read) if read.entry.retry.failures >= PAUSES_ARE_SHORT => inputs(context, snapshot).await,
        _ => None,
    };
    // Boxed, as below: what it waits for is large.
    let preparing = Box::pin(prepare::prepare(context, snapshot, request));
    let prepared = match step!("prepare", with_progress(context, snapshot, preparing)) {
        Ok(prepared) => prepared.tried_with(inputs),
        Err(NotPrepared::Changed) => {
            tracing::info!("the share changed while it waited for its turn");
            return Ok(Next::ReadLive);
        }
        Err(NotPrepared::Waits(waits)) => {
            if waits.problem.is_some() {
                write::status(context, snapshot, read, waits.problem.as_ref()).await?;
            }
            return Ok(Next::Done(wait_for_turn(snapshot, &waits)));
        }
        Err(NotPrepared::Problem(problem)) => {
            // What cannot be sent now must not keep others from their turn.
            context.providers.gates().leave(&snapshot.owner);
            if context.providers.may_answer_soon(&id) {
                // Its first answer triggers this share.
                return Ok(Next::Done(Action::requeue(Duration::from_secs(2))));
            }
            write::status(context, snapshot, read, Some(&problem)).await?;
            return Ok(Next::Done(requeue(snapshot, Some(&problem), None)));
        }
    };
    match read {
        Some(read) if burn_first => {
            burn::begin(context, read, BurnReason::Replaced).await?;
        }
        read => {
            // Boxed: the future of the whole HTTP exchange is large.
            let sent = Box::pin(sending::send(
                context,
                &snapshot.share,
                read,
                key,
                request,
                prepared,
                turn,
            ));
            if let Sent::TakenBack = with_progress(context, snapshot, sent).await? {
                return Ok(Next::ReadLive);
            }
            if read.is_some_and(|read| matches!(read.entry.phase, Phase::Intent(_))) {
                let note = "an earlier attempt whose answer was lost was set aside; its link is looked for and burned";
                context
                    .events
                    .publish(&snapshot.share, Notice::warning(Reason::Superseded, note))
                    .await;
            }
        }
    }
    Ok(Next::Again)
}

/// Work that takes over two seconds shows itself; quicker work costs no extra write.
async fn with_progress<T>(context: &Context, snapshot: &ShareSnapshot, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        result = &mut work => return result,
        () = tokio::time::sleep(Duration::from_secs(2)) => {}
    }
    let shown = Box::pin(show_progress(context, snapshot));
    let (result, shown) = tokio::join!(work, shown);
    if let Err(error) = shown {
        tracing::debug!(%error, "progress could not be shown");
    }
    result
}

async fn resolve(context: &Context, snapshot: &ShareSnapshot, read: &Versioned) -> Result<Next, Failure> {
    let Phase::Intent(attempt) = &read.entry.phase else {
        return Ok(Next::Again);
    };
    let notice = match resolve::resolve(context, read.clone(), attempt).await? {
        Outcome::Later(wait) => {
            write::status(context, snapshot, Some(read), came_back(read)).await?;
            return Ok(Next::Done(Action::requeue(wait)));
        }
        Outcome::OnHold => return Ok(Next::Again),
        Outcome::Adopted => Notice::normal(
            Reason::Adopted,
            "an answer of the service was lost, and its link was found there",
        ),
        Outcome::SendAgain if attempt.mails() => Notice::warning(
            Reason::LinkLost,
            "an answer of the service was lost, and the service knows no such link; it is created again",
        ),
        Outcome::SendAgain => Notice::warning(
            Reason::LinkLost,
            "an answer of the service was lost; nobody holds that link, so a new one is created; the lost link expires at the end of its TTL",
        ),
    };
    context.events.publish(&snapshot.share, notice).await;
    Ok(Next::Again)
}

async fn show_progress(context: &Context, snapshot: &ShareSnapshot) -> Result<(), Failure> {
    let read = context.ledger.read(&snapshot.owner)?;
    // What was there before the attempt is shown as being worked on, not the attempt itself: it is not in doubt yet.
    let before = read.filter(|read| !matches!(read.entry.phase, Phase::Intent(_)));
    write::status(context, snapshot, before.as_ref(), None).await
}
