//! onetimeshare: a Kubernetes operator that puts a Secret behind a one-time link.
//!
//! The floors of the house. Each may use only what is below it, which `tests/layers.rs` checks:
//!
//! | Module | What it does |
//! |---|---|
//! | `main` | parse, start, exit codes |
//! | [`cli`] | the commands beside the controller |
//! | [`operator`] | wiring: clients, election, caches, controllers, an orderly end |
//! | [`poll`] | what became of links |
//! | [`share`] | one share: inputs, decide, effects, status, reconcile |
//! | [`provider`] | which server and account, its health, its gates |
//! | [`telemetry`] | logs, metrics, health endpoints |
//! | [`ledger`] | entries, compare-and-swap writes, transitions |
//! | [`kubernetes`] | calls with deadlines, the lease, Secrets, watches and whether they live |
//! | [`onetime`] | the API client; knows nothing of Kubernetes |
//! | [`problem`], [`config`] | what is wrong and who mends it; the command line |
//! | [`clock`], [`backoff`], [`ring`], [`packed`], [`proxy`], [`shard`], [`api`] | what everybody uses |
//!
//! The life of one share, in the order of the code:
//!
//! 1. A change of the share, its ledger entry, its provider or (with `--watch-secrets`) a Secret triggers [`share::controller`], which calls `share::reconcile`.
//! 2. `share::reconcile` reads the entry from the [`ledger`] and asks [`share::decide`] what to do. That is pure.
//! 3. To send: [`share::effects::prepare`] resolves the [`provider`], reads the Secret ([`share::inputs::read`]) and takes a
//!    place at the provider's gate ([`provider::gates`]), or leaves and is called when it is its turn;
//!    [`share::effects::send`] writes the intent into the ledger with a compare-and-swap, and only then POSTs through
//!    [`onetime`].
//! 4. The answer goes into the ledger first. [`share::status`] then projects the entry into the share's status.
//! 5. [`share::decide::recover`] determines what happened to a request whose response was lost;
//!    [`share::effects::burn`] burns an old link.
//! 6. [`poll`] polls the service for the state of links, burns those whose share is gone, and records it in the ledger; the
//!    statuses follow.
//!
//! A refusal: `onetime` says what it means, [`share::effects::send`] records it, and [`provider::gates`] pauses. A forward proxy:
//! [`operator`] reads the environment, [`provider`] chooses, and `onetime` connects through it.
//!
//! The ledger is the only durable truth. Everything else can be lost at any point and is made again from it.

/// Awaits one step of a share's life. A test may end the operator right before it and right after it.
macro_rules! step {
    ($name:literal, $step:expr) => {{
        fail::fail_point!(concat!($name, ".before"));
        let done = $step.await;
        fail::fail_point!(concat!($name, ".after"));
        done
    }};
}

/// Whether the deliberate mistake of this name is made: only ever in a test (see `mutant.rs`).
#[cfg(feature = "mutants")]
macro_rules! mutant {
    ($name:literal) => {{
        const { assert!(crate::mutant::is_known($name)) };
        crate::mutant::is($name)
    }};
}
#[cfg(not(feature = "mutants"))]
macro_rules! mutant {
    ($name:literal) => {
        false
    };
}

pub mod api;
pub mod backoff;
pub mod cli;
pub mod clock;
pub mod config;
#[cfg(feature = "failpoints")]
pub mod failpoint;
pub mod kubernetes;
pub mod ledger;
#[cfg(feature = "mutants")]
pub mod mutant;
pub mod onetime;
pub mod operator;
pub mod packed;
pub mod poll;
pub mod problem;
pub mod provider;
pub mod proxy;
pub mod ring;
pub mod shard;
pub mod share;
pub mod telemetry;
