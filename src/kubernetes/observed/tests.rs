//! An API server that answers as told, on paused time.

use super::*;
use crate::clock::Clock;
use futures::StreamExt as _;
use futures::stream::{BoxStream, iter, pending};
use http_body_util::StreamBody;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ListParams, WatchParams};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

type Frames = BoxStream<'static, Result<Frame<Bytes>, Infallible>>;

/// What the server does with every request.
#[derive(Clone, Copy)]
enum Reply {
    /// No answer at all.
    Silence,
    /// This status, and these pieces of a body. Then it ends, or nothing more comes.
    Answer(u16, &'static [&'static str], Rest),
}

#[derive(Clone, Copy)]
enum Rest {
    End,
    Silence,
}

#[derive(Clone)]
struct Server(Arc<Mutex<Reply>>);

impl tower_service::Service<Request<Body>> for Server {
    type Response = Response<StreamBody<Frames>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        let reply = *self.0.lock().expect("no panic");
        Box::pin(async move {
            let (code, pieces, rest) = match reply {
                Reply::Silence => std::future::pending().await,
                Reply::Answer(code, pieces, rest) => (code, pieces, rest),
            };
            let sent = iter(pieces).map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes()))));
            let frames = match rest {
                Rest::End => sent.boxed(),
                Rest::Silence => sent.chain(pending()).boxed(),
            };
            let answer = Response::builder().status(code).body(StreamBody::new(frames));
            Ok(answer.expect("an answer"))
        })
    }
}

struct Fixture {
    server: Server,
    clock: Clock,
    pulse: Pulse,
    secrets: Api<Secret>,
}

impl Fixture {
    fn new() -> Self {
        let (server, clock) = (Server(Arc::new(Mutex::new(Reply::Silence))), Clock::by_hand());
        let pulse = Pulse::new(clock.clone());
        let client = observed(Client::new(server.clone(), "default"), pulse.clone());
        Self {
            server,
            clock,
            pulse,
            secrets: Api::namespaced(client, "team"),
        }
    }

    fn replies(&self, reply: Reply) {
        *self.server.0.lock().expect("no panic") = reply;
    }

    /// Watches, and takes what comes within a minute. How many events, and whether the watch began.
    async fn watch(&self) -> Option<usize> {
        let mut events = self
            .secrets
            .watch(&WatchParams::default(), "1")
            .await
            .ok()?
            .boxed();
        let mut count = 0;
        let all = async {
            while events.next().await.is_some() {
                count += 1;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(60), all).await;
        Some(count)
    }

    async fn list(&self) -> bool {
        self.secrets.list(&ListParams::default()).await.is_ok()
    }

    /// After seven minutes in which it goes so each time.
    async fn is_stale_after(&self, watch: Reply) -> bool {
        self.replies(watch);
        self.watch().await;
        for _ in 0..7 {
            self.replies(LIST);
            assert!(self.list().await);
            self.clock.advance(Duration::from_secs(60));
            self.replies(watch);
            self.watch().await;
            self.replies(LIST);
            assert!(self.list().await);
        }
        self.pulse.stale().is_some()
    }
}

const LIST: Reply = Reply::Answer(
    200,
    &[r#"{"apiVersion":"v1","kind":"SecretList","metadata":{},"items":[]}"#],
    Rest::End,
);
const BOOKMARK: &str = concat!(
    r#"{"type":"BOOKMARK","object":{"apiVersion":"v1","kind":"Secret","metadata":{"resourceVersion":"2"}}}"#,
    "\n"
);
const TOO_OLD: &str = concat!(
    r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"","reason":"Expired","code":410}}"#,
    "\n"
);

#[tokio::test(start_paused = true)]
async fn a_watch_that_does_not_begin_is_given_up() {
    let fixture = Fixture::new();
    let began = tokio::time::timeout(Duration::from_secs(15), fixture.watch()).await;
    assert_eq!(began, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_or_stays_incomplete_is_given_up() {
    for reply in [
        Reply::Silence,
        Reply::Answer(200, &["{\"apiVersion\":"], Rest::Silence),
    ] {
        let fixture = Fixture::new();
        fixture.replies(reply);
        let listed = tokio::time::timeout(Duration::from_secs(70), fixture.list()).await;
        assert_eq!(listed, Ok(false));
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_may_be_silent_longer_than_an_answer() {
    let fixture = Fixture::new();
    fixture.replies(Reply::Answer(200, &[BOOKMARK], Rest::Silence));
    let begin = tokio::time::Instant::now();
    assert_eq!(fixture.watch().await, Some(1), "the bookmark and no error");
    assert!(begin.elapsed() >= Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn only_what_a_watch_brings_is_a_sign_of_its_life() {
    let table = [
        ("bookmarks", Reply::Answer(200, &[BOOKMARK], Rest::Silence), false),
        ("nothing", Reply::Answer(200, &[], Rest::Silence), true),
        ("no answer", Reply::Silence, true),
        ("an end at once", Reply::Answer(200, &[], Rest::End), true),
        ("an error", Reply::Answer(200, &[TOO_OLD], Rest::End), true),
        ("a failure", Reply::Answer(500, &["{}"], Rest::End), true),
        ("a refusal", Reply::Answer(403, &["{}"], Rest::End), true),
    ];
    for (what, reply, stale) in table {
        assert_eq!(Fixture::new().is_stale_after(reply).await, stale, "{what}");
    }
}

#[test]
fn a_watch_is_known_by_its_address() {
    let table = [
        (
            "/apis/onetimeshare.dev/v1alpha1/onetimeshares?watch=true&timeoutSeconds=41",
            Some("the watch of OneTimeShares"),
        ),
        (
            "/apis/onetimeshare.dev/v1alpha1/namespaces/team/shareproviders?&watch=true",
            Some("the watch of ShareProviders in namespace team"),
        ),
        (
            "/api/v1/namespaces/the-ledger/secrets?&watch=true&fieldSelector=type%3Donetimeshare.dev%2Fledger",
            Some("the watch of the ledger in namespace the-ledger"),
        ),
        (
            "/api/v1/secrets?watch=true&fieldSelector=metadata.namespace%21%3Dthe-ledger",
            Some("the watch of the metadata of Secrets"),
        ),
        ("/api/v1/namespaces/watch=true/secrets?limit=500", None),
        ("/api/v1/secrets", None),
    ];
    for (address, name) in table {
        let uri = address.parse().expect("an address");
        let found = asked_watch(&uri).map(|watch| watch.to_string());
        assert_eq!(found.as_deref(), name, "{address}");
    }
}
