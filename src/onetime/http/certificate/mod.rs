//! Server certificates: which ones are accepted, and what is wrong with the others.
//!
//! Owns: the verifier, the self-signed certificates that a CA bundle pins, and the words about a
//! certificate. Must not: verify a chain or a handshake; webpki does that.

mod diagnosis;
mod parsed;
mod pinned;
mod printable;
mod problem;
#[cfg(test)]
mod tests;
mod verifier;

pub use problem::CertificateProblem;
pub(in crate::onetime) use verifier::{Verifier, problem};
