//! What the operator tells about itself: logs, metrics, health endpoints. Nothing here changes what it does.

mod http;
mod logs;
mod metrics;
mod stock;

pub use http::{Readiness, serve};
pub use logs::init_logs;
pub use metrics::{Metrics, ServiceRequest};
pub use stock::Stock;
