//! The connections to one server: how they are made, kept and given up by the kernel.
//!
//! Owns: the settings of reqwest. Must not: know what is sent.

use super::address::AddressPolicy;
use super::resolver::Resolver;
use crate::onetime::client_config::ClientConfig;
use crate::onetime::error::Transport;
use reqwest::redirect;
use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

/// Below the 30 s and more after which proxies in front of the service close idle
/// connections; the recorded servers keep them over 45 s (v1-keepalive.json).
const IDLE: Duration = Duration::from_secs(25);

/// Maximum idle time of a connection that sends an e-mail: a path that failed meanwhile is noticed only when something is
/// sent.
const IDLE_FOR_MAIL: Duration = Duration::from_secs(5);

/// The TCP user timeout in seconds for bodies of up to so many bytes: how long the kernel keeps what the other side does
/// not acknowledge. The kernel outlives the process: without a limit it delivers the body of a killed process when a
/// stalled path heals. A server that reads slowly acknowledges slowly (`make late` measures both), so a large body needs
/// more. reqwest sets the timeout for a whole client, hence classes.
const CLASSES: [(usize, u64); 4] = [(16 * 1024, 4), (64 * 1024, 8), (256 * 1024, 20), (usize::MAX, 68)];

fn class(body_bytes: usize) -> usize {
    let fitting = CLASSES.iter().position(|(most, _)| body_bytes <= *most);
    fitting.unwrap_or(CLASSES.len() - 1)
}

/// How long the kernel keeps a body of this size when nothing of it is acknowledged. It counts from its first
/// retransmission, which may come seconds later.
#[must_use]
pub fn user_timeout(body_bytes: usize) -> Duration {
    Duration::from_secs(CLASSES[class(body_bytes)].1)
}

/// The connections of one client.
pub(in crate::onetime) struct Connections {
    config: ClientConfig,
    tls: rustls::ClientConfig,
    /// By class of the body, made when the first of its class is sent.
    kept: [OnceLock<reqwest::Client>; CLASSES.len()],
    fresh: [OnceLock<reqwest::Client>; CLASSES.len()],
    /// The host is an address that must not be connected to. Such a host is never resolved, so it is checked here.
    denied: bool,
}

impl Connections {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// When reqwest refuses its settings, which would be a bug.
    pub(in crate::onetime) fn new(config: ClientConfig, tls: rustls::ClientConfig) -> reqwest::Result<Self> {
        // The settings of all of them are alike: one that can be made tells that the others can.
        let first = build(&config, tls.clone(), IDLE, user_timeout(0))?;
        let mut kept: [OnceLock<reqwest::Client>; CLASSES.len()] = Default::default();
        kept[class(0)] = OnceLock::from(first);
        Ok(Self {
            denied: is_denied(&config),
            config,
            tls,
            kept,
            fresh: Default::default(),
        })
    }

    /// The client to send a body of this size with. `fresh`: only over a connection that is new or was used a moment ago.
    ///
    /// # Errors
    /// [`Transport::AddressDenied`] when the host must not be connected to.
    pub(in crate::onetime) fn client(
        &self,
        body_bytes: usize,
        fresh: bool,
    ) -> Result<&reqwest::Client, Transport> {
        if self.denied {
            return Err(Transport::AddressDenied);
        }
        let (clients, idle) = if fresh {
            (&self.fresh, IDLE_FOR_MAIL)
        } else {
            (&self.kept, IDLE)
        };
        let client = &clients[class(body_bytes)];
        if let Some(client) = client.get() {
            return Ok(client);
        }
        let made = build(&self.config, self.tls.clone(), idle, user_timeout(body_bytes));
        // Of two that are made at the same time one is dropped: it has no connection yet.
        made.map(|made| client.get_or_init(|| made))
            .map_err(|_| Transport::Tls)
    }

    /// Whether connections go through a forward proxy.
    pub(in crate::onetime) fn proxied(&self) -> bool {
        self.config.proxy.is_some()
    }

    /// Whether the proxy gets the requests themselves, and not a tunnel to the server.
    pub(in crate::onetime) fn forwarded(&self) -> bool {
        self.proxied() && self.config.endpoint.base().scheme() == "http"
    }
}

fn build(
    config: &ClientConfig,
    tls: rustls::ClientConfig,
    idle: Duration,
    user_timeout: Duration,
) -> reqwest::Result<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(Resolver(names(config)))
        .http1_only()
        .redirect(redirect::Policy::none())
        .referer(false)
        // A repeated request could send a share twice. The body can be taken once, in any case.
        .retry(reqwest::retry::never())
        // Otherwise reqwest reads the environment itself.
        .no_proxy()
        .connect_timeout(config.connect_timeout)
        .pool_idle_timeout(idle);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let builder = builder.tcp_user_timeout(user_timeout);
    let builder = match &config.proxy {
        None => builder,
        Some(proxy) => builder.proxy(reqwest::Proxy::all(proxy.url().clone())?),
    };
    builder.build()
}

/// The policy for names that are resolved here: through a proxy that is the proxy's own name, which the administrator
/// chose.
fn names(config: &ClientConfig) -> AddressPolicy {
    match config.proxy {
        None => config.addresses,
        Some(_) => AddressPolicy::Any,
    }
}

fn is_denied(config: &ClientConfig) -> bool {
    let host = config.endpoint.base().host_str().unwrap_or_default();
    host.trim_matches(['[', ']'])
        .parse::<IpAddr>()
        .is_ok_and(|address| !config.addresses.allows(address))
        && config.addresses != AddressPolicy::Any
}
