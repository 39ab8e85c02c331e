//! What the user sees: the status of a share and the events about it.

pub mod events;
pub mod render;
pub(super) mod write;
