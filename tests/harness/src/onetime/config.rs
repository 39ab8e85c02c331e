//! The configuration of a fake server: version, accounts, limits, mail.
//!
//! Plain data only: nothing here answers a request.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Which real server is imitated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Recorded in `tests/contract/v0.23.6`.
    V0_23,
    /// Recorded in `tests/contract/v0.26.6`.
    V0_26,
}

impl Version {
    /// The length of metadata and secret keys (`v1-share-anonymous`).
    #[must_use]
    pub fn key_length(self) -> usize {
        match self {
            Self::V0_23 => 31,
            Self::V0_26 => 62,
        }
    }

    /// The length of `secret_shortkey` in the answer to a burn (`v1-burn`).
    #[must_use]
    pub fn short_key_length(self) -> usize {
        match self {
            Self::V0_23 => 6,
            Self::V0_26 => 8,
        }
    }

    /// The longest lifetime an account is granted (`v1-share-ttl`): 14 or 30 days.
    #[must_use]
    pub fn account_max_ttl(self) -> u64 {
        match self {
            Self::V0_23 => 1_209_600,
            Self::V0_26 => 2_592_000,
        }
    }

    /// The shortest passphrase (`v1-share-passphrase-limits`).
    #[must_use]
    pub fn passphrase_minimum(self) -> usize {
        match self {
            Self::V0_23 => 8,
            Self::V0_26 => 4,
        }
    }

    /// The most characters that `generate` makes (`v1-generate`); v0.23 has no limit.
    #[must_use]
    pub fn generate_maximum(self) -> Option<usize> {
        match self {
            Self::V0_23 => None,
            Self::V0_26 => Some(128),
        }
    }
}

/// An account that may authenticate.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user name, an e-mail address. Compared exactly (`v1-authcheck`).
    pub username: String,
    /// The API token.
    pub token: String,
    /// The longest lifetime granted; the version's own when absent.
    pub max_ttl: Option<u64>,
}

impl Account {
    /// An account with the version's own longest lifetime.
    #[must_use]
    pub fn new(username: &str, token: &str) -> Self {
        Self {
            username: username.to_owned(),
            token: token.to_owned(),
            max_ttl: None,
        }
    }
}

/// What the site's own mail server does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MailServer {
    /// Mail arrives.
    #[default]
    Up,
    /// Refuses connections: the answer is 200 all the same and no mail is sent (`v1-smtp-down`).
    Down,
    /// Accepts and never answers. v0.23 holds the whole server meanwhile
    /// (`v1-smtp-stall-blocks-server`: 5 s); v0.26 answers at once. No mail is sent.
    Stalled {
        /// How long the fake server really holds. Its answer says 5 s all the same.
        held: Duration,
    },
}

/// How often a caller may do what, per window. Counted per account, else per address.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The window; 20 minutes as recorded.
    pub window: Duration,
    /// Creations. v0.26 counts only anonymous callers (`v1-rate-limit`).
    pub create: Option<u32>,
    /// Creations with a recipient (v0.23 only).
    pub email: Option<u32>,
    /// Looks at a receipt (v0.23 only).
    pub look: Option<u32>,
    /// Readings of a secret (v0.23 only).
    pub open: Option<u32>,
    /// Burns (v0.23 only).
    pub burn: Option<u32>,
    /// Calls of `status` (v0.23 only).
    pub status: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(20 * 60),
            create: None,
            email: None,
            look: None,
            open: None,
            burn: None,
            status: None,
        }
    }
}

/// The site as it names itself in links, when that is not its listening address (`v1-link-form`).
#[derive(Clone, Debug)]
pub struct Site {
    /// Host, with a port if need be.
    pub host: String,
    /// Links are https.
    pub ssl: bool,
}

/// The configuration of a fake server.
#[derive(Clone, Debug)]
pub struct Config {
    /// The imitated version.
    pub version: Version,
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Serve TLS with a certificate of a CA made for this server.
    pub tls: bool,
    /// Who may authenticate.
    pub accounts: Vec<Account>,
    /// Registered share domains; none means that the feature is off (the answers are the same).
    pub domains: Vec<String>,
    /// The shortest passphrase; the version's own when absent.
    pub passphrase_minimum: Option<usize>,
    /// Refuse shares without a passphrase (`v1-passphrase-required`).
    pub passphrase_required: bool,
    /// `AUTH_ENABLED=false` (`v1-auth-disabled`).
    pub auth_enabled: bool,
    /// Rate limits; none unless a test asks.
    pub limits: Limits,
    /// What the mail server does.
    pub mail: MailServer,
    /// How the site names itself; the listening address when absent.
    pub site: Option<Site>,
    /// The shortest lifetime in seconds that the site grants, whatever is asked for (`ttl_options`); 60 as recorded when
    /// absent.
    pub ttl_minimum: Option<u64>,
}

impl Config {
    /// A server without accounts, TLS, limits or share domains, on a free port of 127.0.0.1.
    #[must_use]
    pub fn new(version: Version) -> Self {
        Self {
            version,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tls: false,
            accounts: Vec::new(),
            domains: Vec::new(),
            passphrase_minimum: None,
            passphrase_required: false,
            auth_enabled: true,
            limits: Limits::default(),
            mail: MailServer::Up,
            site: None,
            ttl_minimum: None,
        }
    }

    /// The same with one account more.
    #[must_use]
    pub fn account(mut self, username: &str, token: &str) -> Self {
        self.accounts.push(Account::new(username, token));
        self
    }

    /// The same over TLS.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }
}
