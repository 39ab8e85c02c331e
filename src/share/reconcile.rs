//! One share, once: read the ledger, decide, act, show. The only place where decisions and effects meet.

use crate::api::condition::Reason;
use crate::api::share::{OneTimeShare, RefreshPolicy};
use crate::kubernetes::{ApiError, bounded};
use crate::share::adopt::{self, Outcome};
use crate::share::context::Context;
use crate::share::decide::{Facts, Step, Told, decide};
use crate::share::event::Notice;
use crate::share::ledger::{
    BurnReason, CodecError, ContentMark, Entry, LedgerError, Owner, Phase, RequestKey, Versioned,
};
use crate::share::problem::Problem;
use crate::share::request::{Request, Source};
use crate::share::show::{show, show_conditions};
use crate::share::{attempt, backoff, burn, rebuild, target};
use fail::fail_point;
use jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};
use secrecy::ExposeSecret;
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
    /// The share changed since it was read.
    #[error("the share changed since it was read")]
    Stale,
    /// The share has no namespace, name or uid, which the API server never allows.
    #[error("the share has no namespace, name or uid")]
    Anonymous,
}

/// A share as it was read, and whether that was just now.
pub(super) struct Seen {
    pub(super) share: Arc<OneTimeShare>,
    pub(super) owner: Owner,
    pub(super) request: Result<Request, Problem>,
    /// The version of the ledger entry (empty when there was none) that was read before this share was read from the
    /// API server. None for a share from the cache.
    read_after: Option<String>,
    /// The value as it was read a moment ago, for shares that follow its changes.
    content: Option<ContentMark>,
    /// When the reconcile began.
    pub(super) began: Timestamp,
}

impl Seen {
    fn new(share: Arc<OneTimeShare>, read_after: Option<String>) -> Result<Self, Failure> {
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
                    read_after,
                    content: None,
                    began: Timestamp::now(),
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
    let mut seen = Seen::new(share, None)?;
    for _ in 0..STEPS {
        // The ledger is read before the share and its sources, so that the compare-and-swap covers all of them.
        let read = match context.ledger.read(&seen.owner) {
            Ok(read) => read,
            Err(LedgerError::Codec(error)) => return stall(&context, &seen, &error).await,
            Err(error) => return Err(error.into()),
        };
        let step = decide(
            &facts(&context, &seen, read.as_ref()),
            read.as_ref().map(|read| &read.entry),
        );
        match act(&context, &seen, read.as_ref(), step).await {
            Ok(Next::Done(action)) => return Ok(action),
            Ok(Next::Again) => {}
            Ok(Next::ReadLive) => match step!("live", read_live(&context, &seen.owner))? {
                Some(live) => {
                    seen = Seen {
                        content: seen.content.take(),
                        began: seen.began,
                        ..Seen::new(live, Some(version(read.as_ref())))?
                    }
                }
                None => return Ok(Action::await_change()),
            },
            Ok(Next::Content(content)) => seen.content = Some(content),
            // Somebody else was faster: decide again on what is there now.
            Err(Failure::Ledger(LedgerError::Conflict)) => {
                context.ledger.read_live(&seen.owner).await?;
            }
            // What was to be shown is older than what is there.
            Err(Failure::Stale) => {
                let read = context.ledger.read_live(&seen.owner).await?;
                match read_live(&context, &seen.owner).await? {
                    Some(live) => {
                        seen = Seen {
                            content: seen.content.take(),
                            began: seen.began,
                            ..Seen::new(live, Some(version(read.as_ref())))?
                        }
                    }
                    None => return Ok(Action::await_change()),
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(Action::requeue(Duration::from_secs(1)))
}

/// An entry that cannot be used is never overwritten, and what the status tells of the link is left as it is.
async fn stall(context: &Context, seen: &Seen, error: &CodecError) -> Result<Action, Failure> {
    let message = format!(
        "{error}: nothing is sent or changed; see the ledger's Secret {:?}",
        seen.owner.entry_name()
    );
    let problem = Problem::administrator(Reason::LedgerMismatch, message);
    show_conditions(context, seen, &problem).await?;
    Ok(Action::requeue(CONTENT_INTERVAL))
}

enum Next {
    Done(Action),
    Again,
    ReadLive,
    Content(ContentMark),
}

fn version(read: Option<&Versioned>) -> String {
    read.map(Versioned::version).unwrap_or_default().to_owned()
}

async fn act(context: &Context, seen: &Seen, read: Option<&Versioned>, step: Step) -> Result<Next, Failure> {
    match (step, read) {
        (Step::Ignore, _) => Ok(Next::Done(Action::await_change())),
        (Step::ReadLive, _) => Ok(Next::ReadLive),
        (Step::ReadContent, read) => read_content(context, seen, read).await,
        (Step::Rest { problem, wake }, read) => {
            fail_point!("status.before");
            show(context, seen, read, problem.as_ref()).await?;
            fail_point!("status.after");
            Ok(Next::Done(rest(seen, problem.as_ref(), wake)))
        }
        (Step::Settle(wait), read) => {
            show(context, seen, read, None).await?;
            Ok(Next::Done(Action::requeue(wait)))
        }
        (Step::Send { request, burn_first }, read) => send(context, seen, read, request, burn_first).await,
        (Step::Rebuild(key), read) => rebuild_entry(context, seen, read, key).await,
        (Step::Note { deletion, content }, Some(read)) => {
            context
                .ledger
                .replace(
                    read,
                    Entry {
                        deletion,
                        content,
                        ..read.entry.clone()
                    },
                )
                .await?;
            Ok(Next::Again)
        }
        (Step::Resolve, Some(read)) => resolve(context, seen, read).await,
        (Step::Burn, Some(read)) => {
            if let Phase::Burning(burning) = &read.entry.phase {
                burn::go_on(context, read.clone(), burning).await?;
            }
            Ok(Next::Again)
        }
        (Step::Deliver, Some(read)) => {
            if let Phase::Shared(share) = &read.entry.phase {
                target::deliver(context, read.clone(), share).await?;
            }
            Ok(Next::Again)
        }
        (Step::Revoke, Some(read)) => {
            burn::begin(context, read, BurnReason::Asked).await?;
            Ok(Next::Again)
        }
        (Step::Note { .. } | Step::Resolve | Step::Revoke | Step::Burn | Step::Deliver, None) => {
            Ok(Next::Done(Action::await_change()))
        }
    }
}

/// How often the value of a share that follows its changes is read.
const CONTENT_INTERVAL: Duration = Duration::from_secs(60);

async fn read_content(context: &Context, seen: &Seen, read: Option<&Versioned>) -> Result<Next, Failure> {
    let Ok(Request {
        source: Source::Secret(source),
        refresh,
        ..
    }) = &seen.request
    else {
        return Ok(Next::Done(Action::await_change()));
    };
    match context
        .sources(&seen.owner)
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
            show(context, seen, read, None).await?;
            Ok(Next::Done(Action::requeue(CONTENT_INTERVAL)))
        }
    }
}

async fn rebuild_entry(
    context: &Context,
    seen: &Seen,
    read: Option<&Versioned>,
    key: RequestKey,
) -> Result<Next, Failure> {
    let deletion = seen.share.spec.deletion_policy;
    let Some(entry) = rebuild::rebuild(&seen.share, key, &context.cluster, deletion) else {
        return Ok(Next::Done(Action::await_change()));
    };
    tracing::warn!("the ledger had lost this share; its entry was made again from its status");
    match read {
        None => context.ledger.create(entry).await?,
        Some(read) => context.ledger.replace(read, entry).await?,
    };
    Ok(Next::Again)
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
    let prepared = match step!("prepare", attempt::prepare(context, &seen.owner, request)) {
        Ok(prepared) => prepared,
        Err(problem) => {
            show(context, seen, read, Some(&problem)).await?;
            return Ok(Next::Done(rest(seen, Some(&problem), None)));
        }
    };
    match read {
        Some(read) if burn_first => {
            burn::begin(context, read, BurnReason::Replaced).await?;
        }
        read => {
            // Boxed: the future of the whole HTTP exchange is large.
            let sent = Box::pin(attempt::send(context, &seen.share, read, key, request, prepared));
            with_progress(context, seen, sent).await?;
            if read.is_some_and(|read| matches!(read.entry.phase, Phase::Intent(_))) {
                let note = "an earlier attempt whose answer was lost was set aside; its link is looked for and burned";
                context
                    .events
                    .publish(&seen.share, Notice::warning(Reason::Superseded, note))
                    .await;
            }
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
    let notice = match adopt::resolve(context, read.clone(), attempt).await? {
        Outcome::Later(wait) => {
            show(context, seen, Some(read), None).await?;
            return Ok(Next::Done(Action::requeue(wait)));
        }
        Outcome::Held => return Ok(Next::Again),
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
            "an answer of the service was lost; nobody holds that link, so a new one is created and the lost one dies by its ttl",
        ),
    };
    context.events.publish(&seen.share, notice).await;
    Ok(Next::Again)
}

fn facts<'a>(context: &'a Context, seen: &'a Seen, read: Option<&Versioned>) -> Facts<'a> {
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
fn rest(seen: &Seen, problem: Option<&Problem>, wake: Option<Timestamp>) -> Action {
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
