//! When a standby takes the lease, and when it must not.

use super::*;
use serde_json::json;

/// The duration in the lease counts, not the standby's own.
#[test]
fn a_standby_waits_for_the_whole_duration_of_a_vanished_holder() {
    run(async {
        for own in [3, 15, 60].map(Duration::from_secs) {
            let fixture = Fixture::new();
            let leader = fixture.leader("leader").await;
            let standby = fixture.candidate_with("standby", own);
            pass(Duration::from_secs(40)).await;
            leader.vanish();
            let began = standby.wait_until_it_leads().await;
            let waited = began - fixture.server.last_write("leader");
            assert!(waited >= DURATION, "took the lease after {waited:?}");
            assert!(
                waited <= DURATION + LOOK_EVERY * 2 + TOLERANCE,
                "waited {waited:?}"
            );
        }
    });
}

/// A new standby cannot know how long ago the last renewal was.
#[test]
fn a_new_standby_counts_from_its_own_first_look() {
    run(async {
        let fixture = Fixture::new();
        fixture.leader("leader").await.vanish();
        pass(DURATION * 10).await;
        let from = fixture.clock.now();
        let standby = fixture.candidate("standby");
        let waited = standby.wait_until_it_leads().await - from;
        assert!(waited >= DURATION, "took the lease after {waited:?}");
        assert!(
            waited <= DURATION + LOOK_EVERY * 2 + TOLERANCE,
            "waited {waited:?}"
        );
    });
}

#[test]
fn a_lease_without_a_duration_expires_after_the_duration_of_the_standby() {
    run(async {
        let fixture = Fixture::new();
        fixture
            .server
            .edit(&json!({"spec": {"holderIdentity": "somebody"}}));
        let from = fixture.clock.now();
        let standby = fixture.candidate_with("standby", Duration::from_secs(6));
        let waited = standby.wait_until_it_leads().await - from;
        assert!(
            waited >= Duration::from_secs(6),
            "took the lease after {waited:?}"
        );
        assert!(waited <= Duration::from_secs(8) + TOLERANCE, "waited {waited:?}");
    });
}

#[test]
fn a_holder_that_renews_keeps_the_lease() {
    run(async {
        let fixture = Fixture::new();
        let leader = fixture.leader("leader").await;
        let standbys = [1, 2, 3].map(|n| fixture.candidate_with(&format!("standby-{n}"), DURATION / n));
        pass(DURATION * 40).await;
        assert!(leader.leads());
        assert!(standbys.iter().all(|standby| standby.began().is_none()));
        let age = fixture.clock.now() - fixture.server.last_write("leader");
        assert!(age < DURATION / 3, "last renewed {age:?} ago");
        let spec = fixture.server.spec().expect("a lease");
        assert_eq!(spec["leaseTransitions"], 1, "a renewal is no transition");
    });
}

/// The lease may have changed while the standby could not read it.
#[test]
fn a_standby_that_was_cut_off_counts_from_its_next_look() {
    run(async {
        let fixture = Fixture::new();
        let leader = fixture.leader("leader").await;
        let standby = fixture.candidate("standby");
        pass(Duration::from_secs(5)).await;
        for reply in [Reply::Refuse(500), Reply::Hang] {
            standby.connection.fault(reply, reply);
            pass(DURATION * 3).await;
            standby.connection.fault(Reply::Normal, Reply::Normal);
            pass(DURATION * 2).await;
            assert!(leader.leads() && standby.began().is_none(), "after {reply:?}");
        }
    });
}

#[test]
fn a_released_lease_is_taken_within_a_look() {
    run(async {
        let fixture = Fixture::new();
        let mut leader = fixture.leader("leader").await;
        let standby = fixture.candidate("standby");
        pass(DURATION).await;
        leader.stop().await;
        let from = fixture.clock.now();
        let waited = standby.wait_until_it_leads().await - from;
        assert!(waited <= Duration::from_secs(1) + TOLERANCE, "waited {waited:?}");
        let spec = fixture.server.spec().expect("a lease");
        assert_eq!(spec["leaseTransitions"], 2);
    });
}

/// Minutes that a wrong clock may show.
const WRONG: [&str; 4] = [
    "1970-01-01T00:00",
    "2001-02-03T04:05",
    "2199-01-01T00:00",
    "9999-01-01T00:00",
];

fn time(minute: &str, second: u64) -> String {
    format!("{minute}:{second:02}.000000Z")
}

#[test]
fn a_wrong_clock_of_a_vanished_holder_does_not_change_the_wait() {
    run(async {
        for time in WRONG.map(|minute| time(minute, 0)) {
            let fixture = Fixture::new();
            fixture.server.edit(&record("holder", 15, &time));
            let standby = fixture.candidate("standby");
            let waited = standby.wait_until_it_leads().await;
            assert!(waited >= DURATION, "{time}: took the lease after {waited:?}");
            assert!(
                waited <= DURATION + LOOK_EVERY * 2 + TOLERANCE,
                "{time}: waited {waited:?}"
            );
        }
    });
}

/// The clock may also be set back, so that a renewal looks older than the one before.
#[test]
fn a_holder_with_a_wrong_clock_that_renews_keeps_the_lease() {
    run(async {
        let fixture = Fixture::new();
        fixture.server.edit(&record("holder", 15, &time(WRONG[0], 0)));
        let standby = fixture.candidate("standby");
        for minute in WRONG.iter().chain(WRONG.iter().rev()).cycle().take(40) {
            let time = time(minute, fixture.server.version());
            fixture.server.edit(&json!({"spec": {"renewTime": time}}));
            pass(Duration::from_secs(12)).await;
            assert!(standby.began().is_none(), "at {time}");
        }
        let from = fixture.clock.now();
        let waited = standby.wait_until_it_leads().await - from;
        assert!(
            waited <= Duration::from_secs(3) + LOOK_EVERY * 2 + TOLERANCE,
            "waited {waited:?}"
        );
    });
}

/// Both read the lease before either writes it.
#[test]
fn exactly_one_of_two_racing_candidates_leads() {
    run(async {
        let late = Reply::Late(Duration::from_millis(300));
        let released = json!({"spec": {"leaseDurationSeconds": 15, "leaseTransitions": 7}});
        for free in [None, Some(released)] {
            let fixture = Fixture::new();
            free.iter().for_each(|free| fixture.server.edit(free));
            let before = fixture.server.version();
            let racers = ["one", "two"].map(|name| fixture.candidate(name));
            racers
                .iter()
                .for_each(|racer| racer.connection.fault(late, Reply::Normal));
            pass(Duration::from_millis(400)).await;
            assert_eq!(fixture.server.version(), before + 1, "one write succeeds");
            pass(DURATION * 4).await;
            let leaders = racers.iter().filter(|racer| racer.leads()).count();
            let began = racers.iter().filter(|racer| racer.began().is_some()).count();
            assert_eq!((leaders, began), (1, 1), "from {free:?}");
        }
    });
}
