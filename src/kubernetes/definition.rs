//! The custom resource definition of shares: which one is served, and whether it was replaced.
//!
//! While it is replaced every share is missing, and nobody deleted one. The uid tells one definition from the next.

use super::{ApiError, bounded};
use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The name of the definition.
const NAME: &str = "onetimeshares.onetimeshare.dev";

/// The definition as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its uid.
    pub uid: String,
    /// When it was created, by the API server's clock.
    pub created: Option<Timestamp>,
    /// Whether shares are served, and will be.
    pub served: bool,
}

impl Seen {
    /// Whether something was written under an earlier definition: under another uid, or, where none was noted, before
    /// this one was created.
    #[must_use]
    pub fn is_newer_than(&self, uid: Option<&str>, created: Option<Timestamp>) -> bool {
        if mutant!("any-definition") {
            return false;
        }
        match uid {
            Some(uid) => uid != self.uid,
            None => created
                .zip(self.created)
                .is_some_and(|(then, since)| then < since),
        }
    }
}

/// The definition that is served, as far as this process knows.
pub struct Definition {
    client: Client,
    known: Mutex<Known>,
    /// Many that ask after one doubt wait for one answer.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    seen: Option<Seen>,
    /// How often it may have been replaced, now and when it was last read.
    doubts: u64,
    read_at: Option<u64>,
}

impl Definition {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self {
            client,
            known: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
        }
    }

    /// The watch of shares broke off: the definition may be another one when it is back.
    pub fn doubt(&self) {
        self.lock().doubts += 1;
    }

    /// The definition as the API server has it.
    ///
    /// # Errors
    /// [`ApiError`]
    pub async fn read(&self) -> Result<Seen, ApiError> {
        let doubts = self.lock().doubts;
        let api: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        let answer = bounded(api.get(NAME)).await.map(|found| seen(&found));
        let mut known = self.lock();
        known.read_at = Some(doubts);
        known.seen = answer.as_ref().ok().cloned();
        answer
    }

    /// The definition that is served now: costs a request only after a doubt. None when it cannot be told, until the next
    /// doubt or the next read.
    pub async fn current(&self) -> Option<Seen> {
        if self.is_fresh() {
            return self.cached();
        }
        let _reading = self.reading.lock().await;
        if !self.is_fresh()
            && let Err(error) = self.read().await
        {
            tracing::warn!(%error, "the custom resource definition of OneTimeShares cannot be read");
        }
        self.cached()
    }

    /// What was read last.
    #[must_use]
    pub fn cached(&self) -> Option<Seen> {
        self.lock().seen.clone()
    }

    fn is_fresh(&self) -> bool {
        let known = self.lock();
        known.read_at == Some(known.doubts)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seen(crd: &CustomResourceDefinition) -> Seen {
    let conditions = crd.status.as_ref().and_then(|status| status.conditions.as_ref());
    let established = conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Established" && condition.status == "True");
    Seen {
        uid: crd.metadata.uid.clone().unwrap_or_default(),
        created: crd.metadata.creation_timestamp.as_ref().map(|time| time.0),
        served: established && crd.metadata.deletion_timestamp.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;
    use serde_json::json;

    #[test]
    fn an_entry_belongs_to_the_definition_that_it_was_written_under() {
        let since = Timestamp::UNIX_EPOCH;
        let seen = Seen {
            uid: "new".into(),
            created: Some(since),
            served: true,
        };
        assert!(seen.is_newer_than(Some("old"), None));
        assert!(!seen.is_newer_than(Some("new"), None));
        let before = since - SignedDuration::from_secs(1);
        assert!(
            seen.is_newer_than(None, Some(before)),
            "an entry of the first version"
        );
        assert!(!seen.is_newer_than(None, Some(since)));
        assert!(!seen.is_newer_than(None, None));
    }

    #[test]
    fn a_definition_is_served_once_established_and_until_deleted() {
        let crd = |deleted: Option<&str>, established: &str| -> CustomResourceDefinition {
            serde_json::from_value(json!({
                "metadata": {"name": NAME, "uid": "u", "deletionTimestamp": deleted},
                "spec": {"group": "g", "names": {"kind": "K", "plural": "k"}, "scope": "Namespaced", "versions": []},
                "status": {"conditions": [{"type": "Established", "status": established}]},
            }))
            .expect("a definition")
        };
        assert!(seen(&crd(None, "True")).served);
        assert!(!seen(&crd(None, "False")).served);
        assert!(!seen(&crd(Some("2026-01-01T00:00:00Z"), "True")).served);
    }
}
