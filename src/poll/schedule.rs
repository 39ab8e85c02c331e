//! When which links are due: one list call covers the links of an account, anonymous ones have times of their own.
//!
//! All on the boot-time clock: a step of the wall clock neither stops the poll nor makes it run wild.

use crate::backoff;
use crate::clock::Clock;
use crate::ledger::{KnownRoute, Line, Link, LinkLine, Stage};
use crate::provider::ProviderId;
use crate::share::context::Context;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The interval for providers that are gone.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);

/// The first poll after a start comes within this time, however long the interval is.
const FIRST: Duration = Duration::from_secs(60);

/// The longest pause before somebody looks again at a link whose end is due, or asks again in vain.
const SELDOM: Duration = Duration::from_secs(900);

/// A list over so many bytes is asked for less often, and so is one that is too large to be read.
const LARGE: usize = 32 * 1024 * 1024;

/// Such a list takes at most this part of the time.
const SHARE_OF_TIME: u32 = 100;

/// The longest pause before a group of which links were left out is looked at again.
const LEFT_OUT: Duration = Duration::from_secs(30);

/// Links that one list call covers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Group {
    pub(super) provider: ProviderId,
    pub(super) endpoint: String,
    pub(super) account: Option<String>,
}

/// When what is due next.
pub(super) struct Schedule {
    clock: Clock,
    times: Mutex<Times>,
}

#[derive(Default)]
struct Times {
    rounds: HashMap<Group, Round>,
    looks: HashMap<String, Look>,
}

/// The rounds of a group.
#[derive(Clone, Copy, Default)]
struct Round {
    next: Duration,
    /// When the last one began.
    last: Option<Duration>,
    /// How many in a row failed, or a part of them.
    failures: u32,
    /// When the list may be asked for again, where it is large.
    list: Duration,
}

/// How a round went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Went {
    Well,
    /// It failed, or a part of it.
    Failed,
    /// Some looks were not free.
    LeftOut,
}

/// The looks at one link.
#[derive(Clone, Copy)]
struct Look {
    /// When it was.
    at: Duration,
    next: Duration,
    failures: u32,
    /// Whether its end was due at the last one.
    at_end: bool,
}

/// What came of a look.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen {
    /// Nothing was learnt.
    Failed,
    /// The service said something, and for how long the link lives yet where it told.
    Answered(Option<Duration>),
}

impl Schedule {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            times: Mutex::default(),
        }
    }

    /// The groups whose time has come and that are free, and when it comes again. `interval` is each provider's, and
    /// `at_end` says of which links the end is due: they are not left to wait for a long interval.
    pub(super) fn due(
        &self,
        groups: BTreeMap<Group, Links>,
        interval: impl Fn(&ProviderId) -> Duration,
        at_end: impl Fn(&LinkLine) -> bool,
        is_free: impl Fn(&Group) -> bool,
    ) -> Vec<(Group, Links)> {
        let now = self.clock.now();
        let mut times = self.times();
        times.rounds.retain(|group, _| groups.contains_key(group));
        let lines = groups.values().flatten();
        let attempts: HashSet<&str> = lines.filter_map(|line| Some(&*line.link()?.attempt)).collect();
        times
            .looks
            .retain(|attempt, _| attempts.contains(attempt.as_str()));
        let mut due = Vec::new();
        for (group, links) in groups {
            let interval = interval(&group.provider);
            let first = now + backoff::spread(interval.min(FIRST), &group.endpoint);
            let waits = |link: &LinkLine| at_end(link) && times.is_due(&link.attempt, true, now, interval);
            let end_is_due = links.iter().filter_map(|line| line.link()).any(waits);
            let round = times.rounds.entry(group.clone()).or_insert(Round {
                next: first,
                ..Round::default()
            });
            let soon = round.last.map(|last| last + interval.min(SELDOM));
            let next = soon
                .filter(|_| end_is_due && round.failures == 0)
                .map_or(round.next, |soon| soon.min(round.next));
            if next <= now && is_free(&group) {
                round.next = now + backoff::spread(interval, &group.endpoint);
                round.last = Some(now);
                due.push((group, links));
            }
        }
        due
    }

    /// Whether it is time to look at the link of one attempt.
    pub(super) fn may_look(&self, attempt: &str, at_end: bool, interval: Duration) -> bool {
        self.times().is_due(attempt, at_end, self.clock.now(), interval)
    }

    /// When a link was last looked at. None when it was not yet.
    pub(super) fn last_look(&self, attempt: &str) -> Option<Duration> {
        self.times().looks.get(attempt).map(|look| look.at)
    }

    /// Whether a group's list may be asked for.
    pub(super) fn may_list(&self, group: &Group) -> bool {
        let now = self.clock.now();
        self.times()
            .rounds
            .get(group)
            .is_none_or(|round| round.list <= now)
    }

    /// Notes how large a group's list was, None where it was too large to be read, and how long it took. Tells for how long a
    /// large one is not asked for again.
    pub(super) fn listed(&self, group: &Group, bytes: Option<usize>, took: Duration) -> Option<Duration> {
        if bytes.is_some_and(|bytes| bytes <= LARGE) {
            return None;
        }
        let (now, pause) = (self.clock.now(), took * SHARE_OF_TIME);
        self.times().rounds.get_mut(group)?.list = now + pause;
        Some(pause)
    }

    /// Notes what came of a look, and plans the next one: seldom while nothing happens, and at the link's end; after a
    /// growing pause when nothing was learnt.
    pub(super) fn looked(&self, link: &Link, at_end: bool, seen: Seen, interval: Duration) {
        let attempt = link.attempt.as_str();
        let now = self.clock.now();
        let mut times = self.times();
        let before = times.looks.get(attempt).map_or(0, |look| look.failures);
        let (failures, pause) = match seen {
            Seen::Failed => {
                let failures = before.saturating_add(1);
                (failures, again(failures, attempt, interval))
            }
            Seen::Answered(left) => {
                // Only how seldom follows from the wall clock, within bounds.
                let age = link.facts.created_at.duration_until(Timestamp::now());
                let age = Duration::try_from(age).unwrap_or_default();
                let seldom = (age / 10).clamp(interval, interval.max(SELDOM));
                let seldom = backoff::spread(seldom, attempt);
                let end = left.map(|left| (left + Duration::from_secs(1)).max(interval.min(FIRST)));
                (0, end.map_or(seldom, |end| end.min(seldom)))
            }
        };
        let next = now + pause;
        times.looks.insert(
            attempt.to_owned(),
            Look {
                at: now,
                next,
                failures,
                at_end,
            },
        );
    }

    /// Notes how a round went. One that failed, or a part of it, is repeated after a growing pause instead of a whole
    /// interval, and one that left links out soon.
    pub(super) fn ended(&self, group: &Group, went: Went, interval: Duration) {
        let now = self.clock.now();
        if let Some(round) = self.times().rounds.get_mut(group) {
            let pause = match went {
                Went::Failed => {
                    round.failures = round.failures.saturating_add(1);
                    again(round.failures, &group.endpoint, interval)
                }
                Went::LeftOut => {
                    round.failures = 0;
                    // The list of an account comes with it.
                    match group.account {
                        Some(_) => interval.min(SELDOM),
                        None => interval.min(LEFT_OUT),
                    }
                }
                Went::Well => {
                    round.failures = 0;
                    return;
                }
            };
            round.next = round.next.min(now + pause).max(now);
        }
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Times {
    fn is_due(&self, attempt: &str, at_end: bool, now: Duration, interval: Duration) -> bool {
        let Some(look) = self.looks.get(attempt) else {
            return true;
        };
        // Rounds and looks are spread apart by up to a quarter: a look that would only just miss this round is made in it.
        let soon = now + interval.min(SELDOM) / 4;
        look.next <= soon || (at_end && !look.at_end)
    }
}

/// The pause after so many failures in a row: it grows up to the interval, or to 5 minutes.
fn again(failures: u32, seed: &str, interval: Duration) -> Duration {
    backoff::delay(failures, seed).min(interval)
}

/// Entries with a link each. They are opened only when something is done to them.
pub(super) type Links = Vec<Arc<Line>>;

/// The links that live, by the list call that covers them.
pub(super) fn groups(lines: &[Arc<Line>]) -> BTreeMap<Group, Links> {
    // First by route, of which there is one copy for all: the links may be very many, and a group's names are long.
    let mut by_route = HashMap::<(*const KnownRoute, &str), Links>::new();
    for line in lines {
        let Stage::Shared(link) = line.stage() else {
            continue;
        };
        let id = (Arc::as_ptr(&link.route), line.owner().namespace.as_str());
        by_route.entry(id).or_default().push(Arc::clone(line));
    }
    let mut groups = BTreeMap::<Group, Links>::new();
    for ((_, namespace), links) in by_route {
        let Some(route) = links.first().and_then(|line| line.route()) else {
            continue;
        };
        let group = Group {
            provider: ProviderId::of(&route.route.provider, namespace),
            endpoint: route.route.endpoint.clone(),
            account: route.route.account.clone(),
        };
        groups.entry(group).or_default().extend(links);
    }
    groups
}

pub(super) fn interval(context: &Context, id: &ProviderId) -> Duration {
    let spec = context.providers.spec(id);
    spec.and_then(|spec| crate::api::duration::parse(&spec.poll_interval).ok())
        .filter(|interval| !interval.is_zero())
        .unwrap_or(DEFAULT_INTERVAL)
}

#[cfg(test)]
mod tests;
