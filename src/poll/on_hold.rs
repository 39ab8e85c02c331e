//! Attempts on hold: every later list is compared with them, and the one receipt that fits is adopted. Only sending again
//! needs a person.

use super::accounts::{Looks, share_of};
use super::unit::Unit;
use crate::api::condition::Reason;
use crate::ledger::{Attempt, LedgerError, Versioned};
use crate::share::CachedShare;
use crate::share::context::Context;
use crate::share::effects::resolve;
use crate::share::status::events::Notice;
use kube::runtime::reflector::Store;

/// Looks for an attempt on hold.
pub(super) async fn heal(
    context: &Context,
    shares: &Store<CachedShare>,
    unit: &Unit,
    read: &Versioned,
    attempt: &Attempt,
    looks: &mut Looks,
) -> Result<(), LedgerError> {
    if mutant!("no-heal") {
        return Ok(());
    }
    let namespace = &read.entry.owner.namespace;
    let Some(looked) = looks.at(context, unit, namespace, attempt).await? else {
        return Ok(());
    };
    if resolve::heal(context, read.clone(), attempt, &looked.look).await? {
        tell(context, shares, read).await;
    }
    Ok(())
}

async fn tell(context: &Context, shares: &Store<CachedShare>, read: &Versioned) {
    if let Some(Ok(share)) = share_of(shares, &read.entry.owner).map(|share| share.open()) {
        let note = "the response of the service was lost, and its link was found there";
        let notice = Notice::normal(Reason::Adopted, note);
        context.events.publish(&share, notice).await;
    }
}
