//! Providers: which server and account a share goes to.

pub mod health;
pub mod registry;
pub mod settings;

pub use registry::{Providers, Resolved};
pub use settings::{Policy, ProviderId};
