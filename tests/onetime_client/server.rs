//! Tiny servers on raw TCP that answer, or misbehave, as told, and remember what they
//! saw. Must not: know the API.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::{ServerConnection, StreamOwned};

/// What to do with a request that was read whole.
#[derive(Clone)]
pub enum Act {
    /// Answer and wait for the next request.
    Answer(Vec<u8>),
    /// Answer, then close the connection.
    AnswerAndClose(Vec<u8>),
    /// Close the connection without an answer.
    Close,
    /// Reset the connection without an answer.
    Reset,
    /// Send this, then a byte every 20 ms for as long as it is taken.
    Drip(Vec<u8>),
    /// Say nothing until the other side ends the connection.
    Hang,
}

/// What was seen.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    pub connections: usize,
    /// Whole requests, in order.
    pub requests: Vec<Request>,
    /// How connections ended that this side did not close.
    pub ends: Vec<End>,
}

#[derive(Debug, Clone)]
pub struct Request {
    pub head: String,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    InOrder,
    Reset,
    /// In the middle of a request.
    Cut,
}

pub struct Server {
    pub address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Server {
    /// A server that acts by the list, one entry for each request, the last one again and again.
    pub fn new(acts: Vec<Act>) -> Self {
        Self::serve(acts, |stream| stream)
    }

    /// The same behind TLS.
    pub fn tls(acts: Vec<Act>, config: Arc<rustls::ServerConfig>) -> Self {
        Self::serve(acts, move |stream| {
            let connection = ServerConnection::new(config.clone()).unwrap();
            StreamOwned::new(connection, stream)
        })
    }

    pub fn serve<S: Read + Write + Socket>(
        acts: Vec<Act>,
        wrap: impl Fn(TcpStream) -> S + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (shared, wrap) = (seen.clone(), Arc::new(wrap));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                shared.lock().unwrap().connections += 1;
                let (acts, seen, wrap) = (acts.clone(), shared.clone(), wrap.clone());
                thread::spawn(move || converse(&mut wrap(stream), &acts, &seen));
            }
        });
        Self { address, seen }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    /// Waits up to five seconds until something was seen.
    pub async fn until(&self, what: impl Fn(&Seen) -> bool) -> Seen {
        for _ in 0..500 {
            let seen = self.seen();
            if what(&seen) {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never seen: {:?}", self.seen());
    }
}

/// The TCP connection below, for resetting it.
pub trait Socket {
    fn tcp(&self) -> &TcpStream;
}

impl Socket for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Socket for StreamOwned<ServerConnection, TcpStream> {
    fn tcp(&self) -> &TcpStream {
        &self.sock
    }
}

fn converse<S: Read + Write + Socket>(stream: &mut S, acts: &[Act], seen: &Mutex<Seen>) {
    loop {
        let request = match read_request(stream) {
            Ok(request) => request,
            Err(end) => return seen.lock().unwrap().ends.push(end),
        };
        let act = {
            let mut seen = seen.lock().unwrap();
            seen.requests.push(request);
            acts[(seen.requests.len() - 1).min(acts.len() - 1)].clone()
        };
        match act {
            Act::Answer(bytes) => drop(stream.write_all(&bytes)),
            Act::AnswerAndClose(bytes) => return drop(stream.write_all(&bytes)),
            Act::Close => return,
            Act::Reset => return set_zero_linger(stream.tcp()),
            Act::Drip(bytes) => {
                drop(stream.write_all(&bytes));
                while stream.write_all(b"x").and_then(|()| stream.flush()).is_ok() {
                    thread::sleep(Duration::from_millis(20));
                }
                return seen.lock().unwrap().ends.push(End::Reset);
            }
            Act::Hang => {}
        }
    }
}

/// Makes the coming close a reset.
fn set_zero_linger(stream: &TcpStream) {
    // Of the libraries at hand only tokio can set SO_LINGER.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    runtime.block_on(async {
        let stream = stream.try_clone().unwrap();
        stream.set_nonblocking(true).unwrap();
        tokio::net::TcpStream::from_std(stream)
            .unwrap()
            .set_zero_linger()
            .unwrap();
    });
}

fn read_request(stream: &mut impl Read) -> Result<Request, End> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
            let request = Request {
                head,
                body: bytes[at + 4..].to_vec(),
            };
            let length = request
                .header("content-length")
                .map_or(0, |length| length.parse().unwrap());
            if request.body.len() >= length {
                return Ok(request);
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) if bytes.is_empty() => return Err(End::InOrder),
            Err(error) if bytes.is_empty() && error.kind() == ErrorKind::ConnectionReset => {
                return Err(End::Reset);
            }
            Ok(0) | Err(_) => return Err(End::Cut),
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}

/// An answer with Content-Length.
pub fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
