mod fleet;
mod played;

use super::*;
use played::{Played, S, ask, lane_of, owner};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[test]
fn one_that_waits_is_called_when_a_place_is_free() {
    let mut played = Played::new();
    let first = played.go(&ask("a", "1"));
    assert_eq!(played.waits(&ask("a", "2")).position, 1);
    assert_eq!(played.waits(&ask("a", "3")).position, 2);
    assert_eq!(played.waits(&ask("b", "4")).position, 2, "namespaces take turns");
    assert_eq!(played.waits(&ask("a", "3")).position, 3);
    played.release(first, Some(Outcome::Answered));
    assert_eq!(played.called(), ["2"]);
    played.waits(&ask("b", "4"));
    let second = played.go(&ask("a", "2"));
    played.release(second, Some(Outcome::Answered));
    assert_eq!(played.called(), ["4"]);
}

#[test]
fn a_place_for_which_nobody_comes_goes_to_the_next() {
    let mut played = Played::new();
    let limited = |name: &str| Ask {
        interval: Some(Duration::from_secs(30)),
        ..ask("a", name)
    };
    let first = played.go(&limited("1"));
    played.waits(&limited("2"));
    played.waits(&limited("3"));
    played.release(first, Some(Outcome::Answered));
    assert_eq!(played.called(), Vec::<String>::new(), "two a minute");
    assert_eq!(played.tick(), Some(played.now + 30 * S));
    played.now += 30 * S;
    assert_eq!(played.tick(), Some(played.now + RESERVED));
    assert_eq!(played.called(), ["2"]);
    played.now += RESERVED;
    played.tick();
    assert_eq!(played.called(), ["3"], "its turn was not used and does not count");
    let third = played.go(&limited("3"));
    // The share changed its mind: that does not count either.
    played.release(third, None);
    played.go(&limited("2"));
}

#[test]
fn those_that_are_no_more_are_passed_over() {
    let mut played = Played::new();
    let first = played.go(&ask("a", "1"));
    for name in ["2", "3", "4"] {
        played.waits(&ask("a", name));
    }
    played.state.leave(&owner("a", "3"), played.now);
    played.state.release(first, Some(Outcome::Answered), played.now);
    played.state.call(played.now, &|owner, _| match &*owner.name {
        "2" => Standing::Gone,
        _ => Standing::Ready,
    });
    assert_eq!(played.called(), ["4"]);
    assert_eq!(played.state.waiting(), 0);
}

#[test]
fn a_limit_of_mails_pauses_mails_alone() {
    let mut played = Played::new();
    let mailed = |name: &str| Ask {
        mails: true,
        ..ask("a", name)
    };
    let first = played.go(&mailed("1"));
    played.waits(&mailed("2"));
    played.waits(&ask("a", "3"));
    played.release(first, Some(Outcome::Limited(None)));
    assert_eq!(played.called(), ["3"]);
    let third = played.go(&ask("a", "3"));
    played.release(third, Some(Outcome::Answered));
    let wait = played.waits(&mailed("2"));
    assert_eq!(wait.closed, Some(Closed::Limited(played.now + 10 * S)));
    assert_eq!(played.tick(), Some(played.now + 10 * S));
    played.now += 10 * S;
    played.tick();
    assert_eq!(played.called(), ["2"]);
    let second = played.go(&mailed("2"));
    // One without a mail that is refused pauses all.
    played.release(second, Some(Outcome::Answered));
    let fourth = played.go(&ask("a", "4"));
    played.release(fourth, Some(Outcome::Limited(Some(60))));
    assert!(played.waits(&mailed("5")).closed.is_some());
    assert_eq!(played.tick(), Some(played.now + 60 * S));
}

#[test]
fn one_that_was_called_before_a_pause_goes_back_to_its_place() {
    let mut played = Played::new();
    let wide = |name: &str| Ask {
        size: 2,
        ..ask("a", name)
    };
    let first = played.go(&wide("1"));
    let second = played.go(&wide("2"));
    for name in ["3", "4"] {
        played.waits(&wide(name));
    }
    played.release(first, Some(Outcome::Answered));
    assert_eq!(played.called(), ["3"]);
    played.release(second, Some(Outcome::Limited(None)));
    assert!(played.waits(&wide("3")).closed.is_some(), "it would be refused");
    played.now += 10 * S;
    played.tick();
    assert_eq!(played.called(), ["3"], "one tries, the first in the line");
    assert!(played.waits(&wide("4")).closed.is_some());
    let third = played.go(&wide("3"));
    played.release(third, Some(Outcome::Answered));
    assert_eq!(played.called(), ["4"]);
}

#[test]
fn attempts_of_one_lane_go_one_at_a_time() {
    let mut played = Played::new();
    let laned = |name: &str, lane: &str| Ask {
        size: 4,
        mails: true,
        lane: lane_of(lane),
        ..ask("a", name)
    };
    let first = played.go(&laned("1", "x"));
    played.waits(&laned("2", "x"));
    played.go(&laned("3", "y"));
    played.release(first, Some(Outcome::Answered));
    assert_eq!(played.called(), ["2"]);
    // Its recipient was corrected: the place is for another lane.
    played.go(&laned("2", "z"));
    assert!(!played.state.lanes.contains("x"));
}

#[test]
fn one_whose_lane_is_in_doubt_keeps_its_place() {
    let mut played = Played::new();
    let first = played.go(&ask("a", "1"));
    let laned = Ask {
        mails: true,
        lane: lane_of("x"),
        ..ask("a", "2")
    };
    played.waits(&laned);
    played.waits(&ask("a", "3"));
    played.state.release(first, Some(Outcome::Answered), played.now);
    let in_doubt = |_: &Owner, lane: Option<&Lane>| match lane {
        Some(_) => Standing::Blocked,
        None => Standing::Ready,
    };
    played.state.call(played.now, &in_doubt);
    assert_eq!(played.called(), ["3"]);
    let third = played.go(&ask("a", "3"));
    played.state.release(third, Some(Outcome::Answered), played.now);
    assert_eq!(played.state.tick(played.now, &in_doubt), None);
    played.tick();
    assert_eq!(played.called(), ["2"]);
}

#[test]
fn one_call_tries_a_server_that_failed() {
    let mut played = Played::new();
    let wide = |name: &str| Ask {
        size: 8,
        ..ask("a", name)
    };
    let all: Vec<Grant> = ["1", "2", "3", "4", "5"]
        .map(|name| played.go(&wide(name)))
        .into();
    for grant in all {
        played.release(grant, Some(Outcome::Failed));
    }
    assert_eq!(
        played.waits(&wide("6")).closed,
        Some(Closed::Failing(played.now + 30 * S))
    );
    played.waits(&wide("7"));
    assert_eq!(played.tick(), Some(played.now + 30 * S));
    played.now += 30 * S;
    played.tick();
    assert_eq!(played.called(), ["6"], "one tries");
    // It does not come: the next one tries.
    played.now += RESERVED;
    played.tick();
    assert_eq!(played.called(), ["7"]);
    let seventh = played.go(&wide("7"));
    played.release(seventh, Some(Outcome::Answered));
    played.go(&wide("8"));
    played.go(&wide("9"));
}

#[test]
fn a_position_is_told_once() {
    let mut played = Played::new();
    let first = played.go(&ask("a", "1"));
    played.waits(&ask("a", "2"));
    assert_eq!(played.waits(&ask("a", "3")).position, 2);
    played.now += SILENT;
    let told = played.waits(&ask("a", "3"));
    assert_eq!((told.position, told.waited), (2, SILENT));
    played.release(first, Some(Outcome::Answered));
    played.now += S;
    assert_eq!(played.waits(&ask("a", "3")).position, 2, "as it was told");
}

#[test]
fn a_place_in_a_line_that_moves_fast_is_not_told() {
    let mut played = Played::new();
    let mut one = played.go(&ask("a", "0"));
    for number in 1..100 {
        played.waits(&ask("a", &number.to_string()));
    }
    // Twenty a second.
    for number in 1..=40 {
        played.now += SILENT / 40;
        played.release(one, Some(Outcome::Answered));
        one = played.go(&ask("a", &number.to_string()));
    }
    let last = ask("a", "99");
    let Tells::NotYet(left) = played.waits(&last).tells else {
        panic!("59 of them take three seconds");
    };
    assert!(left > SILENT && left < 2 * SILENT, "{left:?}");
    // It stands still.
    played.now += SOON * 3;
    assert_eq!(played.waits(&last).tells, Tells::First);
    assert_eq!(played.waits(&last).tells, Tells::Again);
}

#[test]
fn one_that_did_not_change_is_not_looked_at_again() {
    let mut played = Played::new();
    let first = played.go(&ask("a", "1"));
    let second = ask("a", "2");
    played.waits(&second);
    let still = |played: &mut Played, generation| {
        let version = (Some("2".to_owned()), Some(generation));
        played
            .state
            .still_waits(&second.owner, &version, played.now)
            .is_some()
    };
    assert!(still(&mut played, 1));
    assert!(!still(&mut played, 2), "it was edited");
    played.release(first, Some(Outcome::Answered));
    assert!(!still(&mut played, 1), "it was called");
}

#[test]
fn no_namespace_takes_all_places() {
    let mut played = Played::new();
    let wide = |namespace: &str, gate: usize, number: usize| Ask {
        size: 1000,
        provider: ProviderId {
            namespace: None,
            name: gate.to_string(),
        },
        ..ask(namespace, &format!("{gate}-{number}"))
    };
    let mut all = Vec::new();
    for gate in 0..4 {
        for number in 0..AT_A_GATE {
            all.extend(played.enter(&wide("a", gate, number)));
        }
        played.waits(&wide("a", gate, 99));
    }
    assert!(all.len() > 2 * AT_A_GATE, "{}", all.len());
    for namespace in 0..20 {
        let name = format!("greedy-{namespace}");
        for number in 0..40 {
            all.extend(played.enter(&wide(&name, number % 5, number)));
        }
    }
    assert!(all.len() <= IN_ALL);
    played.go(&wide("modest", 0, 1));
}

#[derive(Clone, Debug)]
enum Act {
    Enter(u8),
    Release(u8, Option<Outcome>),
    Leave(u8),
    Wait(u16),
}

fn act() -> impl Strategy<Value = Act> {
    let outcome = prop_oneof![
        Just(None),
        Just(Some(Outcome::Answered)),
        Just(Some(Outcome::Failed)),
        Just(Some(Outcome::Limited(None))),
        Just(Some(Outcome::Other)),
    ];
    prop_oneof![
        4 => (0u8..24).prop_map(Act::Enter),
        4 => (0u8..24, outcome).prop_map(|(who, outcome)| Act::Release(who, outcome)),
        1 => (0u8..24).prop_map(Act::Leave),
        2 => (0u16..400).prop_map(Act::Wait),
    ]
}

proptest! {
    /// Whatever happens: no more go at once than may, at most one of a lane, and in the end everybody who still
    /// wants to goes.
    #[test]
    fn everybody_comes_to_their_turn(acts in prop::collection::vec(act(), 0..80)) {
        let mut played = Played::new();
        let asks = |who: u8| Ask {
            size: 3,
            interval: who.is_multiple_of(5).then_some(Duration::from_secs(2)),
            mails: who.is_multiple_of(2),
            lane: lane_of(&(who % 3).to_string()).filter(|_| who.is_multiple_of(2)),
            ..ask(["a", "b", "c"][usize::from(who % 3)], &who.to_string())
        };
        let mut inside = BTreeMap::<u8, Grant>::new();
        for act in acts {
            match act {
                Act::Enter(who) if !inside.contains_key(&who) => {
                    if let Ok(grant) = played.enter(&asks(who)) {
                        inside.insert(who, grant);
                    }
                }
                Act::Enter(_) => {}
                Act::Release(who, outcome) => {
                    if let Some(grant) = inside.remove(&who) {
                        played.release(grant, outcome);
                    }
                }
                Act::Leave(who) => {
                    let ask = asks(who);
                    if !inside.contains_key(&who) {
                        played.state.leave(&ask.owner, played.now);
                    }
                }
                Act::Wait(seconds) => {
                    played.now += Duration::from_secs(u64::from(seconds));
                    played.tick();
                }
            }
            prop_assert!(inside.len() + played.state.called.len() <= 3);
            prop_assert_eq!(played.state.total, inside.len() + played.state.called.len());
            let lanes: Vec<_> = inside.keys().filter_map(|who| asks(*who).lane.map(|lane| lane.name)).collect();
            let unique: HashSet<_> = lanes.iter().collect();
            prop_assert_eq!(lanes.len(), unique.len());
        }
        // Everybody inside ends well, and everybody who waits comes when called.
        for grant in std::mem::take(&mut inside).into_values() {
            played.release(grant, Some(Outcome::Answered));
        }
        for _ in 0..2000 {
            if played.state.waiting() == 0 && played.state.called.is_empty() {
                break;
            }
            let next = played.tick();
            for name in played.called() {
                let who = name.parse().expect("a number");
                if let Ok(grant) = played.enter(&asks(who)) {
                    played.release(grant, Some(Outcome::Answered));
                }
            }
            if let Some(next) = next {
                played.now = played.now.max(next);
            }
        }
        prop_assert_eq!(played.state.waiting(), 0, "somebody waits for ever");
        prop_assert_eq!(played.state.total, 0);
        played.now += 10_000 * S;
        played.state.tidy(played.now, &|_, _| Standing::Ready);
        prop_assert!(played.state.gates.is_empty() && played.state.running.is_empty());
    }
}
