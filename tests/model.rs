//! The model: two operators that never agree on a leader, over production `decide` and `recover`, explored exhaustively
//! within the bounds that each test states.
//!
//! `model/operator.rs` and `model/sweep.rs` mirror the order of the operator's effects; `model/real.rs` asks production
//! code what to do; `model/world.rs` says what can happen; `model/truth.rs` says what must hold.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test"
)]

#[path = "model/operator.rs"]
mod operator;
#[path = "model/real.rs"]
mod real;
#[path = "model/report.rs"]
mod report;
#[path = "model/service.rs"]
mod service;
#[path = "model/state.rs"]
mod state;
#[path = "model/sweep.rs"]
mod sweep;
#[path = "model/tidy.rs"]
mod tidy;
#[path = "model/truth.rs"]
mod truth;
#[path = "model/world.rs"]
mod world;

use report::{explore, holds};
use state::Budget;
use truth::Lie;
use world::World;

fn world(mails: &[bool], budget: Budget) -> World {
    World {
        mails: mails.to_vec(),
        specs: 2,
        workers: 1,
        sweep_apart: false,
        budget,
        lie: None,
    }
}

#[test]
fn one_share_without_faults() {
    holds("one share, no faults", &world(&[true], Budget::default()));
}

fn all(faults: u8) -> Budget {
    Budget {
        faults,
        crashes: faults,
        pauses: faults,
        lost_requests: faults,
        lost_answers: faults,
        late_commits: faults,
        bad_looks: faults,
        ledger_lags: faults,
        share_lags: faults,
        long_waits: faults,
        ..Budget::default()
    }
}

#[test]
fn one_share_one_fault() {
    holds("one share, one fault", &world(&[true], all(1)));
    holds("one share, one fault, no mail", &world(&[false], all(1)));
}

#[test]
fn one_share_two_faults() {
    holds("one share, two faults", &world(&[true], all(2)));
    holds("one share, two faults, no mail", &world(&[false], all(2)));
}

#[test]
fn edits() {
    holds("edits 0", &world(&[true], Budget { edits: 2, ..all(0) }));
    holds("edits 1", &world(&[true], Budget { edits: 2, ..all(1) }));
    holds(
        "edits 1, no mail",
        &world(&[false], Budget { edits: 2, ..all(1) }),
    );
}

#[test]
fn deletions() {
    holds(
        "deletion 0",
        &world(
            &[true],
            Budget {
                deletions: 1,
                openings: 1,
                ..all(0)
            },
        ),
    );
    holds(
        "deletion 1",
        &world(
            &[true],
            Budget {
                deletions: 1,
                openings: 1,
                ..all(1)
            },
        ),
    );
    holds(
        "deletion 1 no mail",
        &world(
            &[false],
            Budget {
                deletions: 1,
                openings: 1,
                ..all(1)
            },
        ),
    );
}

#[test]
fn revocation() {
    let revoked = |faults| Budget {
        revocations: 1,
        ..all(faults)
    };
    holds("revocation 1", &world(&[true], revoked(1)));
    let busy = |faults| Budget {
        edits: 1,
        openings: 1,
        deletions: 1,
        ..revoked(faults)
    };
    holds("revocation and all that users do", &world(&[true], busy(0)));
}

#[test]
fn lane() {
    holds("lane 0", &world(&[true, true], Budget { ..all(0) }));
    holds("lane 1", &world(&[true, true], Budget { ..all(1) }));
}

/// With another fault beside it, such as a cache that does not have the status yet.
fn lossy() -> Budget {
    Budget {
        lost_entries: 1,
        openings: 1,
        ..all(2)
    }
}

#[test]
fn loss() {
    holds("loss 1 and another fault", &world(&[true], lossy()));
    holds(
        "loss 1",
        &world(
            &[true],
            Budget {
                edits: 1,
                lost_entries: 1,
                ..all(1)
            },
        ),
    );
}

/// A model that cannot fail shows nothing: each deliberate mistake must be found by one of these explorations.
#[test]
fn mistakes_are_found() {
    let worlds = [
        world(&[true], all(1)),
        world(&[true], lossy()),
        world(&[true, true], all(1)),
        world(
            &[true],
            Budget {
                edits: 1,
                lost_entries: 1,
                ..all(1)
            },
        ),
        world(
            &[true],
            Budget {
                deletions: 1,
                openings: 1,
                ..all(1)
            },
        ),
        world(&[true], all(2)),
        world(&[true], Budget { edits: 2, ..all(1) }),
    ];
    let missed: Vec<Lie> = Lie::ALL
        .into_iter()
        .filter(|lie| {
            let found = worlds.iter().find_map(|world| {
                let name = format!("{lie:?}");
                explore(
                    &name,
                    &World {
                        lie: Some(*lie),
                        ..world.clone()
                    },
                )
                .into_iter()
                .next()
            });
            if let Some((property, _)) = &found {
                println!("{lie:?}: violates: {property}");
            }
            found.is_none()
        })
        .collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
}
