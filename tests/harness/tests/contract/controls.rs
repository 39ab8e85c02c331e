//! The fake server's controls: TLS, the logical clock, tokens; and one trap worth a test of its own.
//!
//! It must not compare recordings.

use std::sync::Arc;
use std::time::Duration;

use harness::onetime::{Fault, OnetimeServer, Operation, State, Version};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::faults::{server, share_text, talk};
use crate::{replay, setup};

#[tokio::test]
async fn tls_with_its_own_ca() {
    let server = OnetimeServer::start(setup::accounts(Version::V0_26).tls())
        .await
        .unwrap();
    assert!(server.url().starts_with("https://127.0.0.1:"));
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(server.ca_pem().unwrap().as_bytes()).unwrap())
        .unwrap();
    let connect = |roots: RootCertStore| {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let address = server.address();
        async move {
            TlsConnector::from(Arc::new(config))
                .connect(name, TcpStream::connect(address).await.unwrap())
                .await
        }
    };
    assert!(connect(RootCertStore::empty()).await.is_err());
    let answer = talk(
        connect(roots.clone()).await.unwrap(),
        &share_text(&server, "secret=%00%41%FF+b"),
    )
    .await;
    // The server ends TLS without a close_notify at times; the bytes before it count.
    assert!(answer.is_ok_and(|bytes| bytes.starts_with(b"HTTP/1.1 200")));
    let request = &server.requests()[0];
    assert_eq!(
        (request.body.as_ref(), request.param("secret")),
        (&b"secret=%00%41%FF+b"[..], Some(&b"\0A\xff b"[..]))
    );
    assert_eq!(request.header("content-length"), Some("18"));
    server.plan().once(Operation::Share, Fault::commit_then_reset());
    let answer = talk(connect(roots).await.unwrap(), &share_text(&server, "secret=y")).await;
    assert!(answer.is_err());
    assert_eq!(server.journal().shares.len(), 2);
}

#[tokio::test]
async fn time_tokens_and_recipients() {
    let server = server(Version::V0_26).await;
    let json = replay::share(&server, "alice@example.com", &[("secret", "one"), ("ttl", "60")]).await;
    let first = json["secret_key"].as_str().unwrap().to_owned();
    server.advance(Duration::from_secs(61));
    assert_eq!(server.open(&first, None), None);
    assert_eq!(
        server.journal().by_secret(&first).unwrap().state,
        State::New,
        "nobody looked"
    );
    assert!(
        !server
            .journal()
            .by_secret(&first)
            .unwrap()
            .is_live(server.now_ms())
    );
    let form = [("secret", "two"), ("passphrase", "open sesame")];
    let json = replay::share(&server, "alice@example.com", &form).await;
    let second = json["secret_key"].as_str().unwrap();
    assert_eq!(server.open(second, Some("wrong")), None);
    assert_eq!(
        server.open(second, Some("open sesame")).as_deref(),
        Some(&b"two"[..])
    );
    assert_eq!(server.open(second, Some("open sesame")), None);
    assert!(
        server
            .wait_for("miracle", Duration::from_millis(20), |_| false)
            .await
            .is_err()
    );
    server.rotate_token("alice@example.com", "new");
    let refused = replay::try_share(&server, "alice@example.com", &[("secret", "x")]).await;
    assert_eq!(refused.status(), 404);
}

/// v0.23 cuts a host at a label of two to four letters: the mail goes to somebody else.
#[tokio::test]
async fn v0_23_mails_a_cut_address() {
    let server = server(Version::V0_23).await;
    let json = replay::share(
        &server,
        "alice@example.com",
        &[("secret", "x"), ("recipient", "a@b.info.example")],
    )
    .await;
    assert_eq!(json["recipient"], serde_json::json!(["a*****@b*****.info"]));
    assert_eq!(server.journal().mails[0].to, "a@b.info");
}
