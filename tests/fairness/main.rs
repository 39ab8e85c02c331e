//! Who waits for whom: many shares at a provider that is slow, limited or dead, and what others notice of it.
//!
//! The real binary, a real API server and fake Onetime Secret servers. One control plane serves all tests. Each has its
//! own namespaces, servers and operator, so that one failure is not the next one's cause. Options and filters are those
//! of `cargo test`. `ONETIMESHARE_FAIRNESS=full` takes the large numbers and prints a table: `make fairness`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "with its own main clippy does not see that these are tests"
)]

mod findings;
mod hanging;
mod leaving;
mod limited;
mod missing;
mod neighbours;
mod place;
mod position;
mod stage;
mod status;
mod table;
mod turns;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use libtest_mimic::{Arguments, Trial};

use stage::{Plane, Stage};

type Test = for<'p> fn(&'p Plane) -> BoxFuture<'p, Result<()>>;

/// The longest first.
const TESTS: &[(&str, Test)] = &[
    ("missing_secrets", |plane| missing::unwatched(plane).boxed()),
    ("missing_secrets_watched", |plane| missing::watched(plane).boxed()),
    ("turns_of_a_slow_server", |plane| turns::slow(plane).boxed()),
    ("turns_of_a_rate", |plane| turns::rate(plane).boxed()),
    ("beside_a_low_rate", |plane| neighbours::run(plane).boxed()),
    ("beside_a_dead_server", |plane| hanging::run(plane).boxed()),
    ("mails_are_limited", |plane| limited::mails(plane).boxed()),
    ("burns_are_limited", |plane| limited::burns(plane).boxed()),
    ("some_leave_the_queue", |plane| leaving::run(plane).boxed()),
    ("position_is_told", |plane| position::run(plane).boxed()),
];

/// Whether the large numbers are wanted.
pub fn is_full() -> bool {
    std::env::var("ONETIMESHARE_FAIRNESS").is_ok_and(|value| value == "full")
}

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    // They wait most of the time. Where time is measured, nothing else runs.
    args.test_threads
        .get_or_insert(if is_full() { 1 } else { TESTS.len() });
    let stage = Arc::new(Stage::new());
    let trials = TESTS.iter().map(|(name, test)| {
        let stage = Arc::clone(&stage);
        Trial::test(*name, move || stage.run(test))
    });
    let trials = trials.collect();
    let failed = libtest_mimic::run(&args, trials).has_failed();
    // The trials that a filter left out are dropped with the run.
    let ended = match Arc::into_inner(stage) {
        Some(stage) => stage.tear_down(),
        None => Ok(()),
    };
    if let Err(error) = &ended {
        println!("tearing down: {error:#}");
    }
    ExitCode::from(if failed || ended.is_err() { 101 } else { 0 })
}
