//! From an answer (status, headers, body) to its meaning.
//!
//! Owns: every judgement about what an answer of the service means; pure. Must
//! not: do input or output, or let more text of the service into an error than `words` leaves.
//! `docs` of each arm name the recorded scenario that proves it; what no recording
//! proves is an unknown outcome.

use http::{HeaderMap, StatusCode};
use secrecy::SecretString;
use serde::de::DeserializeOwned;

use super::error_reply::{ErrorReply, error_reply, unknown};
use super::json::{WireBurned, WireReceipt, WireStatus, WireValue};
use super::list::ListReader;
use crate::onetime::error::{CallError, CreateError, Flaw, Refusal, Unavailable, Why};
use crate::onetime::keys::MetadataKey;
use crate::onetime::receipt::{Created, Generated, Receipt, Recent, ServerStatus, Via};

/// An answer as it came.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The whole body.
    pub body: &'a [u8],
}

impl Answer<'_> {
    fn error_reply(&self) -> Option<ErrorReply> {
        if self.status.is_success() {
            None
        } else {
            Some(error_reply(self.status, self.headers, self.body))
        }
    }

    fn parse<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(self.body).ok()
    }
}

/// The meaning of an answer to `POST /api/v1/share`.
///
/// # Errors
/// [`CreateError`]; never `NotSent`.
pub fn share(answer: Answer<'_>) -> Result<Created, CreateError> {
    if let Some(reply) = answer.error_reply() {
        return Err(create_error(reply, answer));
    }
    // A success without both keys is a share that nobody can name: unknown, never an error.
    let wire: Option<WireReceipt> = answer.parse();
    wire.and_then(|wire| wire.created())
        .ok_or_else(|| malformed(answer))
}

fn malformed(answer: Answer<'_>) -> CreateError {
    CreateError::UnknownOutcome(Why::Malformed(unknown(
        answer.status,
        answer.headers,
        answer.body,
    )))
}

/// The meaning of an answer to `POST /api/v1/generate`.
///
/// # Errors
/// [`CreateError`]; never `NotSent`.
pub fn generate(answer: Answer<'_>) -> Result<Generated, CreateError> {
    let created = share(answer)?;
    let value = value(answer).ok_or_else(|| malformed(answer))?;
    Ok(Generated { created, value })
}

/// The meaning of an answer to `GET /api/v1/private/KEY`. The value that v0.23 gives
/// on the first look (v1-metadata-get-first.json) is not read.
///
/// # Errors
/// [`CallError`]; `Gone` once the receipt has expired (v1-expired-secret.json).
pub fn receipt(answer: Answer<'_>, key: &MetadataKey) -> Result<Receipt, CallError> {
    if let Some(reply) = answer.error_reply() {
        return Err(call_error(reply));
    }
    let wire: Option<WireReceipt> = answer.parse();
    let receipt = wire
        .and_then(|wire| wire.receipt())
        .ok_or(CallError::Malformed(Flaw::Shape))?;
    if receipt.metadata_key == *key {
        Ok(receipt)
    } else {
        Err(CallError::Malformed(Flaw::OtherReceipt))
    }
}

/// The value that an answer carries: always for a generated secret, else on v0.23's first look.
pub fn value(answer: Answer<'_>) -> Option<SecretString> {
    let wire: WireValue = answer.parse()?;
    wire.value
        .text()
        .or(wire.secret_value.text())
        .map(SecretString::from)
}

/// The meaning of an answer to `POST /api/v1/private/KEY/burn`.
///
/// # Errors
/// [`CallError`]; `Gone` when it was read, burned or expired before, `WrongPassphrase`
/// without the right passphrase (v1-burn.json).
pub fn burn(answer: Answer<'_>, key: &MetadataKey) -> Result<(), CallError> {
    if let Some(reply) = answer.error_reply() {
        return Err(call_error(reply));
    }
    let burned: WireBurned = answer.parse().ok_or(CallError::Malformed(Flaw::Shape))?;
    match burned.state.key() {
        Some(burned) if burned == *key => Ok(()),
        Some(_) => Err(CallError::Malformed(Flaw::OtherReceipt)),
        None => Err(CallError::Malformed(Flaw::Shape)),
    }
}

/// The meaning of an answer to `GET /api/v1/private/recent` or `/api/v2/private/recent`.
/// An entry that can't be read makes the whole list unreadable: it could be the one
/// that is looked for.
///
/// # Errors
/// [`CallError`]; a list that is not whole is never an empty one.
pub fn recent(answer: Answer<'_>, via: Via) -> Result<Recent, CallError> {
    let mut list = ListReader::new(via);
    if answer.status.is_success() {
        list.take(answer.body).map_err(CallError::Malformed)?;
    }
    listed(answer, list)
}

/// The same, when a reader took the list while it arrived.
///
/// # Errors
/// As [`recent`].
pub(in crate::onetime) fn listed(answer: Answer<'_>, list: ListReader) -> Result<Recent, CallError> {
    match answer.error_reply() {
        Some(reply) => Err(call_error(reply)),
        None => list.finish(),
    }
}

/// The meaning of an answer to `GET /api/v1/status`.
///
/// # Errors
/// [`CallError`]
pub fn status(answer: Answer<'_>) -> Result<ServerStatus, CallError> {
    if let Some(reply) = answer.error_reply() {
        return Err(call_error(reply));
    }
    let wire: Option<WireStatus> = answer.parse();
    let word = wire.and_then(|wire| wire.status.text().map(|word| word == "nominal"));
    word.map(|nominal| ServerStatus { nominal })
        .ok_or(CallError::Malformed(Flaw::Shape))
}

/// The meaning of an answer to `GET /api/v1/authcheck`: fine when the status is nominal.
///
/// # Errors
/// [`CallError`]; `Malformed` for a success that is not the service's own.
pub fn authcheck(answer: Answer<'_>) -> Result<(), CallError> {
    match status(answer)? {
        ServerStatus { nominal: true } => Ok(()),
        ServerStatus { nominal: false } => Err(CallError::Unavailable(Unavailable::ServerFault)),
    }
}

/// The meaning of an answer to `GET /api/v2/version`: none where it is kept back
/// (v2-basics.json, v0.26: 401) or there is no such route.
///
/// # Errors
/// [`CallError`]
pub fn version(answer: Answer<'_>) -> Result<Option<String>, CallError> {
    match answer.error_reply() {
        None => {
            let wire: WireStatus = answer.parse().ok_or(CallError::Malformed(Flaw::Shape))?;
            Ok(wire.version())
        }
        Some(ErrorReply::Unauthorized | ErrorReply::Refused(_)) => Ok(None),
        Some(reply) => Err(call_error(reply)),
    }
}

fn create_error(reply: ErrorReply, answer: Answer<'_>) -> CreateError {
    match reply {
        ErrorReply::Unauthorized => CreateError::Unauthorized,
        ErrorReply::RateLimited { retry_after_seconds } => CreateError::RateLimited { retry_after_seconds },
        ErrorReply::Refused(refusal) => CreateError::Refused(refusal),
        ErrorReply::Fault => CreateError::UnknownOutcome(Why::ServerFault),
        ErrorReply::Redirected(redirect) => CreateError::UnknownOutcome(Why::Redirected(redirect)),
        ErrorReply::Unrecognised(unknown) => CreateError::UnknownOutcome(Why::Unrecognised(unknown)),
        // Nothing was asked about a secret that exists: such an answer is of somebody else.
        ErrorReply::Gone | ErrorReply::WrongPassphrase => CreateError::UnknownOutcome(Why::Unrecognised(
            unknown(answer.status, answer.headers, answer.body),
        )),
    }
}

fn call_error(reply: ErrorReply) -> CallError {
    match reply {
        ErrorReply::Unauthorized => CallError::Unauthorized,
        ErrorReply::RateLimited { retry_after_seconds } => CallError::RateLimited { retry_after_seconds },
        ErrorReply::Refused(refusal) => CallError::Refused(refusal),
        ErrorReply::Gone => CallError::Gone,
        ErrorReply::WrongPassphrase => CallError::WrongPassphrase,
        ErrorReply::Fault => CallError::Unavailable(Unavailable::ServerFault),
        ErrorReply::Redirected(redirect) => CallError::Unavailable(Unavailable::Redirected(redirect)),
        ErrorReply::Unrecognised(unknown) => CallError::Unavailable(Unavailable::Unrecognised(unknown)),
    }
}

impl CallError {
    /// Whether asking v2 may help: v0.23's v1 answers the list with an unexpected
    /// error (v1-recent.json), another server may not have the route.
    pub(in crate::onetime) fn is_worth_asking_v2(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(Unavailable::ServerFault)
                | Self::Refused(Refusal::UnknownRoute | Refusal::NotAvailable)
        )
    }
}

#[cfg(test)]
mod tests;
