//! Which attempts are under way in which lane: an index of what this process saw of the ledger. PURE.

use super::codec;
use super::entry::Phase;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use std::collections::HashMap;
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
}

impl UnderWay {
    /// The attempt that an entry holds, where it keeps its lane.
    pub(super) fn of(secret: &Secret) -> Option<Self> {
        if !codec::is_laned(secret) {
            return None;
        }
        match codec::decode(secret).map(|entry| (entry.phase, entry.owner)) {
            Ok((Phase::Intent(attempt), owner)) => Some(Self {
                lane: Some(attempt.lane(&owner.namespace)),
                endpoint: attempt.route.endpoint,
                started_at: attempt.started_at,
            }),
            Ok(_) => None,
            Err(_) => Some(Self {
                lane: None,
                endpoint: String::new(),
                started_at: Timestamp::MIN,
            }),
        }
    }

    /// Whether it keeps a lane from an attempt at this address.
    fn keeps(&self, lane: &str, endpoint: &str, now: Timestamp) -> bool {
        let is_close = || self.started_at.duration_until(now).abs() < ELSEWHERE;
        match &self.lane {
            None => true,
            Some(own) => own == lane && (self.endpoint == endpoint || is_close()),
        }
    }
}

/// Whether this Secret is an attempt of a lane that may be under way, for one that goes to this address.
pub(super) fn is_in_lane(secret: &Secret, lane: &str, endpoint: &str, now: Timestamp) -> bool {
    UnderWay::of(secret).is_some_and(|attempt| attempt.keeps(lane, endpoint, now))
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
        self.forget(name);
        if let Some(attempt) = attempt {
            let lane = attempt.lane.clone();
            self.lane_of.insert(Arc::clone(name), lane.clone());
            let attempts = self.attempts.entry(lane).or_default();
            attempts.insert(Arc::clone(name), attempt);
        }
    }

    /// Forgets an entry that is gone.
    pub(super) fn forget(&mut self, name: &str) {
        let Some(lane) = self.lane_of.remove(name) else {
            return;
        };
        if let Some(attempts) = self.attempts.get_mut(&lane) {
            attempts.remove(name);
            if attempts.is_empty() {
                self.attempts.remove(&lane);
            }
        }
    }

    /// Whether an attempt of another entry keeps a lane from one at this address.
    pub(super) fn is_taken(&self, lane: &str, endpoint: &str, own_name: &str, now: Timestamp) -> bool {
        [Some(lane.to_owned()), None].iter().any(|key| {
            let attempts = self.attempts.get(key).into_iter().flatten();
            attempts
                .into_iter()
                .any(|(name, attempt)| &**name != own_name && attempt.keeps(lane, endpoint, now))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let mut lanes = Lanes::default();
        let note = |lanes: &mut Lanes, secret: &Secret| lanes.note(&"e".into(), UnderWay::of(secret));
        note(&mut lanes, &secret(Phase::Intent(attempt.clone())));
        assert!(lanes.is_taken(&lane, &here, "other", much_later));
        assert!(!lanes.is_taken(&lane, &here, "e", soon), "its own");
        assert!(!lanes.is_taken("another lane", &here, "other", soon));
        assert!(lanes.is_taken(&lane, "https://elsewhere/", "other", soon));
        assert!(!lanes.is_taken(&lane, "https://elsewhere/", "other", much_later));
        let mut held = attempt;
        held.needs_decision = true;
        for over in [Phase::Intent(held), Phase::Shared(link()), Phase::Idle] {
            note(&mut lanes, &secret(over));
            assert!(lanes.attempts.is_empty() && lanes.lane_of.is_empty());
        }
    }

    #[test]
    fn one_that_cannot_be_read_could_be_any() {
        let mut unreadable = secret(Phase::Intent(attempt()));
        unreadable.data = None;
        let mut lanes = Lanes::default();
        lanes.note(&"e".into(), UnderWay::of(&unreadable));
        assert!(lanes.is_taken("any", "https://any/", "other", Timestamp::now()));
        lanes.forget("e");
        assert!(!lanes.is_taken("any", "https://any/", "other", Timestamp::now()));
    }
}
