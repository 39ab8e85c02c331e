//! One request, one answer, at most one sending.
//!
//! Owns: the limits of time and size, and the knowledge whether a request was handed over. Must not: judge answers (see
//! `wire::answer`), or let an address, which may hold a key, into an error.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, PROXY_AUTHENTICATE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use reqwest::{Body, Request, Response, Url};
use zeroize::Zeroizing;

use super::body::{Gate, GatedBody};
use super::connections::Connections;
use super::failure::{Failure, transport};
use crate::clock::Deadline;
use crate::onetime::error::Transport;
use crate::onetime::wire::answer::Answer;
use crate::onetime::wire::list::ListReader;

/// The largest answer that is read, in bytes; lists are bounded by their reader.
const ANSWER_LIMIT: usize = 1024 * 1024;

/// A request before it is sent.
pub(in crate::onetime) struct Outgoing<'a> {
    pub(in crate::onetime) method: Method,
    pub(in crate::onetime) url: Url,
    pub(in crate::onetime) authorization: Option<HeaderValue>,
    pub(in crate::onetime) user_agent: HeaderValue,
    /// The form of a POST.
    pub(in crate::onetime) form: Option<Zeroizing<Vec<u8>>>,
    pub(in crate::onetime) deadline: &'a Deadline,
    /// Only over a connection that is new or was used a moment ago.
    pub(in crate::onetime) fresh: bool,
}

/// A whole answer, wiped on drop. Without what a list reader took of it.
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

/// Sends a request and takes the whole answer. A list reader takes the body of a success while it arrives.
pub(in crate::onetime) async fn exchange(
    connections: &Connections,
    outgoing: Outgoing<'_>,
    list: Option<&mut ListReader>,
) -> Result<Reply, Failure> {
    let deadline = outgoing.deadline.clone();
    if deadline.passed() {
        return Err(Failure::NotSent(Transport::Deadline));
    }
    let body_bytes = outgoing.form.as_ref().map_or(0, |form| form.len());
    let client = connections
        .client(body_bytes, outgoing.fresh)
        .map_err(Failure::NotSent)?;
    let gate = Gate::default();
    // Also when the caller drops this call: what is still here stays here.
    let _given_up = GivenUp(gate.clone());
    let request = request(outgoing, &gate);
    let call = async {
        let response = client
            .execute(request)
            .await
            .map_err(|error| transport(&error, connections.proxied()))?;
        let (status, headers) = (response.status(), response.headers().clone());
        // The proxy's own answer to a request that it did not forward. Over TLS it refuses the tunnel instead, and a
        // 407 is of the server or what stands before it, which got the request.
        let is_proxys = connections.forwarded() && headers.contains_key(PROXY_AUTHENTICATE);
        if is_proxys && status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return Err(Err(Failure::NotSent(Transport::ProxyAuth)));
        }
        let body = match list {
            Some(list) if status.is_success() => read_list(response, list).await,
            _ => read_whole(response).await,
        };
        body.map(|body| Reply {
            status,
            headers,
            body,
        })
        .map_err(Err)
    };
    let failure = tokio::select! {
        biased;
        outcome = call => match outcome {
            Ok(reply) => return Ok(reply),
            Err(failure) => failure,
        },
        () = deadline.wait() => Err(Failure::Timeout),
    };
    Err(match failure {
        _ if gate.close() && deadline.passed() => Failure::NotSent(Transport::Deadline),
        Ok(transport) if gate.close() => Failure::NotSent(transport),
        Ok(_) => Failure::Lost,
        // With an answer, whatever it was, the request counts as sent.
        Err(failure) => failure,
    })
}

fn request(outgoing: Outgoing<'_>, gate: &Gate) -> Request {
    let form = outgoing.form.unwrap_or_default();
    let length = HeaderValue::from(form.len());
    let is_post = outgoing.method == Method::POST;
    let body = GatedBody::new(form, gate.clone(), outgoing.deadline.clone());
    let mut request = Request::new(outgoing.method, outgoing.url);
    *request.body_mut() = Some(Body::wrap(body));
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

/// Ends a call, at its deadline, on an error, or because its caller dropped it: the body stays here if it is still here.
/// What the kernel has by then it delivers for as long as the other side acknowledges, and gives up after
/// [`user_timeout`](super::connections::user_timeout) without.
struct GivenUp(Gate);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Takes the body. Memory grows with what arrives, never with what is announced, and
/// what it grew out of is wiped.
async fn read_whole(mut response: Response) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut whole = Zeroizing::new(Vec::with_capacity(4096));
    while let Some(data) = response.chunk().await.map_err(|_| Failure::Lost)? {
        let length = whole.len() + data.len();
        if length > ANSWER_LIMIT {
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

/// Hands the body to a list reader, which keeps what matters of it.
async fn read_list(mut response: Response, list: &mut ListReader) -> Result<Zeroizing<Vec<u8>>, Failure> {
    while let Some(data) = response.chunk().await.map_err(|_| Failure::Lost)? {
        list.take(&data).map_err(Failure::Malformed)?;
    }
    Ok(Zeroizing::default())
}
