//! What to do next for a share: PURE. No clock, no client, no async.
//!
//! The same function serves the operator, the table tests and the model checker. It never sends: it says what a
//! reconciler that holds these facts may do. `rules` lists what it looks for, in order; [`recover`] decides about an
//! attempt whose answer was lost, and [`ends`] how a link's life ended.

mod case;
pub mod ends;
mod facts;
mod limits;
#[cfg(feature = "mutants")]
mod mutated;
mod neighbour;
mod problems;
pub mod recover;
mod rules;
mod step;
#[cfg(test)]
mod tests;
mod ways;

pub use case::edited_after_the_end;
pub use facts::{Facts, StatusClaim};
pub use limits::{MOMENT, RESOLVE_LIMIT};
#[cfg(feature = "mutants")]
pub use mutated::{decide, may_tell, needs_namespace};
pub use neighbour::{NEIGHBOUR_GRACE, Telling};
#[cfg(not(feature = "mutants"))]
pub use neighbour::{may_tell, needs_namespace};
pub use problems::{ledger_unavailable, uncertain};
#[cfg(not(feature = "mutants"))]
pub use rules::decide;
pub use step::Step;
