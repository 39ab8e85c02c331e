//! One at a time within a lane: attempts that the service's list could not tell apart.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::OwnedMutexGuard;

/// Lets attempts of one lane go one at a time within this process. Between processes the ledger does that.
#[derive(Debug, Default)]
pub struct Lanes(Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>);

impl Lanes {
    /// Waits for the turn of an attempt in this lane.
    pub async fn enter(&self, lane: &str) -> OwnedMutexGuard<()> {
        let lane = {
            let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            lanes.retain(|_, lane| lane.strong_count() > 0);
            let slot = lanes.entry(lane.to_owned()).or_default();
            slot.upgrade().unwrap_or_else(|| {
                let lane = Arc::default();
                *slot = Arc::downgrade(&lane);
                lane
            })
        };
        lane.lock_owned().await
    }
}
