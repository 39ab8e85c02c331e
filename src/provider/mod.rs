//! Providers: which server and account a share goes to.

mod answers;
pub mod breaker;
mod clients;
pub mod gates;
pub mod health;
mod plan;
mod problems;
mod registry;
mod resolved;
pub mod settings;
mod turns;
pub mod version;

pub use gates::{Call, Gates, Kind, Permit, Waits};
pub use plan::Demand;
pub use problems::unauthorized;
pub use registry::{Providers, Timeouts};
pub use resolved::Resolved;
pub use settings::{Policy, ProviderId};
