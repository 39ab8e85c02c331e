//! Every phase of an entry in every situation of its share, and what must hold in all of them.

use super::*;
use crate::share::fixtures::{
    self, EPOCH, GENERATION, HERE, UID, attempt, entry, finished, held, key, now, request, share,
};
use crate::share::ledger::{Ending, Retry};
use jiff::SignedDuration;
use proptest::prelude::*;

const DEADLINE: Duration = Duration::from_secs(fixtures::DEADLINE_SECONDS);

/// Facts that own what they are made of.
#[derive(Clone, Debug)]
struct World {
    uid: &'static str,
    generation: i64,
    request: Result<Request, Problem>,
    suspend: bool,
    deleting: bool,
    told: Option<(RequestKey, Option<&'static str>)>,
    live: bool,
    known_for: Duration,
    now: Timestamp,
    entry: Option<Entry>,
}

impl World {
    /// A share in the cache that asks for what its entry holds, and whose status tells nothing.
    fn of(phase: Option<Phase>) -> Self {
        Self {
            uid: UID,
            generation: GENERATION,
            request: Ok(request("1")),
            suspend: false,
            deleting: false,
            told: None,
            live: false,
            known_for: Duration::ZERO,
            now: now(),
            entry: phase.map(entry),
        }
    }

    fn decide(&self) -> Step {
        let told = self.told.as_ref();
        let facts = Facts {
            uid: self.uid,
            generation: self.generation,
            request: self.request.as_ref(),
            suspend: self.suspend,
            deleting: self.deleting,
            told: Told {
                request: told.map(|(key, _)| key.clone()),
                attempt: told.and_then(|(_, attempt)| *attempt),
            },
            live: self.live,
            cluster: HERE,
            attempt_known_for: self.known_for,
            now: self.now,
        };
        decide(&facts, self.entry.as_ref())
    }

    /// Whether the share asks for what the entry holds.
    fn is_same_request(&self) -> bool {
        match (&self.request, &self.entry) {
            (Ok(request), Some(entry)) => {
                request.fingerprint(entry.request.version).as_ref() == Some(&entry.request.fingerprint)
            }
            _ => false,
        }
    }
}

/// A problem whose end is waited for.
fn waiting() -> Retry {
    Retry {
        failures: 2,
        not_before: Some(now() + SignedDuration::from_secs(10)),
        problem: Some(Problem::passing(Reason::RateLimited, "wait")),
    }
}

/// A step in the words of the table.
fn word(step: &Step) -> String {
    match step {
        Step::Ignore => "ignore".into(),
        Step::ReadLive => "read".into(),
        Step::Settle(_) => "settle".into(),
        Step::Resolve => "resolve".into(),
        Step::Burn => "burn".into(),
        Step::Send { request, burn_first } => {
            let burn = if *burn_first { "burn+" } else { "" };
            format!("{burn}send@{}", request.epoch)
        }
        Step::Rest { problem, wake } => {
            let until = if wake.is_some() { "+wake" } else { "" };
            match problem {
                Some(problem) => format!("{:?}{until}", problem.reason),
                None => format!("done{until}"),
            }
        }
    }
}

/// The rows: what the ledger holds.
fn ledger(row: &str) -> World {
    let mut world = World::of(match row {
        "absent" => None,
        "idle" | "idle, waits" => Some(Phase::Idle),
        "intent, young" | "intent, due" => Some(Phase::Intent(attempt())),
        "intent, held" => Some(Phase::Intent(held())),
        "shared" | "shared elsewhere" => Some(Phase::Shared(share())),
        "burning" | "burning, waits" => Some(Phase::Burning(share())),
        "received" => Some(Phase::Finished(finished(Ending::Received))),
        "burned" => Some(Phase::Finished(finished(Ending::Burned))),
        _ => panic!("no such row: {row}"),
    });
    if let Some(entry) = &mut world.entry {
        match row {
            "idle, waits" | "burning, waits" => entry.retry = waiting(),
            "shared elsewhere" => entry.cluster = "another-cluster".into(),
            _ => {}
        }
    }
    if row == "intent, due" {
        world.known_for = DEADLINE + SLACK;
    }
    world
}

/// The columns: what is known of the share.
fn situation(column: &str, mut world: World) -> World {
    for word in column.split('+') {
        match word {
            "same" => {}
            "suspend" => world.suspend = true,
            "delete" => world.deleting = true,
            "older" => world.generation = GENERATION - 1,
            "other uid" => (world.uid, world.generation) = ("uid-2", 1),
            "edited" => world.request = Ok(request("2")),
            "live" => world.live = true,
            "invalid" => world.request = Err(Problem::edit(Reason::TtlInvalid, "ttl")),
            // The status tells of a link for the very request of the entry.
            "told" => world.told = Some((key("1", EPOCH), Some("nonce"))),
            _ => panic!("no such column: {word}"),
        }
    }
    world
}

/// A row for what the ledger holds, a column for what is known of the share. `send@4` sends with that epoch, a bare
/// reason rests with that problem, `+wake` looks again at a time. The entry's request has epoch 3.
const TABLE: &str = "
                  | same           | same+suspend   | same+delete    | same+older | same+other uid | edited | edited+live | edited+live+suspend | edited+live+delete | edited+older | invalid        | same+told   | edited+live+told
absent            | send@0         | Suspended      | done           | send@0     | send@0         | send@0 | send@0      | Suspended           | done               | send@0       | TtlInvalid     | LedgerLost  | send@4
idle              | send@3         | Suspended      | done           | ignore     | send@3         | read   | send@4      | Suspended           | done               | ignore       | TtlInvalid     | LedgerLost  | send@4
idle, waits       | RateLimited+wake | RateLimited+wake | RateLimited+wake | ignore | RateLimited+wake | read | send@4     | Suspended           | done               | ignore       | TtlInvalid     | LedgerLost  | send@4
intent, young     | settle         | settle         | settle         | ignore     | settle         | read   | settle      | settle              | settle             | ignore       | TtlInvalid     | settle      | settle
intent, due       | resolve        | resolve        | resolve        | ignore     | resolve        | read   | resolve     | resolve             | resolve            | ignore       | TtlInvalid     | resolve     | resolve
intent, held      | Uncertain      | Uncertain      | Uncertain      | ignore     | Uncertain      | read   | send@4      | Suspended           | done               | ignore       | TtlInvalid     | Uncertain   | send@4
shared            | done           | done           | done           | ignore     | done           | read   | burn+send@4 | Suspended           | done               | ignore       | TtlInvalid     | done        | burn+send@4
shared elsewhere  | done           | done           | done           | ignore     | done           | read   | send@4      | Suspended           | done               | ignore       | TtlInvalid     | done        | send@4
burning           | burn           | burn           | burn           | ignore     | burn           | read   | burn        | burn                | burn               | ignore       | burn           | burn        | burn
burning, waits    | RateLimited+wake | RateLimited+wake | RateLimited+wake | ignore | RateLimited+wake | read | RateLimited+wake | RateLimited+wake | RateLimited+wake  | ignore       | RateLimited+wake | RateLimited+wake | RateLimited+wake
received          | done           | done           | done           | ignore     | done           | read   | send@4      | Suspended           | done               | ignore       | TtlInvalid     | done        | send@4
burned            | done           | done           | done           | ignore     | done           | read   | send@4      | Suspended           | done               | ignore       | TtlInvalid     | done        | send@4
";

#[test]
fn every_phase_in_every_situation() {
    let mut lines = TABLE
        .trim_matches('\n')
        .lines()
        .map(|line| line.split('|').map(str::trim));
    let columns: Vec<&str> = lines.next().expect("a head").skip(1).collect();
    let mut wrong = Vec::new();
    for mut cells in lines {
        let row = cells.next().expect("a row's name");
        let cells: Vec<&str> = cells.collect();
        assert_eq!(cells.len(), columns.len(), "cells of {row:?}");
        for (column, wanted) in columns.iter().zip(cells) {
            let found = word(&situation(column, ledger(row)).decide());
            if found != wanted {
                wrong.push(format!("{row} / {column}: wanted {wanted}, got {found}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_entry_of_a_newer_operator_is_left_alone() {
    for phase in [
        Phase::Idle,
        Phase::Shared(share()),
        Phase::Finished(finished(Ending::Expired)),
    ] {
        let mut world = World::of(Some(phase));
        world.live = true;
        if let Some(entry) = &mut world.entry {
            entry.request.version = FINGERPRINT_VERSION + 1;
        }
        assert_eq!(word(&world.decide()), "LedgerMismatch");
    }
}

#[test]
fn a_lost_answer_waits_for_the_deadline_and_the_slack() {
    let step = |known_for| {
        let world = World {
            known_for,
            ..World::of(Some(Phase::Intent(attempt())))
        };
        world.decide()
    };
    let full = DEADLINE + SLACK;
    let moment = Duration::from_millis(1);
    assert_eq!(step(Duration::ZERO), Step::Settle(full));
    assert_eq!(step(full - moment), Step::Settle(moment));
    assert_eq!(step(full), Step::Resolve);
    assert_eq!(step(Duration::MAX), Step::Resolve);
}

#[test]
fn a_wait_ends_at_its_time_and_not_before() {
    for (phase, then) in [(Phase::Idle, "send@3"), (Phase::Burning(share()), "burn")] {
        let mut world = World::of(Some(phase));
        let not_before = waiting().not_before.expect("a time");
        if let Some(entry) = &mut world.entry {
            entry.retry = waiting();
        }
        world.now = not_before - SignedDuration::from_millis(1);
        assert_eq!(word(&world.decide()), "RateLimited+wake");
        world.now = not_before;
        assert_eq!(word(&world.decide()), then);
    }
}

fn phases() -> impl Strategy<Value = Option<Phase>> {
    prop_oneof![
        Just(None),
        Just(Some(Phase::Idle)),
        Just(Some(Phase::Intent(attempt()))),
        Just(Some(Phase::Intent(held()))),
        Just(Some(Phase::Shared(share()))),
        Just(Some(Phase::Burning(share()))),
        prop_oneof![
            Just(Ending::Received),
            Just(Ending::Burned),
            Just(Ending::Expired)
        ]
        .prop_map(|how| Some(Phase::Finished(finished(how)))),
    ]
}

fn requests() -> impl Strategy<Value = Result<Request, Problem>> {
    prop_oneof![
        4 => Just(Ok(request("1"))),
        4 => Just(Ok(request("2"))),
        1 => Just(Err(Problem::edit(Reason::TtlInvalid, "ttl"))),
    ]
}

fn told() -> impl Strategy<Value = Option<(RequestKey, Option<&'static str>)>> {
    let attempts = prop_oneof![Just(None), Just(Some("nonce")), Just(Some("another"))];
    let epochs = prop_oneof![3 => Just(EPOCH), 1 => 0..EPOCH];
    proptest::option::of((prop_oneof![3 => Just("1"), 1 => Just("2")], epochs, attempts))
        .prop_map(|told| told.map(|(id, epoch, attempt)| (key(id, epoch), attempt)))
}

prop_compose! {
    fn worlds()(
        phase in phases(),
        request in requests(),
        uid in prop_oneof![3 => Just(UID), 1 => Just("uid-2")],
        generation in GENERATION - 2..=GENERATION + 2,
        (suspend, deleting, live, elsewhere) in any::<(bool, bool, bool, bool)>(),
        told in told(),
        known_for in 0..100u64,
        wait in proptest::option::of(-20..20i64),
    ) -> World {
        let mut world = World {
            uid, generation, request, suspend, deleting, told, live,
            known_for: Duration::from_secs(known_for),
            ..World::of(phase)
        };
        if let Some(entry) = &mut world.entry {
            entry.retry.not_before = wait.map(|seconds| now() + SignedDuration::from_secs(seconds));
            if elsewhere {
                entry.cluster = "another-cluster".into();
            }
        }
        world
    }
}

fn sends(step: &Step) -> bool {
    matches!(step, Step::Send { .. })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn one_request_is_sent_once(world in worlds()) {
        let nothing_sent = matches!(world.entry.as_ref().map(|entry| &entry.phase), None | Some(Phase::Idle));
        if world.is_same_request() && !nothing_sent {
            prop_assert!(!sends(&world.decide()), "{:?}", world.decide());
        }
    }

    #[test]
    fn an_attempt_in_doubt_is_settled_before_anything_is_sent(world in worlds()) {
        if let Some(Phase::Intent(attempt)) = world.entry.as_ref().map(|entry| &entry.phase) && !attempt.held {
            let step = world.decide();
            prop_assert!(!sends(&step) && step != Step::Burn, "{step:?}");
            if world.known_for < DEADLINE + SLACK {
                prop_assert_ne!(step, Step::Resolve);
            }
        }
    }

    #[test]
    fn an_older_generation_does_nothing(world in worlds()) {
        if world.entry.is_some() && world.uid == UID && world.generation < GENERATION {
            prop_assert_eq!(world.decide(), Step::Ignore);
        }
    }

    #[test]
    fn a_change_acts_only_on_what_was_read_live(world in worlds()) {
        if world.entry.is_some() && world.request.is_ok() && !world.is_same_request() && !world.live {
            let step = world.decide();
            prop_assert!(matches!(step, Step::ReadLive | Step::Ignore), "{step:?}");
        }
    }

    #[test]
    fn reading_live_is_asked_for_once(world in worlds()) {
        let world = World { live: true, ..world };
        prop_assert_ne!(world.decide(), Step::ReadLive);
    }

    #[test]
    fn a_ledger_behind_the_status_sends_nothing(world in worlds()) {
        let Some((told, Some(_))) = &world.told else { return Ok(()) };
        let lost = match &world.entry {
            None => world.request == Ok(request("1")) && told.fingerprint == key("1", 0).fingerprint
                || world.request == Ok(request("2")) && told.fingerprint == key("2", 0).fingerprint,
            Some(entry) => world.is_same_request() && told == &entry.request,
        };
        if lost {
            let step = world.decide();
            prop_assert!(!sends(&step), "{step:?}");
        }
    }

    #[test]
    fn what_is_suspended_or_deleted_sends_nothing(world in worlds()) {
        if world.suspend || world.deleting {
            prop_assert!(!sends(&world.decide()));
        }
    }

    #[test]
    fn a_new_request_has_a_new_epoch(world in worlds()) {
        if let (Step::Send { request, burn_first }, Some(entry)) = (world.decide(), &world.entry) {
            let epoch = if world.is_same_request() { EPOCH } else { EPOCH + 1 };
            prop_assert_eq!(request.epoch, epoch);
            let ours_and_alive = matches!(entry.phase, Phase::Shared(_)) && entry.cluster == HERE;
            prop_assert_eq!(burn_first, ours_and_alive);
        }
    }

    #[test]
    fn an_end_is_final(world in worlds()) {
        if world.is_same_request() && matches!(world.entry, Some(Entry { phase: Phase::Finished(_), .. })) {
            let step = world.decide();
            prop_assert!(step == Step::DONE || step == Step::Ignore, "{step:?}");
        }
    }
}
