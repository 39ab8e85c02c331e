//! One share, from its request to the end of its link.
//!
//! [`inputs`] is what the user asked for, [`decide`] says what to do next, [`effects`] does it, [`status`] shows it, and
//! `reconcile` is the only place that asks for decisions.

mod cached;
pub mod context;
pub mod controller;
mod current;
pub mod decide;
pub mod deletions;
pub mod effects;
pub mod error;
#[cfg(test)]
mod fixtures;
pub mod freshness;
pub mod hearing;
mod in_work;
pub mod inputs;
pub mod look;
pub mod looks;
pub mod occupancy;
pub mod quota;
mod read_at;
mod reconcile;
mod requeue;
pub mod sightings;
mod snapshot;
pub mod status;
mod triggers;
pub mod turns;

pub use cached::CachedShare;
