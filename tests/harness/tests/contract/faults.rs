//! The fake server's faults do what they say, seen from a client's socket and in the journal.
//!
//! It must not compare recordings.

use std::time::Duration;

use harness::onetime::{
    Canned, Fault, Gate, Hold, Matcher, OnetimeServer, Operation, Outcome, Rule, Stage, Version,
};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::{replay, setup};

const SOON: Duration = Duration::from_secs(10);

pub async fn server(version: Version) -> OnetimeServer {
    OnetimeServer::start(setup::accounts(version)).await.unwrap()
}

pub fn share_text(server: &OnetimeServer, form: &str) -> String {
    format!(
        "POST /api/v1/share HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{form}",
        server.address(),
        form.len()
    )
}

pub async fn talk<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, text: &str) -> std::io::Result<Vec<u8>> {
    stream.write_all(text.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

/// Shares `x` anonymously; what arrived on the socket.
async fn share(server: &OnetimeServer) -> std::io::Result<String> {
    let stream = TcpStream::connect(server.address()).await?;
    let answer = talk(stream, &share_text(server, "secret=x&ttl=3600")).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

async fn after(fault: Fault) -> (OnetimeServer, std::io::Result<String>) {
    let server = server(Version::V0_26).await;
    server.plan().once(Operation::Share, fault);
    let answer = share(&server).await;
    assert_eq!((server.plan().pending(), server.plan().hits()), (0, 1));
    (server, answer)
}

#[tokio::test]
async fn resets_and_closes() {
    for (stage, stored) in [
        (Stage::BeforeReading, 0),
        (Stage::BeforeCommit, 0),
        (Stage::AfterCommit, 1),
    ] {
        let (server, answer) = after(Fault::Reset(stage)).await;
        assert_eq!(
            answer.unwrap_err().kind(),
            std::io::ErrorKind::ConnectionReset,
            "{stage:?}"
        );
        assert_eq!(server.journal().shares.len(), stored, "{stage:?}");
        assert_eq!(server.requests()[0].outcome, Outcome::Reset);
        let (server, answer) = after(Fault::Close(stage)).await;
        assert_eq!(server.journal().shares.len(), stored, "{stage:?}");
        // Unread bytes of the request turn a close into a reset; nothing arrives either way.
        assert!(answer.unwrap_or_default().is_empty(), "{stage:?}");
        assert!(
            share(&server).await.unwrap().starts_with("HTTP/1.1 200"),
            "the fault is used up"
        );
    }
}

#[tokio::test]
async fn canned_answers() {
    let answers = [
        (Canned::Unexpected, "HTTP/1.1 404"),
        (Canned::ServerError, "HTTP/1.1 500"),
        (Canned::BadGateway, "HTTP/1.1 502"),
        (Canned::TooManyRequests, "HTTP/1.1 429"),
        (Canned::Redirect("http://127.0.0.1:1/".to_owned()), "HTTP/1.1 302"),
        (Canned::Empty, "HTTP/1.1 200"),
        (Canned::WrongJson, "HTTP/1.1 200"),
    ];
    for (canned, start) in answers {
        let (server, answer) = after(Fault::Answer(Stage::BeforeCommit, canned.clone())).await;
        assert!(answer.unwrap().starts_with(start), "{canned:?}");
        assert_eq!(server.journal().shares.len(), 0);
        let (server, answer) = after(Fault::Answer(Stage::AfterCommit, canned.clone())).await;
        assert!(answer.unwrap().starts_with(start), "{canned:?}");
        assert_eq!(server.journal().shares.len(), 1);
    }
}

#[tokio::test]
async fn a_hanging_request_commits_late_though_the_client_is_gone() {
    let server = server(Version::V0_26).await;
    let gate = Gate::new();
    server.plan().once(
        Operation::Share,
        Fault::Hang(Stage::BeforeCommit, Hold::Until(gate.clone())),
    );
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream
        .write_all(share_text(&server, "secret=x&ttl=3600").as_bytes())
        .await
        .unwrap();
    server
        .wait_for("request", SOON, |j| j.requests.iter().any(|r| !r.body.is_empty()))
        .await
        .unwrap();
    drop(stream);
    assert_eq!(server.journal().shares.len(), 0);
    gate.open();
    server
        .wait_for("late share", SOON, |j| j.shares.len() == 1)
        .await
        .unwrap();
}

#[tokio::test]
async fn bodies_that_are_cut_slow_or_huge() {
    let (_server, answer) = after(Fault::TruncateBody { keep: 20 }).await;
    let answer = answer.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let length = head
        .lines()
        .find_map(|l| l.strip_prefix("content-length: "))
        .unwrap();
    assert_eq!(body.len(), 20);
    assert!(length.parse::<usize>().unwrap() > 500);

    let slow = Fault::SlowBody {
        chunk: 100,
        pause: Duration::from_millis(10),
    };
    let start = std::time::Instant::now();
    let answer = after(slow).await.1.unwrap();
    assert!(
        start.elapsed() >= Duration::from_millis(60),
        "{:?}",
        start.elapsed()
    );
    let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(body["ttl"], 3600);

    let answer = after(Fault::HugeBody { bytes: 33 << 20 }).await.1.unwrap();
    assert!(answer.len() > 33 << 20);
}

#[tokio::test]
async fn the_share_itself_may_differ() {
    let (server, answer) = after(Fault::GrantTtl(120)).await;
    assert!(answer.unwrap().contains("\"ttl\":120"));
    assert_eq!(server.journal().shares[0].ttl, 120);
    let (_, answer) = after(Fault::Edit(|json| json["ttl"] = Value::from(7))).await;
    assert!(answer.unwrap().contains("\"ttl\":7"));

    let without_mail =
        Rule::once(Matcher::any().recipient("dave@example.com"), Fault::GrantTtl(60)).without_mail();
    server.plan().push(without_mail);
    replay::share(
        &server,
        "alice@example.com",
        &[("secret", "x"), ("recipient", "erin@example.com")],
    )
    .await;
    replay::share(
        &server,
        "alice@example.com",
        &[("secret", "x"), ("recipient", "dave@example.com")],
    )
    .await;
    let journal = server.journal();
    assert_eq!(
        (
            journal.mails_to("erin@example.com").len(),
            journal.mails_to("dave@example.com").len()
        ),
        (1, 0)
    );
}

#[tokio::test]
async fn rules_choose_by_count_account_and_chance() {
    let server = server(Version::V0_23).await;
    let fail = || Fault::Answer(Stage::BeforeCommit, Canned::ServerError);
    server
        .plan()
        .push(Rule::always(Matcher::operation(Operation::Share).nth(2), fail()));
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(share(&server).await.unwrap().starts_with("HTTP/1.1 500"));
    }
    assert_eq!(statuses, [false, true, false]);
    server.plan().clear();
    server
        .plan()
        .push(Rule::always(Matcher::any().account("alice@example.com"), fail()));
    assert!(share(&server).await.unwrap().starts_with("HTTP/1.1 200"));
    server.plan().clear();
    server
        .plan()
        .push(Rule::always(Matcher::any().chance(0.5, 42), fail()));
    let mut failed = 0;
    for _ in 0..40 {
        failed += usize::from(share(&server).await.unwrap().starts_with("HTTP/1.1 500"));
    }
    assert!((5..=35).contains(&failed), "{failed}");
}

/// Another server must not get the port, and with it the requests for this one.
#[tokio::test]
async fn a_port_that_refuses_stays_reserved() {
    let server = server(Version::V0_26).await;
    server.stop_listening().await.unwrap();
    let other = TcpSocket::new_v4().unwrap().bind(server.address());
    assert_eq!(other.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    server.start_listening().await.unwrap();
    assert!(share(&server).await.is_ok());
}

#[tokio::test]
async fn connections_are_refused_and_dropped() {
    let server = server(Version::V0_23).await;
    server.refuse_next(1);
    assert!(share(&server).await.is_err());
    assert!(share(&server).await.is_ok());
    server.stop_listening().await.unwrap();
    assert_eq!(
        share(&server).await.unwrap_err().kind(),
        std::io::ErrorKind::ConnectionRefused
    );
    server.start_listening().await.unwrap();
    let mut idle = TcpStream::connect(server.address()).await.unwrap();
    server
        .wait_for("connection", SOON, |j| j.connections == 2)
        .await
        .unwrap();
    // The connection's task must have begun, or there is nothing to drop yet.
    idle.write_all(b"GET /api/v1/status HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut first = [0; 16];
    idle.read_exact(&mut first).await.unwrap();
    server.drop_connections();
    let mut rest = Vec::new();
    assert_eq!(
        idle.read_to_end(&mut rest).await.unwrap_err().kind(),
        std::io::ErrorKind::ConnectionReset
    );
}
