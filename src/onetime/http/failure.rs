//! What a failed exchange was, and what it means for its caller. PURE. Reads the types of errors, never their texts,
//! which may name an address.

use super::certificate;
use super::resolver::ResolveError;
use crate::onetime::error::{CallError, CreateError, Flaw, Transport, Unavailable, Why};
use std::error::Error;
use std::io;

/// Why there is no whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::onetime) enum Failure {
    /// The body was not handed over and will not be.
    NotSent(Transport),
    /// The connection ended.
    Lost,
    /// The deadline passed.
    Timeout,
    /// The answer is larger than the limit.
    TooLarge,
    /// A list that cannot be used.
    Malformed(Flaw),
}

/// What a failed exchange of a creating call means.
pub(in crate::onetime) fn not_created(failure: Failure) -> CreateError {
    match failure {
        Failure::NotSent(transport) => CreateError::NotSent(transport),
        Failure::Lost => CreateError::UnknownOutcome(Why::ConnectionLost),
        Failure::Timeout => CreateError::UnknownOutcome(Why::Timeout),
        // The second is of lists alone.
        Failure::TooLarge | Failure::Malformed(_) => CreateError::UnknownOutcome(Why::TooLarge),
    }
}

/// What a failed exchange of any other call means.
pub(in crate::onetime) fn not_answered(failure: Failure) -> CallError {
    match failure {
        Failure::NotSent(Transport::Deadline) | Failure::Timeout => CallError::Timeout,
        Failure::NotSent(transport) => CallError::Unavailable(Unavailable::Transport(transport)),
        Failure::Lost => CallError::Unavailable(Unavailable::ConnectionLost),
        Failure::TooLarge => CallError::Malformed(Flaw::TooLarge),
        Failure::Malformed(flaw) => CallError::Malformed(flaw),
    }
}

/// What went wrong with the connection: `Ok` for an error without an answer. An `Err` never comes from here; it is the
/// other half of what an exchange can end with.
pub(super) fn transport(error: &reqwest::Error, proxied: bool) -> Result<Transport, Failure> {
    Ok(match connection(error) {
        // The name that was resolved and the address that was connected to are the proxy's.
        Transport::NameNotFound | Transport::Refused if proxied => Transport::ProxyRefused,
        transport => transport,
    })
}

fn connection(error: &reqwest::Error) -> Transport {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<ResolveError>() {
            return match error {
                ResolveError::NameNotFound => Transport::NameNotFound,
                ResolveError::Denied => Transport::AddressDenied,
            };
        }
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return certificate::problem(error).map_or(Transport::Tls, Transport::Certificate);
        }
        if let Some(refused) = tunnel(error) {
            return refused;
        }
        // An io::Error leaves what it wraps out of its sources.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    match (error.is_connect(), error.is_timeout()) {
        (true, true) => Transport::ConnectTimeout,
        (true, false) => Transport::Refused,
        (false, _) => Transport::Closed,
    }
}

/// What a proxy said to CONNECT. hyper-util does not name the type of this error, so its text is compared; it is never
/// shown. `a_proxy_is_told_as_what_it_is` in tests/onetime_client.rs turns red when the text changes.
fn tunnel(error: &(dyn Error + 'static)) -> Option<Transport> {
    match error.to_string().strip_prefix("tunnel error: ")? {
        "proxy authorization required" => Some(Transport::ProxyAuth),
        "failed to create underlying connection"
        | "unexpected end of file"
        | "io error establishing tunnel" => Some(Transport::ProxyRefused),
        _ => Some(Transport::ProxyAnswer),
    }
}
