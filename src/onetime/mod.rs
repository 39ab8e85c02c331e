//! The client of Onetime Secret's REST API v1.
//!
//! Owns: everything that is sent to the service and what its answers mean. Must not:
//! know anything of Kubernetes, retry, or decide what to do about an error.
//!
//! The promise of this module: a creating call sends its request at most once, and its
//! error says whether the share may exist ([`CreateError::UnknownOutcome`]), can't exist
//! (all others), or was not even sent ([`CreateError::NotSent`]).
//!
//! What is left: a process that is stopped between the check of the deadline and the write
//! of the body sends late when it goes on, and the kernel may deliver what it has until its
//! user timeout ends ([`user_timeout`]).

mod call;
mod client;
mod client_config;
mod endpoint;
mod error;
mod http;
mod keys;
mod mask;
mod receipt;
mod request;
mod unknown;
mod wire;

pub use client::Client;
pub use client_config::ClientConfig;
pub use endpoint::{Endpoint, EndpointError, Region};
pub use error::{CallError, CreateError, Flaw, Refusal, Transport, Unavailable, Why};
pub use http::{AddressPolicy, CaProblem, CertificateProblem, ClientBuildError, user_timeout};
pub use keys::{BadKey, Link, MetadataKey, SecretKey};
pub use mask::{MaskOf, mask_class, mask_forms, mask_of, obscured};
pub use receipt::{
    CLOCKS_AGREE, Created, Generated, Receipt, Recent, RecentReceipt, ServerStatus, State, Via,
};
pub use request::{Account, GenerateRequest, ShareRequest};
pub use unknown::{Redirect, Target, Unknown};
#[doc(hidden)]
pub use wire::answer;
pub use wire::words::Words;
