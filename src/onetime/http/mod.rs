//! The transport: one request, one answer, at most one sending. Knows nothing of what is sent.
//!
//! [`exchange`](exchange::exchange) is the one seam to reqwest: the rest of the client calls nothing else of it.

pub mod address;
mod body;
mod certificate;
pub(super) mod connections;
pub(super) mod exchange;
pub(super) mod failure;
mod resolver;
pub(super) mod tls;

pub use address::AddressPolicy;
pub use certificate::CertificateProblem;
pub use connections::user_timeout;
pub use tls::{CaProblem, ClientBuildError};
