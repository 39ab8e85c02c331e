//! The client behind a forward proxy that works, and behind some that do not.

use super::*;
use onetimeshare::proxy::ProxyUrl;

fn behind(url: &str, proxy: &str) -> Client {
    let proxy = ProxyUrl::parse("HTTPS_PROXY", proxy).unwrap();
    Client::new(ClientConfig {
        proxy: Some(proxy),
        ..config(url)
    })
    .unwrap()
}

async fn share_behind(url: &str, proxy: &str) -> CreateError {
    share(&behind(url, proxy)).await.unwrap_err()
}

#[tokio::test]
async fn a_proxy_is_told_as_what_it_is() {
    let https = "https://onetime.test";
    for (act, told) in [
        (
            Act::AnswerAndClose(http("407 Proxy Authentication Required", "", "")),
            Transport::ProxyAuth,
        ),
        (
            Act::AnswerAndClose(http("502 Bad Gateway", "", "<html>no</html>")),
            Transport::ProxyAnswer,
        ),
        (
            Act::AnswerAndClose(http("403 Forbidden", "", "<html>no</html>")),
            Transport::ProxyAnswer,
        ),
        (Act::Close, Transport::ProxyRefused),
    ] {
        let proxy = Server::new(vec![act]);
        assert_eq!(
            share_behind(https, &proxy.url()).await,
            CreateError::NotSent(told)
        );
        let seen = proxy.seen();
        assert!(
            seen.requests[0].head.starts_with("CONNECT onetime.test:443 "),
            "{}",
            seen.requests[0].head
        );
        assert!(seen.requests.iter().all(|request| request.body.is_empty()));
    }
    let nobody = "http://127.0.0.1:1";
    for url in [https, "http://onetime.test"] {
        let told = CreateError::NotSent(Transport::ProxyRefused);
        assert_eq!(share_behind(url, nobody).await, told, "{url}");
        assert_eq!(share_behind(url, "http://name.invalid").await, told, "{url}");
    }
}

/// Over http the proxy gets the request itself, and a 407 says that it forwarded nothing.
#[tokio::test]
async fn over_http_the_proxy_gets_the_request_and_the_credentials() {
    let proxy = Server::new(vec![Act::Answer(created())]);
    let url = format!("http://user:p%40ss@{}", proxy.address);
    share(&behind("http://onetime.test", &url)).await.unwrap();
    let seen = proxy.seen();
    let head = &seen.requests[0];
    assert!(
        head.head.starts_with("POST http://onetime.test/api/v1/share "),
        "{}",
        head.head
    );
    assert_eq!(head.header("proxy-authorization"), Some("Basic dXNlcjpwQHNz"));
    let refusal = |headers| {
        vec![Act::Answer(http(
            "407 Proxy Authentication Required",
            headers,
            "",
        ))]
    };
    let proxy = Server::new(refusal("proxy-authenticate: Basic\r\n"));
    assert_eq!(
        share_behind("http://onetime.test", &proxy.url()).await,
        CreateError::NotSent(Transport::ProxyAuth)
    );
    // Without the header of a proxy, or from a server that is no proxy, it says nothing about who got the request.
    let unknown = CreateError::UnknownOutcome(Why::Unrecognised(Unknown {
        status: 407,
        page: false,
        words: None,
    }));
    let proxy = Server::new(refusal(""));
    assert_eq!(share_behind("http://onetime.test", &proxy.url()).await, unknown);
    let server = Server::new(refusal("proxy-authenticate: Basic\r\n"));
    assert_eq!(share(&client(&server)).await.unwrap_err(), unknown);
}

/// The address policy holds for the server, not for the proxy, which the administrator chose.
#[tokio::test]
async fn the_proxy_may_have_a_private_address() {
    let proxy = Server::new(vec![Act::Answer(created())]);
    let port = proxy.address.port();
    let restricted = |url: &str| {
        let proxy = ProxyUrl::parse("HTTP_PROXY", &format!("http://localhost:{port}")).unwrap();
        Client::new(ClientConfig {
            proxy: Some(proxy),
            addresses: AddressPolicy::PublicOnly,
            ..config(url)
        })
        .unwrap()
    };
    share(&restricted("http://onetime.test")).await.unwrap();
    let denied = share(&restricted("http://10.0.0.1")).await.unwrap_err();
    assert_eq!(denied, CreateError::NotSent(Transport::AddressDenied));
    assert_eq!(proxy.seen().requests.len(), 1);
}
