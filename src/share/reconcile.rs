//! One share, once: read the ledger, decide, act, show. The only place that calls `decide`.

mod act;
mod entry;
mod refused;

use crate::api::condition::Reason;
use crate::api::share::OneTimeShare;
use crate::kubernetes::ApiError;
use crate::ledger::{CodecError, LedgerError, Owner};
use crate::problem::Problem;
use crate::share::context::Context;
use crate::share::decide::{Step, decide, ledger_unavailable, needs_namespace};
use crate::share::effects::occupy::occupy;
use crate::share::error::Failure;
use crate::share::read_at::ReadAt;
use crate::share::requeue::{CONTENT_INTERVAL, requeue};
use crate::share::snapshot::{ShareSnapshot, facts};
use crate::share::status::write;
use crate::share::turns::Turn;
use act::{Next, act};
use entry::Found;
use kube::runtime::controller::Action;
use refused::refused;
use std::sync::Arc;
use std::time::Duration;

/// More steps than any share needs in one go; what is left then goes on at the next reconcile.
const STEPS: usize = 8;

/// Brings one share one stretch further. The cache that it comes from was complete at `known_at`, where that is known.
///
/// # Errors
/// [`Failure`], when the ledger or the API server did not do what was asked.
pub async fn reconcile(
    share: Arc<OneTimeShare>,
    known_at: Option<ReadAt>,
    context: Arc<Context>,
    turn: &Turn,
) -> Result<Action, Failure> {
    let mut snapshot = ShareSnapshot::cached(share, known_at).ok_or(Failure::MissingIdentity)?;
    // Before anything is decided: after a break of the watch the definition may be another one.
    context.definition.current().await;
    for _ in 0..STEPS {
        // The ledger is read before the share and its sources, so that the compare-and-swap covers all of them.
        let read = match entry::find(&context, &snapshot.owner).await {
            Ok(Found::Entry(read)) => *read,
            Ok(Found::OfAnotherShard) => {
                context.providers.gates().leave(&snapshot.owner);
                return Ok(Action::await_change());
            }
            Err(Failure::Ledger(LedgerError::Conflict)) => continue,
            Err(Failure::Ledger(LedgerError::Codec(error))) => {
                return stall(&context, &snapshot, &error).await;
            }
            Err(error) => return Err(error),
        };
        let step = decide(
            &facts(&context, &snapshot, read.as_ref()),
            read.as_ref().map(|read| &read.entry),
        );
        if !may_lead_to_sending(&step) {
            context.providers.gates().leave(&snapshot.owner);
        }
        if needs_namespace(&step, read.is_some())
            && let Err(refusal) = occupy(&context, &snapshot.owner.namespace).await
        {
            return refused(&context, &snapshot, &refusal).await;
        }
        // Boxed: the future of every step together is large.
        match Box::pin(act(&context, &snapshot, read.as_ref(), step, turn)).await {
            Ok(Next::Done(action)) => {
                context.ledger.acted_on(&snapshot.owner, read.as_ref());
                return Ok(action);
            }
            Ok(Next::Again) => {}
            Ok(Next::ReadLive) => match step!("live", read_live(&context, &snapshot.owner))? {
                Some(live) => {
                    snapshot = snapshot
                        .live(live, read.as_ref())
                        .ok_or(Failure::MissingIdentity)?;
                }
                None => return Ok(Action::await_change()),
            },
            Ok(Next::Content(content)) => snapshot.content = Some(content),
            Ok(Next::Inputs(inputs)) => snapshot.inputs = Some(inputs),
            // Somebody else was faster: decide again on what is there now.
            Err(Failure::Ledger(LedgerError::Conflict)) => {
                context.ledger.read_live(&snapshot.owner).await?;
            }
            // Nothing was sent or burned, and the same write is refused again until somebody acts.
            Err(Failure::Ledger(LedgerError::Refused(error))) => {
                let problem = ledger_unavailable(&error);
                write::status(&context, &snapshot, read.as_ref(), Some(&problem)).await?;
                return Ok(requeue(&snapshot, Some(&problem), None));
            }
            // What was to be shown is older than what is there.
            Err(Failure::Stale) => {
                let read = context.ledger.read_live(&snapshot.owner).await?;
                match read_live(&context, &snapshot.owner).await? {
                    Some(live) => {
                        snapshot = snapshot
                            .live(live, read.as_ref())
                            .ok_or(Failure::MissingIdentity)?;
                    }
                    None => return Ok(Action::await_change()),
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(Action::requeue(Duration::from_secs(1)))
}

/// Whether a share that waits for its turn keeps its place.
fn may_lead_to_sending(step: &Step) -> bool {
    matches!(
        step,
        Step::Send { .. } | Step::ReadLive | Step::ReadContent | Step::ReadInputs | Step::UpdatePolicy { .. }
    )
}

/// An entry that cannot be used is never overwritten, and what the status tells of the link is left as it is.
async fn stall(context: &Context, snapshot: &ShareSnapshot, error: &CodecError) -> Result<Action, Failure> {
    let message = format!(
        "{error}: nothing is sent or changed; see the ledger's Secret {:?}",
        snapshot.owner.entry_name()
    );
    let problem = Problem::administrator(Reason::LedgerMismatch, message);
    write::conditions(context, snapshot, &problem).await?;
    Ok(Action::requeue(CONTENT_INTERVAL))
}

async fn read_live(context: &Context, owner: &Owner) -> Result<Option<Arc<OneTimeShare>>, ApiError> {
    Ok(context.live_share(owner).await?.map(Arc::new))
}
