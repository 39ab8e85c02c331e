//! Attempts on hold: every later list is compared with them, and the one receipt that fits is adopted. Only sending again
//! needs a person.

use super::accounts::{Looks, Pauses, is_ours, share_of};
use crate::api::condition::Reason;
use crate::api::share::OneTimeShare;
use crate::ledger::{Attempt, LedgerError, Phase, Versioned};
use crate::share::context::Context;
use crate::share::effects::resolve;
use crate::share::status::events::Notice;
use kube::runtime::reflector::Store;

#[derive(Default)]
pub(super) struct OnHold {
    pauses: Pauses,
}

impl OnHold {
    pub(super) async fn poll(
        &mut self,
        context: &Context,
        shares: &Store<OneTimeShare>,
        entries: &[Versioned],
        looks: &mut Looks,
    ) {
        self.pauses.tidy();
        for read in entries.iter().filter(|read| is_ours(context, read)) {
            let Phase::Intent(attempt) = &read.entry.phase else {
                continue;
            };
            if !attempt.needs_decision || !attempt.mails() || !self.pauses.is_over(attempt) {
                continue;
            }
            self.pauses.begin(context, &read.entry.owner.namespace, attempt);
            match heal(context, read, attempt, looks).await {
                Ok(true) => tell(context, shares, read).await,
                Ok(false) | Err(LedgerError::Conflict) => {}
                Err(error) => {
                    tracing::warn!(%error, "an attempt on hold could not be looked for; will retry");
                }
            }
        }
    }
}

async fn heal(
    context: &Context,
    read: &Versioned,
    attempt: &Attempt,
    looks: &mut Looks,
) -> Result<bool, LedgerError> {
    if mutant!("no-heal") {
        return Ok(false);
    }
    let look = looks.at(context, &read.entry.owner.namespace, attempt).await?;
    match look {
        Some(look) => resolve::heal(context, read.clone(), attempt, look).await,
        None => Ok(false),
    }
}

async fn tell(context: &Context, shares: &Store<OneTimeShare>, read: &Versioned) {
    if let Some(share) = share_of(shares, &read.entry.owner) {
        let note = "the response of the service was lost, and its link was found there";
        let notice = Notice::normal(Reason::Adopted, note);
        context.events.publish(&share, notice).await;
    }
}
