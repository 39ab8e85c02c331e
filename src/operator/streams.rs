//! Streams between the watches, the controllers and the registry.

use crate::ledger::Owner;
use futures::{FutureExt, Stream, StreamExt};
use kube::runtime::reflector::{Lookup, Store};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio_util::sync::CancellationToken;

/// Runs a controller to its end. One that is stopped before its cache was filled would wait for that forever (kube 5.0);
/// it has begun nothing, and is dropped.
pub(super) async fn while_filled<K>(run: impl Future<Output = ()>, store: Store<K>, stop: &CancellationToken)
where
    K: Lookup + Clone + 'static,
    K::DynamicType: Eq + std::hash::Hash + Clone,
{
    let stopped_unfilled = async {
        stop.cancelled().await;
        if store.wait_until_ready().now_or_never().is_some() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = run => {}
        () = stopped_unfilled => {}
    }
}

/// The ledger's watch must go on while nobody asks for its changes: it fills the cache.
pub(super) fn in_background(
    changes: impl Stream<Item = Owner> + Send + 'static,
) -> impl Stream<Item = Owner> + Send {
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut changes = std::pin::pin!(changes);
        loop {
            let owner = tokio::select! {
                owner = changes.next() => owner,
                // The leader's part is over: without this the watch would stand until the next change.
                () = sender.closed() => return,
            };
            let Some(owner) = owner else { return };
            if sender.send(owner).is_err() {
                return;
            }
        }
    });
    receive(receiver)
}

pub(super) fn receive<T: Send + 'static>(receiver: UnboundedReceiver<T>) -> impl Stream<Item = T> + Send {
    futures::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|item| (item, receiver))
    })
}
