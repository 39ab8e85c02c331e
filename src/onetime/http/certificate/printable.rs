//! Text from a certificate, made safe to show.
//!
//! Whoever runs the server chooses it, and it ends up in a status, an event and a log.

use std::fmt::{self, Write};
use std::net::IpAddr;

/// The most characters of a distinguished name.
const NAME_LIMIT: usize = 100;
/// The most host names in a list.
const HOSTS: usize = 5;
/// The most characters of a list of host names, before what says how many are left out.
const HOSTS_LIMIT: usize = 200;
/// What is shown for each character that is not allowed.
const REPLACEMENT: char = '?';

/// Bounded text of harmless ASCII: no quotes, no slashes or colons (so no URL), no control characters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Printable(String);

/// A host name that a certificate covers.
pub(super) enum Host {
    Dns(String),
    Ip(IpAddr),
}

impl Printable {
    /// A distinguished name.
    pub(super) fn name(name: &impl fmt::Display) -> Self {
        let mut bounded = Bounded::new(NAME_LIMIT, |c| {
            c.is_ascii_alphanumeric() || r" .,-_=+*()&'\".contains(c)
        });
        // It fails when the limit is reached, or when the name cannot be shown: what there is, is enough.
        let _ = write!(bounded, "{name}");
        Self(bounded.end())
    }

    /// A list of host names.
    pub(super) fn hosts(hosts: &[Host]) -> Self {
        let mut shown: Vec<String> = Vec::new();
        let mut left = HOSTS_LIMIT;
        for host in hosts.iter().take(HOSTS) {
            let text = match host {
                Host::Dns(name) => host_name(name, left),
                Host::Ip(address) => address.to_string(),
            };
            if text.len() > left {
                break;
            }
            left = left.saturating_sub(text.len() + ", ".len());
            shown.push(text);
        }
        let mut text = shown.join(", ");
        match hosts.len() - shown.len() {
            0 => {}
            more => text.push_str(&format!(" and {more} more")),
        }
        Self(text)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Printable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn host_name(name: &str, limit: usize) -> String {
    let mut bounded = Bounded::new(limit, |c| c.is_ascii_alphanumeric() || ".-_*".contains(c));
    // It fails when the limit is reached.
    let _ = bounded.write_str(name);
    bounded.end()
}

/// Takes characters up to a limit, and replaces those that are not allowed.
struct Bounded {
    text: String,
    left: usize,
    cut: bool,
    allowed: fn(char) -> bool,
}

impl Bounded {
    const CUT: &'static str = "...";

    fn new(limit: usize, allowed: fn(char) -> bool) -> Self {
        Self {
            text: String::new(),
            left: limit,
            cut: false,
            allowed,
        }
    }

    fn end(mut self) -> String {
        if self.cut {
            let keep = self.text.len().saturating_sub(Self::CUT.len());
            self.text.truncate(keep);
            self.text.push_str(Self::CUT);
        }
        self.text
    }
}

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.left == 0 {
                self.cut = true;
                return Err(fmt::Error);
            }
            self.left -= 1;
            self.text.push(if (self.allowed)(c) { c } else { REPLACEMENT });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dns(names: &[&str]) -> String {
        let hosts: Vec<_> = names.iter().map(|name| Host::Dns((*name).to_owned())).collect();
        Printable::hosts(&hosts).to_string()
    }

    #[test]
    fn a_hostile_name_becomes_harmless() {
        let table = [
            ("CN=Corp Root CA (2026),O=A&B", "CN=Corp Root CA (2026),O=A&B"),
            ("CN=a\"b<script>\u{1b}[31m\r\n", "CN=a?b?script???31m??"),
            ("CN=http://evil.example/x?y", "CN=http???evil.example?x?y"),
            (
                "CN=\u{202e}\u{430}pple\u{0}{}`$|;%#@!~^[]",
                "CN=??pple???????????????",
            ),
            (r"O=Acme\, Inc", r"O=Acme\, Inc"),
            ("", ""),
        ];
        for (name, want) in table {
            assert_eq!(Printable::name(&name).to_string(), want);
        }
    }

    #[test]
    fn a_long_name_is_cut() {
        let exact = "x".repeat(100);
        assert_eq!(Printable::name(&exact).to_string(), exact);
        let cut = Printable::name(&"é".repeat(100_000)).to_string();
        assert_eq!(cut, format!("{}...", "?".repeat(97)));
    }

    #[test]
    fn a_name_that_fails_to_show_is_no_panic() {
        struct Broken;
        impl fmt::Display for Broken {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("CN=half")?;
                Err(fmt::Error)
            }
        }
        assert_eq!(Printable::name(&Broken).to_string(), "CN=half");
    }

    #[test]
    fn a_list_of_hosts_is_bounded() {
        assert_eq!(dns(&["a.example", "*.b.example"]), "a.example, *.b.example");
        assert_eq!(
            dns(&["1", "2", "3", "4", "5", "6", "7"]),
            "1, 2, 3, 4, 5 and 2 more"
        );
        assert_eq!(dns(&["a b,\"c\"/d:1", ""]), "a?b??c??d?1, ");
        let long = "x".repeat(150);
        assert_eq!(dns(&[&long, "y"]), format!("{long}, y"));
        let two = dns(&[&long, &long, "z"]);
        assert_eq!(two, format!("{long}, {}... and 1 more", "x".repeat(45)));
        let many = dns(&vec![long.as_str(); 100_000]);
        assert!(many.len() < 230, "{}", many.len());
        let addresses = [Host::Ip([127, 0, 0, 1].into()), Host::Ip([0; 16].into())];
        assert_eq!(Printable::hosts(&addresses).to_string(), "127.0.0.1, ::");
    }
}
