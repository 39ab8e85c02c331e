//! What Argo CD and Flux make of shares and providers: live objects with the statuses that the operator wrote, judged by
//! the engines that those two use.

mod actions;
mod engine;
mod providers;
mod row;
mod shares;

pub use actions::{actions_are_accepted, declared_requests_are_left_alone};
pub use providers::providers_are_judged;
pub use shares::shares_are_judged;
