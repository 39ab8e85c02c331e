//! One ledger entry: all that is durably known of one share. PURE: data and its encoding, no client, no clock.
//!
//! The entry holds the capabilities of a link (metadata key, secret key, passphrase) and so lives only in a Secret of
//! the operator's own namespace. Its `Debug` shows none of them.

use super::hidden::Hidden;
use crate::api::share::ProviderRef;
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
    Burning(Share),
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
    /// Set when nothing more is done about a lost answer until a person acts.
    pub held: bool,
}

impl Attempt {
    /// Whether the service was asked to mail somebody.
    #[must_use]
    pub fn mails(&self) -> bool {
        self.recipient.is_some()
    }

    /// The hash of what a lost answer can be recognised by: attempts of one lane go one at a time.
    #[must_use]
    pub fn lane(&self) -> String {
        let ttl = self.ttl_seconds.to_string();
        let Route {
            endpoint, account, ..
        } = &self.route;
        let class = self
            .recipient
            .as_ref()
            .map(|recipient| recipient.class.as_str())
            .unwrap_or_default();
        short_hash(&[
            "lane",
            endpoint,
            account.as_deref().unwrap_or_default(),
            &ttl,
            class,
        ])
    }
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
    /// What the service said of it.
    pub facts: ShareFacts,
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
    /// What remains when the link's life is over: no key, no passphrase.
    #[must_use]
    pub fn finish(&self, how: Ending, at: Timestamp) -> Finished {
        Finished {
            attempt: self.attempt.clone(),
            how,
            at,
            facts: self.facts.clone(),
        }
    }
}
