//! What a decision does: one file for each [`Step`](super::decide::Step) that changes something.
//!
//! Nothing here decides whether to send: every effect begins with what `decide` said about the entry that was read.

pub mod burn;
pub mod deliver;
#[cfg(feature = "mutants")]
mod mutated;
mod post;
pub mod prepare;
mod receipt;
mod refusal;
pub mod resolve;
pub mod send;
