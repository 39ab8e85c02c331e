//! What an error answer of the service says.
//!
//! Owns: the table of the service's messages. Must not: give a definite meaning to
//! anything that no recording and no HTTP rule proves.
//!
//! Nearly every error of v1 is a 404, so the message decides; on the way v0.26 adds
//! `x-ots-intended-status`, which says 400 for rate limits and server faults too and
//! so decides only where there is no known message.

use http::{HeaderMap, StatusCode, header};
use url::{Host, Url};

use super::json::WireError;
use super::words::Words;
use crate::onetime::error::Refusal;
use crate::onetime::unknown::{Redirect, Target, Unknown};

/// The meaning of an answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ErrorReply {
    Unauthorized,
    RateLimited { retry_after_seconds: Option<u64> },
    Refused(Refusal),
    Gone,
    WrongPassphrase,
    Fault,
    Redirected(Redirect),
    Unrecognised(Unknown),
}

pub(super) fn error_reply(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ErrorReply {
    if status.is_redirection() {
        return ErrorReply::Redirected(Redirect {
            status: status.as_u16(),
            target: target(headers),
        });
    }
    // Before the message: v1-redis-stopped.json, v1-share-size.json (v0.23, 5 MB) say 500.
    if status.is_server_error() {
        return ErrorReply::Fault;
    }
    let wire: WireError = serde_json::from_slice(body).unwrap_or_default();
    if let Some(message) = wire.message.text() {
        if let Some(reply) = by_message(message, headers) {
            return reply;
        }
    } else if status == StatusCode::NOT_FOUND && wire.error.text() == Some("Not Found") {
        // v1-routing.json: the router's own answer, nothing behind it was called.
        return ErrorReply::Refused(Refusal::UnknownRoute);
    }
    by_status(status, headers, body)
}

/// Scheme and host of a redirect, when it leads to a server by its name or address.
fn target(headers: &HeaderMap) -> Option<Target> {
    let location = headers.get(header::LOCATION)?.to_str().ok()?;
    let url = Url::parse(location).ok()?;
    let https = match url.scheme() {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let host = match url.host()? {
        // Longer ones are no names that exist.
        Host::Domain(name) if name.len() > 253 => return None,
        host => host.to_string(),
    };
    Some(Target { https, host })
}

/// What may be told of an answer whose meaning nobody knows.
pub(super) fn unknown(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Unknown {
    let wire: WireError = serde_json::from_slice(body).unwrap_or_default();
    let message = wire.message.text().or(wire.error.text());
    let is_html = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.to_ascii_lowercase().starts_with("text/html"));
    Unknown {
        status: status.as_u16(),
        page: is_html || body.trim_ascii_start().starts_with(b"<"),
        words: message.and_then(Words::of),
    }
}

/// The messages that were recorded; the file in `v0.23.6/` and `v0.26.6/` that has it.
fn by_message(message: &str, headers: &HeaderMap) -> Option<ErrorReply> {
    use Refusal as R;
    let refused = |refusal| Some(ErrorReply::Refused(refusal));
    match message {
        // v1-authcheck.json, v1-bad-credentials-share.json
        "Not authorized" => return Some(ErrorReply::Unauthorized),
        // v1-redis-stopped.json: with this message v0.26 had stored a key or not.
        "An unexpected error occurred :[" => return Some(ErrorReply::Fault),
        // v1-burn.json, v1-expired-secret.json
        "Unknown secret" => return Some(ErrorReply::Gone),
        // v1-burn.json
        "Double check that passphrase" => return Some(ErrorReply::WrongPassphrase),
        // v1-rate-limit.json, v0.23 and v0.26
        "Cripes! You have been rate limited." | "Rate limit exceeded. Please try again later." => {
            return Some(rate_limited(headers));
        }
        // v1-share-empty-secret.json
        "You did not provide anything to share" => return refused(R::EmptySecret),
        // v1-passphrase-required.json (v0.23)
        "A passphrase is required for all secrets" => return refused(R::PassphraseRequired),
        // v1-share-recipient.json
        "An account is required to send emails." => return refused(R::RecipientNeedsAccount),
        // v1-bad-credentials-share.json (v0.23): a cookie came along. We send none.
        "Please refresh the page and try again" => return refused(R::Other("session")),
        // v1-create-endpoint.json (v0.23)
        "Incorrect payload format" => return refused(R::Other("payload-format")),
        _ => {}
    }
    // v1-share-recipient.json (v0.26): no mail went out for any of them.
    if message.starts_with("Undeliverable email address: ") {
        return refused(R::RecipientUndeliverable);
    }
    // v1-share-domain.json
    if message.starts_with("Unknown domain: ") {
        return refused(R::UnknownShareDomain);
    }
    if let Some(refusal) = by_domain(message) {
        return refused(refusal);
    }
    // Other releases and settings; plainly a check of what was asked for, before anything is done.
    if message.starts_with("Passphrase must contain ") {
        return refused(R::PassphraseTooSimple(Words::of(message)));
    }
    // v1-auth-disabled.json (v0.23): "/api/v1/share is not available"
    if message.starts_with("/api/") && message.ends_with(" is not available") {
        return refused(R::NotAvailable);
    }
    by_limit(message).map(ErrorReply::Refused)
}

/// What other releases and settings say of a share domain, before they do anything. The domain follows.
fn by_domain(message: &str) -> Option<Refusal> {
    const ALL: [(&str, Refusal); 3] = [
        (
            "You do not have permission to use domain: ",
            Refusal::ShareDomainNotPermitted,
        ),
        ("Custom domain is not verified: ", Refusal::ShareDomainNotVerified),
        (
            "Public sharing disabled for domain: ",
            Refusal::ShareDomainNotPublic,
        ),
    ];
    let found = ALL.into_iter().find(|(start, _)| message.starts_with(start));
    found.map(|(_, refusal)| refusal)
}

/// v1-share-passphrase-limits.json, v1-share-size.json and v1-generate.json (v0.26).
fn by_limit(message: &str) -> Option<Refusal> {
    let between = |before: &str, after: &str| -> Option<Option<u64>> {
        let number = message.strip_prefix(before)?.strip_suffix(after)?;
        Some(number.parse().ok())
    };
    let small = |number: Option<u64>| number.and_then(|number| u32::try_from(number).ok());
    if let Some(min) = between("Passphrase must be at least ", " characters long") {
        return Some(Refusal::PassphraseTooShort { min: small(min) });
    }
    if let Some(max) = between("Passphrase must be no more than ", " characters long") {
        return Some(Refusal::PassphraseTooLong { max: small(max) });
    }
    if let Some(max_bytes) = between("Secret value exceeds the maximum size of ", " bytes") {
        return Some(Refusal::TooLarge { max_bytes });
    }
    // Other settings count characters, and say it in other words before the number.
    let counted = message
        .strip_suffix(" characters")
        .and_then(|rest| rest.rsplit_once(" maximum size of "));
    if let Some(max) = counted.and_then(|(_, number)| number.parse().ok()) {
        return Some(Refusal::TooLong { max: Some(max) });
    }
    let max = between("Generated password length must be no more than ", " characters")?;
    Some(Refusal::LengthTooLong { max: small(max) })
}

/// Without a known message. A 404 says nothing then: v1 uses it for its own faults,
/// and a proxy may have put its own page over the message.
fn by_status(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ErrorReply {
    let intended = headers
        .get("x-ots-intended-status")
        .and_then(|value| value.to_str().ok());
    match intended.and_then(|code| code.parse::<u16>().ok()) {
        Some(500..) => return ErrorReply::Fault,
        Some(401) => return ErrorReply::Unauthorized,
        Some(429) => return rate_limited(headers),
        _ => {}
    }
    // These are refusals by the rules of HTTP, and no version of the service gives
    // them for a fault. A 400 counts only when bare (v1-share-size.json, v0.26: 5 MB):
    // the service itself means faults by it too.
    match status {
        StatusCode::UNAUTHORIZED => ErrorReply::Unauthorized,
        StatusCode::TOO_MANY_REQUESTS => rate_limited(headers),
        StatusCode::FORBIDDEN => ErrorReply::Refused(Refusal::Forbidden),
        StatusCode::PAYLOAD_TOO_LARGE => ErrorReply::Refused(Refusal::TooLarge { max_bytes: None }),
        StatusCode::BAD_REQUEST if body.is_empty() => ErrorReply::Refused(Refusal::BadRequest),
        StatusCode::METHOD_NOT_ALLOWED
        | StatusCode::LENGTH_REQUIRED
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => ErrorReply::Refused(Refusal::BadRequest),
        _ => ErrorReply::Unrecognised(unknown(status, headers, body)),
    }
}

fn rate_limited(headers: &HeaderMap) -> ErrorReply {
    let value = headers
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    ErrorReply::RateLimited {
        retry_after_seconds: value.and_then(|seconds| seconds.trim().parse().ok()),
    }
}

#[cfg(test)]
mod tests;
