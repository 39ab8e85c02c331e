//! What the tests and the demo stand on.

pub mod control_plane;
pub mod onetime;
