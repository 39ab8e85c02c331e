//! The commands beside `controller`.

pub mod crds;
pub mod ready;
