//! Providers: which server and account a share goes to.

pub mod health;
mod limits;
pub mod registry;
pub mod settings;
pub mod version;

pub use limits::Permit;
pub use registry::{Providers, Resolved};
pub use settings::{Policy, ProviderId};
