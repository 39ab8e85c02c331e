//! One entry as the index holds it: what is asked of all entries can be read, the rest is packed. PURE.
//!
//! There may be very many of them, and most are settled: nobody opens those from one day to the next.

use super::attempt::Route;
use super::codec::CodecError;
use super::entry::{Entry, Owner, Phase};
use super::interned::{Interned, KnownRoute};
use super::link::{Burning, Link};
use super::versioned::Versioned;
use crate::api::share::DeletionPolicy;
use crate::kubernetes::definition::Seen;
use crate::packed::Packed;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use std::sync::Arc;

/// The JSON that most entries have much in common with.
const SAMPLE: &str = include_str!("line/sample.json");

/// One entry, at one version of it.
#[derive(Debug)]
pub struct Line {
    owner: Owner,
    version: Box<str>,
    /// When the Secret was created, by the API server's clock.
    created: Option<Timestamp>,
    cluster: Arc<str>,
    definition: Option<Arc<str>>,
    deletion: DeletionPolicy,
    has_superseded: bool,
    has_past: bool,
    stage: Stage,
    body: Packed,
}

/// How far the request of an entry has come.
#[derive(Debug)]
pub enum Stage {
    /// As [`Phase::Idle`].
    Idle {
        /// Nothing was ever sent.
        is_blank: bool,
    },
    /// As [`Phase::Intent`].
    Intent {
        /// Whether a person must decide.
        on_hold: bool,
        /// Where it was sent.
        route: Arc<KnownRoute>,
    },
    /// As [`Phase::Shared`].
    Shared(LinkLine),
    /// As [`Phase::Burning`].
    Burning(LinkLine),
    /// As [`Phase::Finished`].
    Finished {
        /// When the link ended.
        at: Timestamp,
        /// How long it was to live, in seconds.
        ttl_seconds: u64,
        /// The hash of its account. None for entries of the first version.
        account: Option<Arc<str>>,
        /// The hash of its metadata key, where that is known.
        key_hash: Option<KeyHash>,
    },
}

/// A link whose end is not known.
#[derive(Debug)]
pub struct LinkLine {
    /// Where it was made.
    pub route: Arc<KnownRoute>,
    /// The nonce of its attempt.
    pub attempt: Box<str>,
    /// The hash of its metadata key, where that is known.
    pub key_hash: Option<KeyHash>,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Whether the service no longer tells of it.
    pub outcome_unknown: bool,
    /// Whether its value must still be written to a Secret.
    pub is_undelivered: bool,
}

/// The hash of a metadata key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 20]);

impl KeyHash {
    /// The hash of this key.
    #[must_use]
    pub fn of(metadata_key: &str) -> Option<Self> {
        Self::parse(&super::hash::key_hash(metadata_key))
    }

    /// Reads what [`super::key_hash`] gives.
    fn parse(hash: &str) -> Option<Self> {
        let mut bytes = [0; 20];
        hex::decode_to_slice(hash, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl std::fmt::Display for KeyHash {
    /// As [`super::key_hash`] gives it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl LinkLine {
    fn new(link: &mut Link, interned: &mut Interned) -> Self {
        let key = link.metadata_key.as_ref();
        Self {
            // One copy for all links there, with its CA.
            route: interned.route(std::mem::replace(&mut link.route, Route::blank())),
            attempt: std::mem::take(&mut link.attempt).into(),
            key_hash: key.and_then(|key| KeyHash::of(key.expose())),
            expires_at: link.facts.expires_at,
            outcome_unknown: link.outcome_unknown,
            is_undelivered: link.undelivered.is_some(),
        }
    }
}

impl Line {
    /// The line of an entry that this Secret holds.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] when it cannot be packed, which would be a mistake in this program.
    pub(super) fn new(
        secret: &Secret,
        mut entry: Entry,
        interned: &mut Interned,
    ) -> Result<Self, CodecError> {
        let is_blank = entry.request.epoch == 0 && entry.superseded.is_empty();
        let stage = match &mut entry.phase {
            Phase::Idle => Stage::Idle { is_blank },
            Phase::Intent(attempt) => Stage::Intent {
                on_hold: attempt.needs_decision,
                route: interned.route(std::mem::replace(&mut attempt.route, Route::blank())),
            },
            Phase::Shared(link) => Stage::Shared(LinkLine::new(link, interned)),
            Phase::Burning(burning) => Stage::Burning(LinkLine::new(&mut burning.link, interned)),
            Phase::Finished(finished) => Stage::Finished {
                at: finished.at,
                ttl_seconds: finished.facts.ttl_seconds,
                account: finished.account.as_deref().map(|hash| interned.text(hash)),
                key_hash: finished.key_hash.as_deref().and_then(KeyHash::parse),
            },
        };
        // What the line has beside is not packed again: names do not compress.
        let definition = entry.crd_uid.take();
        let cluster = std::mem::take(&mut entry.cluster);
        let owner = std::mem::replace(&mut entry.owner, Owner::blank());
        Ok(Self {
            version: secret.resource_version().unwrap_or_default().into(),
            created: secret.metadata.creation_timestamp.as_ref().map(|time| time.0),
            cluster: interned.text(&cluster),
            definition: definition.as_deref().map(|uid| interned.text(uid)),
            deletion: entry.deletion,
            has_superseded: !entry.superseded.is_empty(),
            has_past: !entry.past.is_empty(),
            stage,
            body: Packed::pack(&entry, SAMPLE).map_err(|_| CodecError::Malformed)?,
            owner,
        })
    }

    /// The entry, with the version of the Secret that held it.
    ///
    /// # Errors
    /// [`CodecError::Malformed`], which would be a mistake in this program.
    pub fn open(&self) -> Result<Versioned, CodecError> {
        let mut entry: Entry = self.body.unpack(SAMPLE).map_err(|_| CodecError::Malformed)?;
        entry.owner = self.owner.clone();
        self.cluster.as_ref().clone_into(&mut entry.cluster);
        entry.crd_uid = self.definition.as_deref().map(str::to_owned);
        match (&mut entry.phase, &self.stage) {
            (Phase::Intent(attempt), Stage::Intent { route, .. }) => attempt.route = route.route.clone(),
            (
                Phase::Shared(link) | Phase::Burning(Burning { link, .. }),
                Stage::Shared(line) | Stage::Burning(line),
            ) => {
                link.route = line.route.route.clone();
                line.attempt.as_ref().clone_into(&mut link.attempt);
            }
            _ => {}
        }
        Ok(Versioned {
            entry,
            resource_version: self.version.as_ref().to_owned(),
            created: self.created,
            of_another_shard: false,
        })
    }

    /// The share that the entry belongs to.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Which cluster wrote it.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// How far its request has come.
    #[must_use]
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Names this version of the entry.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The link whose end is not known.
    #[must_use]
    pub fn link(&self) -> Option<&LinkLine> {
        match &self.stage {
            Stage::Shared(link) | Stage::Burning(link) => Some(link),
            Stage::Idle { .. } | Stage::Intent { .. } | Stage::Finished { .. } => None,
        }
    }

    /// The hash of the metadata key of its link, where it has or had one and the key is known.
    #[must_use]
    pub fn key_hash(&self) -> Option<KeyHash> {
        match &self.stage {
            Stage::Shared(link) | Stage::Burning(link) => link.key_hash,
            Stage::Finished { key_hash, .. } => *key_hash,
            Stage::Idle { .. } | Stage::Intent { .. } => None,
        }
    }

    /// Where an attempt may be under way or a link can still be opened.
    #[must_use]
    pub fn route(&self) -> Option<&Arc<KnownRoute>> {
        match &self.stage {
            Stage::Intent { route, .. } => Some(route),
            Stage::Shared(link) | Stage::Burning(link) => Some(&link.route),
            Stage::Idle { .. } | Stage::Finished { .. } => None,
        }
    }

    /// Whether its link is burned when its share is deleted.
    #[must_use]
    pub fn burns(&self) -> bool {
        match &self.stage {
            Stage::Shared(link) => self.deletion == DeletionPolicy::Burn || link.is_undelivered,
            Stage::Idle { .. } | Stage::Intent { .. } | Stage::Burning(_) | Stage::Finished { .. } => false,
        }
    }

    /// Whether it holds an attempt whose outcome is not known.
    #[must_use]
    pub fn is_unresolved(&self) -> bool {
        self.has_superseded || matches!(self.stage, Stage::Intent { .. })
    }

    /// Whether it must be opened for a look at an account: its link is of this account, or it tells more of links and
    /// attempts than [`Line::key_hash`].
    #[must_use]
    pub fn may_concern(&self, account_hash: &str) -> bool {
        let is_of_account = match &self.stage {
            Stage::Shared(link) | Stage::Burning(link) => {
                link.route.account_hash == account_hash || link.key_hash.is_none()
            }
            Stage::Finished { account, .. } => account.as_deref().is_none_or(|of| of == account_hash),
            Stage::Idle { .. } | Stage::Intent { .. } => false,
        };
        is_of_account || self.is_unresolved() || self.has_past
    }

    /// Whether the share was last acted upon under an earlier definition than this one.
    #[must_use]
    pub fn is_older_than(&self, definition: &Seen) -> bool {
        definition.is_newer_than(self.definition.as_deref(), self.created)
    }
}

#[cfg(test)]
mod tests;
