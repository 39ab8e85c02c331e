//! The server: counts the whole POSTs that arrive, and when. It can stop reading, and read slowly.

use anyhow::{Context as _, Result, ensure};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{\"status\":\"nominal\"}";

/// What has arrived.
#[derive(Debug, Default)]
pub struct Seen {
    /// When each whole POST, head and body, had arrived.
    pub posts: Vec<Instant>,
    /// How many bytes were read.
    pub bytes: usize,
    /// When something was last read.
    pub last_read: Option<Instant>,
}

/// A server on a port of its own, which ends with this value.
pub struct Server {
    /// Its port.
    pub port: u16,
    seen: Rc<RefCell<Seen>>,
    reads: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Starts it. `buffer` is the size of the kernel's receive buffers, `rate` how many bytes it reads in a second.
    pub fn start(buffer: Option<u32>, rate: Option<u32>) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        if let Some(buffer) = buffer {
            // Before it listens: the window of a connection is agreed on with its first packet.
            socket.set_recv_buffer_size(buffer)?;
        }
        socket.bind(SocketAddr::from(([0, 0, 0, 0], 0)))?;
        let listener = socket.listen(128)?;
        let port = listener.local_addr()?.port();
        let (seen, (reads, reading)) = (Rc::default(), watch::channel(true));
        let noted = Rc::clone(&seen);
        let task = tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let connection = Connection {
                    stream,
                    seen: Rc::clone(&noted),
                    reading: reading.clone(),
                    rate,
                };
                // A connection that breaks is what many of the cases are about.
                tokio::task::spawn_local(async move { connection.serve().await.ok() });
            }
        });
        Ok(Self {
            port,
            seen,
            reads,
            task,
        })
    }

    /// Stops to read, or begins again.
    pub fn read(&self, reads: bool) {
        self.reads.send_replace(reads);
    }

    /// What has arrived so far.
    pub fn seen(&self) -> std::cell::Ref<'_, Seen> {
        self.seen.borrow()
    }
}

struct Connection {
    stream: TcpStream,
    seen: Rc<RefCell<Seen>>,
    reading: watch::Receiver<bool>,
    rate: Option<u32>,
}

impl Connection {
    async fn serve(mut self) -> Result<()> {
        let mut read = Vec::new();
        loop {
            let Some(head) = head(&read)? else {
                if self.more(&mut read).await? == 0 {
                    return Ok(());
                }
                continue;
            };
            while read.len() < head.whole {
                ensure!(self.more(&mut read).await? > 0, "the POST was not whole");
            }
            if head.is_post {
                self.seen.borrow_mut().posts.push(Instant::now());
            }
            read.drain(..head.whole);
            self.stream.write_all(ANSWER).await?;
        }
    }

    /// Reads what is there, when it may; zero at the end.
    async fn more(&mut self, read: &mut Vec<u8>) -> Result<usize> {
        let limit = self.rate.map_or(64 * 1024, |rate| (rate / 5).max(1));
        let mut chunk = vec![0; usize::try_from(limit)?];
        loop {
            self.stream.readable().await?;
            self.reading.wait_for(|reads| *reads).await?;
            match self.stream.try_read(&mut chunk) {
                Ok(count) => {
                    read.extend_from_slice(&chunk[..count]);
                    {
                        let mut seen = self.seen.borrow_mut();
                        seen.bytes += count;
                        seen.last_read = Some(Instant::now());
                    }
                    if self.rate.is_some() && read.starts_with(b"POST") {
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                    return Ok(count);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

struct Head {
    is_post: bool,
    /// The length of head and body.
    whole: usize,
}

/// The head of a request, when all of it is there.
fn head(read: &[u8]) -> Result<Option<Head>> {
    let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&read[..end])?.to_ascii_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(Ok(0), |length| length.trim().parse::<usize>())
        .context("content-length")?;
    Ok(Some(Head {
        is_post: text.starts_with("post "),
        whole: end + 4 + length,
    }))
}
