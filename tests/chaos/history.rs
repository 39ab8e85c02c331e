//! What happened to the objects of a plan, version by version, as a watch of its own brings it.

use anyhow::{Context as _, Result};
use futures::StreamExt as _;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use serde_json::Value;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// How long the first list of a watch may take.
const LIMIT: Duration = Duration::from_secs(60);

/// One version of an object.
#[derive(Clone, Debug)]
pub struct Version {
    pub object: Value,
    pub deleted: bool,
}

/// All versions so far, oldest first within each kind.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub shares: Vec<Version>,
    pub secrets: Vec<Version>,
    pub ledger: Vec<Version>,
}

impl History {
    /// The newest version of a share, unless it is deleted.
    pub fn share(&self) -> Option<&Value> {
        let last = self.shares.last()?;
        (!last.deleted).then_some(&last.object)
    }

    /// Every version of the ledger's entries, decoded.
    pub fn entries(&self) -> impl Iterator<Item = Value> {
        self.ledger.iter().filter_map(entry)
    }

    /// The newest version of the ledger's entry, unless it is gone.
    pub fn entry(&self) -> Option<Value> {
        let is_entry = |version: &&Version| version.object["type"] == "onetimeshare.dev/ledger";
        let last = self.ledger.iter().rev().find(is_entry)?;
        if last.deleted { None } else { entry(last) }
    }
}

fn entry(version: &Version) -> Option<Value> {
    use base64::Engine as _;
    let text = version.object["data"]["entry"].as_str()?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Watches until it is dropped.
pub struct Watches {
    history: watch::Receiver<History>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Watches {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

type Push = fn(&mut History, Version);

impl Watches {
    /// Starts to watch. What changes after this returns is seen, also an object that is soon gone again.
    pub async fn start(client: &Client, namespace: &str, ledger: &str) -> Result<Self> {
        let (sender, history) = watch::channel(History::default());
        let kinds: [(&str, &str, &str, &str, Push); 3] = [
            (
                "onetimeshare.dev",
                "v1alpha1",
                "OneTimeShare",
                namespace,
                |h, v| {
                    h.shares.push(v);
                },
            ),
            ("", "v1", "Secret", namespace, |h, v| h.secrets.push(v)),
            ("", "v1", "Secret", ledger, |h, v| h.ledger.push(v)),
        ];
        let mut watches = Self {
            history,
            tasks: Vec::new(),
        };
        for (group, version, kind, namespace, push) in kinds {
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
            let api = Api::namespaced_with(client.clone(), namespace, &resource);
            let (listed, is_listed) = oneshot::channel();
            let task = tokio::spawn(follow(api, sender.clone(), push, listed));
            watches.tasks.push(task);
            let listed = tokio::time::timeout(LIMIT, is_listed).await;
            listed.with_context(|| format!("{kind}s of {namespace} were not listed within {LIMIT:?}"))??;
        }
        Ok(watches)
    }

    pub fn now(&self) -> History {
        self.history.borrow().clone()
    }

    pub fn receiver(&self) -> watch::Receiver<History> {
        self.history.clone()
    }
}

async fn follow(
    api: Api<DynamicObject>,
    sender: watch::Sender<History>,
    push: Push,
    listed: oneshot::Sender<()>,
) {
    let mut listed = Some(listed);
    let mut seen = std::collections::HashSet::new();
    let mut changes = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff());
    while let Some(change) = changes.next().await {
        let (object, deleted) = match change {
            Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => (object, false),
            Ok(watcher::Event::Delete(object)) => (object, true),
            Ok(watcher::Event::InitDone) => {
                // Nobody may wait for it any more.
                let _ = listed.take().map(|listed| listed.send(()));
                continue;
            }
            Ok(watcher::Event::Init) | Err(_) => continue,
        };
        // A watch that starts again brings what is there once more.
        if !deleted && !seen.insert((object.uid(), object.resource_version())) {
            continue;
        }
        let object = serde_json::to_value(&object).unwrap_or_default();
        sender.send_modify(|history| push(history, Version { object, deleted }));
    }
}
