//! Which attempts are under way in which lane: an index of what this process saw of the ledger. PURE.

use super::codec;
use super::entry::Phase;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How long an attempt at another address, perhaps of the same server, keeps a lane: no receipt fits both after that.
const ELSEWHERE: SignedDuration = SignedDuration::from_mins(15);

/// An attempt under way.
#[derive(Debug)]
pub(super) struct UnderWay {
    /// Its lane. None when the entry cannot be read: it could be any.
    lane: Option<String>,
    endpoint: String,
    started_at: Timestamp,
    nonce: String,
    /// The version of the Secret that held it first, as far as this process saw.
    version: u64,
}

impl UnderWay {
    /// The attempt that an entry holds, where it keeps its lane.
    pub(super) fn of(secret: &Secret) -> Option<Self> {
        if !codec::is_laned(secret) {
            return None;
        }
        // A version that is not a number counts as the oldest; between two of those the names decide.
        let version = secret.resource_version().and_then(|version| version.parse().ok());
        let version = version.unwrap_or_default();
        match codec::decode(secret).map(|entry| (entry.phase, entry.owner)) {
            Ok((Phase::Intent(attempt), owner)) => Some(Self {
                lane: Some(attempt.lane(&owner.namespace)),
                endpoint: attempt.route.endpoint,
                started_at: attempt.started_at,
                nonce: attempt.nonce,
                version,
            }),
            Ok(_) => None,
            Err(_) => Some(Self {
                lane: None,
                endpoint: String::new(),
                started_at: Timestamp::MIN,
                nonce: String::new(),
                version,
            }),
        }
    }

    /// Whether it keeps its lane from the one that asks.
    fn keeps(&self, asking: Asking<'_>) -> bool {
        let is_close = || self.started_at.duration_until(asking.now).abs() < ELSEWHERE;
        match &self.lane {
            None => true,
            Some(own) => own == asking.lane && (self.endpoint == asking.endpoint || is_close()),
        }
    }
}

/// An attempt that asks whether it may go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking<'a> {
    pub(super) lane: &'a str,
    pub(super) endpoint: &'a str,
    /// The name of its entry.
    pub(super) name: &'a str,
    pub(super) now: Timestamp,
}

/// The attempts under way, by lane and by the name of their entry. Those whose lane cannot be read are under `None`.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    attempts: HashMap<Option<String>, HashMap<Arc<str>, UnderWay>>,
    lane_of: HashMap<Arc<str>, Option<String>>,
}

impl Lanes {
    /// Notes what an entry holds now.
    pub(super) fn note(&mut self, name: &Arc<str>, attempt: Option<UnderWay>) {
        let before = self.forget(name);
        if let Some(mut attempt) = attempt {
            // What is written about an attempt in doubt makes it no newer.
            if let Some(before) = before.filter(|before| before.nonce == attempt.nonce) {
                attempt.version = attempt.version.min(before.version);
            }
            let lane = attempt.lane.clone();
            self.lane_of.insert(Arc::clone(name), lane.clone());
            let attempts = self.attempts.entry(lane).or_default();
            attempts.insert(Arc::clone(name), attempt);
        }
    }

    /// Forgets an entry that is gone. Gives its attempt.
    pub(super) fn forget(&mut self, name: &str) -> Option<UnderWay> {
        let lane = self.lane_of.remove(name)?;
        let attempts = self.attempts.get_mut(&lane)?;
        let forgotten = attempts.remove(name);
        if attempts.is_empty() {
            self.attempts.remove(&lane);
        }
        forgotten
    }

    /// Forgets all entries but these.
    pub(super) fn keep(&mut self, names: &HashSet<Arc<str>>) {
        let gone: Vec<Arc<str>> = self
            .lane_of
            .keys()
            .filter(|name| !names.contains(*name))
            .cloned()
            .collect();
        for name in gone {
            self.forget(&name);
        }
    }

    /// Whether an attempt of another entry keeps the lane.
    pub(super) fn is_taken(&self, asking: Asking<'_>) -> bool {
        self.others(asking).next().is_some()
    }

    /// Whether an attempt of another entry keeps the lane that was written before this version of the one that asks.
    pub(super) fn has_older(&self, asking: Asking<'_>, version: &str) -> bool {
        let own = (version.parse().unwrap_or(0), asking.name);
        self.others(asking)
            .any(|(name, attempt)| (attempt.version, name) < own)
    }

    fn others<'a>(&'a self, asking: Asking<'a>) -> impl Iterator<Item = (&'a str, &'a UnderWay)> {
        let of = |lane: Option<String>| self.attempts.get(&lane).into_iter().flatten();
        of(Some(asking.lane.to_owned()))
            .chain(of(None))
            .map(|(name, attempt)| (&**name, attempt))
            .filter(move |(name, attempt)| *name != asking.name && attempt.keeps(asking))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::attempt::Attempt;
    use crate::ledger::fixtures::{attempt, entry, link};

    fn secret(phase: Phase) -> Secret {
        codec::encode(&entry(phase), "ledger", None).expect("a secret")
    }

    #[test]
    fn an_attempt_keeps_its_lane_until_its_outcome() {
        let attempt = attempt();
        let lane = attempt.lane(&entry(Phase::Idle).owner.namespace);
        let (here, soon) = (attempt.route.endpoint.clone(), attempt.started_at);
        let much_later = soon + SignedDuration::from_hours(1);
        let asks = |lane: &str, endpoint: &str, name: &str, now| {
            let mut lanes = Lanes::default();
            lanes.note(&"e".into(), UnderWay::of(&secret(Phase::Intent(attempt.clone()))));
            lanes.is_taken(Asking {
                lane,
                endpoint,
                name,
                now,
            })
        };
        assert!(asks(&lane, &here, "other", much_later));
        assert!(!asks(&lane, &here, "e", soon), "its own");
        assert!(!asks("another lane", &here, "other", soon));
        assert!(asks(&lane, "https://elsewhere/", "other", soon));
        assert!(!asks(&lane, "https://elsewhere/", "other", much_later));
        let mut held = attempt.clone();
        held.needs_decision = true;
        for over in [Phase::Intent(held), Phase::Shared(link()), Phase::Idle] {
            let mut lanes = Lanes::default();
            lanes.note(&"e".into(), UnderWay::of(&secret(Phase::Intent(attempt.clone()))));
            lanes.note(&"e".into(), UnderWay::of(&secret(over)));
            assert!(lanes.attempts.is_empty() && lanes.lane_of.is_empty());
        }
    }

    /// An entry with an attempt, as it was written at this version.
    fn written(attempt: &Attempt, version: &str) -> Option<UnderWay> {
        let mut secret = secret(Phase::Intent(attempt.clone()));
        secret.metadata.resource_version = Some(version.to_owned());
        UnderWay::of(&secret)
    }

    #[test]
    fn of_two_attempts_the_older_one_goes() {
        let attempt = attempt();
        let lane = attempt.lane(&entry(Phase::Idle).owner.namespace);
        let asks = |lanes: &Lanes, name: &str, version: &str| {
            let asking = Asking {
                lane: &lane,
                endpoint: &attempt.route.endpoint,
                name,
                now: attempt.started_at,
            };
            lanes.has_older(asking, version)
        };
        let mut lanes = Lanes::default();
        lanes.note(&"b".into(), written(&attempt, "9"));
        assert!(asks(&lanes, "a", "10"), "versions are numbers");
        assert!(!asks(&lanes, "a", "8"));
        assert!(!asks(&lanes, "b", "9"), "its own");
        lanes.note(&"b".into(), written(&attempt, "20"));
        assert!(asks(&lanes, "a", "10"), "the same attempt, written once more");
        let another = Attempt {
            nonce: "another".to_owned(),
            ..attempt.clone()
        };
        lanes.note(&"b".into(), written(&another, "21"));
        assert!(!asks(&lanes, "a", "10"));
        lanes.note(&"b".into(), written(&another, "no number"));
        assert!(asks(&lanes, "a", "10"));
        lanes.keep(&HashSet::from(["b".into()]));
        assert!(asks(&lanes, "a", "10"));
        lanes.keep(&HashSet::from(["a".into()]));
        assert!(!asks(&lanes, "a", "10"), "it left while nobody watched");
    }

    #[test]
    fn one_that_cannot_be_read_could_be_any() {
        let mut unreadable = secret(Phase::Intent(attempt()));
        unreadable.data = None;
        let mut lanes = Lanes::default();
        lanes.note(&"e".into(), UnderWay::of(&unreadable));
        let any = Asking {
            lane: "any",
            endpoint: "https://any/",
            name: "other",
            now: Timestamp::now(),
        };
        assert!(lanes.is_taken(any) && lanes.has_older(any, "1"));
        lanes.forget("e");
        assert!(!lanes.is_taken(any));
    }
}
