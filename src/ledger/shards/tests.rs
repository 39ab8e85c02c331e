use super::*;
use crate::ledger::Phase;
use crate::ledger::fixtures::{entry, link};
use crate::shard::LABEL;
use http::{Method, Request, Response};
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

/// An API server with these entries, which lists one at a time and notes what it was asked. It keeps what is written.
#[derive(Clone, Default)]
struct ApiServer {
    entries: Arc<Mutex<Vec<Secret>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl tower_service::Service<Request<Body>> for ApiServer {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let server = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let uri = head.uri.to_string();
            let body = body.collect_bytes().await.expect("a body");
            server
                .asked
                .lock()
                .expect("no panic")
                .push(format!("{} {uri}", head.method));
            let mut entries = server.entries.lock().expect("no panic");
            let name = head.uri.path().rsplit('/').next().unwrap_or_default();
            let answer = match (head.method, name) {
                (Method::PUT, _) => {
                    let written: Secret = serde_json::from_slice(&body).expect("a Secret");
                    *entries = vec![written];
                    json!(entries[0])
                }
                (_, "secrets") => page(&entries, usize::from(uri.contains("continue=1"))),
                (_, name) => match entries
                    .iter()
                    .find(|entry| entry.metadata.name.as_deref() == Some(name))
                {
                    Some(entry) => json!(entry),
                    None => {
                        return Ok(response(
                            404,
                            &json!({"kind": "Status", "code": 404, "reason": "NotFound"}),
                        ));
                    }
                },
            };
            Ok(response(200, &answer))
        })
    }
}

fn response(code: u16, body: &Value) -> Response<Body> {
    let response = Response::builder().status(code);
    response
        .body(Body::from(body.to_string().into_bytes()))
        .expect("a response")
}

fn page(entries: &[Secret], at: usize) -> Value {
    let token = (at + 1 < entries.len()).then(|| (at + 1).to_string());
    json!({
        "apiVersion": "v1", "kind": "SecretList", "metadata": {"resourceVersion": "9", "continue": token},
        "items": [entries[at]],
    })
}

/// The entry of a share as a shard wrote it.
fn written(name: &str, shard: &str) -> Secret {
    let mut entry = entry(Phase::Shared(link()));
    entry.owner.name = name.to_owned();
    let mut secret = codec::encode(&entry, "ledger", Some("7".to_owned())).expect("a secret");
    codec::sign(&mut secret, &shard.parse().expect("a shard"));
    secret
}

fn ledger(shard: &str, entries: Vec<Secret>) -> (Ledger, ApiServer) {
    let server = ApiServer {
        entries: Arc::new(Mutex::new(entries)),
        asked: Arc::default(),
    };
    let client = Client::new(server.clone(), "default");
    let shard = shard.parse().expect("a shard");
    let (ledger, _) = Ledger::open(client, "ledger", shard, Arc::new(|_, _| {}));
    (ledger, server)
}

fn owner(name: &str) -> Owner {
    Owner {
        name: name.to_owned(),
        ..entry(Phase::Idle).owner
    }
}

#[tokio::test]
async fn an_entry_that_is_not_in_the_cache_is_asked_for_only_where_another_shard_may_have_it() {
    let theirs = || vec![written("alice", "team=green")];
    let (ledger, server) = ledger_and_asked("", theirs()).await;
    assert!(
        ledger.is_none() && server.is_empty(),
        "without shards the cache knows all"
    );
    for shard in ["team=blue", "!team"] {
        let (found, asked) = ledger_and_asked(shard, theirs()).await;
        assert_eq!((found, asked.len()), (Some(true), 1), "{shard}");
    }
    let (found, _) = ledger_and_asked("team=green", theirs()).await;
    assert_eq!(found, Some(false), "its own");
    let (found, _) = ledger_and_asked("!team", vec![written("alice", "")]).await;
    assert_eq!(found, Some(false), "written before there were shards");
    let (found, _) = ledger_and_asked("team=blue", vec![written("bob", "")]).await;
    assert_eq!(found, None);
}

/// Whether the entry of alice is another shard's, and what was asked to find it.
async fn ledger_and_asked(shard: &str, entries: Vec<Secret>) -> (Option<bool>, Vec<String>) {
    let (ledger, server) = ledger(shard, entries);
    let found = ledger.find(&owner("alice")).await.expect("an answer");
    let asked = server.asked.lock().expect("no panic").clone();
    (found.map(|read| read.is_of_another_shard()), asked)
}

#[tokio::test]
async fn what_is_taken_says_what_it_said_and_whose_it_is_now() {
    let (ledger, server) = ledger("team=blue", vec![written("alice", "!team")]);
    let read = ledger
        .find(&owner("alice"))
        .await
        .expect("an answer")
        .expect("an entry");
    assert!(
        !ledger.knew(&owner("alice")),
        "nothing of another shard's entry is kept"
    );
    let taken = ledger.take(&read).await.expect("written");
    assert!(!taken.is_of_another_shard());
    assert_eq!(
        (&taken.entry.phase, &taken.entry.retry),
        (&read.entry.phase, &read.entry.retry)
    );
    let entries = server.entries.lock().expect("no panic").clone();
    let meta = &entries[0].metadata;
    assert_eq!(meta.resource_version.as_deref(), Some("7"), "by compare-and-swap");
    let label = meta.labels.as_ref().and_then(|labels| labels.get(LABEL));
    assert_eq!(label.map(String::as_str), Some("blue"));
}

#[tokio::test]
async fn what_all_shards_know_is_read_page_by_page() {
    let entries = vec![written("alice", "!team"), written("bob", "team=green")];
    let (blue, server) = ledger("team=blue", entries.clone());
    let found = blue.of_all_shards(&link().route).await.expect("an answer");
    let names: Vec<&str> = found.iter().map(|entry| entry.owner.name.as_str()).collect();
    assert_eq!(names, ["alice", "bob"]);
    let asked = server.asked.lock().expect("no panic").clone();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(
        asked
            .iter()
            .all(|uri| uri.contains("labelSelector=onetimeshare.dev%2Fshard%21%3Dblue")),
        "{asked:?}"
    );
    let (whole, server) = ledger("", entries);
    assert!(
        whole
            .of_all_shards(&link().route)
            .await
            .expect("an answer")
            .is_empty(),
        "the cache knows all"
    );
    assert!(server.asked.lock().expect("no panic").is_empty());
}
