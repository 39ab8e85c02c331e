//! When which links are due: one list call covers the links of an account, anonymous ones have times of their own.

use crate::backoff;
use crate::ledger::{Link, Phase, Versioned};
use crate::provider::ProviderId;
use crate::share::context::Context;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The interval for providers that are gone.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);

/// Links that one list call covers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Group {
    pub(super) provider: ProviderId,
    pub(super) endpoint: String,
    pub(super) account: Option<String>,
}

/// When what is due next.
#[derive(Default)]
pub(super) struct Schedule {
    groups: HashMap<Group, Instant>,
    looks: Mutex<HashMap<String, Instant>>,
}

impl Schedule {
    /// The groups whose time has come, and when it comes again.
    pub(super) fn due(&mut self, context: &Context, groups: BTreeMap<Group, Links>) -> Vec<(Group, Links)> {
        self.groups.retain(|group, _| groups.contains_key(group));
        let attempts: HashSet<&String> = groups
            .values()
            .flatten()
            .map(|(_, share)| &share.attempt)
            .collect();
        self.looks().retain(|attempt, _| attempts.contains(attempt));
        let now = Instant::now();
        let mut due = Vec::new();
        for (group, links) in groups {
            let interval = interval(context, &group.provider);
            let time = self.groups.entry(group.clone()).or_insert(now + interval);
            if *time <= now {
                *time = now + backoff::spread(interval, &group.endpoint);
                due.push((group, links));
            }
        }
        due
    }

    /// Whether it is time to look at one link, and when it is again: seldom while nothing happens, and often once its
    /// time is over.
    pub(super) fn may_look(&self, link: &Link, interval: Duration) -> bool {
        let now = Instant::now();
        let mut looks = self.looks();
        let over = link.facts.expires_at <= Timestamp::now();
        // Rounds and looks are spread apart by up to a quarter: a look that would only just miss this round is made in it.
        let soon = now + interval / 4;
        if looks.get(&link.attempt).is_some_and(|due| *due > soon && !over) {
            return false;
        }
        let age =
            Duration::try_from(link.facts.created_at.duration_until(Timestamp::now())).unwrap_or_default();
        let next = (age / 10).clamp(interval, interval.max(Duration::from_secs(900)));
        looks.insert(link.attempt.clone(), now + backoff::spread(next, &link.attempt));
        true
    }

    fn looks(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) type Links = Vec<(Versioned, Link)>;

pub(super) fn groups(entries: Vec<Versioned>) -> BTreeMap<Group, Links> {
    let mut groups = BTreeMap::<Group, Links>::new();
    for read in entries {
        let Phase::Shared(link) = &read.entry.phase else {
            continue;
        };
        let share = link.clone();
        let group = Group {
            provider: ProviderId::of(&share.route.provider, &read.entry.owner.namespace),
            endpoint: share.route.endpoint.clone(),
            account: share.route.account.clone(),
        };
        groups.entry(group).or_default().push((read, share));
    }
    groups
}

pub(super) fn interval(context: &Context, id: &ProviderId) -> Duration {
    let spec = context.providers.spec(id);
    spec.and_then(|spec| crate::api::duration::parse(&spec.poll_interval).ok())
        .filter(|interval| !interval.is_zero())
        .unwrap_or(DEFAULT_INTERVAL)
}
