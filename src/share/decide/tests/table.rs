//! Every phase of an entry in every situation of its share, in one table.

use super::*;
use crate::ledger::{Attempt, LONGEST_UNRECORDED};
use std::collections::BTreeSet;

/// The columns: what the ledger holds.
fn ledger(row: &str) -> Fixture {
    let mut fixture = Fixture::of(match row {
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
    if let Some(entry) = &mut fixture.entry {
        match row {
            "idle, waits" | "burning, waits" => entry.retry = waiting(),
            "shared elsewhere" | "idle elsewhere" => entry.cluster = "another-cluster".into(),
            _ => {}
        }
    }
    if row == "intent, due" {
        fixture.known_for = DEADLINE + SLACK;
    }
    fixture
}

/// The rows: what is known of the share.
fn situation(column: &str, mut fixture: Fixture) -> Fixture {
    for word in column.split('+') {
        match word {
            "same" => {}
            "suspend" => fixture.suspend = true,
            "delete" => fixture.deleting = true,
            "older" => fixture.generation = GENERATION - 1,
            "other uid" => (fixture.uid, fixture.generation) = ("uid-2", 1),
            "edited" => fixture.request = Ok(request("2")),
            // Another lifetime under the same `requestID`.
            "tidied" => fixture.request = Ok(tidied()),
            // The first version wrote the entry, which did not record the fields.
            "unrecorded" => fixture.entry.iter_mut().for_each(|entry| entry.fields.clear()),
            "waited" => fixture.waiting_since = Some(now() - SignedDuration::from_secs(1000)),
            "live" => fixture.live = true,
            "invalid" => fixture.request = Err(Problem::edit(Reason::TtlInvalid, "ttl")),
            // The status tells of a link for the very request of the entry.
            "told" => fixture.told = Some((key("1", EPOCH), Some("another"))),
            // The status is of a later request than the ledger knows.
            "told later" => fixture.told = Some((key("1", EPOCH + 2), Some("later"))),
            "told edit" => fixture.told = Some((key("2", EPOCH + 1), Some("later"))),
            "complete" => fixture.complete = true,
            "revoke" => fixture.burn = Some("nonce"),
            // A wish about an earlier link.
            "revoke other" => fixture.burn = Some("another"),
            _ => panic!("no such column: {word}"),
        }
    }
    fixture
}

/// A column for what the ledger holds, a row for what is known of the share. `send@4` sends with that epoch, a bare
/// reason rests with that problem, `+wake` looks again at a time. The entry's request has epoch 3.
const TABLE: &str = "
                               | absent        | idle          | idle, waits      | idle elsewhere | intent, young | intent, due | intent, held  | shared        | shared elsewhere | undelivered   | burning    | burning, waits   | received      | burned        | burned, deleted | burned, value lost | burned, elsewhere
same                           | send@0        | send@3        | RateLimited+wake | LedgerMismatch | settle        | resolve     | Uncertain     | done          | done             | deliver       | burn       | RateLimited+wake | done          | done          | read            | Uncertain          | MailedElsewhere
same+live                      | send@0        | send@3        | RateLimited+wake | LedgerMismatch | settle        | resolve     | Uncertain     | done          | done             | deliver       | burn       | RateLimited+wake | done          | done          | send@4          | Uncertain          | MailedElsewhere
same+suspend                   | Suspended     | Suspended     | Suspended        | LedgerMismatch | settle        | resolve     | Uncertain     | done          | done             | deliver       | burn       | RateLimited+wake | done          | done          | read            | Uncertain          | MailedElsewhere
same+delete                    | done          | done          | done             | LedgerMismatch | settle        | resolve     | Uncertain     | done          | done             | deliver       | burn       | RateLimited+wake | done          | done          | read            | Uncertain          | MailedElsewhere
same+older                     | send@0        | ignore        | ignore           | ignore         | ignore        | ignore      | ignore        | ignore        | ignore           | ignore        | ignore     | ignore           | ignore        | ignore        | ignore          | ignore             | ignore
same+other uid                 | send@0        | read          | RateLimited+wake | LedgerMismatch | settle        | resolve     | Uncertain     | read          | done             | deliver       | burn       | RateLimited+wake | read          | read          | read            | Uncertain          | MailedElsewhere
same+other uid+live            | send@0        | send@3        | RateLimited+wake | LedgerMismatch | settle        | resolve     | Uncertain     | note          | done             | deliver       | burn       | RateLimited+wake | note          | note          | send@4          | Uncertain          | MailedElsewhere
edited                         | send@0        | read          | read             | read           | read          | read        | read          | read          | read             | read          | read       | read             | read          | read          | read            | read               | read
edited+live                    | send@0        | send@4        | send@4           | send@4         | settle        | resolve     | send@4        | burn+send@4   | send@4           | burn+send@4   | burn       | RateLimited+wake | send@4        | send@4        | send@4          | send@4             | send@4
edited+live+suspend            | Suspended     | Suspended     | Suspended        | Suspended      | settle        | resolve     | Suspended     | Suspended     | Suspended        | Suspended     | burn       | RateLimited+wake | Suspended     | Suspended     | Suspended       | Suspended          | Suspended
edited+live+delete             | done          | done          | done             | done           | settle        | resolve     | done          | done          | done             | done          | burn       | RateLimited+wake | done          | done          | done            | done               | done
edited+older                   | send@0        | ignore        | ignore           | ignore         | ignore        | ignore      | ignore        | ignore        | ignore           | ignore        | ignore     | ignore           | ignore        | ignore        | ignore          | ignore             | ignore
invalid                        | TtlInvalid    | TtlInvalid    | TtlInvalid       | TtlInvalid     | TtlInvalid    | TtlInvalid  | TtlInvalid    | TtlInvalid    | TtlInvalid       | TtlInvalid    | burn       | RateLimited+wake | TtlInvalid    | TtlInvalid    | TtlInvalid      | TtlInvalid         | TtlInvalid
same+told                      | read          | read          | read             | read           | read          | read        | read          | done          | done             | deliver       | burn       | RateLimited+wake | done          | done          | read            | Uncertain          | MailedElsewhere
same+live+told                 | LedgerLost    | LedgerLost    | LedgerLost       | LedgerLost     | LedgerLost    | LedgerLost  | LedgerLost    | done          | done             | deliver       | burn       | RateLimited+wake | done          | done          | send@4          | Uncertain          | MailedElsewhere
same+live+told+complete        | rebuild@3     | rebuild@3     | rebuild@3        | rebuild@3      | rebuild@3     | rebuild@3   | rebuild@3     | done          | done             | deliver       | burn       | RateLimited+wake | done          | done          | send@4          | Uncertain          | MailedElsewhere
same+live+told later+complete  | rebuild@5     | rebuild@5     | rebuild@5        | rebuild@5      | rebuild@5     | rebuild@5   | rebuild@5     | rebuild@5     | rebuild@5        | rebuild@5     | rebuild@5  | rebuild@5        | rebuild@5     | rebuild@5     | rebuild@5       | rebuild@5          | rebuild@5
edited+live+told               | send@4        | send@4        | send@4           | send@4         | settle        | resolve     | send@4        | burn+send@4   | send@4           | burn+send@4   | burn       | RateLimited+wake | send@4        | send@4        | send@4          | send@4             | send@4
edited+live+told edit          | LedgerLost    | LedgerLost    | LedgerLost       | LedgerLost     | LedgerLost    | LedgerLost  | LedgerLost    | LedgerLost    | LedgerLost       | LedgerLost    | LedgerLost | LedgerLost       | LedgerLost    | LedgerLost    | LedgerLost      | LedgerLost         | LedgerLost
edited+live+told edit+complete | rebuild@4     | rebuild@4     | rebuild@4        | rebuild@4      | rebuild@4     | rebuild@4   | rebuild@4     | rebuild@4     | rebuild@4        | rebuild@4     | rebuild@4  | rebuild@4        | rebuild@4     | rebuild@4     | rebuild@4       | rebuild@4          | rebuild@4
same+revoke                    | send@0        | send@3        | RateLimited+wake | LedgerMismatch | settle        | resolve     | Uncertain     | read          | done             | read          | burn       | RateLimited+wake | done          | done          | read            | Uncertain          | MailedElsewhere
same+live+revoke               | send@0        | send@3        | RateLimited+wake | LedgerMismatch | settle        | resolve     | Uncertain     | revoke        | done             | revoke        | burn       | RateLimited+wake | done          | done          | send@4          | Uncertain          | MailedElsewhere
same+suspend+live+revoke       | Suspended     | Suspended     | Suspended        | LedgerMismatch | settle        | resolve     | Uncertain     | revoke        | done             | revoke        | burn       | RateLimited+wake | done          | done          | Suspended       | Uncertain          | MailedElsewhere
edited+live+revoke             | send@0        | send@4        | send@4           | send@4         | settle        | resolve     | send@4        | revoke        | send@4           | revoke        | burn       | RateLimited+wake | send@4        | send@4        | send@4          | send@4             | send@4
invalid+live+revoke            | TtlInvalid    | TtlInvalid    | TtlInvalid       | TtlInvalid     | TtlInvalid    | TtlInvalid  | TtlInvalid    | revoke        | TtlInvalid       | revoke        | burn       | RateLimited+wake | TtlInvalid    | TtlInvalid    | TtlInvalid      | TtlInvalid         | TtlInvalid
invalid+revoke                 | TtlInvalid    | TtlInvalid    | TtlInvalid       | TtlInvalid     | TtlInvalid    | TtlInvalid  | TtlInvalid    | read          | TtlInvalid       | read          | burn       | RateLimited+wake | TtlInvalid    | TtlInvalid    | TtlInvalid      | TtlInvalid         | TtlInvalid
same+live+revoke other         | send@0        | send@3        | RateLimited+wake | LedgerMismatch | settle        | resolve     | Uncertain     | done          | done             | deliver       | burn       | RateLimited+wake | done          | done          | send@4          | Uncertain          | MailedElsewhere
tidied                         | send@0        | read          | read             | read           | read          | read        | read          | read          | read             | read          | read       | read             | done          | done          | read            | read               | read
tidied+live                    | send@0        | send@4        | send@4           | send@4         | settle        | resolve     | send@4        | burn+send@4   | send@4           | burn+send@4   | burn       | RateLimited+wake | done          | done          | send@4          | send@4             | send@4
tidied+live+suspend            | Suspended     | Suspended     | Suspended        | Suspended      | settle        | resolve     | Suspended     | Suspended     | Suspended        | Suspended     | burn       | RateLimited+wake | done          | done          | Suspended       | Suspended          | Suspended
tidied+other uid               | send@0        | read          | read             | read           | read          | read        | read          | read          | read             | read          | read       | read             | read          | read          | read            | read               | read
tidied+other uid+live          | send@0        | send@4        | send@4           | send@4         | settle        | resolve     | send@4        | burn+send@4   | send@4           | burn+send@4   | burn       | RateLimited+wake | send@4        | send@4        | send@4          | send@4             | send@4
tidied+unrecorded              | send@0        | read          | read             | read           | read          | read        | read          | read          | read             | read          | read       | read             | read          | read          | read            | read               | read
tidied+unrecorded+live         | send@0        | send@4        | send@4           | send@4         | settle        | resolve     | send@4        | burn+send@4   | send@4           | burn+send@4   | burn       | RateLimited+wake | note          | note          | send@4          | send@4             | send@4
edited+unrecorded+live         | send@0        | send@4        | send@4           | send@4         | settle        | resolve     | send@4        | burn+send@4   | send@4           | burn+send@4   | burn       | RateLimited+wake | note          | note          | send@4          | send@4             | send@4
same+unrecorded                | send@0        | send@3        | RateLimited+wake | LedgerMismatch | settle        | resolve     | Uncertain     | read          | done             | deliver       | burn       | RateLimited+wake | read          | read          | read            | Uncertain          | MailedElsewhere
same+unrecorded+live           | send@0        | send@3        | RateLimited+wake | LedgerMismatch | settle        | resolve     | Uncertain     | note          | done             | deliver       | burn       | RateLimited+wake | note          | note          | send@4          | Uncertain          | MailedElsewhere
same+live+waited               | WaitedTooLong | WaitedTooLong | RateLimited+wake | LedgerMismatch | settle        | resolve     | Uncertain     | done          | done             | deliver       | burn       | RateLimited+wake | done          | done          | WaitedTooLong   | Uncertain          | MailedElsewhere
edited+live+waited             | WaitedTooLong | WaitedTooLong | WaitedTooLong    | WaitedTooLong  | settle        | resolve     | WaitedTooLong | WaitedTooLong | WaitedTooLong    | WaitedTooLong | burn       | RateLimited+wake | WaitedTooLong | WaitedTooLong | WaitedTooLong   | WaitedTooLong      | WaitedTooLong
";

/// The cells: what the ledger holds, what is known of the share, and what `decide` should say.
fn cells() -> Vec<(&'static str, &'static str, &'static str)> {
    let mut lines = TABLE
        .trim_matches('\n')
        .lines()
        .map(|line| line.split('|').map(str::trim));
    let ledgers: Vec<&str> = lines.next().expect("a head").skip(1).collect();
    let mut all = Vec::new();
    for mut cells in lines {
        let known = cells.next().expect("a row's name");
        let cells: Vec<&str> = cells.collect();
        assert_eq!(cells.len(), ledgers.len(), "cells of {known:?}");
        all.extend(
            ledgers
                .iter()
                .zip(cells)
                .map(|(held, wanted)| (*held, known, wanted)),
        );
    }
    all
}

#[test]
fn every_phase_in_every_situation() {
    let wrong: Vec<String> = cells()
        .into_iter()
        .map(|(held, known, wanted)| {
            (
                held,
                known,
                wanted,
                word(&situation(known, ledger(held)).decide()),
            )
        })
        .filter(|(_, _, wanted, found)| found != wanted)
        .map(|(held, known, wanted, found)| format!("{held} / {known}: wanted {wanted}, got {found}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A rule that never decides anything is dead, or hidden behind one that is tried before it.
#[test]
fn every_rule_decides_somewhere() {
    let mut decided: BTreeSet<&str> = cells()
        .into_iter()
        .map(|(held, known, _)| situation(known, ledger(held)).rule())
        .collect();
    decided.extend(super::examples::beyond_the_table().iter().map(Fixture::rule));
    let idle: Vec<&str> = rules::names().filter(|name| !decided.contains(name)).collect();
    assert!(idle.is_empty(), "these rules decide nothing: {idle:?}");
}

#[test]
fn an_entry_of_a_newer_operator_is_left_alone() {
    for phase in [
        Phase::Idle,
        Phase::Shared(link()),
        Phase::Finished(finished(Ending::Expired)),
    ] {
        let mut fixture = Fixture::of(Some(phase));
        fixture.live = true;
        if let Some(entry) = &mut fixture.entry {
            entry.request.version = FINGERPRINT_VERSION + 1;
        }
        assert_eq!(word(&fixture.decide()), "LedgerMismatch");
    }
}

#[test]
fn a_lost_answer_waits_for_the_deadline_and_the_slack() {
    let step = |known_for| {
        let fixture = Fixture {
            known_for,
            ..Fixture::of(Some(Phase::Intent(attempt())))
        };
        fixture.decide()
    };
    let full = DEADLINE + SLACK;
    let moment = Duration::from_millis(1);
    assert_eq!(step(Duration::ZERO), Step::WaitOutDeadline(full));
    assert_eq!(step(full - moment), Step::WaitOutDeadline(moment));
    assert_eq!(step(full), Step::Resolve);
    assert_eq!(step(Duration::MAX), Step::Resolve);
}

/// The slack is the one that the intent records: a large body may arrive late.
#[test]
fn a_large_body_is_waited_for_longer() {
    let large = Attempt {
        slack_seconds: 69,
        ..attempt()
    };
    let step = |known_for| {
        let fixture = Fixture {
            known_for,
            ..Fixture::of(Some(Phase::Intent(large.clone())))
        };
        fixture.decide()
    };
    let full = DEADLINE + Duration::from_secs(69);
    assert_eq!(
        step(DEADLINE + SLACK),
        Step::WaitOutDeadline(full - DEADLINE - SLACK)
    );
    assert_eq!(step(full), Step::Resolve);
}

#[test]
fn a_wait_ends_at_its_time_and_not_before() {
    for (phase, then) in [(Phase::Idle, "send@3"), (burning(), "burn")] {
        let mut fixture = Fixture::of(Some(phase));
        let not_before = waiting().not_before.expect("a time");
        if let Some(entry) = &mut fixture.entry {
            entry.retry = waiting();
        }
        fixture.now = not_before - SignedDuration::from_millis(1);
        assert_eq!(word(&fixture.decide()), "RateLimited+wake");
        fixture.now = not_before;
        assert_eq!(word(&fixture.decide()), then);
    }
}

/// Nobody waits as long as a clock was wrong.
#[test]
fn a_pause_from_before_the_clock_was_set_back_is_over() {
    for (phase, then) in [(Phase::Idle, "send@3"), (burning(), "burn")] {
        let mut fixture = Fixture::of(Some(phase));
        let not_before = waiting().not_before.expect("a time");
        if let Some(entry) = &mut fixture.entry {
            entry.retry = waiting();
        }
        fixture.now = not_before - SignedDuration::try_from(LONGEST_UNRECORDED).expect("an hour");
        assert_eq!(word(&fixture.decide()), "RateLimited+wake");
        fixture.now = not_before - SignedDuration::from_hours(240);
        assert_eq!(word(&fixture.decide()), then);
    }
}
