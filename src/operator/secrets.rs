//! The watch of Secrets that `--watch-secrets` switches on. Only metadata is asked for, only the names are used, and
//! nothing is kept. The ledger's namespace is left out.

use super::caches;
use super::start::Start;
use crate::kubernetes::secret::SecretName;
use crate::kubernetes::{is_refused, watch_error};
use futures::stream::{BoxStream, pending, select_all};
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::PartialObjectMeta;
use kube::runtime::{WatchStreamExt, watcher};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use zeroize::Zeroize;

/// So many changes at most are looked up at once: a list of all Secrets costs few passes over the shares.
const BATCH: usize = 1000;

type Metadata = PartialObjectMeta<Secret>;

/// The Secrets that changed. Without the flag none ever does, and nothing is watched.
pub(super) fn changes(start: &Start) -> BoxStream<'static, HashSet<SecretName>> {
    if !start.args.watch_secrets {
        return pending().boxed();
    }
    // The credentials of ClusterShareProviders are in the operator's own.
    let apis = start.namespaces.and(&start.args.namespace).apis(&start.client);
    let left = Arc::new(AtomicUsize::new(apis.len()));
    let watches = apis.into_iter().map(|api| {
        let (left, readiness) = (Arc::clone(&left), start.readiness.clone());
        let listed = move || {
            if left.fetch_sub(1, Ordering::Relaxed) == 1 {
                readiness.filled(caches::SECRETS);
            }
        };
        names(api, &start.args.ledger_namespace, listed).boxed()
    });
    select_all(watches)
        .ready_chunks(BATCH)
        .map(|names| names.into_iter().collect())
        .boxed()
}

/// `listed` is told once: when the first list has come or was refused, which the log says.
fn names<F: FnOnce() + Send>(
    api: Api<Metadata>,
    ledger: &str,
    listed: F,
) -> impl Stream<Item = SecretName> + Send + use<F> {
    let mut listed = Some(listed);
    let config = crate::kubernetes::watch::config("secrets", api.namespace())
        .fields(&format!("metadata.namespace!={ledger}"));
    let namespace = api.namespace().unwrap_or("*").to_owned();
    watcher(api, config)
        .default_backoff()
        .inspect(move |event| {
            let done = match event {
                Ok(watcher::Event::InitDone) => true,
                Err(error) => is_refused(error),
                Ok(_) => false,
            };
            if let Some(listed) = done.then(|| listed.take()).flatten() {
                listed();
            }
        })
        .touched_objects()
        .filter_map(move |change| {
            std::future::ready(match change {
                Ok(metadata) => name(metadata),
                Err(error) => {
                    tell(&namespace, &error);
                    None
                }
            })
        })
}

/// `kubectl apply` keeps the Secret that it applied, values and all, in an annotation: wiped as a value would be.
fn name(mut metadata: Metadata) -> Option<SecretName> {
    let annotations = metadata.metadata.annotations.iter_mut();
    annotations
        .flat_map(BTreeMap::values_mut)
        .for_each(Zeroize::zeroize);
    Some(SecretName {
        namespace: metadata.metadata.namespace?,
        name: metadata.metadata.name?,
    })
}

fn tell(namespace: &str, error: &watcher::Error) {
    if is_refused(error) {
        tracing::warn!(
            namespace,
            "Secrets may not be listed and watched: grant both to the operator, or leave out --watch-secrets"
        );
    } else {
        tracing::warn!(
            namespace,
            error = watch_error(error),
            "the watch of Secrets broke off and starts again"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Request, Response};
    use kube::Client;
    use kube::client::Body;
    use std::convert::Infallible;
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Poll};

    type Asked = Arc<Mutex<Vec<(String, String)>>>;

    /// An API server with one Secret, which notes what it is asked for.
    #[derive(Clone, Default)]
    struct ApiServer(Asked);

    impl tower_service::Service<Request<Body>> for ApiServer {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<Body>) -> Self::Future {
            let accept = request
                .headers()
                .get("accept")
                .and_then(|value| value.to_str().ok());
            self.0
                .lock()
                .expect("no panic")
                .push((request.uri().to_string(), accept.unwrap_or_default().to_owned()));
            let list = serde_json::json!({
                "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {"resourceVersion": "1"},
                "items": [{
                    "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
                    "metadata": {"name": "app", "namespace": "ns", "annotations": {"a": "b"}},
                }],
            });
            std::future::ready(Ok(Response::new(Body::from(list.to_string().into_bytes()))))
        }
    }

    #[tokio::test]
    async fn only_metadata_is_asked_for_and_never_of_the_ledger() {
        let server = ApiServer::default();
        let client = Client::new(server.clone(), "default");
        let mut names = Box::pin(names(Api::all(client), "the-ledger", || {}));
        let found = names.next().await.expect("a name");
        assert_eq!((found.namespace.as_str(), found.name.as_str()), ("ns", "app"));
        let asked = server.0.lock().expect("no panic").clone();
        assert!(!asked.is_empty());
        for (uri, accept) in asked {
            assert!(uri.starts_with("/api/v1/secrets?"), "{uri}");
            assert!(
                uri.contains("fieldSelector=metadata.namespace%21%3Dthe-ledger"),
                "{uri}"
            );
            assert!(
                accept.contains("as=PartialObjectMetadata") && !accept.contains("application/json,"),
                "{accept}"
            );
        }
    }
}
