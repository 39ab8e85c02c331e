//! One cache and one controller for a kind, in however many namespaces.

use super::start::Start;
use crate::kubernetes::definition::Definition;
use crate::kubernetes::merged::{Watch, merged};
use crate::kubernetes::namespaces::Unlisted;
use crate::ledger::Owner;
use crate::share::CachedShare;
use crate::share::deletions::Deletions;
use crate::share::freshness::Freshness;
use futures::{Stream, StreamExt};
use kube::core::NamespaceResourceScope;
use kube::runtime::{Controller, WatchStreamExt, reflector, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;

/// What is told of each event of a watch.
pub(super) type Observe<K> = Arc<dyn Fn(&watcher::Result<watcher::Event<K>>) + Send + Sync>;

/// A controller of a kind in the namespaces that are worked on, of all objects or those with these labels, and the
/// namespaces that could not be listed. `before` is told of each event before the cache learns of it. Where one watch brings
/// everything, `after` is told when the cache has; what several watches bring has no common order.
pub(super) fn controller<K>(
    start: &Start,
    labels: Option<String>,
    before: &Observe<K>,
    after: &Observe<K>,
) -> (Controller<K>, Unlisted)
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
    let (store, writer) = reflector::store();
    let events = if let [only] = &apis[..] {
        // The controller pauses after its errors.
        let events = observed(watcher(only.clone(), config::<K>(only, labels)), before);
        observed(events.reflect(writer), after).boxed()
    } else {
        let watches = apis.into_iter().map(|api| watch(api, labels.clone(), before));
        let watches = watches.collect();
        let events = merged(watches, store.clone(), unlisted.clone());
        events.reflect(writer).boxed()
    };
    let controller = Controller::for_stream(events.applied_objects(), store);
    (controller, unlisted)
}

fn watch<K>(api: Api<K>, labels: Option<String>, observe: &Observe<K>) -> Watch<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let namespace = api.namespace().unwrap_or_default().to_owned();
    let config = config::<K>(&api, labels);
    let events = watcher(api, config).default_backoff();
    Watch::new(&namespace, observed(events, observe))
}

fn config<K: Resource<DynamicType = ()>>(api: &Api<K>, labels: Option<String>) -> watcher::Config {
    watcher::Config {
        label_selector: labels,
        ..crate::kubernetes::watch::config(&K::plural(&()), api.namespace())
    }
}

fn observed<K: 'static>(
    events: impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send + 'static,
    observe: &Observe<K>,
) -> impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send + 'static {
    let observe = Arc::clone(observe);
    events.inspect(move |event| observe(event))
}

/// Nothing is told.
pub(super) fn unobserved<K>() -> Observe<K> {
    Arc::new(|_| {})
}

/// Notes which shares were seen to go, and when their definition may have been replaced.
pub(super) fn of_shares(deletions: Deletions, definition: Arc<Definition>) -> Observe<CachedShare> {
    Arc::new(move |event| match event {
        Ok(watcher::Event::Delete(share)) => {
            if let Some(owner) = Owner::of(share) {
                deletions.deleted(owner);
            }
        }
        Ok(watcher::Event::Apply(share) | watcher::Event::InitApply(share)) => {
            if let Some(owner) = Owner::of(share) {
                deletions.appeared(&owner);
            }
        }
        Ok(watcher::Event::Init) | Err(_) => definition.doubt(),
        Ok(watcher::Event::InitDone) => {}
    })
}

/// Notes how far the cache has come.
pub(super) fn kept_shares(freshness: Arc<Freshness>) -> Observe<CachedShare> {
    Arc::new(move |event| match event {
        Ok(watcher::Event::Apply(share) | watcher::Event::Delete(share)) => {
            freshness.brought(share.meta().resource_version.as_deref());
        }
        Ok(watcher::Event::Init) | Err(_) => freshness.broke_off(),
        Ok(watcher::Event::InitApply(_) | watcher::Event::InitDone) => {}
    })
}
