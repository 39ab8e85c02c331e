//! Plays a fleet: what happens, in the order of its time. The gates are the real ones; the shares do what
//! `share::effects` does: one that is called comes, and one that is refused comes again after a pause of its own.

use super::super::super::{Ask, Grant, Outcome, Standing};
use super::super::played::{Played, S};
use super::pauses_kept::{Despite, PausesKept};
use super::service::Service;
use crate::backoff;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

/// How long a share that was called takes to come.
const COMES: Duration = Duration::from_millis(20);

/// How long a request takes at least, and how much longer one may take than another.
const FASTEST: Duration = Duration::from_millis(200);
const SPREAD: u32 = 300;

/// A share of a fleet.
#[derive(Clone, Debug)]
pub(super) struct Link {
    /// The number of the operator that works on it.
    pub(super) operator: usize,
    pub(super) ask: Ask,
    /// When it is created, after the beginning.
    pub(super) arrives: Duration,
}

/// How far a share has come.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    failures: u32,
    sent: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A share asks for a place.
    Enter(usize),
    /// The answer to its request comes.
    Answer(usize),
    /// An operator looks for gates that open with time.
    Tick(usize),
}

struct UnderWay {
    grant: Grant,
    outcome: Outcome,
    despite: Despite,
}

/// A fleet on its way.
pub(super) struct Simulation {
    pub(super) service: Service,
    pub(super) kept: PausesKept,
    operators: Vec<Played>,
    /// When each operator looks next.
    ticks: Vec<Option<Duration>>,
    links: Vec<Link>,
    progress: Vec<Progress>,
    under_way: HashMap<usize, UnderWay>,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    /// How many events there were so far.
    pub(super) count: u64,
}

impl Simulation {
    pub(super) fn new(service: Service, mut links: Vec<Link>) -> Self {
        let operators = links
            .iter()
            .map(|link| link.operator + 1)
            .max()
            .unwrap_or_default();
        for (number, link) in links.iter_mut().enumerate() {
            link.ask.owner.name = number.to_string();
        }
        let mut new = Self {
            service,
            kept: PausesKept::default(),
            operators: (0..operators).map(|_| Played::new()).collect(),
            ticks: vec![None; operators],
            progress: vec![Progress::default(); links.len()],
            links,
            under_way: HashMap::new(),
            events: BinaryHeap::new(),
            count: 0,
        };
        for number in 0..new.links.len() {
            new.plan(begin() + new.links[number].arrives, Event::Enter(number));
        }
        new
    }

    fn plan(&mut self, time: Duration, event: Event) {
        self.count += 1;
        self.events.push(Reverse((time, self.count, event)));
    }

    /// Plays to the end.
    pub(super) fn run(&mut self) {
        while let Some(Reverse((now, _, event))) = self.events.pop() {
            let operator = match event {
                Event::Enter(link) | Event::Answer(link) => self.links[link].operator,
                Event::Tick(operator) => operator,
            };
            self.operators[operator].now = now;
            match event {
                Event::Enter(link) => self.enter(link, now),
                Event::Answer(link) => self.answered(link, now),
                Event::Tick(_) if self.ticks[operator] == Some(now) => self.ticks[operator] = None,
                Event::Tick(_) => continue,
            }
            self.look(operator, now);
            assert!(self.events.len() <= 2 * self.links.len() + 8, "events pile up");
        }
    }

    fn enter(&mut self, number: usize, now: Duration) {
        let link = &self.links[number];
        let Ok(grant) = self.operators[link.operator].enter(&link.ask) else {
            return;
        };
        let (account, mails) = (&link.ask.target.account, link.ask.mails);
        let despite = self.kept.sent(link.operator, account, mails, now);
        let outcome = self.service.answer(account, mails, now);
        let under_way = UnderWay {
            grant,
            outcome,
            despite,
        };
        let before = self.under_way.insert(number, under_way);
        assert!(before.is_none(), "one request at a time for a share");
        self.plan(
            now + latency(number, self.progress[number].failures),
            Event::Answer(number),
        );
    }

    fn answered(&mut self, number: usize, now: Duration) {
        let UnderWay {
            grant,
            outcome,
            despite,
        } = self.under_way.remove(&number).expect("a request");
        let link = &self.links[number];
        let whose = (link.operator, &link.ask.target.account, link.ask.mails);
        self.kept.answered(whose, despite, outcome, now);
        self.operators[link.operator].release(grant, Some(outcome));
        let progress = &mut self.progress[number];
        if outcome == Outcome::Answered {
            assert_eq!(progress.sent, None, "one link for a share");
            progress.sent = Some(now);
        } else {
            progress.failures += 1;
            let pause = backoff::pause(progress.failures, &number.to_string());
            self.plan(now + pause, Event::Enter(number));
        }
    }

    /// What `Gates::run` does after each change: calls those whose turn it is, and notes when to look again.
    fn look(&mut self, operator: usize, now: Duration) {
        let next = self.operators[operator].tick();
        for name in self.operators[operator].called() {
            let number = name.parse().expect("a number");
            self.plan(now + COMES, Event::Enter(number));
        }
        if let Some(next) = next
            && self.ticks[operator].is_none_or(|planned| next < planned)
        {
            assert!(next > now, "a gate that is open already");
            self.ticks[operator] = Some(next);
            self.plan(next, Event::Tick(operator));
        }
    }

    /// How long the last link of these took, from when its share was created to its link. None when one was never sent.
    pub(super) fn longest(&self, which: impl Fn(&Link) -> bool) -> Option<Duration> {
        let chosen = self.links.iter().zip(&self.progress);
        chosen
            .filter(|(link, _)| which(link))
            .try_fold(Duration::ZERO, |longest, (link, progress)| {
                Some(longest.max(progress.sent? - begin() - link.arrives))
            })
    }

    /// When the last link was there, after the beginning. None when one was never sent.
    pub(super) fn last(&self) -> Option<Duration> {
        let mut all = self.progress.iter();
        all.try_fold(Duration::ZERO, |last, progress| {
            Some(last.max(progress.sent? - begin()))
        })
    }

    /// Whether the gates have forgotten everything a day after the end.
    pub(super) fn nothing_is_left(&mut self) -> bool {
        self.operators.iter_mut().all(|played| {
            played.now += 24 * 3600 * S;
            played.state.tidy(played.now, &|_, _| Standing::Ready);
            let state = &played.state;
            let numbers = [
                state.gates.len(),
                state.waiting.len(),
                state.called.len(),
                state.lanes.len(),
                state.running.len(),
                state.to_call.len(),
                state.total,
            ];
            numbers == [0; 7] && state.pauses.is_empty()
        })
    }
}

/// The time of the clock when a fleet begins.
fn begin() -> Duration {
    Played::new().now
}

/// Not all answers come in the order of their requests.
fn latency(number: usize, failures: u32) -> Duration {
    let mixed = (number as u32).wrapping_add(failures).wrapping_mul(2_654_435_761) >> 8;
    FASTEST + Duration::from_millis(u64::from(mixed % SPREAD))
}
