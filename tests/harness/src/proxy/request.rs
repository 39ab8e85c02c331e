//! Reading a request to the proxy, and writing it anew for the server.

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use url::Url;

/// No head of a request is longer, in bytes.
const LONGEST: usize = 64 * 1024;

/// The head of a request, and what came after it.
pub(super) async fn read_head(stream: &mut TcpStream) -> Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let rest = bytes.split_off(end + 4);
            return Ok((String::from_utf8(bytes)?, rest));
        }
        ensure!(bytes.len() < LONGEST, "the head is too long");
        ensure!(stream.read_buf(&mut bytes).await? > 0, "no whole head");
    }
}

/// A request to the proxy.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) credentials: Option<String>,
    /// The head that the server gets. None for CONNECT, of which it gets nothing.
    pub(super) passed_on: Option<String>,
}

impl Request {
    pub(super) fn parse(head: &str) -> Result<Self> {
        let mut lines = head.trim_end().split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (
            words.next().unwrap_or_default(),
            words.next().context("no target")?,
        );
        let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
        let is = |name: &str, wanted: &str| name.eq_ignore_ascii_case(wanted);
        let credentials = headers
            .iter()
            .find(|(name, _)| is(name, "proxy-authorization"))
            .and_then(|(_, value)| value.trim().strip_prefix("Basic "))
            .and_then(|value| STANDARD.decode(value).ok())
            .map(|decoded| String::from_utf8_lossy(&decoded).into_owned());
        let (target, passed_on) = if method == "CONNECT" {
            (target.to_owned(), None)
        } else {
            let url = Url::parse(target).context("neither CONNECT nor absolute form")?;
            let host = url.host_str().context("no host")?;
            let port = url.port_or_known_default().context("no port")?;
            let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
            // One request a connection: the next one may be for another server.
            let mut head = format!("{method} {}{query} HTTP/1.1\r\nConnection: close\r\n", url.path());
            for (name, value) in &headers {
                let own = ["proxy-authorization", "proxy-connection", "connection"];
                if !own.iter().any(|own| is(name, own)) {
                    head += &format!("{name}:{value}\r\n");
                }
            }
            (format!("{host}:{port}"), Some(head + "\r\n"))
        };
        Ok(Self {
            method: method.to_owned(),
            target,
            credentials,
            passed_on,
        })
    }
}
