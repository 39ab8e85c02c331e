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
    pub(super) async fn poll(&mut self, context: &Context) {
        if self.0 > Instant::now() {
            return;
        }
        self.0 = Instant::now() + INTERVAL;
        let before = Timestamp::now().checked_sub(KEEP).unwrap_or(Timestamp::MIN);
        if let Err(error) = context.ledger.forget_claims(before).await {
            tracing::warn!(%error, "old claims could not be removed; trying again later");
        }
    }
}
