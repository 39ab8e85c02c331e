//! Every phase of an entry in every situation of its share, and what must hold in all of them.

use super::*;
use crate::api::condition::Reason;
use crate::ledger::{ContentMark, Ending, Retry};
use crate::problem::Problem;
use crate::share::fixtures::{
    self, EPOCH, GENERATION, HERE, UID, attempt, burned_for, burning, entry, finished, key, link, now,
    on_hold, request, undelivered,
};
use jiff::{SignedDuration, Timestamp};
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
    burn: Option<&'static str>,
    told: Option<(RequestKey, Option<&'static str>)>,
    /// Whether the status tells enough to make an entry from it.
    complete: bool,
    /// The value as it was read.
    content: Option<ContentMark>,
    live: bool,
    entry_was_known: bool,
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
            burn: None,
            told: None,
            complete: false,
            content: None,
            live: false,
            entry_was_known: false,
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
            burn: self.burn,
            status_claim: StatusClaim {
                request: told.map(|(key, _)| key.clone()),
                attempt: told.and_then(|(_, attempt)| *attempt),
                complete: self.complete,
            },
            live: self.live,
            cluster: HERE,
            content: self.content.as_ref(),
            entry_was_known: self.entry_was_known,
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
        Step::ReadContent => "content".into(),
        Step::UpdatePolicy { .. } => "note".into(),
        Step::Deliver => "deliver".into(),
        Step::Rebuild(key) => format!("rebuild@{}", key.epoch),
        Step::WaitOutDeadline(_) => "settle".into(),
        Step::Resolve => "resolve".into(),
        Step::Revoke => "revoke".into(),
        Step::Burn => "burn".into(),
        Step::Send { request, burn_first } => {
            let burn = if *burn_first { "burn+" } else { "" };
            format!("{burn}send@{}", request.epoch)
        }
        Step::Requeue { problem, wake } => {
            let until = if wake.is_some() { "+wake" } else { "" };
            match problem {
                Some(problem) => format!("{:?}{until}", problem.reason),
                None => format!("done{until}"),
            }
        }
    }
}

/// The columns: what the ledger holds.
fn ledger(row: &str) -> World {
    let mut world = World::of(match row {
        "absent" => None,
        "idle" | "idle, waits" => Some(Phase::Idle),
        "intent, young" | "intent, due" => Some(Phase::Intent(attempt())),
        "intent, held" => Some(Phase::Intent(on_hold())),
        "shared" | "shared elsewhere" => Some(Phase::Shared(link())),
        "undelivered" => Some(Phase::Shared(undelivered())),
        "idle elsewhere" => Some(Phase::Idle),
        "burned, deleted" => Some(Phase::Finished(burned_for(BurnReason::Deleted))),
        "burned, value lost" => Some(Phase::Finished(burned_for(BurnReason::ValueLost))),
        "burned, elsewhere" => Some(Phase::Finished(burned_for(BurnReason::MailedElsewhere))),
        "burning" | "burning, waits" => Some(burning()),
        "received" => Some(Phase::Finished(finished(Ending::Received))),
        "burned" => Some(Phase::Finished(finished(Ending::Burned))),
        _ => panic!("no such row: {row}"),
    });
    if let Some(entry) = &mut world.entry {
        match row {
            "idle, waits" | "burning, waits" => entry.retry = waiting(),
            "shared elsewhere" | "idle elsewhere" => entry.cluster = "another-cluster".into(),
            _ => {}
        }
    }
    if row == "intent, due" {
        world.known_for = DEADLINE + SLACK;
    }
    world
}

/// The rows: what is known of the share.
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
            // The status is of a later request than the ledger knows.
            "told later" => world.told = Some((key("1", EPOCH + 2), Some("later"))),
            "told edit" => world.told = Some((key("2", EPOCH + 1), Some("later"))),
            "complete" => world.complete = true,
            "revoke" => world.burn = Some("nonce"),
            // A wish about an earlier link.
            "revoke other" => world.burn = Some("another"),
            _ => panic!("no such column: {word}"),
        }
    }
    world
}

/// A column for what the ledger holds, a row for what is known of the share. `send@4` sends with that epoch, a bare
/// reason rests with that problem, `+wake` looks again at a time. The entry's request has epoch 3.
const TABLE: &str = "
                               | absent     | idle       | idle, waits      | idle elsewhere | intent, young | intent, due | intent, held | shared      | shared elsewhere | undelivered | burning    | burning, waits   | received   | burned     | burned, deleted | burned, value lost | burned, elsewhere
same                           | send@0     | send@3     | RateLimited+wake | LedgerMismatch | settle        | resolve     | Uncertain    | done        | done             | deliver     | burn       | RateLimited+wake | done       | done       | read            | Uncertain          | MailedElsewhere
same+live                      | send@0     | send@3     | RateLimited+wake | LedgerMismatch | settle        | resolve     | Uncertain    | done        | done             | deliver     | burn       | RateLimited+wake | done       | done       | send@4          | Uncertain          | MailedElsewhere
same+suspend                   | Suspended  | Suspended  | Suspended        | LedgerMismatch | settle        | resolve     | Uncertain    | done        | done             | deliver     | burn       | RateLimited+wake | done       | done       | read            | Uncertain          | MailedElsewhere
same+delete                    | done       | done       | done             | LedgerMismatch | settle        | resolve     | Uncertain    | done        | done             | deliver     | burn       | RateLimited+wake | done       | done       | read            | Uncertain          | MailedElsewhere
same+older                     | send@0     | ignore     | ignore           | ignore         | ignore        | ignore      | ignore       | ignore      | ignore           | ignore      | ignore     | ignore           | ignore     | ignore     | ignore          | ignore             | ignore
same+other uid                 | send@0     | read       | RateLimited+wake | LedgerMismatch | settle        | resolve     | Uncertain    | done        | done             | deliver     | burn       | RateLimited+wake | done       | done       | read            | Uncertain          | MailedElsewhere
same+other uid+live            | send@0     | send@3     | RateLimited+wake | LedgerMismatch | settle        | resolve     | Uncertain    | done        | done             | deliver     | burn       | RateLimited+wake | done       | done       | send@4          | Uncertain          | MailedElsewhere
edited                         | send@0     | read       | read             | read           | read          | read        | read         | read        | read             | read        | read       | read             | read       | read       | read            | read               | read
edited+live                    | send@0     | send@4     | send@4           | send@4         | settle        | resolve     | send@4       | burn+send@4 | send@4           | burn+send@4 | burn       | RateLimited+wake | send@4     | send@4     | send@4          | send@4             | send@4
edited+live+suspend            | Suspended  | Suspended  | Suspended        | Suspended      | settle        | resolve     | Suspended    | Suspended   | Suspended        | Suspended   | burn       | RateLimited+wake | Suspended  | Suspended  | Suspended       | Suspended          | Suspended
edited+live+delete             | done       | done       | done             | done           | settle        | resolve     | done         | done        | done             | done        | burn       | RateLimited+wake | done       | done       | done            | done               | done
edited+older                   | send@0     | ignore     | ignore           | ignore         | ignore        | ignore      | ignore       | ignore      | ignore           | ignore      | ignore     | ignore           | ignore     | ignore     | ignore          | ignore             | ignore
invalid                        | TtlInvalid | TtlInvalid | TtlInvalid       | TtlInvalid     | TtlInvalid    | TtlInvalid  | TtlInvalid   | TtlInvalid  | TtlInvalid       | TtlInvalid  | burn       | RateLimited+wake | TtlInvalid | TtlInvalid | TtlInvalid      | TtlInvalid         | TtlInvalid
same+told                      | read       | read       | read             | read           | read          | read        | read         | done        | done             | deliver     | burn       | RateLimited+wake | done       | done       | read            | Uncertain          | MailedElsewhere
same+live+told                 | LedgerLost | LedgerLost | LedgerLost       | LedgerLost     | LedgerLost    | LedgerLost  | LedgerLost   | done        | done             | deliver     | burn       | RateLimited+wake | done       | done       | send@4          | Uncertain          | MailedElsewhere
same+live+told+complete        | rebuild@3  | rebuild@3  | rebuild@3        | rebuild@3      | rebuild@3     | rebuild@3   | rebuild@3    | done        | done             | deliver     | burn       | RateLimited+wake | done       | done       | send@4          | Uncertain          | MailedElsewhere
same+live+told later+complete  | rebuild@5  | rebuild@5  | rebuild@5        | rebuild@5      | rebuild@5     | rebuild@5   | rebuild@5    | rebuild@5   | rebuild@5        | rebuild@5   | rebuild@5  | rebuild@5        | rebuild@5  | rebuild@5  | rebuild@5       | rebuild@5          | rebuild@5
edited+live+told               | send@4     | send@4     | send@4           | send@4         | settle        | resolve     | send@4       | burn+send@4 | send@4           | burn+send@4 | burn       | RateLimited+wake | send@4     | send@4     | send@4          | send@4             | send@4
edited+live+told edit          | LedgerLost | LedgerLost | LedgerLost       | LedgerLost     | LedgerLost    | LedgerLost  | LedgerLost   | LedgerLost  | LedgerLost       | LedgerLost  | LedgerLost | LedgerLost       | LedgerLost | LedgerLost | LedgerLost      | LedgerLost         | LedgerLost
edited+live+told edit+complete | rebuild@4  | rebuild@4  | rebuild@4        | rebuild@4      | rebuild@4     | rebuild@4   | rebuild@4    | rebuild@4   | rebuild@4        | rebuild@4   | rebuild@4  | rebuild@4        | rebuild@4  | rebuild@4  | rebuild@4       | rebuild@4          | rebuild@4
same+revoke                    | send@0     | send@3     | RateLimited+wake | LedgerMismatch | settle        | resolve     | Uncertain    | read        | done             | read        | burn       | RateLimited+wake | done       | done       | read            | Uncertain          | MailedElsewhere
same+live+revoke               | send@0     | send@3     | RateLimited+wake | LedgerMismatch | settle        | resolve     | Uncertain    | revoke      | done             | revoke      | burn       | RateLimited+wake | done       | done       | send@4          | Uncertain          | MailedElsewhere
same+suspend+live+revoke       | Suspended  | Suspended  | Suspended        | LedgerMismatch | settle        | resolve     | Uncertain    | revoke      | done             | revoke      | burn       | RateLimited+wake | done       | done       | Suspended       | Uncertain          | MailedElsewhere
edited+live+revoke             | send@0     | send@4     | send@4           | send@4         | settle        | resolve     | send@4       | revoke      | send@4           | revoke      | burn       | RateLimited+wake | send@4     | send@4     | send@4          | send@4             | send@4
invalid+live+revoke            | TtlInvalid | TtlInvalid | TtlInvalid       | TtlInvalid     | TtlInvalid    | TtlInvalid  | TtlInvalid   | revoke      | TtlInvalid       | revoke      | burn       | RateLimited+wake | TtlInvalid | TtlInvalid | TtlInvalid      | TtlInvalid         | TtlInvalid
invalid+revoke                 | TtlInvalid | TtlInvalid | TtlInvalid       | TtlInvalid     | TtlInvalid    | TtlInvalid  | TtlInvalid   | read        | TtlInvalid       | read        | burn       | RateLimited+wake | TtlInvalid | TtlInvalid | TtlInvalid      | TtlInvalid         | TtlInvalid
same+live+revoke other         | send@0     | send@3     | RateLimited+wake | LedgerMismatch | settle        | resolve     | Uncertain    | done        | done             | deliver     | burn       | RateLimited+wake | done       | done       | send@4          | Uncertain          | MailedElsewhere
";

#[test]
fn every_phase_in_every_situation() {
    let mut lines = TABLE
        .trim_matches('\n')
        .lines()
        .map(|line| line.split('|').map(str::trim));
    let ledgers: Vec<&str> = lines.next().expect("a head").skip(1).collect();
    let mut wrong = Vec::new();
    for mut cells in lines {
        let known = cells.next().expect("a row's name");
        let cells: Vec<&str> = cells.collect();
        assert_eq!(cells.len(), ledgers.len(), "cells of {known:?}");
        for (held, wanted) in ledgers.iter().zip(cells) {
            let found = word(&situation(known, ledger(held)).decide());
            if found != wanted {
                wrong.push(format!("{held} / {known}: wanted {wanted}, got {found}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_entry_of_a_newer_operator_is_left_alone() {
    for phase in [
        Phase::Idle,
        Phase::Shared(link()),
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
    assert_eq!(step(Duration::ZERO), Step::WaitOutDeadline(full));
    assert_eq!(step(full - moment), Step::WaitOutDeadline(moment));
    assert_eq!(step(full), Step::Resolve);
    assert_eq!(step(Duration::MAX), Step::Resolve);
}

#[test]
fn a_wait_ends_at_its_time_and_not_before() {
    for (phase, then) in [(Phase::Idle, "send@3"), (burning(), "burn")] {
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
        Just(Some(Phase::Intent(on_hold()))),
        Just(Some(Phase::Shared(link()))),
        Just(Some(burning())),
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
    let epochs = prop_oneof![3 => Just(EPOCH), 1 => 0..EPOCH, 1 => EPOCH + 1..=EPOCH + 2];
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
        burn in prop_oneof![3 => Just(None), 1 => Just(Some("nonce")), 1 => Just(Some("another"))],
        known_for in 0..100u64,
        wait in proptest::option::of(-20..20i64),
    ) -> World {
        let mut world = World {
            uid, generation, request, suspend, deleting, told, live, burn,
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
        if let Some(Phase::Intent(attempt)) = world.entry.as_ref().map(|entry| &entry.phase) && !attempt.needs_decision {
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
        let asked = world.request.as_ref().ok().and_then(|request| request.fingerprint(FINGERPRINT_VERSION));
        let known = world.entry.as_ref().map(|entry| &entry.request);
        let nothing_sent = matches!(
            world.entry.as_ref().map(|entry| &entry.phase),
            None | Some(Phase::Idle | Phase::Intent(_))
        );
        // The status tells of a link for what is asked for, and the ledger does not know of it.
        let lost = asked.as_ref() == Some(&told.fingerprint)
            && (known.is_none_or(|known| told.epoch > known.epoch) || (known == Some(told) && nothing_sent));
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
    fn only_the_link_that_a_user_names_is_revoked(world in worlds()) {
        let named = world.entry.as_ref().is_some_and(|entry| {
            matches!(entry.phase, Phase::Shared(_)) && entry.cluster == HERE && world.burn == Some("nonce")
        });
        let older = world.uid == UID && world.generation < GENERATION;
        let step = world.decide();
        prop_assert_eq!(step == Step::Revoke, named && world.live && !older, "{:?}", step);
        if named {
            prop_assert!(!sends(&step), "{step:?}");
        }
    }

    #[test]
    fn an_end_is_final(world in worlds()) {
        let told_later = world.told.as_ref().is_some_and(|(told, _)| told.epoch > EPOCH);
        if world.is_same_request()
            && !told_later
            && matches!(world.entry, Some(Entry { phase: Phase::Finished(_), .. }))
        {
            let step = world.decide();
            prop_assert!(step == Step::DONE || step == Step::Ignore, "{step:?}");
        }
    }
}

/// A share whose value counts, and whose entry has this mark of the value that was sent.
fn following(content: Option<ContentMark>) -> World {
    let spec =
        serde_json::json!({"secretRef": {"name": "alice"}, "requestId": "1", "refreshPolicy": "OnChange"});
    let spec = serde_json::from_value(spec).expect("a spec");
    let mut world = World::of(Some(Phase::Shared(link())));
    world.request = Ok(Request::parse(&spec).expect("a valid spec"));
    if let Some(entry) = &mut world.entry {
        entry.content = content;
    }
    World { live: true, ..world }
}

#[test]
fn a_changed_value_is_a_new_request() {
    let mark = |salt: &str, value: &str| ContentMark::with_salt(salt.into(), value);
    let step = |sent: Option<ContentMark>, now: Option<ContentMark>| {
        word(
            &World {
                content: now,
                ..following(sent)
            }
            .decide(),
        )
    };
    assert_eq!(step(Some(mark("a", "old")), None), "content");
    assert_eq!(step(Some(mark("a", "old")), Some(mark("a", "old"))), "done");
    assert_eq!(
        step(Some(mark("a", "old")), Some(mark("a", "new"))),
        "burn+send@4"
    );
    assert_eq!(
        step(Some(mark("a", "old")), Some(mark("b", "old"))),
        "content",
        "two salts tell nothing"
    );
    assert_eq!(
        step(None, Some(mark("b", "old"))),
        "note",
        "from now on changes count"
    );
}

/// A user did not want that link; whoever wants another one says so.
#[test]
fn what_a_user_had_burned_is_not_made_anew() {
    for live in [false, true] {
        let world = World {
            live,
            burn: Some("nonce"),
            ..World::of(Some(Phase::Finished(burned_for(BurnReason::Asked))))
        };
        assert_eq!(word(&world.decide()), "done");
        let edited = World {
            request: Ok(request("2")),
            ..world
        };
        assert_eq!(word(&edited.decide()), if live { "send@4" } else { "read" });
    }
}

#[test]
fn an_edit_that_is_taken_back_makes_a_new_link() {
    let mut world = World::of(Some(Phase::Finished(burned_for(BurnReason::Replaced))));
    assert_eq!(word(&world.decide()), "read");
    world.live = true;
    assert_eq!(word(&world.decide()), "send@4");
}

/// The status was written a moment ago, and is not in the cache yet.
#[test]
fn what_lost_its_entry_is_read_live_before_anything_is_sent() {
    let lost = World {
        entry_was_known: true,
        ..World::of(None)
    };
    assert_eq!(lost.decide(), Step::ReadLive);
    let live = World { live: true, ..lost };
    assert!(
        matches!(live.decide(), Step::Send { .. }),
        "the status tells nothing"
    );
    assert!(
        matches!(World::of(None).decide(), Step::Send { .. }),
        "there never was one"
    );
}
