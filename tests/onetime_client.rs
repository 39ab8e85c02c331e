//! The client on the wire: what it sends, how often, and what it makes of a network
//! and of servers that misbehave.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, outside of #[test]"
)]

#[path = "onetime_client/certificates/mod.rs"]
mod certificates;
#[path = "onetime_client/proxied.rs"]
mod proxied;
#[path = "onetime_client/server.rs"]
mod server;

use std::time::{Duration, Instant};

use onetimeshare::clock::{Clock, Deadline};
use onetimeshare::onetime::{
    Account, AddressPolicy, CaProblem, CallError, Client, ClientBuildError, ClientConfig, CreateError,
    Endpoint, Flaw, GenerateRequest, MetadataKey, Redirect, ShareRequest, Target, Transport, Unavailable,
    Unknown, Via, Why,
};
use server::{Act, Server, http};

const KEY: &str = "3zrt7inskylvt4j20bzd0un12bnp25s";
const SECRET_KEY: &str = "canarykeyzzzzzzzzzzzzzzzzzzzzzz";

fn created() -> Vec<u8> {
    let body = format!(
        r#"{{"custid":"anon","metadata_key":"{KEY}","secret_key":"{SECRET_KEY}","ttl":3600,"state":"new",
        "recipient":[],"created":1795404380,"updated":1795404380,"value":"canary-value"}}"#
    );
    http("200 OK", "set-cookie: sess=abc\r\n", &body)
}

fn config(url: &str) -> ClientConfig {
    ClientConfig {
        endpoint: Endpoint::parse(url, true).unwrap(),
        ca_bundle: None,
        addresses: AddressPolicy::Any,
        proxy: None,
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(20),
        user_agent: "onetimeshare-test".to_owned(),
    }
}

fn client(server: &Server) -> Client {
    Client::new(config(&server.url())).unwrap()
}

fn alice() -> Account {
    Account::Basic {
        username: "alice@example.com".into(),
        token: "canary-token".into(),
    }
}

fn request() -> ShareRequest {
    ShareRequest {
        secret: "canary-secret".into(),
        passphrase: Some("canary-passphrase".into()),
        ttl_seconds: 3600,
        recipient: Some("canary@example.com".into()),
        share_domain: None,
    }
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(10))
}

async fn share(client: &Client) -> Result<String, CreateError> {
    let created = client.share(&alice(), &request(), soon()).await?;
    Ok(created.secret_key.expose().to_owned())
}

fn key() -> MetadataKey {
    MetadataKey::parse(KEY).unwrap()
}

#[tokio::test]
async fn a_request_has_what_the_service_needs_and_nothing_else() {
    let server = Server::new(vec![Act::Answer(created())]);
    let client = client(&server);
    assert_eq!(share(&client).await.unwrap(), SECRET_KEY);
    assert_eq!(share(&client).await.unwrap(), SECRET_KEY);
    client.receipt(&Account::Anonymous, &key(), soon()).await.unwrap();
    let burned = client.burn(&alice(), &key(), None, soon()).await;
    assert_eq!(burned, Err(CallError::Malformed(Flaw::Shape)));

    let seen = server.seen();
    assert_eq!(
        (seen.connections, seen.requests.len()),
        (2, 4),
        "one pool for e-mails and one for the rest; no cookie makes a difference"
    );
    for request in &seen.requests {
        for name in [
            "transfer-encoding",
            "expect",
            "cookie",
            "accept-encoding",
            "connection",
        ] {
            assert_eq!(request.header(name), None, "{name}");
        }
        assert_eq!(request.header("host"), Some(server.address.to_string().as_str()));
        assert_eq!(request.header("user-agent"), Some("onetimeshare-test"));
    }
    let post = &seen.requests[0];
    assert!(post.head.starts_with("POST /api/v1/share HTTP/1.1\r\n"));
    assert_eq!(
        post.header("content-length"),
        Some(post.body.len().to_string().as_str())
    );
    assert_eq!(
        post.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(
        post.header("authorization"),
        Some("Basic YWxpY2VAZXhhbXBsZS5jb206Y2FuYXJ5LXRva2Vu")
    );
    let get = &seen.requests[2];
    assert!(
        get.head
            .starts_with(&format!("GET /api/v1/private/{KEY} HTTP/1.1\r\n"))
    );
    assert_eq!(
        (get.header("authorization"), get.header("content-length")),
        (None, None)
    );
    let burn = &seen.requests[3];
    assert!(
        burn.head
            .starts_with(&format!("POST /api/v1/private/{KEY}/burn HTTP/1.1\r\n"))
    );
    assert_eq!((burn.header("content-length"), burn.body.len()), (Some("0"), 0));
}

#[tokio::test]
async fn a_share_is_never_sent_twice() {
    let lost = Err(CreateError::UnknownOutcome(Why::ConnectionLost));
    for act in [Act::Close, Act::Reset] {
        // On a new connection, and on one from the pool that dies under the request.
        let server = Server::new(vec![
            act.clone(),
            Act::Answer(created()),
            act,
            Act::Answer(created()),
        ]);
        let client = client(&server);
        assert_eq!(share(&client).await, lost);
        assert_eq!(server.seen().requests.len(), 1);
        share(&client).await.unwrap();
        assert_eq!(share(&client).await, lost);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(server.seen().requests.len(), 3);
    }
}

#[tokio::test]
async fn a_pooled_connection_that_was_closed_costs_nothing() {
    let server = Server::new(vec![Act::AnswerAndClose(created())]);
    let client = client(&server);
    for count in 1..5 {
        share(&client).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(
            (server.seen().requests.len(), server.seen().connections),
            (count, count)
        );
    }
}

/// The client library repeats a request whose connection ended before it began. The body can be taken once, so that
/// nothing is sent twice, however the two ends race.
#[tokio::test]
async fn a_connection_that_ends_as_it_is_taken_sends_nothing_twice() {
    let server = Server::new(vec![Act::AnswerAndClose(created())]);
    let client = client(&server);
    for number in 0..200 {
        let request = ShareRequest {
            secret: format!("value-{number}").into(),
            ..request()
        };
        // It may be lost, but it is never repeated.
        let _ = client.share(&alice(), &request, soon()).await;
    }
    let requests = server.seen().requests;
    assert!(requests.len() > 100, "{} arrived", requests.len());
    let bodies: std::collections::HashSet<&[u8]> = requests.iter().map(|request| &request.body[..]).collect();
    assert_eq!(bodies.len(), requests.len(), "a body arrived twice");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = Server::new(vec![Act::Answer(created())]);
    for (status, line) in [
        (301, "301 Moved"),
        (302, "302 Found"),
        (307, "307 Temporary Redirect"),
        (308, "308 Permanent Redirect"),
    ] {
        let location = format!("location: {}/api/v1/share\r\n", other.url());
        let server = Server::new(vec![Act::Answer(http(line, &location, ""))]);
        // Nothing else of where it leads is told.
        let redirect = Redirect {
            status,
            target: Some(Target {
                https: false,
                host: "127.0.0.1".to_owned(),
            }),
        };
        let client = client(&server);
        assert_eq!(
            share(&client).await,
            Err(CreateError::UnknownOutcome(Why::Redirected(redirect.clone())))
        );
        let redirected = Err(CallError::Unavailable(Unavailable::Redirected(redirect)));
        assert_eq!(client.authcheck(&alice(), soon()).await, redirected);
        assert_eq!(server.seen().requests.len(), 2);
    }
    assert_eq!(other.seen().connections, 0);
}

#[tokio::test]
async fn broken_answers_are_unknown_outcomes() {
    let huge = "x".repeat(1024 * 1024 + 1);
    let chunk = format!("{:x}\r\n{huge}\r\n0\r\n\r\n", huge.len());
    let unknown = |status, page| Unknown {
        status,
        page,
        words: None,
    };
    let malformed = |status| Why::Malformed(unknown(status, false));
    let cut = |by: usize| created()[..created().len() - by].to_vec();
    let table = [
        (http("200 OK", "", &huge), Why::TooLarge),
        (
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunk}").into_bytes(),
            Why::TooLarge,
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"a\"".to_vec(),
            Why::ConnectionLost,
        ),
        (cut(1), Why::ConnectionLost),
        (cut(200), Why::ConnectionLost),
        (b"HTTP/1.1 200 OK\r\nconte".to_vec(), Why::ConnectionLost),
        (b"nonsense\r\n\r\n".to_vec(), Why::ConnectionLost),
        (
            b"HTTP/1.1 200 OK\r\n\r\n{\"metadata_key\":".to_vec(),
            malformed(200),
        ),
        (
            http("200 OK", "content-encoding: gzip\r\n", "\u{1f}\u{8b}"),
            malformed(200),
        ),
        (http("204 No Content", "", ""), malformed(204)),
        (http("500 Oh", "", "{}"), Why::ServerFault),
        (
            http("404 Not Found", "", "<html>"),
            Why::Unrecognised(unknown(404, true)),
        ),
    ];
    for (bytes, why) in table {
        let server = Server::new(vec![Act::AnswerAndClose(bytes.clone())]);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
        assert_eq!(
            share(&client(&server)).await,
            Err(CreateError::UnknownOutcome(why)),
            "{shown}"
        );
        assert_eq!(server.seen().requests.len(), 1, "{shown}");
    }
}

#[tokio::test]
async fn at_the_deadline_the_connection_ends() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n".to_vec();
    for act in [Act::Hang, Act::Drip(head)] {
        let server = Server::new(vec![act]);
        let begun = Instant::now();
        let deadline = Deadline::after(Duration::from_millis(300));
        let outcome = client(&server).share(&alice(), &request(), deadline).await;
        assert_eq!(outcome.unwrap_err(), CreateError::UnknownOutcome(Why::Timeout));
        assert!(begun.elapsed() < Duration::from_secs(3));
        server.until(|seen| !seen.ends.is_empty()).await;
    }
}

#[tokio::test]
async fn the_request_timeout_bounds_a_far_deadline() {
    let server = Server::new(vec![Act::Hang]);
    let config = ClientConfig {
        request_timeout: Duration::from_millis(200),
        ..config(&server.url())
    };
    let client = Client::new(config).unwrap();
    assert_eq!(
        share(&client).await,
        Err(CreateError::UnknownOutcome(Why::Timeout))
    );
    assert_eq!(client.status(soon()).await, Err(CallError::Timeout));
}

#[tokio::test]
async fn a_dropped_call_ends_its_connection() {
    let server = Server::new(vec![Act::Hang]);
    let client = client(&server);
    let call = tokio::spawn(async move { share(&client).await });
    server.until(|seen| seen.requests.len() == 1).await;
    call.abort();
    server.until(|seen| !seen.ends.is_empty()).await;
}

#[tokio::test]
async fn nothing_is_sent_after_the_deadline() {
    let server = Server::new(vec![Act::Answer(created())]);
    let late = CreateError::NotSent(Transport::Deadline);
    let outcome = client(&server)
        .share(&alice(), &request(), Deadline::after(Duration::ZERO))
        .await;
    assert_eq!(outcome.unwrap_err(), late);
    assert_eq!(server.seen().connections, 0);

    // The deadline passes while TLS is being set up: connected, but no byte of the request.
    let (clock, (tls, ca)) = (Clock::by_hand(), certificate("localhost"));
    let hand = clock.clone();
    let server = Server::serve(vec![Act::Answer(created())], move |stream| {
        hand.advance(Duration::from_secs(60));
        let connection = rustls::ServerConnection::new(tls.clone()).unwrap();
        rustls::StreamOwned::new(connection, stream)
    });
    let client = Client::new(tls_config(&server, Some(ca))).unwrap();
    let deadline = Deadline::after_on(&clock, Duration::from_secs(5));
    assert_eq!(
        client.share(&alice(), &request(), deadline).await.unwrap_err(),
        late
    );
    let seen = server.until(|seen| !seen.ends.is_empty()).await;
    assert_eq!(seen.requests.len(), 0);
}

#[tokio::test]
async fn what_was_not_sent_is_said_to_be() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let table = [
        (format!("http://{free}"), Transport::Refused),
        ("http://nowhere.invalid".to_owned(), Transport::NameNotFound),
    ];
    for (url, reason) in table {
        let client = Client::new(config(&url)).unwrap();
        let not_sent = Err(CreateError::NotSent(reason.clone()));
        assert_eq!(share(&client).await, not_sent, "{url}");
        let unavailable = Err(CallError::Unavailable(Unavailable::Transport(reason)));
        assert_eq!(client.authcheck(&alice(), soon()).await, unavailable, "{url}");
    }
}

#[tokio::test]
async fn private_addresses_are_refused_however_they_are_written() {
    let server = Server::new(vec![Act::Answer(created())]);
    let port = server.address.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
    ] {
        let config = config(&format!("http://{host}:{port}"));
        let guarded = Client::new(ClientConfig {
            addresses: AddressPolicy::PublicOnly,
            ..config
        })
        .unwrap();
        let denied = CreateError::NotSent(Transport::AddressDenied);
        assert_eq!(share(&guarded).await, Err(denied), "{host}");
    }
    assert_eq!(server.seen().connections, 0);
    assert!(
        share(&Client::new(config(&format!("http://localhost:{port}"))).unwrap())
            .await
            .is_ok()
    );
}

/// A server configuration with a certificate for the name, and the PEM of its CA.
fn certificate(name: &str) -> (std::sync::Arc<rustls::ServerConfig>, String) {
    let signed = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    (std::sync::Arc::new(config), signed.cert.pem())
}

fn tls_config(server: &Server, ca_bundle: Option<String>) -> ClientConfig {
    ClientConfig {
        ca_bundle,
        ..config(&format!("https://localhost:{}", server.address.port()))
    }
}

#[tokio::test]
async fn a_server_without_tls_is_given_up_in_time() {
    let no_tls = Server::new(vec![Act::Answer(created())]);
    let hung = ClientConfig {
        connect_timeout: Duration::from_millis(200),
        ..tls_config(&no_tls, None)
    };
    let outcome = share(&Client::new(hung).unwrap()).await;
    assert_eq!(outcome, Err(CreateError::NotSent(Transport::ConnectTimeout)));
}

#[test]
fn a_bad_ca_bundle_is_named_by_its_block() {
    let (_, ca) = certificate("localhost");
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let problem = |block, problem| ClientBuildError::CaBundle { block, problem };
    let table = [
        (String::new(), ClientBuildError::NoCertificate),
        ("no PEM at all".to_owned(), ClientBuildError::NoCertificate),
        (format!("{ca}{key}"), problem(2, CaProblem::NotACertificate)),
        (format!("{ca}{ca}{junk}"), problem(3, CaProblem::Unreadable)),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA".to_owned(),
            problem(1, CaProblem::NotPem),
        ),
    ];
    for (bundle, want) in table {
        let config = ClientConfig {
            ca_bundle: Some(bundle),
            ..config("https://localhost")
        };
        assert_eq!(Client::new(config).unwrap_err(), want);
    }
    let config = ClientConfig {
        user_agent: "a\nb".into(),
        ..config("https://localhost")
    };
    assert_eq!(Client::new(config).unwrap_err(), ClientBuildError::UserAgent);
}

#[tokio::test]
async fn recent_asks_v2_only_where_v1_is_broken() {
    let fault = http(
        "404 Not Found",
        "",
        r#"{"shrimp":null,"message":"An unexpected error occurred :["}"#,
    );
    let v2 = http("200 OK", "", r#"{"success":true,"count":0,"records":[]}"#);
    let server = Server::new(vec![Act::Answer(fault), Act::Answer(v2)]);
    let recent = client(&server).recent(&alice(), soon()).await.unwrap();
    assert_eq!((recent.receipts.len(), recent.via), (0, Via::V2));
    let paths: Vec<_> = server
        .seen()
        .requests
        .iter()
        .map(|r| r.head.lines().next().unwrap().to_owned())
        .collect();
    assert_eq!(
        paths,
        [
            "GET /api/v1/private/recent HTTP/1.1",
            "GET /api/v2/private/recent HTTP/1.1"
        ]
    );

    let huge = format!("[{}]", " ".repeat(32 * 1024 * 1024));
    let table = [
        (
            http("404 Not Found", "", r#"{"message":"Not authorized"}"#),
            CallError::Unauthorized,
        ),
        (http("200 OK", "", "[{}"), CallError::Malformed(Flaw::Shape)),
        (http("200 OK", "", &huge), CallError::Malformed(Flaw::TooLarge)),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[]".to_vec(),
            CallError::Unavailable(Unavailable::ConnectionLost),
        ),
        (
            http("404 Not Found", "", "Not Found"),
            CallError::Unavailable(Unavailable::Unrecognised(Unknown {
                status: 404,
                page: false,
                words: None,
            })),
        ),
    ];
    for (bytes, want) in table {
        let server = Server::new(vec![Act::AnswerAndClose(bytes)]);
        assert_eq!(client(&server).recent(&alice(), soon()).await.unwrap_err(), want);
        assert_eq!(server.seen().requests.len(), 1, "{want:?}");
    }
}

#[tokio::test]
async fn no_debug_or_display_shows_a_canary() {
    let server = Server::new(vec![Act::Answer(created())]);
    let client = client(&server);
    let generate = GenerateRequest {
        length: None,
        passphrase: Some("canary-passphrase".into()),
        ttl_seconds: 60,
        recipient: Some("canary@example.com".into()),
        share_domain: None,
    };
    let generated = client.generate(&alice(), &generate, soon()).await.unwrap();
    let (receipt, value) = client.receipt_with_value(&alice(), &key(), soon()).await.unwrap();
    assert!(value.is_some());
    let secret_key = &generated.created.secret_key;
    let link = client.endpoint().link(None, secret_key);
    assert_eq!(link.expose(), format!("{}/secret/{SECRET_KEY}", server.url()));
    let shown = format!(
        "{client:?} {:?} {:?} {generate:?} {generated:?} {receipt:?} {value:?} {link:?} {secret_key:?} {:?} {:#?}",
        alice(),
        request(),
        key(),
        generated.created,
    );
    for canary in ["canary", KEY, "example.com"] {
        assert!(!shown.contains(canary), "{canary} in {shown}");
    }
}
