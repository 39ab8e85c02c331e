//! What the user sees of a share in a namespace where this operator may begin nothing.

use crate::api::condition::Reason;
use crate::backoff;
use crate::share::context::Context;
use crate::share::decide::{Telling, may_tell};
use crate::share::error::Failure;
use crate::share::occupancy::Refused;
use crate::share::snapshot::ShareSnapshot;
use crate::share::status::write;
use kube::runtime::controller::Action;
use std::time::Duration;

/// Shows why nothing begins, and looks again when the namespace is asked about again.
pub(super) async fn refused(
    context: &Context,
    snapshot: &ShareSnapshot,
    refusal: &Refused,
) -> Result<Action, Failure> {
    let Refused { problem, again } = refusal;
    let telling = if problem.reason == Reason::OtherOperator {
        telling(context, snapshot).await
    } else {
        Telling::Now
    };
    let mut wait = *again;
    match telling {
        Telling::Never => {}
        Telling::After(grace) => wait = wait.min(grace),
        // What the status tells of a link stays: without an entry it is all that is left.
        Telling::Now => write::conditions(context, snapshot, problem).await?,
    }
    // Not all at once, and not before the next question is due.
    let uid = snapshot.share.metadata.uid.as_deref().unwrap_or_default();
    let spread = Duration::from_secs(1) + backoff::spread(wait / 10, uid);
    Ok(Action::requeue(wait + spread))
}

async fn telling(context: &Context, snapshot: &ShareSnapshot) -> Telling {
    let meta = &snapshot.share.metadata;
    let (uid, generation) = (
        meta.uid.as_deref().unwrap_or_default(),
        meta.generation.unwrap_or_default(),
    );
    let namespace = &snapshot.owner.namespace;
    let untold_for = context.occupancy.untold_for(namespace, uid, generation).await;
    may_tell(snapshot.share.status.as_ref(), generation, untold_for)
}
