//! What to do next for a share: PURE. No clock, no client, no async.
//!
//! The same function serves the operator, the table tests and the model checker. It never sends: it says what a
//! reconciler that holds these facts may do. [`rules`] lists what it looks for, in order; [`recover`] decides about an
//! attempt whose answer was lost.

mod case;
mod facts;
#[cfg(feature = "mutants")]
mod mutated;
mod problems;
pub mod recover;
mod rules;
mod step;
#[cfg(test)]
mod tests;

pub use facts::{Facts, StatusClaim};
#[cfg(feature = "mutants")]
pub use mutated::decide;
pub use problems::uncertain;
#[cfg(not(feature = "mutants"))]
pub use rules::decide;
pub use rules::{RESOLVE_LIMIT, SLACK};
pub use step::Step;
