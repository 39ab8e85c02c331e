//! What a client is made from. Data only.

use super::endpoint::Endpoint;
use super::http::address::AddressPolicy;
use crate::proxy::ProxyUrl;
use std::time::Duration;

/// What a client is made from.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// The installation.
    pub endpoint: Endpoint,
    /// PEM certificates of further CAs, trusted besides the public ones.
    pub ca_bundle: Option<String>,
    /// Which addresses of the installation may be connected to. Says nothing about the proxy's own, which the
    /// administrator chose.
    pub addresses: AddressPolicy,
    /// The proxy to connect through, which then resolves the installation's name. None connects directly, whatever the
    /// environment says.
    pub proxy: Option<ProxyUrl>,
    /// The limit to connecting, TLS included.
    pub connect_timeout: Duration,
    /// The limit to a whole call, connecting included; a call's deadline may be earlier.
    pub request_timeout: Duration,
    /// The User-Agent header.
    pub user_agent: String,
}
