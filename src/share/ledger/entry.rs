//! One ledger entry: all that is durably known of one share. PURE: data and its encoding, no client, no clock.
//!
//! The entry holds the capabilities of a link (metadata key, secret key, passphrase) and so lives only in a Secret of
//! the operator's own namespace. Its `Debug` shows none of them.

use super::hidden::Hidden;
use crate::api::share::{DeletionPolicy, ProviderRef, SecretKeyRef};
use crate::share::problem::Problem;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The layout that this operator writes. It reads no other: a newer one stalls the share instead of losing data.
pub const FORMAT: u32 = 1;

/// The share that an entry belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Owner {
    /// Namespace of the share.
    pub namespace: String,
    /// Name of the share.
    pub name: String,
}

impl Owner {
    /// The name of the entry's Secret: a hash, because the two names together may be longer than a name may be.
    #[must_use]
    pub fn entry_name(&self) -> String {
        format!("ots-{}", short_hash(&["entry", &self.namespace, &self.name]))
    }
}

/// 40 hex digits of SHA-256 over the parts, each with its length, so that no two lists collide.
#[must_use]
pub fn short_hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut text = hex::encode(hash.finalize());
    text.truncate(40);
    text
}

/// All that is durably known of one share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// [`FORMAT`] of the writer.
    pub format: u32,
    /// New with every write, so that a writer whose answer was lost can tell its own write from another's.
    pub write: String,
    /// The share that this entry belongs to.
    pub owner: Owner,
    /// The uid of the namespace `kube-system`: which cluster wrote this.
    pub cluster: String,
    /// The uid of the share when the request was last acted upon.
    pub share_uid: String,
    /// The generation of the share when the request was last acted upon.
    pub generation: i64,
    /// The request that `phase` speaks of.
    pub request: RequestKey,
    /// How far the request has come.
    pub phase: Phase,
    /// When to try again, and why it failed.
    pub retry: Retry,
    /// What happens to a living link when the share is deleted: it cannot be asked for then.
    pub deletion: DeletionPolicy,
    /// The value that was sent, in a form that only tells whether another one is the same. Only kept when a changed
    /// value is a new request.
    pub content: Option<ContentMark>,
    /// Attempts of earlier requests whose answers were lost: looked for only to be burned. At most
    /// [`MAX_SUPERSEDED`].
    pub superseded: Vec<Attempt>,
    /// The hashes of the metadata keys of links that `phase` no longer tells of, newest last, so that none of them is
    /// taken for a lost one. At most [`MAX_PAST`].
    #[serde(default)]
    pub past: Vec<String>,
}

/// How many links of earlier requests an entry remembers: more than can be made while the receipt of the first one
/// still looks like that of a new attempt.
pub const MAX_PAST: usize = 32;

/// How many lost attempts of earlier requests an entry holds.
pub const MAX_SUPERSEDED: usize = 8;

/// A salted hash of a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentMark {
    /// Random, new with every mark.
    pub salt: String,
    /// Hex of SHA-256 over salt and value.
    pub digest: String,
}

impl ContentMark {
    /// Marks a value with a new salt.
    #[must_use]
    pub fn new(value: &str) -> Self {
        Self::with_salt(super::random_id(), value)
    }

    /// Marks a value with the salt of another mark, to compare the two.
    #[must_use]
    pub fn with_salt(salt: String, value: &str) -> Self {
        let digest = hex::encode(Sha256::new().chain_update(&salt).chain_update(value).finalize());
        Self { salt, digest }
    }
}

/// What identifies a request: at most one link and one e-mail for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestKey {
    /// Version of the fingerprint's algorithm.
    pub version: u32,
    /// What the recipient would notice, hashed.
    pub fingerprint: String,
    /// Counts requests of this share, so that going back to an earlier spec is a new request.
    pub epoch: u64,
}

impl RequestKey {
    /// The opaque form that the status carries.
    #[must_use]
    pub fn status_form(&self) -> String {
        format!("{}-{}-{}", self.version, self.fingerprint, self.epoch)
    }

    /// Reads the opaque form of the status. None when it is not ours.
    #[must_use]
    pub fn from_status_form(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        let version = parts.next()?.parse().ok()?;
        let fingerprint = parts.next()?.to_owned();
        let epoch = parts.next()?.parse().ok()?;
        Some(Self {
            version,
            fingerprint,
            epoch,
        })
    }
}

/// How far a request has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Nothing was sent, or what was sent was refused: no link can exist.
    Idle,
    /// A POST may be under way, or its answer was lost.
    Intent(Attempt),
    /// The link exists.
    Shared(Share),
    /// The link is being burned.
    Burning(Burning),
    /// The link's life is over.
    Finished(Finished),
}

/// One try to create a link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Names this try. Random.
    pub nonce: String,
    /// Wall clock of the writer when the intent was written.
    pub started_at: Timestamp,
    /// Seconds after which the writer certainly sends no more.
    pub deadline_seconds: u64,
    /// Where it is sent.
    pub route: Route,
    /// The lifetime in seconds that is asked for.
    pub ttl_seconds: u64,
    /// By what the recipient can be recognised in the service's list. None when nobody is mailed.
    pub recipient: Option<Recipient>,
    /// The passphrase, needed to burn the link.
    pub passphrase: Option<Hidden>,
    /// Where a generated value goes; None when the value is that of a Secret.
    pub target: Option<SecretKeyRef>,
    /// Set when nothing more is done about a lost answer until a person acts.
    pub held: bool,
}

impl Attempt {
    /// Whether the service was asked to mail somebody.
    #[must_use]
    pub fn mails(&self) -> bool {
        self.recipient.is_some()
    }

    /// The lane of this attempt.
    #[must_use]
    pub fn lane(&self) -> String {
        lane(&self.route, self.recipient.as_ref())
    }
}

/// The hash of what a lost answer can be recognised by: attempts of one lane go one at a time. The lifetime is no
/// part of it, because a shorter one fits wherever a longer one was asked for.
#[must_use]
pub fn lane(route: &Route, recipient: Option<&Recipient>) -> String {
    let class = recipient
        .map(|recipient| recipient.class.as_str())
        .unwrap_or_default();
    short_hash(&[
        "lane",
        &route.endpoint,
        route.account.as_deref().unwrap_or_default(),
        class,
    ])
}

/// By what a recipient can be recognised in the service's list of receipts. The address itself is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// Two addresses that the service may show alike are of one class.
    pub class: String,
    /// The forms in which the service may show the address.
    pub forms: Vec<String>,
}

/// Where a share was sent: enough to burn it when the provider is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The provider at that time.
    pub provider: ProviderRef,
    /// Base URL of the server.
    pub endpoint: String,
    /// Additional authorities, PEM.
    pub ca_bundle: Option<String>,
    /// The account's name; None for anonymous.
    pub account: Option<String>,
    /// The custom domain that was asked for.
    pub share_domain: Option<String>,
}

impl Route {
    /// The hash of server and account: whose links are in one list of the service.
    #[must_use]
    pub fn hash(&self) -> String {
        short_hash(&[
            "route",
            &self.endpoint,
            self.account.as_deref().unwrap_or_default(),
        ])
    }
}

/// A link that exists, or did until it is seen to be gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The try that made it.
    pub attempt: String,
    /// Where it is.
    pub route: Route,
    /// The capability to look at it and to burn it. None after a rebuild from a status.
    pub metadata_key: Option<Hidden>,
    /// The last part of the link.
    pub secret_key: Hidden,
    /// The link.
    pub link: Hidden,
    /// The passphrase, needed to burn the link.
    pub passphrase: Option<Hidden>,
    /// A generated value that is not in its Secret yet.
    pub undelivered: Option<Undelivered>,
    /// What the service said of it.
    pub facts: ShareFacts,
}

/// A generated value on its way to its Secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Undelivered {
    /// The value.
    pub value: Hidden,
    /// Where it goes.
    pub target: SecretKeyRef,
}

/// A link that is being burned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Burning {
    /// The link.
    pub share: Share,
    /// Why.
    pub why: BurnReason,
}

/// Why a link is burned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BurnReason {
    /// The spec asks for another one.
    Replaced,
    /// The share was deleted.
    Deleted,
    /// The generated value was lost with the answer.
    ValueLost,
    /// The service mailed it to another address than the one that was asked for.
    MailedElsewhere,
    /// A user asked for it.
    Asked,
}

impl BurnReason {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::Replaced,
        Self::Deleted,
        Self::ValueLost,
        Self::MailedElsewhere,
        Self::Asked,
    ];
}

/// What the service said of a share: nothing here is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareFacts {
    /// The lifetime in seconds that was asked for.
    pub asked_ttl_seconds: u64,
    /// The lifetime in seconds that was granted.
    pub ttl_seconds: u64,
    /// When the service created it, by the service's clock.
    pub created_at: Timestamp,
    /// When it stops working, by the service's clock.
    pub expires_at: Timestamp,
    /// Whether mailing was asked for.
    pub mail_asked: bool,
    /// The recipients whom the service says it mailed, obscured by the service.
    pub recipients: Vec<String>,
    /// Whether none of them can be the one that was asked for: v0.23 cuts addresses that it does not understand.
    pub mailed_elsewhere: bool,
    /// Whether a passphrase is needed.
    pub passphrase_required: bool,
    /// The custom domain of the link.
    pub share_domain: Option<String>,
    /// The account as the service names it.
    pub custid: String,
}

/// The end of a link's life. Carries no key any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// The try that made the link.
    pub attempt: String,
    /// How it ended.
    pub how: Ending,
    /// When, as exactly as the service tells.
    pub at: Timestamp,
    /// Why it was burned by us; None when it ended by itself.
    pub burned_for: Option<BurnReason>,
    /// The hash of server and account.
    pub route: String,
    /// The hash of its metadata key, by which the service's list is compared with the ledger.
    pub key_hash: Option<String>,
    /// What the service said of it.
    pub facts: ShareFacts,
}

/// How a link's life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Ending {
    /// Somebody opened it.
    Received,
    /// Burned unread.
    Burned,
    /// Expired unread.
    Expired,
}

/// When to try again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// Failures since the last success.
    pub failures: u32,
    /// Not before this time, by the wall clock.
    pub not_before: Option<Timestamp>,
    /// What failed last.
    pub problem: Option<Problem>,
}

impl Share {
    /// What remains when the link's life is over: no key, no passphrase, no value.
    #[must_use]
    pub fn finish(&self, how: Ending, at: Timestamp, burned_for: Option<BurnReason>) -> Finished {
        Finished {
            attempt: self.attempt.clone(),
            how,
            at,
            burned_for,
            route: self.route.hash(),
            key_hash: self.metadata_key.as_ref().map(|key| key_hash(key.expose())),
            facts: self.facts.clone(),
        }
    }
}

/// The hash by which a metadata key is known without holding it.
#[must_use]
pub fn key_hash(metadata_key: &str) -> String {
    short_hash(&["metadata key", metadata_key])
}

impl Entry {
    /// The hash of the metadata key of this entry's link, if it ever had one.
    #[must_use]
    pub fn key_hash(&self) -> Option<String> {
        match &self.phase {
            Phase::Idle | Phase::Intent(_) => None,
            Phase::Shared(share) | Phase::Burning(Burning { share, .. }) => {
                share.metadata_key.as_ref().map(|key| key_hash(key.expose()))
            }
            Phase::Finished(finished) => finished.key_hash.clone(),
        }
    }

    /// The hashes of the metadata keys of all links that this entry knows.
    pub fn key_hashes(&self) -> impl Iterator<Item = String> {
        let past = self.past.iter().filter(|_| !mutant!("forget-past"));
        self.key_hash().into_iter().chain(past.cloned())
    }

    /// What the next entry of this share remembers of the links up to now, and of one more.
    #[must_use]
    pub fn past_with(&self, key_hash: Option<String>) -> Vec<String> {
        let mut past = self.past.clone();
        past.extend(key_hash);
        let forgotten = past.len().saturating_sub(MAX_PAST);
        past.drain(..forgotten);
        past
    }

    /// Every attempt whose outcome is not known.
    pub fn unresolved(&self) -> impl Iterator<Item = &Attempt> {
        let current = match &self.phase {
            Phase::Intent(attempt) => Some(attempt),
            Phase::Idle | Phase::Shared(_) | Phase::Burning(_) | Phase::Finished(_) => None,
        };
        current.into_iter().chain(&self.superseded)
    }
}
