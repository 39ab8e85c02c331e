//! The server's memory: accounts, stored shares, counters, the logical clock.
//!
//! It must not know HTTP; whatever changes goes into the journal.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::answer::random_key;
use super::config::{Account, Config, Site};
use super::journal::{Journal, SentMail, Share};

/// What is counted against the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Counted {
    Create,
    Email,
    Look,
    Open,
    Burn,
    Status,
}

/// Everything behind the server's lock.
pub(super) struct Memory {
    pub(super) config: Config,
    pub(super) journal: Journal,
    /// How the site names itself: `http://127.0.0.1:1234`.
    pub(super) site_host: String,
    pub(super) site_scheme: &'static str,
    order: u64,
    /// The service's clock minus the machine's, in milliseconds.
    offset_ms: i64,
    /// Which shares the server still knows. A wipe empties these, never the journal.
    by_metadata: HashMap<String, usize>,
    by_secret: HashMap<String, usize>,
    counts: HashMap<(String, Counted), (i64, u32)>,
}

impl Memory {
    pub(super) fn new(config: Config, address: &str) -> Self {
        let Site { host, ssl } = config.site.clone().unwrap_or_else(|| Site {
            host: address.to_owned(),
            ssl: config.tls,
        });
        Self {
            config,
            journal: Journal::default(),
            site_host: host,
            site_scheme: if ssl { "https" } else { "http" },
            order: 0,
            offset_ms: 0,
            by_metadata: HashMap::new(),
            by_secret: HashMap::new(),
            counts: HashMap::new(),
        }
    }

    pub(super) fn now_ms(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(now.as_millis()).unwrap_or(i64::MAX) + self.offset_ms
    }

    pub(super) fn advance(&mut self, by: Duration) {
        self.offset_ms += i64::try_from(by.as_millis()).unwrap_or_default();
    }

    pub(super) fn set_clock(&mut self, seconds: i64) {
        self.offset_ms = seconds * 1000;
    }

    pub(super) fn next_order(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    pub(super) fn account(&self, username: &str, token: &str) -> Option<&Account> {
        self.config
            .accounts
            .iter()
            .find(|a| a.username == username && a.token == token && !token.is_empty())
    }

    pub(super) fn base_url(&self, share_domain: Option<&str>) -> String {
        format!(
            "{}://{}",
            self.site_scheme,
            share_domain.unwrap_or(&self.site_host)
        )
    }

    pub(super) fn fresh_key(&self) -> String {
        random_key(self.config.version.key_length())
    }

    pub(super) fn store(&mut self, mut share: Share) -> usize {
        share.order = self.next_order();
        let index = self.journal.shares.len();
        self.by_metadata.insert(share.metadata_key.clone(), index);
        self.by_secret.insert(share.secret_key.clone(), index);
        self.journal.shares.push(share);
        index
    }

    pub(super) fn mail(&mut self, to: &str, index: usize, account: Option<&str>) {
        let at_ms = self.now_ms();
        let order = self.next_order();
        if let Some(share) = self.journal.shares.get(index) {
            self.journal.mails.push(SentMail {
                order,
                to: to.to_owned(),
                secret_key: share.secret_key.clone(),
                link: share.link.clone(),
                account: account.map(str::to_owned),
                at_ms,
            });
        }
    }

    /// The share of a receipt that still exists.
    pub(super) fn receipt(&mut self, metadata_key: &str) -> Option<&mut Share> {
        let now = self.now_ms();
        let index = *self.by_metadata.get(metadata_key)?;
        self.journal
            .shares
            .get_mut(index)
            .filter(|share| share.receipt_left_ms(now) > 0)
    }

    /// The share of a link that can still be opened.
    pub(super) fn live_secret(&mut self, secret_key: &str) -> Option<&mut Share> {
        let now = self.now_ms();
        let index = *self.by_secret.get(secret_key)?;
        self.journal
            .shares
            .get_mut(index)
            .filter(|share| share.is_live(now))
    }

    /// Receipts of an account from the last 30 days that still exist, oldest first.
    pub(super) fn recent(&self, username: &str) -> Vec<&Share> {
        let now = self.now_ms();
        self.journal
            .shares
            .iter()
            .enumerate()
            .filter(|(index, share)| {
                self.by_metadata.get(&share.metadata_key) == Some(index)
                    && share.account.as_deref() == Some(username)
                    && share.receipt_left_ms(now) > 0
                    && now - share.created_ms < 30 * 86_400_000
            })
            .map(|(_, share)| share)
            .collect()
    }

    /// Forgets shares, accounts and counters, as when Redis comes back empty (`v1-redis-stopped`).
    pub(super) fn wipe(&mut self) {
        self.by_metadata.clear();
        self.by_secret.clear();
        self.counts.clear();
        self.config.accounts.clear();
    }

    pub(super) fn reset_counts(&mut self) {
        self.counts.clear();
    }

    /// Counts one more; false when that is too many.
    pub(super) fn allow(&mut self, who: &str, what: Counted) -> bool {
        let limits = &self.config.limits;
        let limit = match what {
            Counted::Create => limits.create,
            Counted::Email => limits.email,
            Counted::Look => limits.look,
            Counted::Open => limits.open,
            Counted::Burn => limits.burn,
            Counted::Status => limits.status,
        };
        let window = i64::try_from(limits.window.as_millis()).unwrap_or(i64::MAX);
        let Some(limit) = limit else { return true };
        let now = self.now_ms();
        let entry = self.counts.entry((who.to_owned(), what)).or_insert((now, 0));
        if now - entry.0 >= window {
            *entry = (now, 0);
        }
        entry.1 += 1;
        entry.1 <= limit
    }
}
