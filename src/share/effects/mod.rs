//! What a decision does. `resolve` asks `recover` after its look at the service's list; the poll uses `burn` and `resolve`
//! too, for links whose share is gone.

pub mod burn;
mod consequence;
pub mod deliver;
pub mod look;
#[cfg(feature = "mutants")]
mod mutated;
pub mod occupy;
mod post;
pub mod prepare;
mod receipt;
mod refusal;
pub mod resolve;
pub mod send;
