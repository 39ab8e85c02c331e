//! Which network addresses may be connected to.
//!
//! Owns: the list of special ranges. Must not: resolve names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which addresses a client may connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressPolicy {
    /// All of them.
    Any,
    /// Only addresses of the public internet: none that is private, loopback,
    /// link-local, shared (CGNAT), multicast, unspecified, broadcast, reserved or for
    /// documentation, also when embedded in an IPv6 address.
    PublicOnly,
}

impl AddressPolicy {
    /// Whether the address may be connected to.
    pub fn allows(self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::Any, _) => true,
            (Self::PublicOnly, IpAddr::V4(address)) => is_public_v4(address),
            (Self::PublicOnly, IpAddr::V6(address)) => is_public_v6(address),
        }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = a == 0
        || a >= 240 // reserved and broadcast
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || (a == 100 && b & 0xc0 == 64) // CGNAT
        || (a == 192 && b == 0 && c == 0) // protocol assignments
        || (a == 192 && b == 88 && c == 99) // 6to4 relays
        || (a == 198 && b & 0xfe == 18); // benchmarking
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        // ::ffff:0:0/96 mapped, 64:ff9b::/96 NAT64, 2002::/16 6to4
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        // protocol assignments 2001::/23 (Teredo, ORCHID, benchmarking), documentation
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Only 2000::/3 is the public internet; loopback, unique local, link-local,
        // site-local, multicast and all other special ranges are outside of it.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_not_public() {
        let denied = "0.0.0.0 0.1.2.3 10.1.2.3 100.64.0.1 100.127.255.255 127.0.0.1 127.1.2.3 169.254.169.254 \
            172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 \
            198.51.100.7 203.0.113.9 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 \
            :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 64:ff9b::10.0.0.1 \
            64:ff9b::7f00:1 64:ff9b:1::1 2002:7f00:1:: 2002:a00:1:: 2002:c0a8:101::1 fc00::1 fd12:3456::1 \
            fe80::1 fec0::1 ff02::1 2001:db8::1 3fff::1 2001::1 2001:2::1 2001:10::1 100::1 5f00::1";
        for text in denied.split_whitespace() {
            let address: IpAddr = text.parse().unwrap();
            assert!(!AddressPolicy::PublicOnly.allows(address), "{text}");
            assert!(AddressPolicy::Any.allows(address), "{text}");
        }
        let allowed = "1.1.1.1 8.8.8.8 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 192.0.1.1 198.20.0.1 \
            223.255.255.255 2606:4700::1111 2a00:1450:4001::1 ::ffff:8.8.8.8 64:ff9b::8.8.8.8 2002:808:808::1";
        for text in allowed.split_whitespace() {
            assert!(AddressPolicy::PublicOnly.allows(text.parse().unwrap()), "{text}");
        }
    }
}
