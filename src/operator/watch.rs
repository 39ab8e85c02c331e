//! One cache and one controller for a kind, in however many namespaces.

use super::start::Start;
use crate::kubernetes::merged::{Watch, merged};
use crate::kubernetes::namespaces::Unlisted;
use kube::core::NamespaceResourceScope;
use kube::runtime::{Controller, WatchStreamExt, reflector, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// A controller of a kind in the namespaces that are worked on, and those of them that could not be listed.
pub(super) fn controller<K>(start: &Start) -> (Controller<K>, Unlisted)
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + Debug
        + Send
        + Sync
        + 'static,
{
    let unlisted = Unlisted::default();
    let apis: Vec<Api<K>> = start.namespaces.apis(&start.client);
    if let [only] = &apis[..] {
        let controller = Controller::new(only.clone(), watcher::Config::default());
        return (controller, unlisted);
    }
    let watches = apis.into_iter().map(watch).collect();
    let (store, writer) = reflector::store();
    let events = merged(watches, store.clone(), unlisted.clone());
    let controller = Controller::for_stream(events.reflect(writer).applied_objects(), store);
    (controller, unlisted)
}

fn watch<K>(api: Api<K>) -> Watch<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let namespace = api.namespace().unwrap_or_default().to_owned();
    Watch::new(
        &namespace,
        watcher(api, watcher::Config::default()).default_backoff(),
    )
}
