//! When each share came and when it had its link, as one watch of the API server tells.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{Api, ApiResource, GroupVersionKind};
use kube::core::Object;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// As little of a share as a reader can do with.
pub(crate) type Share = Object<Spec, Status>;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Spec {
    #[serde(default)]
    pub(crate) secret_ref: Reference,
    #[serde(default)]
    pub(crate) recipient: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Reference {
    pub(crate) name: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Status {
    #[serde(default)]
    pub(crate) link: Option<String>,
}

/// The shares of all namespaces.
pub(crate) fn shares(client: &Client) -> Api<Share> {
    Api::all_with(client.clone(), &resource())
}

pub(crate) fn resource() -> ApiResource {
    let mut resource = ApiResource::from_gvk(&GroupVersionKind::gvk(
        "onetimeshare.dev",
        "v1alpha1",
        "OneTimeShare",
    ));
    "onetimeshares".clone_into(&mut resource.plural);
    resource
}

pub(crate) fn has_link(share: &Share) -> bool {
    share.status.as_ref().is_some_and(|status| status.link.is_some())
}

/// What was seen of one share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) added: Instant,
    pub(crate) linked: Option<Instant>,
}

type Shares = HashMap<(String, String), Seen>;

/// A watch in the background. Dropping it ends it.
pub(crate) struct Observer {
    seen: Arc<Mutex<Shares>>,
    /// How many have a link.
    linked: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Observer {
    pub(crate) fn start(client: &Client) -> Self {
        let (sender, linked) = watch::channel(0);
        let seen = Arc::new(Mutex::new(Shares::new()));
        let mut changes = watcher(shares(client), watcher::Config::default())
            .default_backoff()
            .applied_objects()
            .boxed();
        let book = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok(Some(share)) = changes.try_next().await {
                if note(&mut lock(&book), &share) {
                    sender.send_modify(|count| *count += 1);
                }
            }
        });
        Self { seen, linked, task }
    }

    /// Waits until so many shares have a link.
    ///
    /// # Errors
    /// When they do not within the time.
    pub(crate) async fn linked(&self, count: usize, limit: Duration) -> Result<()> {
        let mut linked = self.linked.clone();
        let wait = linked.wait_for(|linked| *linked >= count);
        match tokio::time::timeout(limit, wait).await {
            Ok(waited) => waited.map(drop).context("the watch of the bench ended"),
            Err(_) => bail!("{} of {count} have a link after {limit:?}", *self.linked.borrow()),
        }
    }

    /// How many have a link now.
    pub(crate) fn count(&self) -> usize {
        *self.linked.borrow()
    }

    /// The seconds from ADDED to the link, of the shares of one namespace that have one.
    pub(crate) fn latencies(&self, namespace: &str) -> Vec<f64> {
        let book = lock(&self.seen);
        let own = book.iter().filter(|((found, _), _)| found == namespace);
        own.filter_map(|(_, seen)| Some(seen.linked?.duration_since(seen.added).as_secs_f64()))
            .collect()
    }

    /// The first and the last moment at which a share had its link.
    pub(crate) fn span(&self) -> Option<(Instant, Instant)> {
        let book = lock(&self.seen);
        let moments = || book.values().filter_map(|seen| seen.linked);
        Some((moments().min()?, moments().max()?))
    }
}

/// Whether this share has a link for the first time.
fn note(book: &mut Shares, share: &Share) -> bool {
    let now = Instant::now();
    let key = (share.namespace().unwrap_or_default(), share.name_any());
    let seen = book.entry(key).or_insert(Seen {
        added: now,
        linked: None,
    });
    let is_new = seen.linked.is_none() && has_link(share);
    if is_new {
        seen.linked = Some(now);
    }
    is_new
}

fn lock(book: &Mutex<Shares>) -> MutexGuard<'_, Shares> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn share(namespace: &str, status: &Value) -> Share {
        let share = json!({
            "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
            "metadata": {"name": "a", "namespace": namespace}, "spec": {"secretRef": {"name": "value"}}, "status": status,
        });
        serde_json::from_value(share).expect("a share")
    }

    #[test]
    fn a_link_counts_once() {
        let mut book = Shares::new();
        assert!(!note(&mut book, &share("one", &Value::Null)));
        assert!(!note(&mut book, &share("one", &json!({"state": "Pending"}))));
        let linked = share("one", &json!({"link": "https://secrets.example.com/secret/key"}));
        assert!(note(&mut book, &linked));
        assert!(!note(&mut book, &linked));
        let other = share(
            "two",
            &json!({"link": "https://secrets.example.com/secret/other"}),
        );
        assert!(note(&mut book, &other), "another namespace");
        let linked = book.values().filter(|seen| seen.linked.is_some()).count();
        assert_eq!((book.len(), linked), (2, 2));
    }
}
