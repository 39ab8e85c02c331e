//! One ledger entry: all that is durably known of one share. PURE: data and its encoding, no client, no clock.
//!
//! The entry holds the capabilities of a link (metadata key, secret key, passphrase) and so lives only in a Secret of
//! the operator's own namespace. Its `Debug` shows none of them.

use super::attempt::Attempt;
use super::hash::{key_hash, random_id, short_hash};
use super::link::{Burning, Finished, Link};
use super::retry::Retry;
use crate::api::share::DeletionPolicy;
use kube::Resource;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

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
    /// The share's namespace and name. None without one of them, which the API server never allows.
    #[must_use]
    pub fn of(share: &impl Resource) -> Option<Self> {
        let meta = share.meta();
        Some(Self {
            namespace: meta.namespace.clone()?,
            name: meta.name.clone()?,
        })
    }

    /// Nobody: what stands where the owner is kept elsewhere.
    pub(super) fn blank() -> Self {
        Self {
            namespace: String::new(),
            name: String::new(),
        }
    }

    /// The name of the entry's Secret: a hash, because the two names together may be longer than a name may be.
    #[must_use]
    pub fn entry_name(&self) -> String {
        format!("ots-{}", short_hash(&["entry", &self.namespace, &self.name]))
    }
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
    /// The nonces of the last attempts of which `phase` and `superseded` no longer tell, newest last: what a status that
    /// names one of them says is older than this entry. At most [`MAX_RESOLVED`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolved: Vec<String>,
    /// The fields of the request, each with a hash of its value: which of them an edit changes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// The uid of the custom resource definition under which the share was last acted upon: while it is replaced, every
    /// share is missing and nobody deleted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crd_uid: Option<String>,
}

/// How many resolved attempts an entry remembers.
pub const MAX_RESOLVED: usize = 8;

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
        Self::with_salt(random_id(), value)
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
    Shared(Link),
    /// The link is being burned.
    Burning(Burning),
    /// The link's life is over.
    Finished(Finished),
}

impl Phase {
    /// The nonce of the attempt that is under way, in doubt, or made the link.
    #[must_use]
    pub fn attempt(&self) -> Option<&str> {
        match self {
            Self::Idle => None,
            Self::Intent(attempt) => Some(&attempt.nonce),
            Self::Shared(link) | Self::Burning(Burning { link, .. }) => Some(&link.attempt),
            Self::Finished(finished) => Some(&finished.attempt),
        }
    }
}

impl Entry {
    /// The hash of the metadata key of this entry's link, if it ever had one.
    #[must_use]
    pub fn key_hash(&self) -> Option<String> {
        match &self.phase {
            Phase::Idle | Phase::Intent(_) => None,
            Phase::Shared(link) | Phase::Burning(Burning { link, .. }) => {
                link.metadata_key.as_ref().map(|key| key_hash(key.expose()))
            }
            Phase::Finished(finished) => finished.key_hash.clone(),
        }
    }

    /// The hashes of the metadata keys of all links that this entry knows.
    pub fn key_hashes(&self) -> impl Iterator<Item = String> {
        let superseded = self.superseded.iter();
        let to_burn =
            superseded.filter_map(|attempt| Some(key_hash(attempt.metadata_key.as_ref()?.expose())));
        let known = self.key_hash().into_iter().chain(self.past.iter().cloned());
        known.chain(to_burn)
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

    /// The lost attempts of this entry, with one more. Where there is no room, the oldest goes of those whose links were
    /// looked for and not found.
    #[must_use]
    pub fn superseded_with(&self, attempt: Attempt) -> Vec<Attempt> {
        let mut superseded = self.superseded.clone();
        if superseded.len() >= MAX_SUPERSEDED
            && let Some(oldest) = superseded.iter().position(|attempt| attempt.found_none)
        {
            superseded.remove(oldest);
        }
        superseded.push(attempt);
        superseded
    }

    /// Whether so many attempts are lost that there is no room for another.
    #[must_use]
    pub fn has_too_many_lost(&self) -> bool {
        self.superseded
            .iter()
            .filter(|attempt| !attempt.found_none)
            .count()
            >= MAX_SUPERSEDED
    }

    /// Whether this entry holds an attempt or its link, is to burn it, or remembers that it is resolved.
    #[must_use]
    pub fn knows(&self, nonce: &str) -> bool {
        self.attempts().any(|known| known == nonce) || self.resolved.iter().any(|known| known == nonce)
    }

    /// The attempts that `phase` and `superseded` tell of.
    fn attempts(&self) -> impl Iterator<Item = &str> {
        let superseded = self.superseded.iter().map(|attempt| attempt.nonce.as_str());
        self.phase.attempt().into_iter().chain(superseded)
    }

    /// This entry as it follows another one: it remembers the attempts that it no longer tells of.
    #[must_use]
    pub(super) fn following(mut self, before: &Self) -> Self {
        let gone: Vec<String> = before
            .attempts()
            .filter(|nonce| !self.knows(nonce) && !mutant!("forget-resolved"))
            .map(str::to_owned)
            .collect();
        self.resolved.extend(gone);
        let forgotten = self.resolved.len().saturating_sub(MAX_RESOLVED);
        self.resolved.drain(..forgotten);
        self
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
