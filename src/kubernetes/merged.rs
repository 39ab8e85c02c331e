//! Several watches of one kind, each of one namespace, as the one watch that fills a store. Knows no API server.
//!
//! A store that is told of a new list forgets whatever is not in it. So it is told of one list only: the first lists of
//! all namespaces, together. What a later list of one namespace shows is told as changes, and as deletions of what is
//! not there any more.

use super::namespaces::Unlisted;
use super::{is_refused, watch_error};
use futures::stream::{BoxStream, iter, once, select_all};
use futures::{Stream, StreamExt};
use kube::runtime::reflector::Store;
use kube::runtime::watcher::{Error, Event, Result};
use kube::{Resource, ResourceExt};
use std::collections::HashSet;

/// The watch of one namespace. It goes on after its errors by itself, with a pause after each.
pub struct Watch<K> {
    namespace: String,
    events: BoxStream<'static, Result<Event<K>>>,
}

impl<K> Watch<K> {
    /// A watch of this namespace.
    pub fn new(namespace: &str, events: impl Stream<Item = Result<Event<K>>> + Send + 'static) -> Self {
        Self {
            namespace: namespace.to_owned(),
            events: events.boxed(),
        }
    }
}

/// Merges watches for a store that this stream fills, and nothing else.
///
/// An error in one namespace is logged and goes no further, because who reads this stream would pause for all. A
/// namespace whose first list is refused is not waited for; it is among the unlisted until its list comes.
pub fn merged<K>(
    watches: Vec<Watch<K>>,
    store: Store<K>,
    unlisted: Unlisted,
) -> impl Stream<Item = Result<Event<K>>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
{
    let start = async move {
        // Whoever is done first is not asked again before all are: a store that is being filled takes no deletions.
        let firsts = watches.into_iter().map(|watch| first_list(watch, &unlisted));
        let (objects, watches): (Vec<_>, Vec<_>) =
            futures::future::join_all(firsts).await.into_iter().unzip();
        let later = watches
            .into_iter()
            .map(|watch| later_lists(watch, store.clone(), unlisted.clone()).boxed());
        once(async { Event::Init })
            .chain(iter(objects).flat_map(iter).map(Event::InitApply))
            .chain(once(async { Event::InitDone }))
            .chain(select_all(later))
    };
    once(start).flatten().map(Ok)
}

/// What is in a namespace at first: nothing, as far as is known, when that is refused.
async fn first_list<K: Resource<DynamicType = ()>>(
    mut watch: Watch<K>,
    unlisted: &Unlisted,
) -> (Vec<K>, Watch<K>) {
    let mut objects = Vec::new();
    while let Some(event) = watch.events.next().await {
        match event {
            // Also when the list before broke off.
            Ok(Event::Init) => objects.clear(),
            Ok(Event::InitApply(object)) => objects.push(object),
            // Before the list is there, nothing has changed since.
            Ok(Event::Apply(_) | Event::Delete(_)) => {}
            Ok(Event::InitDone) => return (objects, watch),
            Err(error) => {
                tell::<K>(&watch.namespace, &error);
                if is_refused(&error) {
                    break;
                }
            }
        }
    }
    unlisted.insert(&watch.namespace);
    (Vec::new(), watch)
}

/// What happens in a namespace after the store was filled.
fn later_lists<K>(watch: Watch<K>, store: Store<K>, unlisted: Unlisted) -> impl Stream<Item = Event<K>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
{
    let Watch { namespace, events } = watch;
    let mut listed = HashSet::new();
    events.flat_map(move |event| {
        iter(match event {
            Ok(Event::Init) => {
                listed.clear();
                Vec::new()
            }
            Ok(Event::InitApply(object)) => {
                listed.insert(object.name_any());
                vec![Event::Apply(object)]
            }
            Ok(Event::InitDone) => {
                unlisted.remove(&namespace);
                vanished(&store, &namespace, &listed)
            }
            Ok(change @ (Event::Apply(_) | Event::Delete(_))) => vec![change],
            Err(error) => {
                tell::<K>(&namespace, &error);
                Vec::new()
            }
        })
    })
}

/// Deletions of what the store still has of a namespace, and a list of it has not.
fn vanished<K>(store: &Store<K>, namespace: &str, listed: &HashSet<String>) -> Vec<Event<K>>
where
    K: Resource<DynamicType = ()> + Clone,
{
    let known = store.state().into_iter();
    known
        .filter(|object| object.namespace().as_deref() == Some(namespace))
        .filter(|object| !listed.contains(&object.name_any()))
        .map(|object| Event::Delete((*object).clone()))
        .collect()
}

fn tell<K: Resource<DynamicType = ()>>(namespace: &str, error: &Error) {
    let kind = K::plural(&());
    if is_refused(error) {
        tracing::warn!(
            namespace,
            %kind,
            "may not be listed and watched in this namespace, which waits until they may; the others go on: grant both to the operator, or take the namespace off --watch-namespaces"
        );
    } else {
        tracing::warn!(
            namespace,
            %kind,
            error = watch_error(error),
            "the watch of a namespace broke off and starts again"
        );
    }
}

#[cfg(test)]
mod tests;
