//! The forward proxy does what the tests believe of it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harness::onetime::{Config, OnetimeServer, Version};
use harness::proxy::{Asked, Mode, Proxy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Sends a head, waits for an answer, sends more, and returns everything that came.
async fn send(to: SocketAddr, head: &str, then: Option<&str>) -> Result<String> {
    let mut stream = TcpStream::connect(to).await?;
    stream.write_all(head.as_bytes()).await?;
    let mut answer = String::new();
    if let Some(then) = then {
        let mut bytes = [0; 1024];
        let count = stream.read(&mut bytes).await?;
        answer += &String::from_utf8_lossy(&bytes[..count]);
        stream.write_all(then.as_bytes()).await?;
    }
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

fn authorization(credentials: &str) -> String {
    format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode(credentials))
}

#[tokio::test]
async fn names_lead_where_the_test_says() -> Result<()> {
    let server = OnetimeServer::start(Config::new(Version::V0_26)).await?;
    let proxy = Proxy::start().await?;
    let (to, name) = (proxy.address(), "onetime.test:80");
    proxy.map(name, server.address());
    let absolute = "GET http://onetime.test/api/v1/status HTTP/1.1\r\nHost: onetime.test\r\n\r\n";
    let answer = send(to, absolute, None).await?;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("nominal"),
        "{answer}"
    );
    assert_eq!(server.requests()[0].path, "/api/v1/status");

    let connect = format!("CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n\r\n");
    let inside = "GET /api/v1/status HTTP/1.1\r\nHost: onetime.test\r\nConnection: close\r\n\r\n";
    let answer = send(to, &connect, Some(inside)).await?;
    assert!(
        answer.contains("established") && answer.contains("nominal"),
        "{answer}"
    );

    let elsewhere = send(to, "CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n", None).await?;
    assert!(elsewhere.starts_with("HTTP/1.1 502"), "{elsewhere}");
    let asked = |method: &str, target: &str, answered| Asked {
        method: method.to_owned(),
        target: target.to_owned(),
        credentials: None,
        answered,
    };
    let wanted = [
        asked("GET", name, None),
        asked("CONNECT", name, None),
        asked("CONNECT", "127.0.0.1:1", Some(502)),
    ];
    assert_eq!(proxy.journal(), wanted);
    assert_eq!(proxy.count(name), 2);
    Ok(())
}

#[tokio::test]
async fn a_password_is_wanted_and_not_passed_on() -> Result<()> {
    let server = OnetimeServer::start(Config::new(Version::V0_26)).await?;
    let proxy = Proxy::start_with_password("me", "p@ss:word").await?;
    proxy.map("onetime.test:80", server.address());
    let with =
        |header: &str| format!("GET http://onetime.test/api/v1/status HTTP/1.1\r\nHost: x\r\n{header}\r\n");
    for header in [String::new(), authorization("me:wrong")] {
        let answer = send(proxy.address(), &with(&header), None).await?;
        assert!(
            answer.starts_with("HTTP/1.1 407") && answer.contains("Basic realm"),
            "{answer}"
        );
    }
    assert!(server.requests().is_empty());
    let answer = send(proxy.address(), &with(&authorization("me:p@ss:word")), None).await?;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let headers = format!("{:?}", server.requests()[0].headers);
    assert!(!headers.to_lowercase().contains("proxy"), "{headers}");
    assert_eq!(proxy.journal()[2].credentials.as_deref(), Some("me:p@ss:word"));
    let url = proxy.url()?;
    assert_eq!((url.username(), url.password()), ("me", Some("p%40ss%3Aword")));
    Ok(())
}

#[tokio::test]
async fn it_goes_wrong_as_asked() -> Result<()> {
    let mut proxy = Proxy::start().await?;
    let to = proxy.address();
    proxy.map("onetime.test:443", to);
    let connect = "CONNECT onetime.test:443 HTTP/1.1\r\n\r\n";
    for status in [200, 407, 502] {
        proxy.set_mode(Mode::Page(status));
        let answer = send(to, connect, None).await?;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(answer.contains("A page of the proxy"), "{answer}");
    }
    proxy.set_mode(Mode::Hang);
    let hung = tokio::time::timeout(Duration::from_millis(200), send(to, connect, None)).await;
    assert!(hung.is_err(), "{hung:?}");
    proxy.stop_listening().await?;
    let refused = TcpStream::connect(to).await.expect_err("nobody listens");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    proxy.start_listening()?;
    proxy.set_mode(Mode::Page(502));
    assert!(send(to, connect, None).await?.contains("502"));
    Ok(())
}
