//! What the user sees: the status of a share and the events about it.

mod conditions;
pub mod events;
mod render;
mod standing;
mod view;
pub(super) mod write;

pub use conditions::clamped;
pub use render::{facts, render};
pub use view::View;
