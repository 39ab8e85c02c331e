//! Whether what is about to be sent is still asked for: a share can be edited, suspended or deleted, and its Secret rotated,
//! while it waits for its turn.

use crate::api::share::OneTimeShare;
use crate::clock::Clock;
use crate::kubernetes::ApiError;
use crate::ledger::Owner;
use crate::share::context::Context;
use kube::ResourceExt;
use std::time::Duration;

/// For so long after it was read the share is believed to be as it was.
pub const SHARE_FRESH_FOR: Duration = Duration::from_secs(1);

/// For so long after they were read the sources are believed to be as they were, when the share is.
const SOURCES_FRESH_FOR: Duration = Duration::from_secs(5);

/// What of a share decides whether and what is sent for it. An edit and `suspend` are in the generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    uid: Option<String>,
    generation: Option<i64>,
    is_deleting: bool,
    burn: Option<String>,
}

impl Wish {
    /// What a share wants, as it was read.
    #[must_use]
    pub fn of(share: &OneTimeShare) -> Self {
        Self {
            uid: share.uid(),
            generation: share.metadata.generation,
            is_deleting: share.metadata.deletion_timestamp.is_some(),
            burn: share.annotations().get(crate::api::BURN).cloned(),
        }
    }

    /// Whether the API server has the same one now.
    ///
    /// # Errors
    /// [`ApiError`] when the API server does not tell.
    pub async fn is_still_there(&self, context: &Context, owner: &Owner) -> Result<bool, ApiError> {
        let found = context.live_share(owner).await?;
        Ok(found.is_some_and(|share| &Self::of(&share) == self))
    }
}

/// When something was read, on the boot-time clock: a frozen process and a machine that slept notice it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadAt(Duration);

impl ReadAt {
    /// Just now.
    #[must_use]
    pub fn now() -> Self {
        Self(Clock::boot().now())
    }

    #[cfg(test)]
    pub(super) fn at_second(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    fn age(self) -> Duration {
        Clock::boot().now().saturating_sub(self.0)
    }

    /// Whether a share that was read then must be read again before it is acted on.
    #[must_use]
    pub fn is_old_for_a_share(self) -> bool {
        self.age() > SHARE_FRESH_FOR
    }

    /// Whether sources that were read then must be read again before they are sent.
    #[must_use]
    pub fn is_old_for_sources(self) -> bool {
        self.age() > SOURCES_FRESH_FOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn wish(metadata: &Value, spec: &Value, status: &Value) -> Wish {
        let share = json!({
            "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
            "metadata": metadata, "spec": spec, "status": status,
        });
        Wish::of(&serde_json::from_value(share).expect("a share"))
    }

    #[test]
    fn only_what_decides_about_sending_counts() {
        let spec = json!({"secretRef": {"name": "alice"}});
        let base = json!({"name": "alice", "uid": "1", "generation": 3, "resourceVersion": "7"});
        let with = |field: &str, value: Value| {
            let mut metadata = base.clone();
            metadata[field] = value;
            wish(&metadata, &spec, &json!(null))
        };
        let before = wish(&base, &spec, &json!(null));
        // A status that shows the wait, labels and other annotations change nothing.
        assert_eq!(before, wish(&base, &spec, &json!({"state": "Pending"})));
        assert_eq!(before, with("resourceVersion", json!("8")));
        assert_eq!(before, with("labels", json!({"team": "a"})));
        assert_eq!(before, with("annotations", json!({"team": "a"})));
        assert_ne!(before, with("uid", json!("2")));
        assert_ne!(before, with("generation", json!(4)));
        assert_ne!(before, with("deletionTimestamp", json!("2026-01-01T00:00:00Z")));
        assert_ne!(before, with("annotations", json!({"onetimeshare.dev/burn": "a"})));
    }

    #[test]
    fn what_was_read_a_while_ago_is_old() {
        let ago = |millis| ReadAt(Clock::boot().now().saturating_sub(Duration::from_millis(millis)));
        assert!(!ReadAt::now().is_old_for_a_share());
        assert!(ago(1100).is_old_for_a_share() && !ago(1100).is_old_for_sources());
        assert!(ago(5100).is_old_for_sources());
    }
}
