//! What the service tells about a share.
//!
//! Owns: the types of answers. Must not: parse (see `wire/json.rs`) or decide what a
//! state means for the resource.

use std::fmt;

use jiff::Timestamp;
use secrecy::SecretString;
use std::time::Duration;

use super::keys::{MetadataKey, SecretKey};

/// The state of a receipt, with the names of both versions' APIs folded together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// `new`; also `shared`. Nobody has opened it.
    New,
    /// `viewed`, on v0.26's v2 `previewed`: somebody looked, perhaps only we, by
    /// asking for the receipt (v1-metadata-states.json, v0.23). Says nothing about
    /// the recipient.
    Viewed,
    /// `received`, on v0.26's v2 `revealed`: the secret was read (v2-basics.json).
    Received,
    /// `burned` (v1-burn.json).
    Burned,
    /// `expired` (v1-expired-secret.json).
    Expired,
    /// `orphaned`: its secret is gone for another reason. Not recorded; v2 has a flag of that name.
    Orphaned,
    /// A state that no recorded answer has: a short word of letters, or `unreadable`.
    Other(String),
}

impl State {
    pub(super) fn from_word(word: Option<&str>) -> Self {
        match word.unwrap_or_default() {
            "new" | "shared" => Self::New,
            "viewed" | "previewed" => Self::Viewed,
            "received" | "revealed" => Self::Received,
            "burned" => Self::Burned,
            "expired" => Self::Expired,
            "orphaned" => Self::Orphaned,
            word if (1..=24).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase()) => {
                Self::Other(word.to_owned())
            }
            _ => Self::Other("unreadable".to_owned()),
        }
    }

    /// Whether the secret is gone for good: received, burned or expired.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Received | Self::Burned | Self::Expired)
    }
}

/// A share as the service made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The account's name, `anon` for an anonymous share; empty when unusable.
    pub custid: String,
    /// The key for looking and burning.
    pub metadata_key: MetadataKey,
    /// The key in the link.
    pub secret_key: SecretKey,
    /// The lifetime as granted, in seconds. May differ from the one asked for:
    /// the service clamps silently (v1-share-ttl.json).
    pub ttl_seconds: Option<u64>,
    /// The time left for the receipt, in seconds.
    pub metadata_ttl_seconds: Option<u64>,
    /// The time left for the secret, in seconds.
    pub secret_ttl_seconds: Option<u64>,
    /// The recipients as the service obscures them. Empty: no mail was sent
    /// (v1-share-recipient.json, v0.23: "TLD of 5 letters"). Not empty does not prove
    /// that mail went out: it is the same while the mail server is down
    /// (v1-smtp-down.json, both versions).
    pub recipient: Vec<String>,
    /// When the share was made, on the service's clock.
    pub created_at: Option<Timestamp>,
    /// When it was last changed, on the service's clock.
    pub updated_at: Option<Timestamp>,
    /// Whether a passphrase is needed.
    pub passphrase_required: bool,
    /// The domain of the link, lowercased; none when the answer names none. Trust it
    /// only when it is the one asked for.
    pub share_domain: Option<String>,
    /// `New`, on all recorded answers.
    pub state: State,
}

/// A generated share with its value.
#[derive(Clone)]
pub struct Generated {
    /// The share.
    pub created: Created,
    /// The generated value, given once.
    pub value: SecretString,
}

impl fmt::Debug for Generated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generated")
            .field("created", &self.created)
            .field("value", &"[redacted]")
            .finish()
    }
}

/// A receipt: what became of a share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The account's name; empty when unusable.
    pub custid: String,
    /// The key that was asked for.
    pub metadata_key: MetadataKey,
    /// The key in the link, while the secret lives. An expired secret may still have it.
    pub secret_key: Option<SecretKey>,
    /// What became of it.
    pub state: State,
    /// The lifetime as granted, in seconds.
    pub ttl_seconds: Option<u64>,
    /// The time left for the receipt, in seconds.
    pub metadata_ttl_seconds: Option<u64>,
    /// The time left for the secret, in seconds; none when the secret is gone.
    pub secret_ttl_seconds: Option<u64>,
    /// The recipients as the service obscures them.
    pub recipient: Vec<String>,
    /// When the share was made, on the service's clock.
    pub created_at: Option<Timestamp>,
    /// When it was last changed, on the service's clock: the time of burning for a burned one.
    pub updated_at: Option<Timestamp>,
    /// When it was received (v1-metadata-states.json).
    pub received_at: Option<Timestamp>,
    /// Whether a passphrase is needed; not told once the secret is gone.
    pub passphrase_required: Option<bool>,
    /// The domain of the link, lowercased.
    pub share_domain: Option<String>,
}

impl Receipt {
    /// The service's clock when it answered: `metadata_ttl` counts down from twice the ttl, on both recorded versions
    /// (v1-expired-secret.json). None where the receipt does not tell, or tells of another lifetime.
    #[must_use]
    pub fn now(&self) -> Option<Timestamp> {
        let life = self.ttl_seconds?.checked_mul(2)?;
        let age = life.checked_sub(self.metadata_ttl_seconds?)?;
        let age = jiff::SignedDuration::from_secs(i64::try_from(age).ok()?);
        self.created_at?.checked_add(age).ok()
    }
}

/// One entry of the list of an account's receipts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentReceipt {
    /// The key for looking and burning.
    pub metadata_key: MetadataKey,
    /// The key in the link, where the list has it: v0.26 calls it `secret_identifier`
    /// (v1-recent.json), v0.23 has only its first letters (v2-burn-and-recent.json).
    pub secret_key: Option<SecretKey>,
    /// What became of it.
    pub state: State,
    /// The lifetime as granted, in seconds: `ttl` in v1, `secret_ttl` in v2.
    pub ttl_seconds: Option<u64>,
    /// The recipients as the service obscures them.
    pub recipient: Vec<String>,
    /// When the share was made, on the service's clock.
    pub created_at: Timestamp,
    /// When it was last changed, on the service's clock.
    pub updated_at: Option<Timestamp>,
    /// When it was received.
    pub received_at: Option<Timestamp>,
    /// When it was burned (v2 only).
    pub burned_at: Option<Timestamp>,
    /// Whether a passphrase is needed (v2 only).
    pub passphrase_required: Option<bool>,
    /// The domain of the link, lowercased.
    pub share_domain: Option<String>,
}

/// Which API gave the list of receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Via {
    /// `/api/v1/private/recent` (v0.26).
    V1,
    /// `/api/v2/private/recent` (v0.23, whose v1 is broken: v1-recent.json).
    V2,
}

/// The receipts of an account of the last 30 days: all of them, the service does not page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recent {
    /// The receipts, in the order of the service.
    pub receipts: Vec<RecentReceipt>,
    /// Where they come from.
    pub via: Via,
    /// The service's clock when it made the list, as the list itself tells it: `details.now` in v2 (v2-basics.json); in
    /// v0.26's v1, where `metadata_ttl` counts down from twice the ttl (v1-recent.json), what all entries that tell it
    /// agree on within [`CLOCKS_AGREE`]. None where the list does not tell.
    pub now: Option<Timestamp>,
    /// How long the answer was, in bytes.
    pub bytes: usize,
}

/// How far the entries of one list may differ about the service's clock. It tells whole seconds.
pub const CLOCKS_AGREE: Duration = Duration::from_secs(2);

/// What `/api/v1/status` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServerStatus {
    /// Whether the status is `nominal` (v1-status.json).
    pub nominal: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_tells_the_services_clock() {
        let created = Timestamp::UNIX_EPOCH;
        let receipt = |ttl_seconds, metadata_ttl_seconds, created_at| Receipt {
            custid: String::new(),
            metadata_key: MetadataKey::parse(&"k".repeat(31)).unwrap(),
            secret_key: None,
            state: State::New,
            ttl_seconds,
            metadata_ttl_seconds,
            secret_ttl_seconds: None,
            recipient: Vec::new(),
            created_at,
            updated_at: None,
            received_at: None,
            passphrase_required: None,
            share_domain: None,
        };
        // v1-expired-secret.json, exchange 5: looked at 62 s after it was created.
        let now = receipt(Some(60), Some(58), Some(created)).now();
        assert_eq!(now, Some(created + jiff::SignedDuration::from_secs(62)));
        for untold in [
            receipt(None, Some(58), Some(created)),
            receipt(Some(60), None, Some(created)),
            receipt(Some(60), Some(58), None),
            // Another lifetime of receipts than any recorded one.
            receipt(Some(60), Some(121), Some(created)),
            receipt(Some(u64::MAX), Some(1), Some(created)),
        ] {
            assert_eq!(untold.now(), None, "{untold:?}");
        }
    }
}
