//! Connections: accepting, TLS, HTTP/1.1 framing, resets.
//!
//! It must not look into requests; `serve` does.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::config::Version;
use super::serve;
use super::shared::Shared;

/// What a request may do to its connection.
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) peer: SocketAddr,
    reset: AtomicBool,
}

impl Line {
    /// When the connection is dropped, the peer gets RST instead of FIN.
    pub(super) fn reset_when_dropped(&self) {
        self.reset.store(true, Ordering::SeqCst);
    }

    fn is_reset(&self) -> bool {
        self.reset.load(Ordering::SeqCst)
    }
}

/// The socket below everything else, so that a reset works through TLS too.
struct Socket {
    stream: TcpStream,
    line: Arc<Line>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.line.is_reset() {
            // Best effort: a socket that is closed already cannot be reset.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.line.is_reset() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Accepts until it is aborted; that closes the listener, so new connections are refused.
pub(super) async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            continue;
        };
        if shared.refuse_this_one() {
            let _ = stream.set_zero_linger();
            continue;
        }
        let number = shared.count_connection();
        let line = Arc::new(Line {
            number,
            peer,
            reset: AtomicBool::new(false),
        });
        tokio::spawn(serve_line(Arc::clone(&shared), stream, line));
    }
}

async fn serve_line(shared: Arc<Shared>, stream: TcpStream, line: Arc<Line>) {
    let _ = stream.set_nodelay(true);
    let mut dropped = shared.drops();
    let socket = Socket {
        stream,
        line: Arc::clone(&line),
    };
    let work = async {
        match shared.acceptor() {
            None => serve_http(shared, socket, Arc::clone(&line)).await,
            // A client that does not trust the CA ends here.
            Some(acceptor) => {
                if let Ok(stream) = acceptor.accept(socket).await {
                    serve_http(shared, stream, Arc::clone(&line)).await;
                }
            }
        }
    };
    // Marked inside the branch: the losing branch's socket is dropped before a handler would run.
    let drop_asked = async {
        let _ = dropped.changed().await;
        line.reset_when_dropped();
    };
    tokio::select! {
        () = work => {}
        () = drop_asked => {}
    }
}

async fn serve_http<S>(shared: Arc<Shared>, stream: S, line: Arc<Line>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut builder = http1::Builder::new();
    // Neither server sends a `Date`; v0.23 writes header names with capitals.
    builder
        .auto_date_header(false)
        .title_case_headers(shared.version == Version::V0_23);
    let service = service_fn(move |request| serve::serve(Arc::clone(&shared), Arc::clone(&line), request));
    // An error here is a fault that was asked for, or a client that went away; both are in the journal.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}
