//! A forward proxy for tests: CONNECT and absolute-form requests, Basic authentication, a journal, and ways to go wrong.
//!
//! Names resolve here. Only those that a test has mapped lead anywhere, so what is behind a made-up name is reachable
//! through the proxy and in no other way. It knows nothing of the operator.

mod request;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

use crate::onetime::{BACKLOG, reserve};
use request::{Request, read_head};

/// What the proxy does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Passes it on.
    Forward,
    /// Answers with a page of its own and this status, also to CONNECT.
    Page(u16),
    /// Never answers.
    Hang,
}

/// A request to the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `CONNECT`, or the method of a request in absolute form.
    pub method: String,
    /// Where to, as `host:port`.
    pub target: String,
    /// `user:password`, when it named them.
    pub credentials: Option<String>,
    /// The status of the proxy's own answer. None when the request was passed on or is held.
    pub answered: Option<u16>,
}

struct Shared {
    credentials: Option<(String, String)>,
    names: Mutex<HashMap<String, SocketAddr>>,
    mode: Mutex<Mode>,
    journal: Mutex<Vec<Asked>>,
    cuts: watch::Sender<()>,
}

/// A running proxy. Dropping it closes its port and every connection.
pub struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: Option<JoinHandle<()>>,
    reserved: Option<TcpSocket>,
}

impl Proxy {
    /// Starts one that wants no credentials.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> Result<Self> {
        Self::start_with(None).await
    }

    /// Starts one that answers 407 to everybody without this user name and password.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start_with_password(user: &str, password: &str) -> Result<Self> {
        Self::start_with(Some((user.to_owned(), password.to_owned()))).await
    }

    async fn start_with(credentials: Option<(String, String)>) -> Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .await
            .context("binding the proxy")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            credentials,
            names: Mutex::default(),
            mode: Mutex::new(Mode::Forward),
            journal: Mutex::default(),
            cuts: watch::Sender::new(()),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            shared,
            address,
            accepting: Some(accepting),
            reserved: None,
        })
    }

    /// Its URL, with the user name and password that it wants.
    ///
    /// # Errors
    /// Never: an address makes a URL.
    pub fn url(&self) -> Result<Url> {
        let mut url = Url::parse(&format!("http://{}", self.address))?;
        if let Some((user, password)) = &self.shared.credentials {
            let set = url
                .set_username(user)
                .and_then(|()| url.set_password(Some(password)));
            set.map_err(|()| anyhow::anyhow!("no credentials in {url}"))?;
        }
        Ok(url)
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets a name with a port, such as `onetime.test:443`, lead to an address.
    pub fn map(&self, name: &str, to: SocketAddr) {
        lock(&self.shared.names).insert(name.to_owned(), to);
    }

    /// What it does from now on. Ends every connection, so that none goes on as before.
    pub fn set_mode(&self, mode: Mode) {
        *lock(&self.shared.mode) = mode;
        self.shared.cuts.send_replace(());
    }

    /// Every request so far, oldest first.
    #[must_use]
    pub fn journal(&self) -> Vec<Asked> {
        lock(&self.shared.journal).clone()
    }

    /// How often it was asked for a target.
    #[must_use]
    pub fn count(&self, target: &str) -> usize {
        lock(&self.shared.journal)
            .iter()
            .filter(|asked| asked.target == target)
            .count()
    }

    /// Refuses new connections and ends every open one. The port stays reserved.
    ///
    /// # Errors
    /// When the port cannot be reserved.
    pub async fn stop_listening(&mut self) -> Result<()> {
        if let Some(task) = self.accepting.take() {
            task.abort();
            // The listener is closed once the task is gone; it ends only by this abort.
            let _ = task.await;
            self.shared.cuts.send_replace(());
            self.reserved = Some(reserve(self.address).context("reserving the proxy's port")?);
        }
        Ok(())
    }

    /// Listens again on the same port.
    ///
    /// # Errors
    /// When it listens already, or nobody can listen on the port.
    pub fn start_listening(&mut self) -> Result<()> {
        let socket = self.reserved.take().context("the port is not reserved")?;
        let listener = socket.listen(BACKLOG).context("listening again")?;
        self.accepting = Some(tokio::spawn(accept(listener, Arc::clone(&self.shared))));
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(task) = self.accepting.take() {
            task.abort();
        }
        self.shared.cuts.send_replace(());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let mut cuts = shared.cuts.subscribe();
            cuts.mark_unchanged();
            tokio::select! {
                // An error is a client or a server that went away.
                _ = serve(stream, &shared) => {}
                _ = cuts.changed() => {}
            }
        });
    }
}

/// One connection: a tunnel, or one request and its answer.
async fn serve(mut client: TcpStream, shared: &Shared) -> Result<()> {
    client.set_nodelay(true)?;
    let (head, rest) = read_head(&mut client).await?;
    let request = Request::parse(&head)?;
    let (status, to) = shared.judge(&request);
    let Some(to) = to else {
        return match status {
            Some(status) => answer(&mut client, status).await,
            None => std::future::pending().await,
        };
    };
    let mut server = TcpStream::connect(to).await?;
    server.set_nodelay(true)?;
    match request.passed_on {
        None => {
            client
                .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                .await?;
        }
        Some(head) => server.write_all(head.as_bytes()).await?,
    }
    server.write_all(&rest).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

impl Shared {
    /// The status of the proxy's own answer, or where the request goes. Neither when it is held.
    fn judge(&self, request: &Request) -> (Option<u16>, Option<SocketAddr>) {
        let wanted = self
            .credentials
            .as_ref()
            .map(|(user, password)| format!("{user}:{password}"));
        let to = lock(&self.names).get(&request.target).copied();
        let (status, to) = match *lock(&self.mode) {
            Mode::Hang => (None, None),
            Mode::Page(status) => (Some(status), None),
            Mode::Forward if wanted.is_some() && wanted != request.credentials => (Some(407), None),
            Mode::Forward if to.is_none() => (Some(502), None),
            Mode::Forward => (None, to),
        };
        lock(&self.journal).push(Asked {
            method: request.method.clone(),
            target: request.target.clone(),
            credentials: request.credentials.clone(),
            answered: status,
        });
        (status, to)
    }
}

async fn answer(client: &mut TcpStream, status: u16) -> Result<()> {
    let page = "<html><body>A page of the proxy</body></html>\n";
    let more = if status == 407 {
        "Proxy-Authenticate: Basic realm=\"test\"\r\n"
    } else {
        ""
    };
    let text = format!(
        "HTTP/1.1 {status} A Page\r\n{more}Content-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
        page.len()
    );
    client.write_all(text.as_bytes()).await?;
    client.shutdown().await?;
    // What still comes would turn the end into a reset, and the client might not read the answer.
    tokio::io::copy(client, &mut tokio::io::sink()).await?;
    Ok(())
}
