//! When providers are checked.

use super::*;

fn id(name: &str) -> ProviderId {
    ProviderId {
        namespace: Some("team".into()),
        name: name.into(),
    }
}

fn edition(generation: i64) -> Edition {
    Edition {
        uid: Some("uid".into()),
        generation: Some(generation),
    }
}

struct Planned {
    plan: Plan,
    now: Instant,
}

impl Planned {
    fn new() -> Self {
        Self {
            plan: Plan::new(Duration::from_secs(3600)),
            now: Instant::now(),
        }
    }

    /// Checks everything that may be checked now, with this outcome.
    fn check(&mut self, outcome: Outcome) -> Vec<String> {
        let ids: Vec<_> = std::iter::from_fn(|| self.plan.next(self.now)).collect();
        for id in &ids {
            self.plan.ended(id.clone(), outcome, self.now);
        }
        ids.into_iter().map(|id| id.name).collect()
    }

    /// Goes on to when something is due, and tells how long that was.
    fn wait(&mut self) -> Duration {
        let due = self.plan.next_due().expect("something is due");
        let waited = due - self.now;
        self.now = due;
        waited
    }
}

#[test]
fn a_new_one_and_an_edited_one_are_checked_at_once_and_no_other() {
    let mut planned = Planned::new();
    planned.plan.seen(id("a"), edition(1));
    planned.plan.seen(id("b"), edition(1));
    assert_eq!(planned.check(Outcome::Ready), ["a", "b"]);
    planned.plan.seen(id("a"), edition(1));
    assert!(planned.check(Outcome::Ready).is_empty(), "its status was written");
    planned.plan.seen(id("b"), edition(2));
    assert_eq!(planned.check(Outcome::Ready), ["b"]);
}

#[test]
fn pauses_grow_while_it_fails_and_an_edit_starts_anew() {
    let mut planned = Planned::new();
    planned.plan.seen(id("a"), edition(1));
    let mut pauses = Vec::new();
    for _ in 0..7 {
        assert_eq!(planned.check(Outcome::NotReady), ["a"]);
        pauses.push(planned.wait());
    }
    let at_most = [15, 30, 60, 120, 240, 300, 300].map(Duration::from_secs);
    for (pause, most) in pauses.iter().zip(at_most) {
        assert!(
            *pause <= most && *pause >= most.mul_f64(0.75),
            "{pause:?} of {most:?}"
        );
    }
    planned.check(Outcome::NotReady);
    planned.plan.demand(Demand::Changed(id("a")));
    assert_eq!(planned.check(Outcome::NotReady), ["a"]);
    assert!(planned.wait() <= UNHEALTHY_INTERVAL);
    planned.check(Outcome::Ready);
    assert!(planned.wait() > LONGEST_UNHEALTHY_INTERVAL);
}

#[test]
fn one_that_fails_is_not_asked_less_often_than_a_healthy_one() {
    let mut planned = Planned::new();
    planned.plan.interval = Duration::from_secs(20);
    planned.plan.seen(id("a"), edition(1));
    for _ in 0..5 {
        planned.check(Outcome::NotReady);
        assert!(planned.wait() <= Duration::from_secs(20));
    }
}

#[test]
fn what_changes_during_a_check_is_checked_after_it() {
    let mut planned = Planned::new();
    planned.plan.seen(id("a"), edition(1));
    for (changed, again) in [
        (Demand::Changed(id("a")), true),
        // The check that runs is what the share waits for.
        (Demand::Awaited(id("a")), false),
    ] {
        let running = planned.plan.next(planned.now).expect("its turn");
        planned.plan.demand(changed);
        assert_eq!(planned.plan.next(planned.now), None, "one at a time");
        planned.plan.ended(running, Outcome::NotReady, planned.now);
        assert_eq!(planned.check(Outcome::Ready).len(), usize::from(again));
        planned.wait();
    }
}

#[test]
fn a_share_that_waits_has_it_checked_before_its_time() {
    let mut planned = Planned::new();
    planned.plan.seen(id("a"), edition(1));
    planned.check(Outcome::NotReady);
    planned.plan.demand(Demand::Awaited(id("a")));
    assert_eq!(planned.check(Outcome::NotReady), ["a"]);
}

#[test]
fn the_demanded_overtake_those_that_are_due() {
    let mut planned = Planned::new();
    for number in 0..100 {
        planned.plan.seen(id(&number.to_string()), edition(1));
    }
    while !planned.check(Outcome::NotReady).is_empty() {}
    planned.now += Duration::from_secs(60);
    let hanging: Vec<_> = std::iter::from_fn(|| planned.plan.next(planned.now)).collect();
    assert_eq!(hanging.len(), AT_ONCE_OF_ONE);
    let last = (0..100)
        .map(|number| id(&number.to_string()))
        .rfind(|id| !hanging.contains(id))
        .expect("one that waits");
    planned.plan.seen(last.clone(), edition(2));
    planned
        .plan
        .ended(hanging[0].clone(), Outcome::NotReady, planned.now);
    assert_eq!(planned.plan.next(planned.now), Some(last));
}

#[test]
fn those_that_are_gone_leave_nothing() {
    let mut planned = Planned::new();
    for number in 0..1000 {
        planned.plan.seen(id(&number.to_string()), edition(1));
    }
    while !planned.check(Outcome::Ready).is_empty() {}
    while planned.plan.next_due().is_some() {
        planned.wait();
        planned.check(Outcome::Gone);
    }
    let Plan {
        turns, known, due, ..
    } = planned.plan;
    assert!(known.is_empty() && due.is_empty(), "{known:?} {due:?} {turns:?}");
}

#[test]
fn a_status_that_was_not_written_is_written_soon() {
    let mut planned = Planned::new();
    planned.plan.seen(id("a"), edition(1));
    planned.check(Outcome::Unwritten);
    assert!(planned.wait() <= Duration::from_secs(5));
}
