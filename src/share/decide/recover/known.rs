//! What the ledger knows of an account's receipts: PURE.

use crate::ledger::{Attempt, Burning, Entry, LinkFacts, Phase, Route, key_hash, link_hash};
use crate::onetime::Recent;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashSet;

/// How far the age of a receipt may be from that of the attempt, and it may be ours.
pub const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The service lists receipts of the last 30 days; at the edge nothing is certain.
const LISTED: SignedDuration = SignedDuration::from_hours(29 * 24);

/// Before the end of its life a receipt may be missing: a clock tells whole seconds, and a list takes its time.
const MARGIN: SignedDuration = SignedDuration::from_mins(2);

/// What the ledger knows of an account's links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The hashes of the metadata keys of all entries, and of the receipts that other attempts have claimed.
    pub keys: HashSet<String>,
    /// The hashes of the last parts of the links whose metadata key was lost.
    pub links: HashSet<String>,
    /// Whether another unresolved attempt could have made a receipt that fits this one.
    pub rivals: bool,
    /// The receipts that a whole list shows while they exist: those that were known before the list was asked for.
    pub listed: Vec<Listed>,
    /// The service's clock minus ours in seconds, as the last outcome found it.
    pub clock_offset: Option<i64>,
}

/// A receipt that the ledger knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The hash of its metadata key.
    pub key_hash: String,
    /// When it was made, by the service's clock.
    pub created_at: Timestamp,
    /// The lifetime of its link in seconds. The receipt lives twice as long.
    pub ttl_seconds: u64,
}

/// Gathers what matters for an attempt from the entries of its account, as they are after the list was read.
#[must_use]
pub fn gather<'a>(attempt: &Attempt, entries: impl IntoIterator<Item = &'a Entry>) -> Known {
    let mut known = Known::default();
    for entry in entries {
        known.keys.extend(entry.key_hashes());
        known.links.extend(keyless(&entry.phase));
        let own = entry.unresolved().any(|other| other.nonce == attempt.nonce);
        known.rivals |= entry
            .unresolved()
            .filter(|other| other.nonce != attempt.nonce && other.looks_like(attempt))
            .any(|other| match () {
                // Its late link would be of the same share.
                () if own && other.found_none => false,
                // It was not found, or went to another address, perhaps of the same server.
                () if other.found_none || other.route.endpoint != attempt.route.endpoint => {
                    are_close(attempt, other)
                }
                () => true,
            });
    }
    known
}

/// Whether one receipt can fit both attempts by its age. The late link of another share must not be taken for ours.
fn are_close(one: &Attempt, other: &Attempt) -> bool {
    let apart = one.started_at.duration_since(other.started_at).abs();
    let window =
        SignedDuration::try_from(one.safe_after().max(other.safe_after())).unwrap_or(SignedDuration::MAX);
    apart <= window.saturating_add(SKEW).saturating_add(SKEW)
}

/// The link of an entry that was made again from a status.
fn keyless(phase: &Phase) -> Option<String> {
    match phase {
        Phase::Shared(link) | Phase::Burning(Burning { link, .. }) if link.metadata_key.is_none() => {
            Some(link_hash(link.secret_key.expose()))
        }
        Phase::Shared(_) | Phase::Burning(_) | Phase::Idle | Phase::Intent(_) | Phase::Finished(_) => None,
    }
}

impl Known {
    /// Adds what the ledger knew before the list was asked for, of this server and account.
    #[must_use]
    pub fn expecting<'a>(mut self, route: &Route, before: impl IntoIterator<Item = &'a Entry>) -> Self {
        let hash = route.hash();
        let mut newest = None;
        for entry in before {
            let Some((key_hash, facts)) = receipt(entry, &hash) else {
                continue;
            };
            if newest < Some(facts.created_at) {
                newest = Some(facts.created_at);
                self.clock_offset = facts.clock_offset_seconds.or(self.clock_offset);
            }
            self.listed.push(Listed {
                key_hash,
                created_at: facts.created_at,
                ttl_seconds: facts.ttl_seconds,
            });
        }
        self
    }

    /// Whether a list shows the newest receipt that must still exist: one that does not is old, or cut short.
    #[must_use]
    pub fn newest_is_in(&self, recent: &Recent, now: Timestamp) -> bool {
        let offset = SignedDuration::from_secs(self.clock_offset.unwrap_or_default());
        let now = recent.now.or_else(|| now.checked_add(offset).ok()).unwrap_or(now);
        let newest = self
            .listed
            .iter()
            .filter(|known| known.must_exist(now))
            .max_by_key(|known| known.created_at);
        newest.is_none_or(|newest| {
            let mut hashes = recent
                .receipts
                .iter()
                .map(|receipt| key_hash(receipt.metadata_key.expose()));
            hashes.any(|hash| hash == newest.key_hash)
        })
    }
}

impl Listed {
    fn must_exist(&self, now: Timestamp) -> bool {
        let life = i64::try_from(self.ttl_seconds.saturating_mul(2)).unwrap_or(i64::MAX);
        let life = SignedDuration::from_secs(life).saturating_sub(MARGIN).min(LISTED);
        self.created_at.duration_until(now) < life
    }
}

fn receipt<'a>(entry: &'a Entry, route: &str) -> Option<(String, &'a LinkFacts)> {
    let (there, facts) = match &entry.phase {
        Phase::Shared(link) | Phase::Burning(Burning { link, .. }) => {
            (link.route.hash() == route, &link.facts)
        }
        Phase::Finished(finished) => (finished.route == route, &finished.facts),
        Phase::Idle | Phase::Intent(_) => return None,
    };
    entry.key_hash().filter(|_| there).map(|hash| (hash, facts))
}
