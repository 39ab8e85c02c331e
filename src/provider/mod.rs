//! Providers: which server and account a share goes to.

mod answers;
pub mod breaker;
pub mod gates;
pub mod health;
mod problems;
mod registry;
mod resolved;
pub mod settings;
pub mod version;

pub use gates::{Call, Gates, Kind, Permit, Waits};
pub use problems::unauthorized;
pub use registry::Providers;
pub use resolved::Resolved;
pub use settings::{Policy, ProviderId};
