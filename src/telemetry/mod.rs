//! What the operator tells about itself: logs, metrics, health endpoints. Nothing here changes what it does.

mod events;
mod http;
mod inventory;
mod labels;
mod logs;
mod metrics;
mod readiness;

pub use events::{Events, Notice};
pub use http::serve;
pub use inventory::Inventory;
pub use logs::init_logs;
pub use metrics::{Metrics, ServiceRequest};
pub use readiness::Readiness;
