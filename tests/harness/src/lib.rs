//! What the tests and the demo stand on.
//!
//! Nothing here knows the operator's code: what it observes is the ground truth that the operator is held against.

pub mod api_proxy;
pub mod audit;
pub mod clock;
pub mod cluster;
pub mod control_plane;
pub mod http;
pub mod onetime;
pub mod operator;
pub mod proxy;
