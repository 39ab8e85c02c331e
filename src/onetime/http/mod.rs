//! The transport: one request, one answer, at most one sending. Knows nothing of what is sent.

pub mod address;
mod body;
pub(super) mod connect;
pub(super) mod exchange;
pub(super) mod failure;
pub(super) mod tls;

pub use address::AddressPolicy;
pub use tls::{CaProblem, ClientBuildError};
