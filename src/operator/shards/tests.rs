use super::*;
use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

struct Looked {
    shards: Shards,
    clock: Clock,
}

impl Looked {
    /// What a look finds, where each shard has so many entries and its lease was renewed so.
    fn at(&mut self, all: &[(&str, usize, Option<&str>)]) -> Vec<(String, usize)> {
        let entries = all.iter().map(|(shard, count, _)| ((*shard).to_owned(), *count));
        let renewals = all
            .iter()
            .map(|(shard, _, renewal)| ((*shard).to_owned(), renewal.map(str::to_owned)));
        let found = self
            .shards
            .without_operator(entries.collect(), &renewals.collect());
        found.into_iter().collect()
    }
}

#[test]
fn a_shard_whose_lease_nobody_renews_for_ten_minutes_has_no_operator() {
    let clock = Clock::by_hand();
    let mut looked = Looked {
        shards: Shards::new(clock.clone()),
        clock,
    };
    let all = [
        ("gone", 3, None),
        ("dead", 2, Some("a 1")),
        ("lives", 5, Some("b 1")),
    ];
    assert_eq!(looked.at(&all), [], "nothing is known at the start");
    looked.clock.advance(SILENT - Duration::from_secs(1));
    let all = [
        ("gone", 3, None),
        ("dead", 2, Some("a 1")),
        ("lives", 5, Some("b 2")),
    ];
    assert_eq!(looked.at(&all), []);
    looked.clock.advance(Duration::from_secs(1));
    let silent = [("dead".to_owned(), 2), ("gone".to_owned(), 3)];
    assert_eq!(looked.at(&all), silent);
    let back = [
        ("gone", 3, Some("c 1")),
        ("dead", 2, Some("a 1")),
        ("lives", 5, Some("b 2")),
    ];
    assert_eq!(
        looked.at(&back),
        [("dead".to_owned(), 2)],
        "its operator works again"
    );
    assert_eq!(looked.at(&[]), [], "its entries were given away");
    assert!(looked.shards.seen.is_empty(), "nothing is kept of it");
}

/// An API server with entries of two shards on two pages, and a lease that somebody gave back. It notes what it is asked.
#[derive(Clone, Default)]
struct ApiServer(Arc<Mutex<Vec<(String, String)>>>);

impl tower_service::Service<Request<Body>> for ApiServer {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let accept = request.headers().get("accept");
        let accept = accept.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let uri = request.uri().to_string();
        self.0
            .lock()
            .expect("no panic")
            .push((uri.clone(), accept.to_owned()));
        let (code, answer) = match () {
            () if uri.contains("leases/onetimeshare-left") => (200, lease(&json!(""))),
            () if uri.contains("leases/onetimeshare-held") => (200, lease(&json!("somebody"))),
            () if uri.contains("leases") => {
                (404, json!({"kind": "Status", "code": 404, "reason": "NotFound"}))
            }
            () if uri.contains("continue=more") => (200, page(&["blue", "green"], None)),
            () => (200, page(&["blue"], Some("more"))),
        };
        let response = Response::builder().status(code);
        let body = Body::from(answer.to_string().into_bytes());
        std::future::ready(Ok(response.body(body).expect("a response")))
    }
}

fn lease(holder: &Value) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "a"},
        "spec": {"holderIdentity": holder, "renewTime": "2026-01-01T00:00:00.000000Z"},
    })
}

fn page(shards: &[&str], more: Option<&str>) -> Value {
    let items = shards.iter().map(|shard| {
        json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
            "metadata": {"name": "e", "namespace": "ledger", "labels": {LABEL: shard}},
        })
    });
    json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList",
        "metadata": {"resourceVersion": "1", "continue": more}, "items": items.collect::<Vec<_>>(),
    })
}

#[tokio::test]
async fn entries_are_counted_by_their_labels_alone() {
    let server = ApiServer::default();
    let found = entries(&Client::new(server.clone(), "default"), "ledger").await;
    let found: Vec<_> = found.expect("an answer").into_iter().collect();
    assert_eq!(found, [("blue".to_owned(), 2), ("green".to_owned(), 1)]);
    for (uri, accept) in server.0.lock().expect("no panic").iter() {
        assert!(uri.contains("labelSelector=onetimeshare.dev%2Fshard"), "{uri}");
        assert!(accept.contains("as=PartialObjectMetadata"), "{accept}");
    }
}

#[tokio::test]
async fn a_lease_that_nobody_holds_is_none() {
    let leases = Api::namespaced(Client::new(ApiServer::default(), "default"), "system");
    for (shard, is_held) in [("held", true), ("left", false), ("never", false)] {
        let renewal = renewal(&leases, shard).await.expect("an answer");
        assert_eq!(renewal.is_some(), is_held, "{shard}");
    }
}
