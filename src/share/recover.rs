//! What to do about an attempt whose answer was lost and whose sender certainly sends no more.
//!
//! Without a recipient nobody holds the lost link, so the request is sent again and the lost link dies by its ttl.
//! With one somebody may have the mail, so nothing more is sent until a person says so.

use crate::share::attempt::record;
use crate::share::context::Context;
use crate::share::ledger::{Attempt, LedgerError, Phase, Retry, Versioned};

/// How a lost answer is dealt with: PURE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Nobody can hold the link: send again.
    SendAgain,
    /// Somebody may have the mail: wait for a person.
    Hold,
}

/// Decides from the attempt alone: PURE.
#[must_use]
pub fn resolve(attempt: &Attempt) -> Resolution {
    if attempt.mails() {
        Resolution::Hold
    } else {
        Resolution::SendAgain
    }
}

/// Writes the resolution into the ledger.
///
/// # Errors
/// [`LedgerError`]; the entry then still holds the attempt.
pub async fn apply(context: &Context, read: Versioned, attempt: &Attempt) -> Result<Resolution, LedgerError> {
    let resolution = resolve(attempt);
    let retry = read.entry.retry.clone();
    let phase = match resolution {
        Resolution::SendAgain => Phase::Idle,
        Resolution::Hold => Phase::Intent(Attempt {
            held: true,
            ..attempt.clone()
        }),
    };
    record(
        context,
        read,
        phase,
        Retry {
            not_before: None,
            ..retry
        },
    )
    .await?;
    context.attempts.forget(&attempt.nonce);
    Ok(resolution)
}
