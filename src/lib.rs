//! onetimeshare: a Kubernetes operator that puts a Secret behind a one-time link.
//!
//! The life of one share, in the order of the code:
//!
//! 1. [`share::controller`] is woken by the share, its ledger entry or its provider, and calls [`share::reconcile`].
//! 2. [`share::reconcile`] reads the entry from [`share::ledger`] and asks [`share::decide`] what to do. That is pure.
//! 3. To send: [`share::effects::send`] resolves the [`provider`], reads the Secret ([`share::inputs::read`]), writes the intent into
//!    the ledger with a compare-and-swap, and only then POSTs through [`onetime`], the client that knows no Kubernetes.
//! 4. The answer goes into the ledger first. [`share::status::render`] then projects the entry into the share's status.
//! 5. An answer that was lost is found out about by [`share::decide::recover`]; an old link is burned by [`share::effects::burn`].
//! 6. [`sweep`] asks what became of the links and writes it into the ledger; the statuses follow.
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
pub mod clock;
pub mod config;
#[cfg(feature = "failpoints")]
pub mod failpoint;
pub mod kubernetes;
pub mod lease;
pub mod ledger;
#[cfg(feature = "mutants")]
pub mod mutant;
pub mod onetime;
pub mod operator;
pub mod poll;
pub mod problem;
pub mod provider;
pub mod ready;
pub mod share;
pub mod telemetry;
