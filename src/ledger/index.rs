//! What this process knows of the ledger: the newest version that it saw of every entry, from its own writes and from the
//! watch, and which entries there were. No client.
//!
//! An own write is older than what the watch brings later, and newer than what the watch brought before. Without it the
//! reconcile that a status write causes would see the entry as it was before.

use super::codec::{self, CodecError};
use super::entry::{Owner, Phase, RequestKey};
use super::interned::Interned;
use super::lanes::{Lanes, UnderWay};
use super::line::Line;
use super::living::{Living, Place};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Every entry, and those that there were.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// By the name of their Secret.
    held: HashMap<Arc<str>, Held>,
    /// What an entry held that somebody else deleted, where that was an attempt without an outcome.
    gone: HashMap<Arc<str>, Option<Vanished>>,
    /// The names that the list under way has brought so far.
    listed: Option<HashSet<Arc<str>>>,
    lanes: Lanes,
    living: Living,
    interned: Interned,
}

/// The newest known version of one entry.
#[derive(Debug)]
struct Held {
    line: Result<Arc<Line>, Unread>,
    /// Whether the watch has brought this version, so that it will tell when the entry goes.
    is_watched: bool,
    /// Whether all that this version calls for was done.
    is_acted_on: bool,
}

/// An entry that cannot be used.
#[derive(Debug)]
struct Unread {
    version: Box<str>,
    error: CodecError,
}

/// An attempt without an outcome, whose entry is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vanished {
    /// What was asked for.
    pub request: RequestKey,
    /// The nonce of the attempt.
    pub attempt: String,
}

impl Held {
    fn version(&self) -> &str {
        match &self.line {
            Ok(line) => line.version(),
            Err(unread) => &unread.version,
        }
    }

    fn place(&self) -> Option<Place> {
        Place::of(self.line.as_ref().ok()?)
    }

    /// The attempt that the entry holds, if it holds one without an outcome.
    fn unresolved(&self) -> Option<Vanished> {
        let line = self.line.as_ref().ok()?;
        if !line.is_unresolved() {
            return None;
        }
        let entry = line.open().ok()?.entry;
        match entry.phase {
            Phase::Intent(attempt) => Some(Vanished {
                request: entry.request,
                attempt: attempt.nonce,
            }),
            Phase::Idle | Phase::Shared(_) | Phase::Burning(_) | Phase::Finished(_) => None,
        }
    }
}

impl Index {
    /// Notes what a write of this process made, or a live read found.
    pub(super) fn found(&mut self, name: &str, found: Option<&Secret>) {
        match found {
            Some(secret) => self.note(name, secret, false),
            // The watch tells when an entry goes that it has brought.
            None if self.held.get(name).is_some_and(|held| !held.is_watched) => self.vanish(name),
            None => {}
        }
    }

    /// Notes that the watch brought this entry. Gives the share that it belongs to.
    pub(super) fn brought(&mut self, secret: &Secret) -> Option<Owner> {
        let name = secret.name_any();
        self.note(&name, secret, true);
        let (name, held) = self.held.get_key_value(name.as_str())?;
        if let Some(listed) = &mut self.listed {
            listed.insert(Arc::clone(name));
        }
        held.line.as_ref().ok().map(|line| line.owner().clone())
    }

    /// Notes that the watch saw this entry go. Gives the share that it belonged to.
    pub(super) fn deleted(&mut self, secret: &Secret) -> Option<Owner> {
        let name = secret.name_any();
        let owner = codec::decode(secret).ok().map(|entry| entry.owner);
        // An own write may be newer than what was deleted.
        if self
            .held
            .get(name.as_str())
            .is_some_and(|held| is_at_least(secret, held.version()))
        {
            self.vanish(&name);
        }
        owner
    }

    /// Notes that the watch begins a new list.
    pub(super) fn list_begins(&mut self) {
        self.listed = Some(HashSet::new());
    }

    /// Notes that the list is complete: what the watch had brought before and is not in it is gone. Gives the shares that
    /// those entries belonged to.
    pub(super) fn list_ends(&mut self) -> Vec<Owner> {
        let Some(listed) = self.listed.take() else {
            return Vec::new();
        };
        let missing = self
            .held
            .iter()
            .filter(|(name, held)| held.is_watched && !listed.contains(*name));
        let missing: Vec<Arc<str>> = missing.map(|(name, _)| Arc::clone(name)).collect();
        let mut owners = Vec::new();
        for name in missing {
            let line = self.held.get(&name).and_then(|held| held.line.as_ref().ok());
            owners.extend(line.map(|line| line.owner().clone()));
            self.vanish(&name);
        }
        owners
    }

    /// Forgets an entry that this process removed: nothing of it was lost.
    pub(super) fn removed(&mut self, name: &str) {
        self.forget(name);
        self.gone.remove(name);
    }

    /// Notes that nothing came of the attempt that a vanished entry held.
    pub(super) fn settled(&mut self, name: &str) {
        if let Some(vanished) = self.gone.get_mut(name) {
            *vanished = None;
        }
    }

    /// The entry of this name.
    ///
    /// # Errors
    /// [`CodecError`] when the entry cannot be used.
    pub(super) fn get(&self, name: &str) -> Result<Option<Arc<Line>>, CodecError> {
        match self.held.get(name).map(|held| &held.line) {
            Some(Ok(line)) => Ok(Some(Arc::clone(line))),
            Some(Err(unread)) => Err(unread.error.clone()),
            None => Ok(None),
        }
    }

    /// Every entry that can be read and is where its share would look for it.
    pub(super) fn lines(&self) -> Vec<Arc<Line>> {
        let readable = self.held.values().filter_map(|held| held.line.as_ref().ok());
        readable.cloned().collect()
    }

    /// Notes that all that this version of an entry calls for was done.
    pub(super) fn acted_on(&mut self, name: &str, version: &str) {
        if let Some(held) = self.held.get_mut(name).filter(|held| held.version() == version) {
            held.is_acted_on = true;
        }
    }

    /// Whether all that the newest version of an entry calls for was done.
    pub(super) fn is_acted_on(&self, name: &str) -> bool {
        self.held.get(name).is_some_and(|held| held.is_acted_on)
    }

    /// Whether there ever was an entry of this name.
    pub(super) fn knew(&self, name: &str) -> bool {
        self.held.contains_key(name) || self.gone.contains_key(name)
    }

    /// The attempt without an outcome that a vanished entry of this name held.
    pub(super) fn vanished(&self, name: &str) -> Option<Vanished> {
        self.gone.get(name).cloned().flatten()
    }

    /// The attempts under way.
    pub(super) fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    /// The shares that have an attempt or a living link there.
    pub(super) fn living(&self, place: &Place) -> Vec<Owner> {
        let names = self.living.at(place);
        let lines = names.filter_map(|name| self.held.get(name)?.line.as_ref().ok());
        lines.map(|line| line.owner().clone()).collect()
    }

    /// Notes a version of an entry, unless a newer one is known.
    fn note(&mut self, name: &str, secret: &Secret, by_watch: bool) {
        if let Some(held) = self.held.get_mut(name)
            && !is_newer(secret, held.version())
        {
            held.is_watched |= by_watch && is_at_least(secret, held.version());
            return;
        }
        let (key, line) = (self.key(name), self.line(name, secret));
        let under_way = UnderWay::of(secret);
        self.lanes.note(&key, under_way);
        let before = self.held.get(name).and_then(Held::place);
        if let Some(before) = before {
            self.living.leave(name, &before);
        }
        if let Some(place) = line.as_ref().ok().and_then(|line| Place::of(line)) {
            self.living.enter(&key, place);
        }
        self.gone.remove(name);
        let is_watched = by_watch;
        let held = Held {
            line,
            is_watched,
            is_acted_on: false,
        };
        self.held.insert(key, held);
    }

    fn line(&mut self, name: &str, secret: &Secret) -> Result<Arc<Line>, Unread> {
        let line = codec::decode(secret).and_then(|entry| match entry.owner.entry_name() == name {
            true => Line::new(secret, entry, &mut self.interned),
            false => Err(CodecError::OtherOwner),
        });
        line.map(Arc::new).map_err(|error| Unread {
            version: secret.resource_version().unwrap_or_default().into(),
            error,
        })
    }

    /// One copy of each name.
    fn key(&self, name: &str) -> Arc<str> {
        let known = self.held.get_key_value(name);
        known.map_or_else(|| name.into(), |(key, _)| Arc::clone(key))
    }

    /// Forgets an entry that somebody else deleted, but not that it was there.
    fn vanish(&mut self, name: &str) {
        let key = self.key(name);
        if let Some(held) = self.forget(name) {
            self.gone.insert(key, held.unresolved());
        }
    }

    fn forget(&mut self, name: &str) -> Option<Held> {
        self.lanes.forget(name);
        let held = self.held.remove(name)?;
        if let Some(place) = held.place() {
            self.living.leave(name, &place);
        }
        Some(held)
    }
}

/// Whether `seen` is the same version or a later one. Versions are decimal numbers that grow; where they are not, what
/// was seen last is believed: the compare-and-swap protects from the rest.
fn is_at_least(seen: &Secret, known: &str) -> bool {
    numbers(seen, known).is_none_or(|(seen, known)| seen >= known)
}

fn is_newer(seen: &Secret, known: &str) -> bool {
    numbers(seen, known).is_none_or(|(seen, known)| seen > known)
}

fn numbers(seen: &Secret, known: &str) -> Option<(u64, u64)> {
    let seen = seen.metadata.resource_version.as_deref()?;
    Some((seen.parse().ok()?, known.parse().ok()?))
}

#[cfg(test)]
mod tests;
