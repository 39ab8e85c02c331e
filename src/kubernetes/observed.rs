//! The client of the API server, observed: what it brings is told to the [`Pulse`], and what never comes is given up.
//!
//! kube bounds how long a watch may stay silent, but neither how long the answer to a request may take nor how long the
//! rest of an answer may: behind a proxy that forgot a connection both would last for ever.

use super::pulse::{Pulse, Watch};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use kube::Client;
use kube::client::Body;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Sleep;

/// How long the API server may take to begin a watch: it does so at once, also when nothing happens.
const BEGIN_WATCH: Duration = Duration::from_secs(10);

/// How long it may take to answer anything else, and to go on with an answer. More than any call is given.
const ANSWER: Duration = Duration::from_secs(30);

/// How the event begins that ends a watch.
const ERROR_EVENT: &[u8] = b"{\"type\":\"ERROR\"";

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Nothing came in time.
#[derive(Debug, thiserror::Error)]
#[error("the API server did not answer in time")]
struct TooLate;

/// Makes a client that does what this one does, observed.
pub fn observed(client: Client, pulse: Pulse) -> Client {
    let namespace = client.default_namespace().to_owned();
    Client::new(Observed { client, pulse }, namespace)
}

#[derive(Clone)]
struct Observed {
    client: Client,
    pulse: Pulse,
}

impl tower_service::Service<Request<Body>> for Observed {
    type Response = Response<ObservedBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}

impl Observed {
    async fn send(self, request: Request<Body>) -> Result<Response<ObservedBody>, BoxError> {
        let watch = asked_watch(request.uri());
        let limit = if watch.is_some() { BEGIN_WATCH } else { ANSWER };
        let began = watch.as_ref().map(|watch| self.pulse.asked(watch));
        let answer = tokio::time::timeout(limit, self.client.send(request))
            .await
            .map_err(|_| TooLate)??;
        let status = answer.status();
        if !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS {
            self.pulse.answered();
        }
        if let Some(watch) = watch.as_ref().filter(|_| status == StatusCode::FORBIDDEN) {
            self.pulse.refused(watch);
        }
        let watched = watch.zip(began).filter(|_| status.is_success());
        Ok(answer.map(|body| ObservedBody::new(body, self.pulse, watched)))
    }
}

/// The watch that a request begins.
fn asked_watch(uri: &http::Uri) -> Option<Watch> {
    let query = uri.query()?;
    if !query
        .split('&')
        .any(|pair| matches!(pair, "watch=true" | "watch=1"))
    {
        return None;
    }
    let mut segments = uri.path().rsplit('/');
    let plural = segments.next()?;
    let namespace = segments.next().map(str::to_owned);
    let namespace = namespace.filter(|_| segments.next() == Some("namespaces"));
    // Only the ledger is watched by the type of its Secrets.
    let kind = if query.contains("fieldSelector=type") {
        "ledger"
    } else {
        plural
    };
    Some(Watch {
        kind: kind.to_owned(),
        namespace,
    })
}

/// The body of an answer. The frames pass unchanged.
struct ObservedBody {
    inner: Body,
    pulse: Pulse,
    /// The watch, and when it was asked for. Gone once it ended or broke.
    watch: Option<(Watch, Duration)>,
    /// When the rest comes too late. kube has an eye on the silence of a watch.
    late: Option<Pin<Box<Sleep>>>,
}

impl ObservedBody {
    fn new(inner: Body, pulse: Pulse, watch: Option<(Watch, Duration)>) -> Self {
        let late = watch.is_none().then(|| Box::pin(tokio::time::sleep(ANSWER)));
        Self {
            inner,
            pulse,
            watch,
            late,
        }
    }

    fn came(&mut self, frame: &Frame<Bytes>) {
        if let Some(late) = &mut self.late {
            late.as_mut().reset(tokio::time::Instant::now() + ANSWER);
        }
        let Some(data) = frame.data_ref() else { return };
        match &self.watch {
            // What follows is no sign of life.
            Some(_) if data.starts_with(ERROR_EVENT) => self.watch = None,
            Some((watch, _)) => self.pulse.lives(watch),
            None => {}
        }
    }

    fn ended(&mut self) {
        if let Some((watch, began)) = self.watch.take() {
            self.pulse.ended(&watch, began);
        }
    }
}

impl HttpBody for ObservedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.inner).poll_frame(cx);
        if polled.is_pending() {
            let Some(late) = &mut this.late else {
                return Poll::Pending;
            };
            ready!(late.as_mut().poll(cx));
            return Poll::Ready(Some(Err(TooLate.into())));
        }
        let frame = ready!(polled);
        match &frame {
            Some(Ok(frame)) => this.came(frame),
            Some(Err(_)) | None => this.ended(),
        }
        Poll::Ready(frame.map(|result| result.map_err(BoxError::from)))
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
}

#[cfg(test)]
mod tests;
