//! `NO_PROXY`: which hosts and ports go past a proxy.
//!
//! Owns: the rules of Go's package `httpproxy`, oddities too, because people write one list for kubectl and the operator.
//! An item that names nothing is ignored, as there.

use std::net::IpAddr;
use url::Host;

/// The list of `NO_PROXY`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NoProxy(Vec<Item>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    /// `*`
    Everything,
    /// `10.0.0.0/8`
    Network(Network),
    /// `10.0.0.1`, `10.0.0.1:8443`
    Address { address: IpAddr, port: Option<String> },
    /// `example.com`, `.example.com`, `*.example.com`, `example.com:8443`
    Domain {
        /// With the dot that it begins with.
        suffix: String,
        /// Whether the domain itself is meant, besides the names below it.
        and_itself: bool,
        port: Option<String>,
    },
}

/// A range of addresses: all that begin with the same bits.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u32,
}

impl NoProxy {
    pub(super) fn parse(list: &str) -> Self {
        Self(list.split(',').filter_map(item).collect())
    }

    /// Whether a host is connected to directly. This computer itself always is.
    pub(super) fn exempts(&self, host: &Host<&str>, port: u16) -> bool {
        let port = port.to_string();
        let fits = |wanted: &Option<String>| wanted.as_ref().is_none_or(|wanted| *wanted == port);
        match host {
            Host::Domain(name) => {
                *name == "localhost"
                    || self.0.iter().any(|item| match item {
                        Item::Everything => true,
                        Item::Domain {
                            suffix,
                            and_itself,
                            port,
                        } => (name.ends_with(suffix) || *and_itself && *name == &suffix[1..]) && fits(port),
                        Item::Network(_) | Item::Address { .. } => false,
                    })
            }
            Host::Ipv4(address) => self.exempts_address(IpAddr::V4(*address), fits),
            Host::Ipv6(address) => self.exempts_address(IpAddr::V6(*address), fits),
        }
    }

    fn exempts_address(&self, host: IpAddr, fits: impl Fn(&Option<String>) -> bool) -> bool {
        let host = host.to_canonical();
        host.is_loopback()
            || self.0.iter().any(|item| match item {
                Item::Everything => true,
                Item::Network(network) => network.contains(host),
                Item::Address { address, port } => *address == host && fits(port),
                Item::Domain { .. } => false,
            })
    }
}

fn item(text: &str) -> Option<Item> {
    let text = text.trim().to_lowercase();
    if text == "*" {
        return Some(Item::Everything);
    }
    if let Some(network) = Network::parse(&text) {
        return Some(Item::Network(network));
    }
    let (host, port) = host_and_port(&text).unwrap_or((&text, ""));
    let port = (!port.is_empty()).then(|| port.to_owned());
    if let Ok(address) = host.parse::<IpAddr>() {
        let address = address.to_canonical();
        return Some(Item::Address { address, port });
    }
    let host = host
        .strip_prefix('*')
        .filter(|rest| rest.starts_with('.'))
        .unwrap_or(host);
    let (name, and_itself) = match host.strip_prefix('.') {
        Some(name) => (name, false),
        None if host.is_empty() => return None,
        None => (host, true),
    };
    Some(Item::Domain {
        suffix: format!(".{}", ascii(name)),
        and_itself,
        port,
    })
}

/// Splits `host:port` and `[host]:port`. None when there is no port, or it is not of this form.
fn host_and_port(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    let has_bracket = |text: &str| text.contains(['[', ']']);
    (!has_bracket(host) && !has_bracket(port)).then_some((host, port))
}

/// As the host of a URL is spelled.
fn ascii(name: &str) -> String {
    if name.is_ascii() {
        return name.to_owned();
    }
    match Host::parse(name) {
        Ok(Host::Domain(ascii)) => ascii,
        _ => name.to_owned(),
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let digits = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits: u32 = bits.parse().ok().filter(|_| digits)?;
        match (address, address.to_canonical()) {
            (IpAddr::V4(_), _) if bits > 32 => None,
            (IpAddr::V6(_), _) if bits > 128 => None,
            (IpAddr::V6(_), address @ IpAddr::V4(_)) if bits >= 96 => Some(Self {
                address,
                bits: bits - 96,
            }),
            (address, _) => Some(Self { address, bits }),
        }
    }

    fn contains(&self, host: IpAddr) -> bool {
        match (self.address, host) {
            (IpAddr::V4(network), IpAddr::V4(host)) => {
                let differs = network.to_bits() ^ host.to_bits();
                differs.checked_shr(32 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(host)) => {
                let differs = network.to_bits() ^ host.to_bits();
                differs.checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
