//! One share, from its request to the end of its link.

pub mod adopt;
pub mod attempt;
pub mod burn;
pub mod context;
pub mod controller;
pub mod decide;
pub mod event;
#[cfg(test)]
mod fixtures;
pub mod recipient;
pub mod reconcile;
pub mod recover;
pub mod request;
mod seen;
mod show;
pub mod source;
pub mod status;
pub mod target;
pub mod template;
pub mod wake;
