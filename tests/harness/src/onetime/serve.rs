//! One request from its headers to its answer: reading, the fault that strikes, the rules.
//!
//! It must not decide what the service answers; `dispatch` does.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;

use super::answer::Answer;
use super::body::ScriptedBody;
use super::config::Version;
use super::connection::Line;
use super::create;
use super::dispatch::{self, Call, Credentials};
use super::fault::{Fault, Stage};
use super::form::{self, Params};
use super::journal::{Outcome, SeenRequest};
use super::plan::{Sight, Strike};
use super::route::{self, Operation};
use super::shared::Shared;

/// Ends the connection without an answer.
#[derive(Debug)]
pub(super) struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is cut on purpose")
    }
}

impl std::error::Error for Cut {}

type Served = Result<Response<ScriptedBody>, Cut>;

pub(super) async fn serve(shared: Arc<Shared>, line: Arc<Line>, request: Request<Incoming>) -> Served {
    let (parts, body) = request.into_parts();
    let (mut call, index) = register(&shared, &line, &parts);
    let operation = call.route.operation();
    let account = call.credentials.username().map(str::to_owned);
    let early = Sight {
        operation,
        account: account.as_deref(),
        recipient: None,
    };
    if let Some(strike) = shared.plan.choose(true, &early) {
        match strike.fault {
            Fault::Hang(_, hold) => hold.wait().await,
            fault => return before(&shared, &line, index, fault, Stage::BeforeReading).unwrap_or(Err(Cut)),
        }
    }
    let Ok(body) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
        shared.finish(index, Outcome::Aborted);
        return Err(Cut);
    };
    let content_type = parts
        .headers
        .get("content-type")
        .and_then(|value| value.to_str().ok());
    match form::parse(shared.version, content_type, &body) {
        Ok(params) => call.params = params,
        Err(form::TooLarge) => call.too_large = true,
    }
    note_body(&shared, index, body, &call.params);
    let recipient = call.params.text("recipient");
    let sight = Sight {
        operation,
        account: account.as_deref(),
        recipient: recipient.as_deref(),
    };
    let strike = shared.plan.choose(false, &sight);
    // A task of its own: a real server goes on when the client has gone, so it commits late.
    let work = tokio::spawn(process(
        Arc::clone(&shared),
        Arc::clone(&line),
        call,
        strike,
        index,
    ));
    work.await.unwrap_or(Err(Cut))
}

fn register(shared: &Shared, line: &Line, parts: &Parts) -> (Call, usize) {
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let path = parts.uri.path().to_owned();
    let route = route::route(shared.version, parts.method.as_str(), &path);
    let credentials = Credentials::parse(header("authorization"));
    let forwarded = header("x-forwarded-for")
        .and_then(|list| list.split(',').next())
        .map(|ip| ip.trim().to_owned());
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let mut call = Call {
        method: parts.method.as_str().to_owned(),
        path,
        route,
        params: Params::default(),
        too_large: false,
        credentials,
        session: header("cookie").is_some_and(|cookie| cookie.contains("sess=")),
        address: forwarded.unwrap_or_else(|| line.peer.ip().to_string()),
        order: 0,
        grant: None,
        mail: true,
    };
    let index = shared.change(|memory| {
        call.order = memory.next_order();
        let at_ms = memory.now_ms();
        memory.journal.requests.push(SeenRequest {
            order: call.order,
            method: call.method.clone(),
            path: route::masked(&call.path, call.route.key()),
            key: call.route.key().map(str::to_owned),
            operation: call.route.operation(),
            account: call.credentials.username().map(str::to_owned),
            at_ms,
            outcome: Outcome::Pending,
            headers,
            body: Bytes::new(),
            params: Vec::new(),
            connection: line.number,
        });
        memory.journal.requests.len() - 1
    });
    (call, index)
}

fn note_body(shared: &Shared, index: usize, body: Bytes, params: &Params) {
    shared.change(|memory| {
        if let Some(request) = memory.journal.requests.get_mut(index) {
            request.body = body;
            request.params.clone_from(&params.0);
        }
    });
}

/// A fault that ends the request before its work is done; none when this fault is for later.
fn before(shared: &Shared, line: &Line, index: usize, fault: Fault, stage: Stage) -> Option<Served> {
    match fault {
        Fault::Reset(at) if at == stage => {
            line.reset_when_dropped();
            shared.finish(index, Outcome::Reset);
            Some(Err(Cut))
        }
        Fault::Close(at) if at == stage => {
            shared.finish(index, Outcome::Closed);
            Some(Err(Cut))
        }
        Fault::Answer(at, canned) if at == stage => {
            Some(whole(shared, index, &Answer::canned(shared.version, canned)))
        }
        _ => None,
    }
}

async fn process(
    shared: Arc<Shared>,
    line: Arc<Line>,
    mut call: Call,
    strike: Option<Strike>,
    index: usize,
) -> Served {
    let Some(Strike { fault, without_mail }) = strike else {
        let answer = perform(&shared, &call).await;
        return whole(&shared, index, &answer);
    };
    call.mail = !without_mail;
    if let Fault::GrantTtl(ttl) = &fault {
        call.grant = Some(*ttl);
    }
    if let Some(served) = before(&shared, &line, index, fault.clone(), Stage::BeforeCommit) {
        return served;
    }
    if let Fault::Hang(Stage::BeforeCommit, hold) = &fault {
        hold.wait().await;
    }
    let answer = perform(&shared, &call).await;
    if let Some(served) = before(&shared, &line, index, fault.clone(), Stage::AfterCommit) {
        return served;
    }
    spoil(&shared, index, fault, answer).await
}

/// The work is done; what is left of the fault touches the answer only.
async fn spoil(shared: &Shared, index: usize, fault: Fault, mut answer: Answer) -> Served {
    match fault {
        Fault::Hang(Stage::AfterCommit, hold) => hold.wait().await,
        Fault::Edit(edit) => {
            if let Ok(mut json) = serde_json::from_slice::<Value>(&answer.body) {
                edit(&mut json);
                answer.body = json.to_string().into();
            }
        }
        Fault::SlowBody { chunk, pause } => {
            let body = ScriptedBody::slow(&answer.body, chunk, pause);
            return respond(shared, index, &answer, Some(answer.body.len()), body);
        }
        Fault::TruncateBody { keep } => {
            let body = ScriptedBody::whole(answer.body.slice(..keep.min(answer.body.len())));
            return respond(
                shared,
                index,
                &answer,
                Some(answer.body.len().max(keep + 1)),
                body,
            );
        }
        // No length, so the body is chunked and a client cannot refuse it beforehand.
        Fault::HugeBody { bytes } => {
            return respond(shared, index, &answer, None, ScriptedBody::huge(bytes));
        }
        _ => {}
    }
    whole(shared, index, &answer)
}

async fn perform(shared: &Shared, call: &Call) -> Answer {
    let _alone = match shared.version {
        Version::V0_23 => Some(shared.single.lock().await),
        Version::V0_26 => None,
    };
    let answer = shared.change(|memory| dispatch::handle(memory, call));
    let mails = matches!(call.route.operation(), Operation::Share | Operation::Generate)
        && answer.status == 200
        && call.params.text("recipient").is_some();
    if let Some(held) = shared.look(|memory| create::stall(memory)).filter(|_| mails) {
        tokio::time::sleep(held).await;
    }
    answer
}

fn whole(shared: &Shared, index: usize, answer: &Answer) -> Served {
    respond(
        shared,
        index,
        answer,
        Some(answer.body.len()),
        ScriptedBody::whole(answer.body.clone()),
    )
}

fn respond(
    shared: &Shared,
    index: usize,
    answer: &Answer,
    length: Option<usize>,
    body: ScriptedBody,
) -> Served {
    let host = shared.look(|memory| memory.site_host.clone());
    let mut builder = Response::builder().status(answer.status);
    for (name, value) in answer.headers(shared.version, &host) {
        builder = builder.header(name, value);
    }
    if let Some(length) = length {
        builder = builder.header("content-length", length);
    }
    shared.finish(index, Outcome::Answered(answer.status));
    builder.body(body).map_err(|_| Cut)
}
