//! Whether what is about to be sent is still asked for: a share can be edited, suspended or deleted, and its Secret rotated,
//! while it waits for its turn.

use crate::api::share::OneTimeShare;
use crate::kubernetes::ApiError;
use crate::ledger::Owner;
use crate::share::context::Context;
use kube::ResourceExt;

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
}
