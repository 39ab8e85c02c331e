//! What Argo CD and Flux make of shares and providers: live objects with the statuses that the operator wrote, judged by
//! the engines that those two use.

mod actions;
mod engine;
mod providers;
mod row;
mod shares;
