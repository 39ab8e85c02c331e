//! When a leader goes on, and when it stops: always before a standby can take the lease.

use super::*;
use serde_json::json;

/// How long a leader may lead after its last renewal.
const TERM: Duration = Duration::from_secs(10);

/// Replies to reads and writes that fail an attempt or delay it as long as possible.
const FAULTS: [(Reply, Reply); 14] = [
    (Reply::Refuse(500), Reply::Normal),
    (Reply::Hang, Reply::Normal),
    (LATE, Reply::Normal),
    (LATER, Reply::Normal),
    (Reply::Normal, Reply::Refuse(500)),
    (Reply::Normal, Reply::Refuse(409)),
    (Reply::Normal, Reply::Hang),
    (Reply::Normal, Reply::Lose),
    (Reply::Normal, LATE),
    (LATE, Reply::Refuse(500)),
    (LATE, Reply::Refuse(409)),
    (LATE, Reply::Hang),
    (LATER, Reply::Hang),
    (LATER, Reply::Lose),
];
const LATE: Reply = Reply::Late(Duration::from_millis(3600));
const LATER: Reply = Reply::Late(Duration::from_millis(4900));

/// One fault begins after this time, and a second one replaces it later.
struct Outage {
    first: (Reply, Reply),
    begins: Duration,
    second: (Reply, Reply),
    follows: Duration,
}

/// Every fault, followed by each fault that stops a leader, at two phases of renewals and of looks.
fn outages() -> impl Iterator<Item = Outage> {
    let stopping = [FAULTS[1], FAULTS[4], FAULTS[12]];
    let times = [(6900, 3000), (7450, 6500)];
    FAULTS.into_iter().flat_map(move |first| {
        stopping.into_iter().flat_map(move |second| {
            times.map(|(begins, follows)| Outage {
                first,
                begins: Duration::from_millis(begins),
                second,
                follows: Duration::from_millis(follows),
            })
        })
    })
}

impl Outage {
    /// Returns how long after its last renewal the leader stopped, if it did.
    async fn happens(&self) -> Option<Duration> {
        let fixture = Fixture::new();
        let leader = fixture.leader("leader").await;
        let phase = Duration::from_nanos(self.begins.subsec_nanos().into());
        pass(phase).await;
        let standby = fixture.candidate("standby");
        pass(self.begins - phase).await;
        leader.connection.fault(self.first.0, self.first.1);
        pass(self.follows).await;
        leader.connection.fault(self.second.0, self.second.1);
        pass(DURATION * 2 + Duration::from_secs(5)).await;
        let renewed = fixture.server.last_write("leader");
        let ended = leader.ended();
        if let Some(began) = standby.began() {
            assert!(began >= renewed + DURATION, "{self}: taken too early");
            assert!(ended.is_some_and(|ended| ended < began), "{self}: two lead");
            assert!(!leader.leads(), "{self}: two lead in the end");
        }
        ended.map(|ended| ended.saturating_sub(renewed))
    }
}

impl std::fmt::Display for Outage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            first,
            begins,
            second,
            follows,
        } = self;
        write!(f, "{first:?} after {begins:?}, and {second:?} {follows:?} later")
    }
}

/// The leader stops before any standby can take the lease, whenever that standby looks, and before the
/// standby of the test does.
#[test]
fn a_leader_that_cannot_renew_stops_before_a_standby_may_lead() {
    run(async {
        let mut latest = Duration::ZERO;
        for outage in outages() {
            let Some(age) = outage.happens().await else {
                continue;
            };
            assert!(
                age <= TERM + TOLERANCE,
                "{outage}: stopped {age:?} after its last renewal"
            );
            latest = latest.max(age);
        }
        assert!(
            TERM + TOLERANCE < DURATION && latest + TOLERANCE >= TERM,
            "{latest:?}"
        );
    });
}

/// Whether it cannot read, cannot write, or gets each answer too late.
#[test]
fn a_leader_that_could_not_renew_goes_on_when_nobody_took_over() {
    run(async {
        let slow = Reply::Late(Duration::from_secs(12));
        let outages = [
            (Reply::Hang, Reply::Hang),
            (Reply::Refuse(500), Reply::Normal),
            (Reply::Normal, Reply::Lose),
            (slow, Reply::Normal),
            (Reply::Normal, slow),
        ];
        for (read, write) in outages {
            for seconds in [12, 90, 600] {
                let fixture = Fixture::new();
                let leader = fixture.leader("leader").await;
                pass(Duration::from_secs(7)).await;
                leader.connection.fault(read, write);
                pass(Duration::from_secs(seconds)).await;
                assert!(!leader.leads(), "{read:?} {write:?}: it begins nothing");
                leader.connection.fault(Reply::Normal, Reply::Normal);
                // One try that hangs, and the longest pause.
                pass(TERM + LONGEST_PAUSE + TOLERANCE).await;
                assert!(leader.leads(), "{read:?} {write:?}: it goes on");
                assert_eq!((leader.pauses(), leader.lost()), (1, false));
                let spec = fixture.server.spec().expect("a lease");
                assert_eq!(spec["leaseTransitions"], 1, "{read:?} {write:?}");
                pass(DURATION * 4).await;
                assert_eq!(leader.pauses(), 1, "{read:?} {write:?}: it keeps the lease");
            }
        }
    });
}

#[test]
fn a_leader_that_could_not_renew_stops_when_another_took_over() {
    run(async {
        let fixture = Fixture::new();
        let leader = fixture.leader("leader").await;
        let standby = fixture.candidate("standby");
        pass(Duration::from_secs(7)).await;
        leader.connection.fault(Reply::Hang, Reply::Hang);
        standby.wait_until_it_leads().await;
        assert!(!leader.leads() && !leader.lost(), "it does not know yet");
        leader.connection.fault(Reply::Normal, Reply::Normal);
        pass(TERM + LONGEST_PAUSE + TOLERANCE).await;
        assert!(leader.lost() && standby.leads());
        assert_eq!(fixture.server.holder().as_deref(), Some("standby"));
    });
}

/// The process was frozen, and no task has run since: the clock alone tells.
#[test]
fn a_frozen_leader_may_begin_nothing_when_it_thaws() {
    run(async {
        let fixture = Fixture::new();
        let leader = fixture.leader("leader").await;
        assert!(leader.leads());
        fixture.clock.advance(TERM);
        assert_eq!(leader.ended(), None, "nobody told it");
        assert!(!leader.leads());
    });
}

/// A standby counts from the write, and its response may come much later.
#[test]
fn leadership_is_counted_from_before_the_first_write() {
    run(async {
        let fixture = Fixture::new();
        let leader = fixture.candidate("leader");
        leader
            .connection
            .fault(Reply::Normal, Reply::Late(Duration::from_millis(3500)));
        pass(Duration::from_secs(3)).await;
        leader.connection.fault(Reply::Hang, Reply::Hang);
        leader.wait_until_it_leads().await;
        pass(DURATION).await;
        let age = leader.ended().expect("an end") - fixture.server.last_write("leader");
        assert!(age <= TERM + TOLERANCE, "stopped after {age:?}");
    });
}

/// The time of a suspend passes on the boot clock, but not for tokio's timers.
#[test]
fn a_leader_that_was_suspended_for_too_long_stops_at_once() {
    run(async {
        let fixture = Fixture::new();
        let leader = fixture.leader("leader").await;
        pass(Duration::from_secs(1)).await;
        leader.connection.fault(Reply::Hang, Reply::Hang);
        fixture.clock.advance(TERM);
        pass(TOLERANCE).await;
        assert!(leader.ended().is_some());
    });
}

#[test]
fn one_failed_renewal_does_not_end_leadership() {
    run(async {
        for (read, write) in FAULTS {
            let fixture = Fixture::new();
            let leader = fixture.leader("leader").await;
            let standby = fixture.candidate("standby");
            for _ in 0..3 {
                leader.connection.fault_times(read, write, 1);
                pass(DURATION).await;
                assert!(leader.leads(), "{read:?} {write:?}");
            }
            assert!(standby.began().is_none(), "{read:?} {write:?}");
        }
    });
}

/// Somebody annotates the lease between our read and our write, or kube repeats our write after a 504.
#[test]
fn a_conflict_over_our_own_lease_does_not_end_leadership() {
    run(async {
        let fixture = Fixture::new();
        let leader = fixture.leader("leader").await;
        leader
            .connection
            .edit_after_read(json!({"metadata": {"annotations": {"some": "body"}}}));
        pass(DURATION).await;
        assert!(leader.leads(), "after an edit");
        let spec = fixture.server.spec().expect("a lease");
        assert_eq!(spec["leaseTransitions"], 1);
        for _ in 0..5 {
            leader.connection.fault_times(Reply::Normal, Reply::Twice, 1);
            pass(DURATION).await;
            assert!(leader.leads(), "after a repeated write");
        }
    });
}

/// At its next renewal, or during a renewal between its read and its write.
#[test]
fn a_leader_stops_at_once_when_somebody_else_has_the_lease() {
    run(async {
        for between in [false, true] {
            let fixture = Fixture::new();
            let leader = fixture.leader("leader").await;
            pass(DURATION).await;
            let stolen = record("thief", 15, WRONG_TIME);
            let from = fixture.clock.now();
            if between {
                leader.connection.edit_after_read(stolen);
            } else {
                fixture.server.edit(&stolen);
            }
            pass(DURATION / 6 + TOLERANCE).await;
            assert!(leader.ended().is_some(), "stolen at {from:?}, between: {between}");
            assert_eq!(fixture.server.holder().as_deref(), Some("thief"));
        }
    });
}

const WRONG_TIME: &str = "2001-02-03T04:05:06.000000Z";

/// A restored backup can bring back a lease that we saw expire. Its holder may be alive now.
#[test]
fn a_leader_stops_when_the_lease_of_its_predecessor_is_restored() {
    run(async {
        let fixture = Fixture::new();
        let before = record("before", 15, WRONG_TIME);
        fixture.server.edit(&before);
        let leader = fixture.leader("leader").await;
        pass(DURATION * 2).await;
        let ours = fixture.server.spec().expect("a lease");
        fixture.server.delete();
        fixture.server.edit(&before);
        assert_ne!(fixture.server.spec(), Some(ours));
        pass(DURATION / 6 + TOLERANCE).await;
        assert!(leader.ended().is_some());
        assert_eq!(fixture.server.holder().as_deref(), Some("before"));
    });
}

#[test]
fn a_deleted_lease_is_created_again() {
    run(async {
        let fixture = Fixture::new();
        let leader = fixture.leader("leader").await;
        for twice in [Reply::Normal, Reply::Twice] {
            pass(DURATION).await;
            fixture.server.delete();
            leader.connection.fault_times(Reply::Normal, twice, 1);
            pass(DURATION / 6 + TOLERANCE).await;
            assert_eq!(fixture.server.holder().as_deref(), Some("leader"));
            assert!(leader.leads());
        }
    });
}
