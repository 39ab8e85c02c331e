//! Claims of receipts that no list can show any more are forgotten.

use crate::share::context::Context;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use tokio::time::Instant;

/// How often old claims are looked for: there are few, and they do no harm.
const INTERVAL: Duration = Duration::from_secs(6 * 3600);

/// Longer than the service lists a receipt (30 days).
const KEEP: SignedDuration = SignedDuration::from_hours(32 * 24);

/// When to look next.
pub(super) struct Claims(Instant);

impl Default for Claims {
    fn default() -> Self {
        Self(Instant::now() + INTERVAL)
    }
}

impl Claims {
    /// Whether their time has come. Begins the next interval then.
    pub(super) fn are_due(&mut self) -> bool {
        let now = Instant::now();
        let due = self.0 <= now;
        if due {
            self.0 = now + INTERVAL;
        }
        due
    }
}

/// Forgets the old claims.
pub(super) async fn forget(context: &Context) {
    let before = Timestamp::now().checked_sub(KEEP).unwrap_or(Timestamp::MIN);
    if let Err(error) = context.ledger.forget_claims(before).await {
        tracing::warn!(%error, "old claims could not be removed; trying again later");
    }
}
