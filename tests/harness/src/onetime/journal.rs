//! The ground truth: what was asked, what was stored, which mails went out, in one order.
//!
//! It must not decide anything: the rules of the service live in `create` and `receipt`.

use bytes::Bytes;

use super::route::Operation;

/// Where a share is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Made, not looked at.
    New,
    /// v0.23: somebody looked at the receipt. Says nothing about the recipient.
    Viewed,
    /// The secret was read.
    Received,
    /// Burned unread.
    Burned,
    /// Its lifetime passed, and somebody looked at the receipt afterwards.
    Expired,
}

impl State {
    /// The word in v1 answers (`v1-metadata-states`).
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Viewed => "viewed",
            Self::Received => "received",
            Self::Burned => "burned",
            Self::Expired => "expired",
        }
    }
}

/// One stored share.
#[derive(Clone, Debug)]
pub struct Share {
    /// Its place in the order of all events.
    pub order: u64,
    /// The order of the request that made it.
    pub request: u64,
    /// The key of its receipt.
    pub metadata_key: String,
    /// The key in its link.
    pub secret_key: String,
    /// The link as mailed.
    pub link: String,
    /// The value as stored, after the service's own truncation.
    pub value: Vec<u8>,
    /// The passphrase, in the clear: test data.
    pub passphrase: Option<String>,
    /// The lifetime granted, in seconds.
    pub ttl: u64,
    /// The recipients as the service understood them; only the first is mailed.
    pub recipients: Vec<String>,
    /// The recipient as sent.
    pub recipient_asked: Option<String>,
    /// The account, none when anonymous.
    pub account: Option<String>,
    /// The share domain in force.
    pub share_domain: Option<String>,
    /// Made by `generate`.
    pub generated: bool,
    /// When, in milliseconds of the logical clock.
    pub created_ms: i64,
    /// When its state last changed.
    pub updated_ms: i64,
    /// When the receipt was first looked at (v0.23).
    pub viewed_ms: Option<i64>,
    /// When it was read.
    pub received_ms: Option<i64>,
    /// When it was burned.
    pub burned_ms: Option<i64>,
    /// Its state. Expiry shows only once somebody looks; ask [`Share::is_live`].
    pub state: State,
}

impl Share {
    /// Can the link still be opened at `now_ms`?
    #[must_use]
    pub fn is_live(&self, now_ms: i64) -> bool {
        matches!(self.state, State::New | State::Viewed) && self.secret_left_ms(now_ms) > 0
    }

    /// What is left of the secret's lifetime.
    #[must_use]
    pub fn secret_left_ms(&self, now_ms: i64) -> i64 {
        self.created_ms + millis(self.ttl) - now_ms
    }

    /// What is left of the receipt's lifetime: twice the secret's (`v1-expired-secret`).
    #[must_use]
    pub fn receipt_left_ms(&self, now_ms: i64) -> i64 {
        self.created_ms + 2 * millis(self.ttl) - now_ms
    }
}

fn millis(seconds: u64) -> i64 {
    i64::try_from(seconds)
        .unwrap_or(i64::MAX / 4000)
        .saturating_mul(1000)
}

/// One mail that left the service.
#[derive(Clone, Debug)]
pub struct SentMail {
    /// Its place in the order of all events.
    pub order: u64,
    /// The address.
    pub to: String,
    /// The secret whose link it carries.
    pub secret_key: String,
    /// The link in it.
    pub link: String,
    /// The account that sent it.
    pub account: Option<String>,
    /// When, in milliseconds of the logical clock.
    pub at_ms: i64,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Not yet.
    Pending,
    /// Answered with this status.
    Answered(u16),
    /// The connection was reset on purpose.
    Reset,
    /// The connection was closed on purpose, without an answer.
    Closed,
    /// The client went away before its body was complete: nothing was done.
    Aborted,
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct SeenRequest {
    /// Its place in the order of all events.
    pub order: u64,
    /// The method.
    pub method: String,
    /// The path, every key replaced by `{key}`.
    pub path: String,
    /// The key in the path.
    pub key: Option<String>,
    /// What it asks for.
    pub operation: Operation,
    /// The user name of its credentials, right or wrong.
    pub account: Option<String>,
    /// When, in milliseconds of the logical clock.
    pub at_ms: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body, byte for byte.
    pub body: Bytes,
    /// Its parameters after decoding.
    pub params: Vec<(String, Vec<u8>)>,
    /// The number of its connection, to see reuse.
    pub connection: u64,
}

impl SeenRequest {
    /// The header of that (lower-case) name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// The parameter of that name.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&[u8]> {
        self.params
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_slice())
    }
}

/// Everything that happened, oldest first. A snapshot: later events are not in it.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// Every share that was ever stored, also after [`super::OnetimeServer::wipe`].
    pub shares: Vec<Share>,
    /// Every mail that left.
    pub mails: Vec<SentMail>,
    /// Every request that arrived.
    pub requests: Vec<SeenRequest>,
    /// How many connections were accepted.
    pub connections: u64,
}

impl Journal {
    /// The share behind a link's key.
    #[must_use]
    pub fn by_secret(&self, secret_key: &str) -> Option<&Share> {
        self.shares.iter().find(|share| share.secret_key == secret_key)
    }

    /// The mails to that address.
    #[must_use]
    pub fn mails_to(&self, address: &str) -> Vec<&SentMail> {
        self.mails.iter().filter(|mail| mail.to == address).collect()
    }

    /// How many requests asked for that.
    #[must_use]
    pub fn count(&self, operation: Operation) -> usize {
        self.requests
            .iter()
            .filter(|request| request.operation == operation)
            .count()
    }
}
