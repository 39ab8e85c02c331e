//! When polls come: the first one soon, the others as the provider says, and those that failed after a growing pause.

use super::*;
use crate::ledger::Phase;
use crate::ledger::fixtures::{entry, line, link};

const DAY: Duration = Duration::from_secs(86_400);
const MINUTE: Duration = Duration::from_secs(60);

struct Fixture {
    clock: Clock,
    schedule: Schedule,
    interval: Duration,
}

impl Fixture {
    fn new(interval: Duration) -> Self {
        let clock = Clock::by_hand();
        Self {
            schedule: Schedule::new(clock.clone()),
            clock,
            interval,
        }
    }

    /// Whether the group of one link is due now. `at_end`: whether the link's end is.
    fn is_due(&self, at_end: bool) -> bool {
        let read = line(entry(Phase::Shared(link())));
        let due = self
            .schedule
            .due(groups(&[read]), |_| self.interval, |_| at_end, |_| true);
        !due.is_empty()
    }

    /// After how long it is due, asked every second.
    fn due_after(&self, at_end: bool) -> Duration {
        let begin = self.clock.now();
        while !self.is_due(at_end) {
            self.clock.advance(Duration::from_secs(1));
        }
        self.clock.now() - begin
    }

    fn group(&self) -> Group {
        let read = line(entry(Phase::Shared(link())));
        groups(&[read]).into_keys().next().expect("a group")
    }

    /// After how long the link may be looked at.
    fn look_after(&self, at_end: bool) -> Duration {
        let begin = self.clock.now();
        while !self.schedule.may_look(&link().attempt, at_end, self.interval) {
            self.clock.advance(Duration::from_secs(1));
        }
        self.clock.now() - begin
    }

    fn looked(&self, at_end: bool, seen: Seen) {
        self.schedule.looked(&link(), at_end, seen, self.interval);
    }
}

#[test]
fn the_first_poll_comes_within_a_minute_whatever_the_interval() {
    for interval in [Duration::from_secs(1), MINUTE, DAY] {
        let fixture = Fixture::new(interval);
        let first = fixture.due_after(false);
        assert!(first <= MINUTE.min(interval), "{interval:?}: {first:?}");
        fixture.schedule.ended(&fixture.group(), Went::Well, interval);
        let second = fixture.due_after(false);
        assert!(
            second >= interval.mul_f64(0.75) && second <= interval + Duration::from_secs(1),
            "{interval:?}: {second:?}"
        );
    }
}

#[test]
fn a_round_that_failed_is_repeated_after_a_growing_pause() {
    let fixture = Fixture::new(DAY);
    fixture.due_after(false);
    let mut pauses = Vec::new();
    for _ in 0..12 {
        fixture.schedule.ended(&fixture.group(), Went::Failed, DAY);
        pauses.push(fixture.due_after(false));
    }
    assert!(pauses[0] <= Duration::from_secs(6), "{pauses:?}");
    assert!(pauses[3] > pauses[0] && pauses[6] > pauses[3], "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause <= SELDOM), "{pauses:?}");
    fixture.schedule.ended(&fixture.group(), Went::Well, DAY);
    assert!(
        fixture.due_after(false) > DAY / 2,
        "it went well: a whole interval"
    );
    // One that polls often does not slow down.
    let quick = Fixture::new(Duration::from_secs(2));
    quick.due_after(false);
    for _ in 0..12 {
        quick.schedule.ended(&quick.group(), Went::Failed, quick.interval);
        assert!(quick.due_after(false) <= Duration::from_secs(3));
    }
}

#[test]
fn a_link_whose_end_is_due_does_not_wait_for_a_long_interval() {
    let fixture = Fixture::new(DAY);
    fixture.due_after(false);
    fixture.looked(false, Seen::Answered(None));
    fixture.schedule.ended(&fixture.group(), Went::Well, DAY);
    let end = fixture.due_after(true);
    assert!(end <= SELDOM + Duration::from_secs(1), "{end:?}");
    assert_eq!(fixture.look_after(true), Duration::ZERO);
    // The service says that it lives on: the next look is at the end that it tells, and no list is asked for meanwhile.
    fixture.looked(true, Seen::Answered(Some(Duration::from_secs(7200))));
    fixture.schedule.ended(&fixture.group(), Went::Well, DAY);
    let later = fixture.due_after(true);
    assert!(later > Duration::from_secs(3600), "{later:?}");
}

#[test]
fn a_look_that_failed_is_repeated_after_a_growing_pause() {
    let fixture = Fixture::new(MINUTE * 30);
    let mut pauses = Vec::new();
    for _ in 0..10 {
        fixture.looked(true, Seen::Failed);
        let look = fixture.schedule.times().looks[&link().attempt];
        pauses.push(look.next - fixture.clock.now());
        fixture.clock.advance(look.next - fixture.clock.now());
    }
    assert!(pauses[0] <= Duration::from_secs(5), "{pauses:?}");
    assert!(
        pauses[..7].is_sorted() && pauses[6] > pauses[0] * 32,
        "{pauses:?}"
    );
    assert!(pauses.iter().all(|pause| *pause <= SELDOM), "{pauses:?}");
}

#[test]
fn what_is_gone_is_forgotten() {
    let fixture = Fixture::new(MINUTE);
    fixture.due_after(false);
    fixture.looked(false, Seen::Failed);
    fixture
        .schedule
        .due(BTreeMap::new(), |_| MINUTE, |_| false, |_| true);
    let times = fixture.schedule.times();
    assert!(times.rounds.is_empty() && times.looks.is_empty());
}

#[test]
fn a_group_whose_server_is_busy_stays_due() {
    let fixture = Fixture::new(DAY);
    let links = || groups(&[line(entry(Phase::Shared(link())))]);
    fixture.schedule.due(links(), |_| DAY, |_| false, |_| true);
    fixture.clock.advance(MINUTE);
    let busy = fixture.schedule.due(links(), |_| DAY, |_| false, |_| false);
    assert!(busy.is_empty());
    assert!(fixture.is_due(false), "the next round has it still");
}

#[test]
fn a_large_list_takes_one_percent_of_the_time() {
    let fixture = Fixture::new(MINUTE);
    fixture.due_after(false);
    let group = fixture.group();
    let listed = |bytes, seconds| {
        let took = Duration::from_secs(seconds);
        fixture.schedule.listed(&group, bytes, took)
    };
    assert_eq!(listed(Some(LARGE), 12), None);
    assert!(fixture.schedule.may_list(&group));
    for too_large in [Some(LARGE + 1), None] {
        assert_eq!(listed(too_large, 12), Some(MINUTE * 20));
        assert!(!fixture.schedule.may_list(&group));
        fixture.clock.advance(MINUTE * 20 - Duration::from_secs(1));
        assert!(fixture.is_due(false), "looks at single links go on");
        assert!(!fixture.schedule.may_list(&group));
        fixture.clock.advance(Duration::from_secs(1));
        assert!(fixture.schedule.may_list(&group));
    }
}

#[test]
fn links_that_were_left_out_do_not_wait_for_a_long_interval() {
    let fixture = Fixture::new(DAY);
    fixture.due_after(false);
    fixture.schedule.ended(&fixture.group(), Went::LeftOut, DAY);
    let longest = match fixture.group().account {
        Some(_) => SELDOM,
        None => LEFT_OUT,
    };
    assert_eq!(fixture.due_after(false), longest);
}

#[test]
fn the_last_look_is_known() {
    let fixture = Fixture::new(MINUTE);
    assert_eq!(fixture.schedule.last_look(&link().attempt), None);
    fixture.clock.advance(MINUTE);
    fixture.looked(false, Seen::Failed);
    assert_eq!(fixture.schedule.last_look(&link().attempt), Some(MINUTE));
}
