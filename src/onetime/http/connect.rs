//! Connecting: name, addresses, TCP, TLS; and cutting a connection off.
//!
//! Owns: the check of every address on every connect, the connect timeout, the
//! reset of a connection whose call was given up. Must not: know proxies: no
//! environment variable leads around the check.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tower_service::Service;

use super::address::AddressPolicy;

type Connecting<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why no connection was made; said without names and addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The URL has no host. Endpoints always have one.
    #[error("no host to connect to")]
    NoHost,
    /// The name was not resolved.
    #[error("the host name could not be resolved")]
    NameNotFound,
    /// The policy allows none of the addresses.
    #[error("no address of the host is allowed")]
    Denied,
    /// No allowed address took the connection.
    #[error("the connection was refused or the host is unreachable")]
    Refused,
    /// It took longer than the connect timeout.
    #[error("connecting took too long")]
    Timeout,
}

/// A connector that resolves the name itself and checks every address, on every connect.
#[derive(Debug, Clone)]
pub struct GuardedConnector {
    policy: AddressPolicy,
    timeout: Duration,
}

impl GuardedConnector {
    /// A connector with a policy and a limit to the time of connecting.
    pub fn new(policy: AddressPolicy, timeout: Duration) -> Self {
        Self { policy, timeout }
    }

    async fn connect(self, uri: Uri) -> Result<TcpStream, ConnectError> {
        let until = Instant::now() + self.timeout;
        let host = uri.host().ok_or(ConnectError::NoHost)?.trim_matches(['[', ']']);
        let default = if uri.scheme_str() == Some("https") {
            443
        } else {
            80
        };
        let port = uri.port_u16().unwrap_or(default);
        let resolving = timeout_at(until, resolve(host, port));
        let addresses = resolving.await.map_err(|_| ConnectError::Timeout)??;
        let allowed: Vec<_> = addresses
            .into_iter()
            .filter(|a| self.policy.allows(a.ip()))
            .collect();
        if allowed.is_empty() {
            return Err(ConnectError::Denied);
        }
        let mut last = ConnectError::Refused;
        for (tried, address) in (0u32..).zip(&allowed) {
            // A dead first address must leave time for the others.
            let left = u32::try_from(allowed.len())
                .unwrap_or(1)
                .saturating_sub(tried)
                .max(1);
            let share = until.saturating_duration_since(Instant::now()) / left;
            match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Best effort: without it the service only answers a little later.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(_)) => last = ConnectError::Refused,
                Err(_) => last = ConnectError::Timeout,
            }
        }
        Err(last)
    }
}

/// An IP address is taken as it is, so that it is checked too.
async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let found = tokio::net::lookup_host((host, port))
        .await
        .map_err(|_| ConnectError::NameNotFound)?;
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        Err(ConnectError::NameNotFound)
    } else {
        Ok(found)
    }
}

impl Service<Uri> for GuardedConnector {
    type Response = TokioIo<GuardedStream>;
    type Error = ConnectError;
    type Future = Connecting<Self::Response, ConnectError>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.clone().connect(uri);
        Box::pin(async move {
            Ok(TokioIo::new(GuardedStream {
                tcp: connecting.await?,
                cut: Cut::default(),
            }))
        })
    }
}

/// Cuts a connection off: nothing more is written and it ends with a reset, so that
/// what still waits in the kernel's buffer is thrown away instead of delivered late.
#[derive(Debug, Clone, Default)]
pub struct Cut(Arc<AtomicBool>);

impl Cut {
    /// Cuts it off.
    pub fn cut(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn is_cut(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A TCP connection that can be cut off.
#[derive(Debug)]
pub struct GuardedStream {
    tcp: TcpStream,
    cut: Cut,
}

impl Drop for GuardedStream {
    fn drop(&mut self) {
        if self.cut.is_cut() {
            // Best effort: without it the connection ends in order, which is late, not wrong.
            let _ = self.tcp.set_zero_linger();
        }
    }
}

impl Connection for GuardedStream {
    fn connected(&self) -> Connected {
        Connected::new().extra(self.cut.clone())
    }
}

impl AsyncRead for GuardedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for GuardedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.cut.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // An orderly end would deliver what the reset is to throw away.
        if self.cut.is_cut() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

/// A connector with a limit to its whole time, the TLS handshake included.
#[derive(Clone)]
pub(in crate::onetime) struct Limited<C> {
    inner: C,
    timeout: Duration,
}

impl<C> Limited<C> {
    pub(in crate::onetime) fn new(inner: C, timeout: Duration) -> Self {
        Self { inner, timeout }
    }
}

impl<C> Service<Uri> for Limited<C>
where
    C: Service<Uri, Error = BoxError>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Connecting<C::Response, BoxError>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, timeout) = (self.inner.call(uri), self.timeout);
        Box::pin(async move {
            tokio::time::timeout(timeout, connecting)
                .await
                .map_err(|_| ConnectError::Timeout)?
        })
    }
}
