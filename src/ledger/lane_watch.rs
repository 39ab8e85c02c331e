//! The attempts under way of all shards, for an operator that keeps the entries of its own shard only.

use super::codec::{self, LANE, SECRET_TYPE};
use super::lanes::{Lanes, UnderWay};
use super::reach::{Follower, Reach};
use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The lanes of all shards, and how far their watch has come.
#[derive(Debug)]
pub(super) struct LaneWatch {
    lanes: Mutex<Lanes>,
    pub(super) reach: Arc<Reach>,
}

impl LaneWatch {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            lanes: Mutex::default(),
            reach: Reach::new(),
        })
    }

    pub(super) fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fills the lanes while it is polled. It has no items.
    pub(super) fn fill<T: Send>(
        self: &Arc<Self>,
        api: &Api<Secret>,
    ) -> impl Stream<Item = T> + Send + use<T> {
        let config = crate::kubernetes::watch::config("lanes", api.namespace())
            .fields(&format!("type={SECRET_TYPE}"))
            .labels(LANE);
        let events = watcher(api.clone(), config).default_backoff();
        let lanes = Arc::clone(self);
        let mut follower = Follower::new(Arc::clone(&self.reach));
        let mut listed = HashSet::new();
        events.flat_map(move |event| {
            let after = follower.after(&event);
            lanes.note(event, &mut listed);
            follower.acted(after);
            stream::empty()
        })
    }

    fn note(&self, event: Result<watcher::Event<Secret>, watcher::Error>, listed: &mut HashSet<Arc<str>>) {
        let mut lanes = self.lanes();
        match event {
            Ok(watcher::Event::Apply(mut secret)) => {
                lanes.note(&secret.name_any().into(), UnderWay::of(&secret));
                codec::wipe(&mut secret);
            }
            Ok(watcher::Event::InitApply(mut secret)) => {
                let name: Arc<str> = secret.name_any().into();
                lanes.note(&name, UnderWay::of(&secret));
                listed.insert(name);
                codec::wipe(&mut secret);
            }
            Ok(watcher::Event::Delete(mut secret)) => {
                lanes.forget(&secret.name_any());
                codec::wipe(&mut secret);
            }
            Ok(watcher::Event::Init) => listed.clear(),
            Ok(watcher::Event::InitDone) => lanes.keep(&std::mem::take(listed)),
            Err(error) => {
                tracing::warn!(error = %crate::kubernetes::watch_error(&error), "the watch of the attempts under way broke off and starts again");
            }
        }
    }
}
