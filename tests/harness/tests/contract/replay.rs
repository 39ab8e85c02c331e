//! Sends recorded requests to a fake server and hands the answers to `compare`.
//!
//! It must not decide what counts as equal.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use harness::onetime::{OnetimeServer, SentMail};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::compare::Keys;
use crate::recording::{self, Scenario, Wanted};
use crate::{not_claimed, setup};

/// What became of a scenario.
#[derive(Default)]
pub struct Replayed {
    pub replayed: usize,
    pub problems: Vec<String>,
}

pub async fn run(scenario: &Scenario) -> Replayed {
    let server = OnetimeServer::start(setup::config(scenario)).await.unwrap();
    let mut result = Replayed::default();
    let mut keys = Keys::new(&server.url());
    let mut before = None;
    for (index, exchange) in scenario.exchanges.iter().enumerate() {
        let at = exchange["at"].as_f64().unwrap();
        pass_time(&server, before.replace(at), at);
        setup::prepare(&server, scenario, index, exchange).await;
        let name = format!("{}#{index}", scenario.name);
        if not_claimed(&name) {
            share_instead_of_conceal(&server, &mut keys, exchange).await;
            continue;
        }
        let mails = server.journal().mails.len();
        let response = send(&server, keys.translate(recording::request(exchange))).await;
        result.replayed += 1;
        let mut found = keys.compare(&name, exchange, &response);
        found.extend(mail_problems(&keys, exchange, &server.journal().mails[mails..]));
        let note = exchange["note"].as_str().unwrap_or_default();
        result.problems.extend(
            found
                .into_iter()
                .map(|problem| format!("{name} ({note}): {problem}")),
        );
    }
    if scenario.name.ends_with("v1-keepalive") {
        result.problems.extend(keepalive(&server).await);
    }
    result
        .problems
        .extend((server.plan().pending() > 0).then(|| format!("{}: a fault is left", scenario.name)));
    result
}

/// Long gaps are waited on the logical clock.
fn pass_time(server: &OnetimeServer, before: Option<f64>, at: f64) {
    let gap = at - before.unwrap_or(at);
    if gap > 30.0 {
        server.advance(Duration::from_secs_f64(gap));
    }
}

/// A v2 conceal that later exchanges need is made as a v1 share with the same fields.
async fn share_instead_of_conceal(server: &OnetimeServer, keys: &mut Keys, exchange: &Value) {
    let (request, json) = (&exchange["request"], &exchange["response"]["json"]);
    let metadata = json["record"]["metadata"]["key"].as_str();
    let secret = json["record"]["secret"]["key"].as_str();
    let username = request["auth"]["username"].as_str();
    let conceal = request["path"]
        .as_str()
        .is_some_and(|path| path.ends_with("/conceal"));
    let (true, Some(username), Some(metadata), Some(secret)) = (conceal, username, metadata, secret) else {
        return;
    };
    let form: Vec<(String, String)> = match request["form"].as_object() {
        // `secret[ttl]` becomes `ttl`.
        Some(form) => form
            .iter()
            .map(|(name, value)| (inner(name), text(value)))
            .collect(),
        None => vec![("secret".to_owned(), "x".to_owned())],
    };
    let form: Vec<(&str, &str)> = form
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let json = share(server, username, &form).await;
    keys.learn(metadata, json["metadata_key"].as_str().unwrap());
    keys.learn(secret, json["secret_key"].as_str().unwrap());
}

fn inner(name: &str) -> String {
    name.trim_start_matches("secret[")
        .trim_end_matches(']')
        .to_owned()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn mail_problems(keys: &Keys, exchange: &Value, sent: &[SentMail]) -> Vec<String> {
    let Some(recorded) = recording::recorded_mails(exchange) else {
        return Vec::new();
    };
    let wanted: Vec<&str> = recorded.iter().map(|(to, _)| to.as_str()).collect();
    let got: Vec<&str> = sent.iter().map(|mail| mail.to.as_str()).collect();
    let mut problems = Vec::new();
    if wanted != got {
        problems.push(format!("mails to {wanted:?} recorded, to {got:?} sent"));
    }
    for ((_, link), mail) in recorded
        .iter()
        .zip(sent)
        .filter(|((_, link), _)| !link.is_empty())
    {
        if keys.ours(link) != mail.link {
            problems.push(format!("link {link} recorded, {} mailed", mail.link));
        }
    }
    problems
}

/// Five requests over one connection, as noted in `v1-keepalive`.
async fn keepalive(server: &OnetimeServer) -> Option<String> {
    let mut sender = connect(server).await;
    for _ in 0..5 {
        sender.ready().await.unwrap();
        let request = Request::get("/api/v1/status").header("host", server.address().to_string());
        let response = sender
            .send_request(request.body(Full::default()).unwrap())
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        response.into_body().collect().await.unwrap();
    }
    let connections = server.journal().connections;
    (connections != 1).then(|| format!("v1-keepalive: {connections} connections"))
}

type Sender = hyper::client::conn::http1::SendRequest<Full<Bytes>>;

async fn connect(server: &OnetimeServer) -> Sender {
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

pub async fn send(server: &OnetimeServer, wanted: Wanted) -> Response<Bytes> {
    let mut request = Request::builder()
        .method(wanted.method.as_str())
        .uri(&wanted.path);
    if !wanted.headers.iter().any(|(name, _)| name == "host") {
        request = request.header("host", server.address().to_string());
    }
    for (name, value) in &wanted.headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::from(wanted.body)).unwrap();
    let response = connect(server).await.send_request(request).await.unwrap();
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

/// A v1 share; its JSON.
pub async fn share(server: &OnetimeServer, username: &str, form: &[(&str, &str)]) -> Value {
    let response = try_share(server, username, form).await;
    assert_eq!(response.status(), 200, "{:?}", response.body());
    serde_json::from_slice(response.body()).unwrap()
}

/// A v1 share; whatever the answer is.
pub async fn try_share(server: &OnetimeServer, username: &str, form: &[(&str, &str)]) -> Response<Bytes> {
    let credentials = STANDARD.encode(format!("{username}:{}", setup::token(username)));
    let headers = vec![
        ("authorization".to_owned(), format!("Basic {credentials}")),
        (
            "content-type".to_owned(),
            "application/x-www-form-urlencoded".to_owned(),
        ),
    ];
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    send(
        server,
        Wanted {
            method: "POST".to_owned(),
            path: "/api/v1/share".to_owned(),
            headers,
            body,
        },
    )
    .await
}

pub async fn get(server: &OnetimeServer, path: &str) -> Response<Bytes> {
    let wanted = Wanted {
        method: "GET".to_owned(),
        path: path.to_owned(),
        headers: Vec::new(),
        body: String::new(),
    };
    send(server, wanted).await
}
