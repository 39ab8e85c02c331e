//! One request, one answer, at most one sending.
//!
//! Owns: the HTTP client, the limits of time and size, and the knowledge whether a
//! request was handed over. Must not: judge answers (see `wire::answer`), send anything
//! twice, follow redirects, keep cookies.

use std::error::Error;
use std::io;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use http::{Extensions, HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use zeroize::Zeroizing;

use super::body::{Gate, GatedBody};
use super::connect::{ConnectError, Cut, GuardedConnector, Limited};
use crate::clock::Deadline;
use crate::onetime::error::Transport;
use crate::onetime::wire::answer::Answer;

/// Below the 30 s and more after which proxies in front of the service close idle
/// connections; the recorded servers keep them over 45 s (v1-keepalive.json).
const IDLE: Duration = Duration::from_secs(25);

pub(in crate::onetime) type Http = HttpClient<Limited<HttpsConnector<GuardedConnector>>, GatedBody>;

pub(in crate::onetime) fn client(
    tls: rustls::ClientConfig,
    connector: GuardedConnector,
    connect_timeout: Duration,
) -> Http {
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(connector);
    HttpClient::builder(TokioExecutor::new())
        // A retry of a request whose connection died could send it twice.
        .retry_canceled_requests(false)
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .build(Limited::new(https, connect_timeout))
}

/// A request before it is sent.
pub(in crate::onetime) struct Outgoing<'a> {
    pub(in crate::onetime) method: Method,
    pub(in crate::onetime) uri: http::Uri,
    pub(in crate::onetime) authorization: Option<HeaderValue>,
    pub(in crate::onetime) user_agent: HeaderValue,
    /// The form of a POST.
    pub(in crate::onetime) form: Option<Zeroizing<Vec<u8>>>,
    pub(in crate::onetime) deadline: &'a Deadline,
    /// The largest body of an answer, in bytes.
    pub(in crate::onetime) limit: usize,
}

/// A whole answer, wiped on drop.
pub(in crate::onetime) struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
}

impl Reply {
    pub(in crate::onetime) fn answer(&self) -> Answer<'_> {
        Answer {
            status: self.status,
            headers: &self.headers,
            body: &self.body,
        }
    }
}

/// Why there is no whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::onetime) enum Failure {
    /// The body was not handed over and will not be.
    NotSent(Transport),
    /// The connection ended.
    Lost,
    /// The deadline passed.
    Timeout,
    /// The answer is larger than the limit.
    TooLarge,
}

/// Sends a request and takes the whole answer.
pub(in crate::onetime) async fn exchange(http: &Http, outgoing: Outgoing<'_>) -> Result<Reply, Failure> {
    let (deadline, limit) = (outgoing.deadline.clone(), outgoing.limit);
    if deadline.passed() {
        return Err(Failure::NotSent(Transport::Deadline));
    }
    let gate = Gate::default();
    let mut request = request(outgoing, &gate);
    let mut given_up = GivenUp {
        gate: gate.clone(),
        connection: capture_connection(&mut request),
        armed: true,
    };
    let call = async {
        let response = http.request(request).await.map_err(|error| transport(&error))?;
        let (head, body) = response.into_parts();
        let body = collect(body, limit).await.map_err(Err)?;
        Ok(Reply {
            status: head.status,
            headers: head.headers,
            body,
        })
    };
    let outcome = tokio::select! {
        biased;
        outcome = call => Some(outcome),
        () = deadline.wait() => None,
    };
    let failure = match outcome {
        Some(Ok(reply)) => {
            given_up.armed = false;
            return Ok(reply);
        }
        Some(Err(failure)) => failure,
        None => Err(Failure::Timeout),
    };
    Err(match failure {
        _ if gate.close() && deadline.passed() => Failure::NotSent(Transport::Deadline),
        Ok(transport) if gate.close() => Failure::NotSent(transport),
        Ok(_) => Failure::Lost,
        // With an answer, whatever it was, the request counts as sent.
        Err(failure) => failure,
    })
}

fn request(outgoing: Outgoing<'_>, gate: &Gate) -> Request<GatedBody> {
    let form = outgoing.form.unwrap_or_default();
    let length = HeaderValue::from(form.len());
    let is_post = outgoing.method == Method::POST;
    let body = GatedBody::new(form, gate.clone(), outgoing.deadline.clone());
    let mut request = Request::new(body);
    *request.method_mut() = outgoing.method;
    *request.uri_mut() = outgoing.uri;
    let headers = request.headers_mut();
    headers.insert(USER_AGENT, outgoing.user_agent);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if is_post {
        // Also when zero: hyper leaves it out then, and some proxies refuse such a POST.
        headers.insert(CONTENT_LENGTH, length);
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
    }
    if let Some(value) = outgoing.authorization {
        headers.insert(AUTHORIZATION, value);
    }
    request
}

/// Ends a call that gave no whole answer, at its deadline, on an error, or because its
/// caller dropped it: the body stays here if it is still here, the connection is reset.
struct GivenUp {
    gate: Gate,
    connection: CaptureConnection,
    armed: bool,
}

impl Drop for GivenUp {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        self.gate.close();
        let mut extras = Extensions::new();
        if let Some(connected) = self.connection.connection_metadata().as_ref() {
            connected.get_extras(&mut extras);
        }
        if let Some(cut) = extras.get::<Cut>() {
            cut.cut();
        }
    }
}

/// Takes the body. Memory grows with what arrives, never with what is announced, and
/// what it grew out of is wiped.
async fn collect(mut body: Incoming, limit: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut whole = Zeroizing::new(Vec::with_capacity(4096));
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Failure::Lost)?.into_data() else {
            continue;
        };
        let length = whole.len() + data.len();
        if length > limit {
            return Err(Failure::TooLarge);
        }
        if length > whole.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(length * 2));
            larger.extend_from_slice(&whole);
            whole = larger;
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole)
}

/// What went wrong with the connection: `Ok` for an error without an answer, as
/// opposed to an `Err` of [`collect`].
fn transport(error: &(dyn Error + 'static)) -> Result<Transport, Failure> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<ConnectError>() {
            return Ok(match error {
                ConnectError::NameNotFound => Transport::NameNotFound,
                ConnectError::Denied => Transport::AddressDenied,
                ConnectError::NoHost | ConnectError::Refused => Transport::Refused,
                ConnectError::Timeout => Transport::ConnectTimeout,
            });
        }
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Ok(match error {
                rustls::Error::InvalidCertificate(_) => Transport::Certificate,
                _ => Transport::Tls,
            });
        }
        // An io::Error leaves what it wraps out of its sources.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    Ok(Transport::Closed)
}
