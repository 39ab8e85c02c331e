//! What can go wrong, by what it means for the caller.
//!
//! Owns: the error types and their words. Must not: repeat text of the service, which
//! echoes its input (`Undeliverable email address: …`). What the allow-list leaves of it is
//! carried apart ([`Words`]) and in no error's `Display`, so in no log, event or metric.

use std::fmt;

use super::http::CertificateProblem;
use super::unknown::{Redirect, Unknown};
use super::wire::words::Words;

/// Why a connection could not be made or used. Nothing of a request was executed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Transport {
    /// The deadline passed before the request was handed over.
    #[error("the deadline passed before the request was sent")]
    Deadline,
    /// The host's name could not be resolved.
    #[error("the host name could not be resolved")]
    NameNotFound,
    /// Every address of the host is one that must not be connected to.
    #[error("the host resolves to an address that is not allowed (private, loopback or special)")]
    AddressDenied,
    /// The connection was refused or the host is unreachable.
    #[error("the connection was refused or the host is unreachable")]
    Refused,
    /// Connecting, with the TLS handshake, took longer than the connect timeout.
    #[error("connecting took too long")]
    ConnectTimeout,
    /// The server's certificate was not accepted.
    #[error("{0}")]
    Certificate(CertificateProblem),
    /// The TLS handshake failed otherwise.
    #[error("the TLS handshake failed")]
    Tls,
    /// The connection ended before the request was handed over.
    #[error("the connection ended before the request was sent")]
    Closed,
    /// There is no connection to the forward proxy.
    #[error("the proxy cannot be reached or refused the connection: check HTTPS_PROXY and HTTP_PROXY")]
    ProxyRefused,
    /// The forward proxy answered 407.
    #[error(
        "the proxy requires authentication or rejected the credentials (407): correct HTTPS_PROXY or HTTP_PROXY"
    )]
    ProxyAuth,
    /// The forward proxy answered CONNECT with something else than a connection.
    #[error(
        "the proxy answered with an error page instead of opening a connection, so it refuses or cannot reach the server: allow the server's host and port in the proxy, or add the host to NO_PROXY"
    )]
    ProxyAnswer,
}

/// Why nobody knows whether a share was made.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// No complete answer by the deadline.
    #[error("no answer before the deadline")]
    Timeout,
    /// The connection ended after the request was handed over, before the whole answer.
    #[error("the connection was lost after sending")]
    ConnectionLost,
    /// A 5xx, or `An unexpected error occurred :[` (v1-redis-stopped.json: v0.26 had
    /// stored a key by then: "refused zadd: keys 2284 -> 2285").
    #[error("the service reported a fault of its own")]
    ServerFault,
    /// A 3xx: whatever stands in front may have passed the request on before.
    #[error("the service answered with a redirect{}", .0.leads())]
    Redirected(Redirect),
    /// An answer larger than 1 MiB.
    #[error("the answer was too large")]
    TooLarge,
    /// Success, but without usable keys, or no JSON.
    #[error("the answer to a successful call could not be understood ({})", .0.status)]
    Malformed(Unknown),
    /// An error that no recorded answer explains.
    #[error("the service answered with an unknown error ({})", .0.status)]
    Unrecognised(Unknown),
}

/// A definite no: nothing was stored and nothing was mailed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The secret is empty (v1-share-empty-secret.json).
    #[error("the service found the secret empty")]
    EmptySecret,
    /// The secret is over the service's limit (v1-share-size.json, v0.26), in bytes.
    #[error("the secret is larger than the service takes{}", upto(*max_bytes, "bytes"))]
    TooLarge {
        /// The limit in bytes, when the service said it.
        max_bytes: Option<u64>,
    },
    /// The secret is over a limit that counts characters, not bytes.
    #[error("the secret is longer than the service takes{}", upto(*max, "characters"))]
    TooLong {
        /// The limit in characters, when the service said it.
        max: Option<u64>,
    },
    /// The passphrase is too short (v1-share-passphrase-limits.json: 8 on v0.23, 4 on v0.26).
    #[error("the passphrase is shorter than the service takes{}", least(*min))]
    PassphraseTooShort {
        /// The minimum in characters.
        min: Option<u32>,
    },
    /// The passphrase is too long (v1-share-passphrase-limits.json: 128).
    #[error("the passphrase is longer than the service takes{}", upto(max.map(u64::from), "characters"))]
    PassphraseTooLong {
        /// The maximum in characters.
        max: Option<u32>,
    },
    /// The site wants other characters in a passphrase. Which ones is in the words.
    #[error("the passphrase lacks characters that the service requires")]
    PassphraseTooSimple(Option<Words>),
    /// The site wants a passphrase on every secret (v1-passphrase-required.json, v0.23).
    #[error("the service requires a passphrase for every secret")]
    PassphraseRequired,
    /// E-mailing needs an account (v1-share-recipient.json: "anonymous + recipient").
    #[error("the service sends e-mail for accounts only: give the provider credentials")]
    RecipientNeedsAccount,
    /// The service does not take the address (v1-share-recipient.json, v0.26).
    #[error("the service does not accept the recipient's address")]
    RecipientUndeliverable,
    /// The share domain is not known to the service (v1-share-domain.json).
    #[error("the share domain is not registered at the service")]
    UnknownShareDomain,
    /// The account may not use the share domain.
    #[error("the account has no permission to use the share domain")]
    ShareDomainNotPermitted,
    /// The owner of the share domain has not proved that it is theirs.
    #[error("the share domain is not verified at the service")]
    ShareDomainNotVerified,
    /// The share domain takes shares of its owner only.
    #[error("public sharing is disabled for the share domain")]
    ShareDomainNotPublic,
    /// The generated value would be too long (v1-generate.json, v0.26: 128).
    #[error("the length of the generated value is more than the service allows{}", upto(max.map(u64::from), "characters"))]
    LengthTooLong {
        /// The maximum in characters.
        max: Option<u32>,
    },
    /// The API or accounts are switched off there (v1-auth-disabled.json, v0.23).
    #[error(
        "the service has this call switched off, or accounts: share anonymously or ask its administrator"
    )]
    NotAvailable,
    /// There is no such route (v1-routing.json): another server, or another version.
    #[error("the server has no such API: check that the URL is a Onetime Secret server")]
    UnknownRoute,
    /// 403 without the words of the service: something in front of it said no.
    #[error("access was forbidden by the server or by a proxy in front of it")]
    Forbidden,
    /// The server could not read the request (v1-share-size.json, v0.26: a bare 400 for 5 MB).
    #[error("the server could not read the request")]
    BadRequest,
    /// Another definite refusal; the code is ours.
    #[error("the service refused the request ({0})")]
    Other(&'static str),
}

fn upto(max: Option<u64>, unit: &str) -> String {
    max.map_or(String::new(), |max| format!(" (at most {max} {unit})"))
}

fn least(min: Option<u32>) -> String {
    min.map_or(String::new(), |min| format!(" (at least {min} characters)"))
}

/// The outcome of a creating call that did not give a share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// Not handed over to the network: safe to try again.
    #[error("not sent: {0}")]
    NotSent(Transport),
    /// Wrong or unknown credentials; nothing was stored (v1-bad-credentials-share.json).
    #[error("the service does not accept the credentials")]
    Unauthorized,
    /// A definite no; nothing was stored.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// Too many calls; nothing was stored (v1-rate-limit.json).
    #[error("the service limits the rate of calls")]
    RateLimited {
        /// `Retry-After` in seconds, when given. No recorded server gives it.
        retry_after_seconds: Option<u64>,
    },
    /// The share may exist and the mail may be out.
    #[error("unknown outcome: {0}")]
    UnknownOutcome(Why),
}

/// Why a call could not be answered for now.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// No usable connection.
    #[error("{0}")]
    Transport(Transport),
    /// The connection ended before the whole answer.
    #[error("the connection was lost")]
    ConnectionLost,
    /// A 5xx, or `An unexpected error occurred :[` (v1-redis-stopped.json).
    #[error("the service reported a fault of its own")]
    ServerFault,
    /// A 3xx. Redirects are not followed.
    #[error("the service answered with a redirect{}: use the URL that it leads to", .0.leads())]
    Redirected(Redirect),
    /// An error that no recorded answer explains.
    #[error("the service answered with an unknown error ({})", .0.status)]
    Unrecognised(Unknown),
}

/// What is wrong with the answer to a successful call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Flaw {
    /// No JSON of the expected shape: not a Onetime Secret server, or cut short.
    Shape,
    /// Larger than allowed: 1 MiB; for a list of receipts 128 MiB, 50,000 receipts, or 64 KiB for one of them.
    TooLarge,
    /// Fewer or more entries than the answer itself says.
    Count,
    /// About another receipt than the one asked for.
    OtherReceipt,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shape => "it is not what a Onetime Secret server answers",
            Self::TooLarge => "it is too large",
            Self::Count => "it is incomplete",
            Self::OtherReceipt => "it is about another receipt",
        })
    }
}

/// Why a call that may be repeated gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Wrong or unknown credentials (v1-authcheck.json).
    #[error("the service does not accept the credentials")]
    Unauthorized,
    /// Too many calls (v1-rate-limit.json).
    #[error("the service limits the rate of calls")]
    RateLimited {
        /// `Retry-After` in seconds, when given.
        retry_after_seconds: Option<u64>,
    },
    /// The service does not know the secret (any more): `Unknown secret`. A receipt
    /// lives twice the ttl (v1-expired-secret.json); a secret that was read, burned
    /// or expired can't be burned (v1-burn.json, v1-metadata-states.json).
    #[error("the service does not know it, or not any more")]
    Gone,
    /// The passphrase is missing or wrong (v1-burn.json).
    #[error("the passphrase is missing or wrong")]
    WrongPassphrase,
    /// A definite no.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// Not for now.
    #[error("unavailable: {0}")]
    Unavailable(Unavailable),
    /// No complete answer by the deadline.
    #[error("no answer before the deadline")]
    Timeout,
    /// The answer could not be understood.
    #[error("the answer could not be used: {0}")]
    Malformed(Flaw),
}

impl CallError {
    /// The metric label of how a call ended: of its error, or of its success.
    #[must_use]
    pub fn label(error: Option<&Self>) -> &'static str {
        match error {
            None => "ok",
            Some(Self::Unauthorized) => "unauthorized",
            Some(Self::RateLimited { .. }) => "rate_limited",
            Some(Self::Gone) => "gone",
            Some(Self::WrongPassphrase | Self::Refused(_)) => "refused",
            Some(Self::Timeout) => "timeout",
            Some(_) => "unavailable",
        }
    }
}
