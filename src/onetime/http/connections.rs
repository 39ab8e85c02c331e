//! The connections to one server: how they are made, kept and given up by the kernel.
//!
//! Owns: the settings of reqwest. Must not: know what is sent.

use super::address::AddressPolicy;
use super::resolver::Resolver;
use crate::onetime::client_config::ClientConfig;
use reqwest::redirect;
use std::net::IpAddr;
use std::time::Duration;

/// Below the 30 s and more after which proxies in front of the service close idle
/// connections; the recorded servers keep them over 45 s (v1-keepalive.json).
const IDLE: Duration = Duration::from_secs(25);

/// Maximum idle time of a connection that sends an e-mail: a path that failed meanwhile is noticed only when something is
/// sent.
const IDLE_FOR_MAIL: Duration = Duration::from_secs(5);

/// How long the kernel keeps what the other side does not acknowledge. The kernel outlives the process: without a limit
/// it delivers the body of a killed process when a stalled path heals. A successor waits longer: the shortest slack of an
/// attempt (`ledger::SLACK`) is one second more.
pub const USER_TIMEOUT: Duration = Duration::from_secs(4);

/// The connections of one client.
pub(in crate::onetime) struct Connections {
    kept: reqwest::Client,
    fresh: reqwest::Client,
    /// The host is an address that must not be connected to. Such a host is never resolved, so it is checked here.
    denied: bool,
    proxied: bool,
    forwarded: bool,
}

impl Connections {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// When reqwest refuses its settings, which would be a bug.
    pub(in crate::onetime) fn new(
        config: &ClientConfig,
        tls: &rustls::ClientConfig,
    ) -> reqwest::Result<Self> {
        Ok(Self {
            kept: build(config, tls.clone(), IDLE)?,
            fresh: build(config, tls.clone(), IDLE_FOR_MAIL)?,
            denied: is_denied(config),
            proxied: config.proxy.is_some(),
            forwarded: config.proxy.is_some() && config.endpoint.base().scheme() == "http",
        })
    }

    /// The client to send with. `fresh`: only over a connection that is new or was used a moment ago. None when the host
    /// must not be connected to.
    pub(in crate::onetime) fn client(&self, fresh: bool) -> Option<&reqwest::Client> {
        let client = if fresh { &self.fresh } else { &self.kept };
        (!self.denied).then_some(client)
    }

    /// Whether connections go through a forward proxy.
    pub(in crate::onetime) fn proxied(&self) -> bool {
        self.proxied
    }

    /// Whether the proxy gets the requests themselves, and not a tunnel to the server.
    pub(in crate::onetime) fn forwarded(&self) -> bool {
        self.forwarded
    }
}

fn build(
    config: &ClientConfig,
    tls: rustls::ClientConfig,
    idle: Duration,
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
    let builder = builder.tcp_user_timeout(USER_TIMEOUT);
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
