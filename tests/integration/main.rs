//! The operator on a real API server: the real binary, kube-apiserver and etcd, and a fake Onetime Secret server.
//!
//! One control plane and one operator serve all tests. They start with the first test that needs
//! them and end with this program, whatever the tests say. Each test registers itself: see
//! `registry.rs`. Most tests run at the same time, each with its own namespace, fake server and
//! provider. Options and filters are those of `cargo test`; `ONETIMESHARE_ECHO_LOGS=1` shows the
//! operator's log.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "with its own main clippy does not see that these are tests"
)]

mod admission;
mod answer;
mod answers;
mod burst;
mod bytes;
mod costs;
mod deletion;
mod edits;
mod ends;
mod env;
mod examples;
mod fire;
mod generate;
mod gitops;
mod kubectl;
mod leaks;
mod ledger;
mod lifecycle;
mod metrics;
mod outcomes;
mod own;
mod polling;
mod problems;
mod providers;
mod registry;
mod requests;
mod scope;
mod search;
mod shutdown;
mod starting;
mod watch;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::Arguments;

use env::Stage;
use registry::{Phase, trials};

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    // They wait most of the time, for the operator and for each other's load.
    args.test_threads.get_or_insert(64);
    let stage = Arc::new(Stage::new());
    if args.list {
        return libtest_mimic::run(&args, trials(&stage, |_| true)).exit_code();
    }
    let first = libtest_mimic::run(&args, trials(&stage, Phase::is_concurrent));
    args.test_threads = Some(1);
    let second = libtest_mimic::run(&args, trials(&stage, |phase| !phase.is_concurrent()));
    let failed = first.has_failed() || second.has_failed();
    let cleared = Arc::into_inner(stage)
        .expect("every test has ended")
        .tear_down(failed);
    if let Err(error) = &cleared {
        println!("tearing down: {error:#}");
    }
    ExitCode::from(if failed || cleared.is_err() { 101 } else { 0 })
}
