//! An API server in memory that holds one Lease. It compares resourceVersions, and each client can be
//! given failures of its own.

use crate::clock::Clock;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

/// What the server does with a request.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Reply {
    #[default]
    Normal,
    /// The request has no effect, and this status is the response.
    Refuse(u16),
    /// The request has no effect, and there is no response.
    Hang,
    /// The request takes effect, and the response comes this much later.
    Late(Duration),
    /// The request takes effect, and there is no response.
    Lose,
    /// The request arrives twice, and the response is to the second one: as when kube repeats a write
    /// after a 504.
    Twice,
}

/// What the server does with the requests of one client.
#[derive(Default)]
struct Faults {
    read: Reply,
    write: Reply,
    /// How many more requests are affected.
    left: usize,
    /// Changes that somebody else makes, one right after each read.
    after_reads: VecDeque<Value>,
}

#[derive(Default)]
struct State {
    lease: Option<Value>,
    version: u64,
    /// Who wrote the lease, and when.
    writes: Vec<(String, Duration)>,
}

/// The server, shared by all its clients.
#[derive(Clone)]
pub(super) struct ApiServer {
    state: Arc<Mutex<State>>,
    clock: Clock,
}

impl ApiServer {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            state: Arc::default(),
            clock,
        }
    }

    /// The spec of the lease, if there is one.
    pub(super) fn spec(&self) -> Option<Value> {
        let state = self.state.lock().unwrap();
        state.lease.as_ref().map(|lease| lease["spec"].clone())
    }

    pub(super) fn holder(&self) -> Option<String> {
        self.spec()?["holderIdentity"].as_str().map(str::to_owned)
    }

    /// The number of writes so far.
    pub(super) fn version(&self) -> u64 {
        self.state.lock().unwrap().version
    }

    /// When this holder last wrote the lease.
    pub(super) fn last_write(&self, holder: &str) -> Duration {
        let state = self.state.lock().unwrap();
        let mut writes = state.writes.iter().rev();
        writes.find(|(name, _)| name == holder).expect("a write").1
    }

    /// Somebody else merges this into the lease, or creates it.
    pub(super) fn edit(&self, patch: &Value) {
        let mut state = self.state.lock().unwrap();
        let mut lease = state.lease.take().unwrap_or_else(|| json!({}));
        merge(&mut lease, patch);
        self.store(&mut state, lease);
    }

    pub(super) fn delete(&self) {
        self.state.lock().unwrap().lease = None;
    }

    fn store(&self, state: &mut State, mut lease: Value) -> Value {
        state.version += 1;
        lease["apiVersion"] = json!("coordination.k8s.io/v1");
        lease["kind"] = json!("Lease");
        lease["metadata"]["name"] = json!("the-lease");
        lease["metadata"]["resourceVersion"] = json!(state.version.to_string());
        let holder = lease["spec"]["holderIdentity"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        state.writes.push((holder, self.clock.now()));
        state.lease = Some(lease.clone());
        lease
    }

    /// The status code and body of the response.
    fn answer(&self, method: &Method, body: &[u8]) -> (u16, Value) {
        let mut state = self.state.lock().unwrap();
        let sent: Value = serde_json::from_slice(body).unwrap_or_default();
        match (method, state.lease.clone()) {
            (&Method::GET, Some(lease)) => (200, lease),
            (&Method::POST, None) => (201, self.store(&mut state, sent)),
            (&Method::POST, Some(_)) => (409, status(409)),
            (&Method::PUT, Some(lease)) => match &sent["metadata"]["resourceVersion"] {
                Value::Null => (422, status(422)),
                version if *version == lease["metadata"]["resourceVersion"] => {
                    (200, self.store(&mut state, sent))
                }
                _ => (409, status(409)),
            },
            _ => (404, status(404)),
        }
    }
}

fn status(code: u16) -> Value {
    let reason = match code {
        404 => "NotFound",
        409 => "Conflict",
        422 => "Invalid",
        _ => "InternalError",
    };
    json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure",
        "code": code, "reason": reason, "message": "",
    })
}

fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        into.clone_from(patch);
        return;
    };
    for (key, value) in patch {
        merge(&mut into[key], value);
    }
}

/// The connection of one client.
#[derive(Clone)]
pub(super) struct Connection {
    server: ApiServer,
    faults: Arc<Mutex<Faults>>,
}

impl Connection {
    pub(super) fn new(server: &ApiServer) -> Self {
        Self {
            server: server.clone(),
            faults: Arc::default(),
        }
    }

    pub(super) fn client(&self) -> Client {
        Client::new(self.clone(), "default")
    }

    /// From now on, reads and writes get these replies.
    pub(super) fn fault(&self, read: Reply, write: Reply) {
        self.fault_times(read, write, usize::MAX);
    }

    /// Until `left` requests got one of these replies. Normal replies do not count.
    pub(super) fn fault_times(&self, read: Reply, write: Reply, left: usize) {
        let mut faults = self.faults.lock().unwrap();
        (faults.read, faults.write, faults.left) = (read, write, left);
    }

    /// Somebody else merges this into the lease right after the next read of this client.
    pub(super) fn edit_after_read(&self, patch: Value) {
        self.faults.lock().unwrap().after_reads.push_back(patch);
    }

    fn reply(&self, method: &Method) -> Reply {
        let mut faults = self.faults.lock().unwrap();
        let reply = if method == Method::GET {
            faults.read
        } else {
            faults.write
        };
        if reply == Reply::Normal || faults.left == 0 {
            return Reply::Normal;
        }
        faults.left -= 1;
        reply
    }

    async fn respond(self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let reply = self.reply(&head.method);
        let (code, answer) = match reply {
            Reply::Refuse(code) => (code, status(code)),
            Reply::Hang => std::future::pending().await,
            Reply::Normal | Reply::Late(_) | Reply::Lose | Reply::Twice => {
                self.server.answer(&head.method, &body)
            }
        };
        if head.method == Method::GET {
            let patch = self.faults.lock().unwrap().after_reads.pop_front();
            patch.iter().for_each(|patch| self.server.edit(patch));
        }
        let (code, answer) = match reply {
            Reply::Late(by) => {
                tokio::time::sleep(by).await;
                (code, answer)
            }
            Reply::Lose => std::future::pending().await,
            Reply::Twice => self.server.answer(&head.method, &body),
            Reply::Normal | Reply::Refuse(_) | Reply::Hang => (code, answer),
        };
        let response = Response::builder().status(code);
        response
            .body(Body::from(answer.to_string().into_bytes()))
            .expect("a response")
    }
}

impl tower_service::Service<Request<Body>> for Connection {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let connection = self.clone();
        Box::pin(async move { Ok(connection.respond(request).await) })
    }
}
