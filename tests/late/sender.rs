//! The process that sends: connects with one request, waits for the word, posts, and stays until it is ended.
//!
//! The protocol with its parent: it writes `warm` when every connection is open, reads `go`, posts on all of them, and writes
//! `ended` when all have an answer or were given up. It ends with its parent, or when its input ends.

use anyhow::{Context as _, Result, ensure};
use onetimeshare::clock::Deadline;
use onetimeshare::onetime::{Account, AddressPolicy, Client, ClientConfig, Endpoint, ShareRequest};
use rustix::process::{Signal, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Where a sender finds its orders.
pub const ORDERS: &str = "ONETIMESHARE_LATE_ORDERS";
/// No sender needs longer to connect.
const CONNECTING: Duration = Duration::from_secs(10);

/// What a sender is to do.
#[derive(Debug, Serialize, Deserialize)]
pub struct Orders {
    /// With the operator's client, or with a plain one.
    pub operator: bool,
    /// Where the server is.
    pub address: String,
    /// How many connections.
    pub connections: usize,
    /// The size of the secret.
    pub bytes: usize,
    /// How long a POST may take.
    pub deadline: Duration,
}

/// Has the kernel end this process when the thread that started it ends.
pub fn end_with_parent() -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("PR_SET_PDEATHSIG")
}

/// The sender.
pub fn main() -> Result<()> {
    end_with_parent()?;
    let orders: Orders = serde_json::from_str(&std::env::var(ORDERS).context("no orders")?)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            if orders.operator {
                with_the_operators_client(&orders).await
            } else {
                with_a_plain_client(&orders).await
            }
        })
}

async fn with_the_operators_client(orders: &Orders) -> Result<()> {
    let config = ClientConfig {
        endpoint: Endpoint::parse(&format!("http://{}", orders.address), true)?,
        ca_bundle: None,
        addresses: AddressPolicy::Any,
        proxy: None,
        connect_timeout: CONNECTING,
        request_timeout: orders.deadline.max(CONNECTING),
        user_agent: "onetimeshare-test".to_owned(),
    };
    // A client each, so that each has a connection of its own.
    let clients = (0..orders.connections).map(|_| Client::new(config.clone()));
    let clients: Vec<_> = clients.collect::<Result<_, _>>()?;
    let connecting = clients
        .iter()
        .map(|client| client.status(Deadline::after(CONNECTING)));
    futures::future::try_join_all(connecting).await?;
    say_and_wait("warm").await?;
    let (account, request) = (account(), request(orders.bytes));
    let posts = clients
        .iter()
        .map(|client| client.share(&account, &request, Deadline::after(orders.deadline)));
    futures::future::join_all(posts).await;
    say_and_wait("ended").await
}

async fn with_a_plain_client(orders: &Orders) -> Result<()> {
    let get = format!("GET /api/v1/status HTTP/1.1\r\nhost: {}\r\n\r\n", orders.address);
    let body = format!("ttl=3600&secret={}", secret(orders.bytes));
    let (host, length) = (&orders.address, body.len());
    let head = format!(
        "POST /api/v1/share HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n"
    );
    let connecting = (0..orders.connections).map(async |_| {
        let mut stream = TcpStream::connect(&orders.address).await?;
        stream.set_nodelay(true)?;
        stream.write_all(get.as_bytes()).await?;
        ensure!(stream.read(&mut [0; 1024]).await? > 0, "no answer");
        anyhow::Ok(stream)
    });
    let streams = futures::future::try_join_all(connecting).await?;
    say_and_wait("warm").await?;
    let request = format!("{head}{body}");
    let posts = streams.into_iter().map(async |mut stream| {
        let post = async {
            stream.write_all(request.as_bytes()).await?;
            stream.read(&mut [0; 1024]).await
        };
        // What became of it is what the server counts.
        tokio::time::timeout(orders.deadline, post).await.ok();
    });
    futures::future::join_all(posts).await;
    say_and_wait("ended").await
}

/// Tells the parent, and returns at its next word, or when it has gone.
async fn say_and_wait(word: &'static str) -> Result<()> {
    let heard = tokio::task::spawn_blocking(move || {
        println!("{word}");
        std::io::stdin().read_line(&mut String::new())
    });
    ensure!(heard.await?? > 0 || word == "ended", "the parent has gone");
    Ok(())
}

fn secret(bytes: usize) -> String {
    "x".repeat(bytes)
}

fn account() -> Account {
    Account::Basic {
        username: "alice@example.com".to_owned(),
        token: "canary-token".into(),
    }
}

fn request(bytes: usize) -> ShareRequest {
    ShareRequest {
        secret: secret(bytes).into(),
        passphrase: None,
        ttl_seconds: 3600,
        // An e-mail would go over a connection of its own: this one is open before the path is cut.
        recipient: None,
        share_domain: None,
    }
}
