//! A fake Onetime Secret server, v0.23 and v0.26: the API in memory, a journal of what really
//! happened, a logical clock, and a plan of faults.
//!
//! Its behaviour is what the recordings in `tests/contract` show; `tests/contract.rs` proves that.
//! It must not imitate what was not recorded without saying so, and must not know the operator.
//!
//! ```text
//! connection  accept, TLS, HTTP/1.1, resets      serve    one request: read, fault, rules, answer
//! plan, fault which request goes wrong, and how  dispatch who calls, what is allowed
//! create      share, create, generate            receipt  look, burn, open, a receipt's JSON
//! listing     recent, v2                         recipient  which address, which mask
//! state       accounts, stored shares, clock     journal  the ground truth for tests
//! ```

mod answer;
mod body;
mod config;
mod connection;
mod create;
mod dispatch;
mod fault;
mod form;
mod journal;
mod listing;
mod plan;
mod receipt;
mod recipient;
mod route;
mod serve;
mod shared;
mod state;
pub(crate) mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

pub use config::{Account, Config, Limits, MailServer, Site, Version};
pub use fault::{Canned, Fault, Gate, Hold, Stage};
pub use journal::{Journal, Outcome, SeenRequest, SentMail, Share, State};
pub use plan::{Matcher, Plan, Rule};
pub use route::Operation;

use shared::Shared;
use state::Memory;

/// A running fake server. Dropping it resets every connection and closes the port.
pub struct OnetimeServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    tls: bool,
    port: Mutex<Port>,
}

/// Who has the server's port: the task that accepts connections, or a socket that only reserves it.
/// Without that socket the kernel could give the port to another server, which would then get the
/// requests for this one.
struct Port {
    accepting: Option<JoinHandle<()>>,
    reserved: Option<TcpSocket>,
}

impl OnetimeServer {
    /// Starts to listen; requests are answered from here on.
    ///
    /// # Errors
    /// The address cannot be bound, or no certificate can be made.
    pub async fn start(config: Config) -> Result<Self> {
        let listener = TcpListener::bind(config.listen)
            .await
            .context("binding the fake server")?;
        let address = listener.local_addr()?;
        let tls = config.tls;
        let certificate = if tls {
            Some(tls::make().context("making a certificate")?)
        } else {
            None
        };
        let memory = Memory::new(config, &address.to_string());
        let shared = Arc::new(Shared::new(memory, certificate));
        let accepting = tokio::spawn(connection::accept(Arc::clone(&shared), listener));
        Ok(Self {
            shared,
            address,
            tls,
            port: Mutex::new(Port {
                accepting: Some(accepting),
                reserved: None,
            }),
        })
    }

    /// Where it listens, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The address and port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The CA to trust, in PEM; none without TLS.
    #[must_use]
    pub fn ca_pem(&self) -> Option<String> {
        self.shared.ca_pem().map(str::to_owned)
    }

    /// Everything that happened so far.
    #[must_use]
    pub fn journal(&self) -> Journal {
        self.shared.look(|memory| memory.journal.clone())
    }

    /// Every request seen so far, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.shared.look(|memory| memory.journal.requests.clone())
    }

    /// The plan of faults.
    #[must_use]
    pub fn plan(&self) -> Plan {
        self.shared.plan.clone()
    }

    /// The logical clock, in milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.shared.look(|memory| memory.now_ms())
    }

    /// Moves the logical clock on: lifetimes pass without waiting.
    pub fn advance(&self, by: Duration) {
        self.shared.change(|memory| memory.advance(by));
    }

    /// Sets the service's clock so many seconds ahead of the machine's, or behind it. Best done before anything is stored:
    /// what is stored gets no older or younger by it.
    pub fn set_clock(&self, seconds: i64) {
        self.shared.change(|memory| memory.set_clock(seconds));
    }

    /// The shortest lifetime in seconds that the site grants from now on, whatever is asked for.
    pub fn set_ttl_minimum(&self, seconds: u64) {
        self.shared
            .change(|memory| memory.config.ttl_minimum = Some(seconds));
    }

    /// Opens a link as a recipient would, outside the network and the limits. None when the link
    /// is unknown, used up, expired, burned, or the passphrase is wrong.
    #[must_use]
    pub fn open(&self, secret_key: &str, passphrase: Option<&str>) -> Option<Vec<u8>> {
        self.shared.change(|memory| {
            let answer = receipt::open(memory, secret_key, passphrase);
            let share = memory.journal.by_secret(secret_key)?;
            (answer.status == 200).then(|| share.value.clone())
        })
    }

    /// Gives an account another token; the old one is refused from now on.
    pub fn rotate_token(&self, username: &str, token: &str) {
        self.shared.change(|memory| {
            for account in memory
                .config
                .accounts
                .iter_mut()
                .filter(|a| a.username == username)
            {
                token.clone_into(&mut account.token);
            }
        });
    }

    /// Adds an account.
    pub fn add_account(&self, account: Account) {
        self.shared.change(|memory| memory.config.accounts.push(account));
    }

    /// Registers a share domain.
    pub fn add_domain(&self, domain: &str) {
        self.shared
            .change(|memory| memory.config.domains.push(domain.to_owned()));
    }

    /// Lets the service lose all its data, accounts too (`v1-redis-stopped`). The journal stays.
    pub fn wipe(&self) {
        self.shared.change(Memory::wipe);
    }

    /// What the mail server does from now on.
    pub fn set_mail(&self, mail: MailServer) {
        self.shared.change(|memory| memory.config.mail = mail);
    }

    /// Starts every rate limit anew.
    pub fn reset_limits(&self) {
        self.shared.change(Memory::reset_counts);
    }

    /// Waits for the journal to fulfil a condition; never sleeps.
    ///
    /// # Errors
    /// The time is over: the message says what was waited for.
    pub async fn wait_for(
        &self,
        what: &str,
        timeout: Duration,
        condition: impl Fn(&Journal) -> bool,
    ) -> Result<Journal> {
        let mut changes = self.shared.changes();
        let wait = async {
            loop {
                changes.borrow_and_update();
                let met = self
                    .shared
                    .look(|memory| condition(&memory.journal).then(|| memory.journal.clone()));
                if let Some(journal) = met {
                    return Ok(journal);
                }
                changes.changed().await?;
            }
        };
        match tokio::time::timeout(timeout, wait).await {
            Ok(result) => result,
            Err(_) => {
                let journal = self.journal();
                let (shares, mails, requests) =
                    (journal.shares.len(), journal.mails.len(), journal.requests.len());
                bail!("no {what} within {timeout:?}: {shares} shares, {mails} mails, {requests} requests")
            }
        }
    }

    /// Resets the next connections right after accepting them.
    pub fn refuse_next(&self, connections: u64) {
        self.shared.refuse(connections);
    }

    /// Resets every open connection, whatever it is doing.
    pub fn drop_connections(&self) {
        self.shared.drop_connections();
    }

    /// Refuses new connections. Open connections live on, and the port stays reserved.
    ///
    /// # Errors
    /// The port cannot be reserved.
    pub async fn stop_listening(&self) -> Result<()> {
        let mut port = self.port.lock().await;
        if let Some(task) = port.accepting.take() {
            task.abort();
            // The listener is closed once the task is gone; it ends only by this abort.
            let _ = task.await;
            port.reserved = Some(reserve(self.address).context("reserving the fake server's port")?);
        }
        Ok(())
    }

    /// Listens again on the same port.
    ///
    /// # Errors
    /// The port was not reserved, or nobody can listen on it.
    pub async fn start_listening(&self) -> Result<()> {
        self.stop_listening().await?;
        let mut port = self.port.lock().await;
        let socket = port.reserved.take().context("the port is not reserved")?;
        let listener = socket.listen(BACKLOG).context("listening again")?;
        port.accepting = Some(tokio::spawn(connection::accept(
            Arc::clone(&self.shared),
            listener,
        )));
        Ok(())
    }
}

/// As many connections as a listener of tokio lets wait.
pub(crate) const BACKLOG: u32 = 1024;

/// Binds the port without listening. Connections of the closed listener may still use the port, so
/// the address must be reusable.
pub(crate) fn reserve(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

impl Drop for OnetimeServer {
    fn drop(&mut self) {
        if let Some(task) = self.port.get_mut().accepting.take() {
            task.abort();
        }
        self.shared.drop_connections();
    }
}
