//! The registry of tests: each test adds itself with one line next to its function, in any file of
//! this program.
//!
//! ```ignore
//! integration_test!(clamped_ttl);
//! async fn clamped_ttl(env: &Env) -> Result<()> { … }
//! ```
//!
//! The function's name is the test's name. A test that must not run at the same time as the others
//! names its [`Phase`]: `integration_test!(graceful_shutdown, Phase::Shutdown)`.
//! `integration_cases!` registers a table: one test for each row. A function without a registration
//! is dead code, and the compiler reports it.

use std::sync::Arc;

use anyhow::Result;
use libtest_mimic::Trial;

use crate::env::{Env, Stage};

/// When a test runs. All tests of the concurrent phases run at the same time. Then the tests of the
/// other phases run one after the other: phase by phase, and by number within a phase.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Like `Concurrent`, but started first, because the test takes a minute or longer.
    Slow,
    /// At the same time as the other tests. The default.
    Concurrent,
    /// On a quiet machine. For tests that measure.
    Quiet(u8),
    /// After the tests above. For tests that examine what the shared operator did for all of them.
    LookBack(u8),
    /// Stops the shared operator.
    Shutdown,
    /// After the shared operator has stopped. For tests that start their own, with other options.
    OwnOperator(u8),
}

impl Phase {
    pub fn is_concurrent(self) -> bool {
        self <= Self::Concurrent
    }
}

/// What one registration adds: one test, or one for each row of a table.
pub struct Registration {
    pub phase: Phase,
    pub trials: fn(&Arc<Stage>) -> Vec<Trial>,
}

inventory::collect!(Registration);

/// The tests of the wanted phases, sorted by phase and name.
pub fn trials(stage: &Arc<Stage>, wanted: impl Fn(Phase) -> bool) -> Vec<Trial> {
    let mut found: Vec<(Phase, Trial)> = inventory::iter::<Registration>()
        .filter(|registration| wanted(registration.phase))
        .flat_map(|registration| {
            let trials = (registration.trials)(stage);
            trials.into_iter().map(|trial| (registration.phase, trial))
        })
        .collect();
    found.sort_by(|(phase, trial), (other_phase, other)| {
        (phase, trial.name()).cmp(&(other_phase, other.name()))
    });
    found.into_iter().map(|(_, trial)| trial).collect()
}

/// A test that runs in the shared environment.
pub fn trial(
    stage: &Arc<Stage>,
    name: &str,
    test: impl AsyncFnOnce(&Env) -> Result<()> + Send + 'static,
) -> Trial {
    let stage = Arc::clone(stage);
    Trial::test(name, move || stage.run(test))
}

/// Registers an `async fn(&Env) -> Result<()>` as a test of the same name.
macro_rules! integration_test {
    ($test:ident) => {
        integration_test!($test, $crate::registry::Phase::Concurrent);
    };
    ($test:ident, $phase:expr) => {
        inventory::submit! {
            $crate::registry::Registration {
                phase: $phase,
                trials: |stage| vec![$crate::registry::trial(stage, stringify!($test), $test)],
            }
        }
    };
}

/// Registers one test for each case that `$cases` lists. `$run` is an
/// `async fn(&Env, Case) -> Result<()>`. The test's name is the prefix and `case.name`.
macro_rules! integration_cases {
    ($prefix:literal, $cases:expr, $run:path) => {
        integration_cases!($prefix, $cases, $run, $crate::registry::Phase::Concurrent);
    };
    ($prefix:literal, $cases:expr, $run:path, $phase:expr) => {
        inventory::submit! {
            $crate::registry::Registration {
                phase: $phase,
                trials: |stage| {
                    let mut trials = Vec::new();
                    for case in $cases {
                        let name = format!(concat!($prefix, "{}"), case.name);
                        let test = async move |env: &$crate::env::Env| $run(env, case).await;
                        trials.push($crate::registry::trial(stage, &name, test));
                    }
                    trials
                },
            }
        }
    };
}

pub(crate) use {integration_cases, integration_test};
