//! What every recorded error means, written down apart from the client.

use onetimeshare::onetime::{CallError, CreateError, Refusal, Unavailable, Unknown, Why};
use serde_json::Value;

use crate::recordings::Exchange;

/// What an error of the service means, apart from the call.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    Unauthorized,
    RateLimited,
    Gone,
    WrongPassphrase,
    Fault,
    /// A 404 without a word of the service.
    Unknown,
    Refused(Refusal),
}

/// The meaning of every recorded error message.
pub fn meaning(exchange: &Exchange) -> Meaning {
    use Meaning::*;
    use Refusal as R;
    if exchange.status.is_server_error() {
        return Fault;
    }
    let Some(message) = exchange.json["message"].as_str() else {
        return match (exchange.status.as_u16(), &exchange.json["error"]) {
            (404, error) if error == "Not Found" => Refused(R::UnknownRoute),
            (400, _) if exchange.body.is_empty() => Refused(R::BadRequest),
            (404, Value::Null) => Unknown,
            _ => panic!(
                "{}: an error without a message: {:?}",
                exchange.name, exchange.json
            ),
        };
    };
    let table: &[(&str, Meaning)] = &[
        ("Not authorized", Unauthorized),
        ("[AUTH_HEADER_MISSING] No authorization header", Unauthorized),
        ("Cripes! You have been rate limited.", RateLimited),
        ("Rate limit exceeded. Please try again later.", RateLimited),
        ("Unknown secret", Gone),
        ("Double check that passphrase", WrongPassphrase),
        ("An unexpected error occurred :[", Fault),
        ("You did not provide anything to share", Refused(R::EmptySecret)),
        (
            "Secret value exceeds the maximum size of 10000 bytes",
            Refused(R::TooLarge {
                max_bytes: Some(10_000),
            }),
        ),
        (
            "Passphrase must be at least 8 characters long",
            Refused(R::PassphraseTooShort { min: Some(8) }),
        ),
        (
            "Passphrase must be at least 4 characters long",
            Refused(R::PassphraseTooShort { min: Some(4) }),
        ),
        (
            "Passphrase must be no more than 128 characters long",
            Refused(R::PassphraseTooLong { max: Some(128) }),
        ),
        (
            "A passphrase is required for all secrets",
            Refused(R::PassphraseRequired),
        ),
        (
            "An account is required to send emails.",
            Refused(R::RecipientNeedsAccount),
        ),
        (
            "Undeliverable email address: *",
            Refused(R::RecipientUndeliverable),
        ),
        ("Unknown domain: *", Refused(R::UnknownShareDomain)),
        (
            "Generated password length must be no more than 128 characters",
            Refused(R::LengthTooLong { max: Some(128) }),
        ),
        ("/api/v1/share is not available", Refused(R::NotAvailable)),
        ("/api/v1/authcheck is not available", Refused(R::NotAvailable)),
        (
            "Please refresh the page and try again",
            Refused(R::Other("session")),
        ),
    ];
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(prefix) => message.starts_with(prefix),
        None => message == pattern,
    };
    let found = table.iter().find(|(pattern, _)| fits(pattern));
    found
        .unwrap_or_else(|| panic!("{}: a message that is not in the table: {message}", exchange.name))
        .1
        .clone()
}

pub fn create_error(meaning: Meaning) -> CreateError {
    match meaning {
        Meaning::Unauthorized => CreateError::Unauthorized,
        Meaning::RateLimited => CreateError::RateLimited {
            retry_after_seconds: None,
        },
        Meaning::Refused(refusal) => CreateError::Refused(refusal),
        Meaning::Fault => CreateError::UnknownOutcome(Why::ServerFault),
        other => panic!("no recorded creation means {other:?}"),
    }
}

pub fn call_error(meaning: Meaning) -> CallError {
    match meaning {
        Meaning::Unauthorized => CallError::Unauthorized,
        Meaning::RateLimited => CallError::RateLimited {
            retry_after_seconds: None,
        },
        Meaning::Refused(refusal) => CallError::Refused(refusal),
        Meaning::Gone => CallError::Gone,
        Meaning::WrongPassphrase => CallError::WrongPassphrase,
        Meaning::Fault => CallError::Unavailable(Unavailable::ServerFault),
        Meaning::Unknown => CallError::Unavailable(Unavailable::Unrecognised(Unknown {
            status: 404,
            page: false,
            words: None,
        })),
    }
}
