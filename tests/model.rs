//! The model: two operators that never agree on a leader, over production `decide` and `recover`, explored exhaustively
//! within the bounds that each test states.
//!
//! `model/operator.rs` and `model/poll.rs` mirror the order of the operator's effects; `model/real.rs` asks production
//! code what to do; `model/model.rs` says what can happen; `model/truth.rs` says what must hold.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test"
)]

#[path = "model/model.rs"]
mod model;
#[path = "model/mutation.rs"]
mod mutation;
#[path = "model/operator.rs"]
mod operator;
#[path = "model/poll.rs"]
mod poll;
#[path = "model/real.rs"]
mod real;
#[path = "model/report.rs"]
mod report;
#[path = "model/service.rs"]
mod service;
#[path = "model/state.rs"]
mod state;

#[path = "model/tidy.rs"]
mod tidy;
#[path = "model/truth.rs"]
mod truth;

use model::OperatorModel;
use mutation::Mutation;
use report::{explore, holds};
use state::Budget;

fn model(mails: &[bool], budget: Budget) -> OperatorModel {
    OperatorModel {
        mails: mails.to_vec(),
        specs: 2,
        workers: 1,
        poll_apart: false,
        budget,
        mutation: None,
    }
}

#[test]
fn one_share_without_faults() {
    holds("one share, no faults", &model(&[true], Budget::default()));
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
    holds("one share, one fault", &model(&[true], all(1)));
    holds("one share, one fault, no mail", &model(&[false], all(1)));
}

#[test]
fn one_share_two_faults() {
    holds("one share, two faults", &model(&[true], all(2)));
    holds("one share, two faults, no mail", &model(&[false], all(2)));
}

#[test]
fn edits() {
    holds("edits 0", &model(&[true], Budget { edits: 2, ..all(0) }));
    holds("edits 1", &model(&[true], Budget { edits: 2, ..all(1) }));
    holds(
        "edits 1, no mail",
        &model(&[false], Budget { edits: 2, ..all(1) }),
    );
}

#[test]
fn deletions() {
    holds(
        "deletion 0",
        &model(
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
        &model(
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
        &model(
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
    holds("revocation 1", &model(&[true], revoked(1)));
    let busy = |faults| Budget {
        edits: 1,
        openings: 1,
        deletions: 1,
        ..revoked(faults)
    };
    holds("revocation and all that users do", &model(&[true], busy(0)));
}

#[test]
fn lane() {
    holds("lane 0", &model(&[true, true], Budget { ..all(0) }));
    holds("lane 1", &model(&[true, true], Budget { ..all(1) }));
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
    holds("loss 1 and another fault", &model(&[true], lossy()));
    holds(
        "loss 1",
        &model(
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
    let models = [
        model(&[true], all(1)),
        // A link that is shown too early is lost only where the answer is not adopted.
        model(&[false], all(1)),
        model(&[true], lossy()),
        model(&[true, true], all(1)),
        model(
            &[true],
            Budget {
                edits: 1,
                lost_entries: 1,
                ..all(1)
            },
        ),
        model(
            &[true],
            Budget {
                deletions: 1,
                openings: 1,
                ..all(1)
            },
        ),
        model(&[true], all(2)),
        model(&[true], Budget { edits: 2, ..all(1) }),
    ];
    let missed: Vec<Mutation> = Mutation::ALL
        .into_iter()
        .filter(|mutation| {
            let found = models.iter().find_map(|model| {
                let name = format!("{mutation:?}");
                explore(
                    &name,
                    &OperatorModel {
                        mutation: Some(*mutation),
                        ..model.clone()
                    },
                )
                .into_iter()
                .next()
            });
            if let Some((property, _)) = &found {
                println!("{mutation:?}: violates: {property}");
            }
            found.is_none()
        })
        .collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
}
