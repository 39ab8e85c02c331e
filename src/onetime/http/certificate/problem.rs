//! What is wrong with a certificate, and the remedy.

use std::fmt;

use jiff::Timestamp;

use super::printable::Printable;

/// Why the server's certificate was not accepted: which certificate, what is wrong, and the remedy.
///
/// Names from a certificate are bounded and reduced to harmless characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{certificate} {fault}")]
pub struct CertificateProblem {
    certificate: Which,
    fault: Fault,
}

impl CertificateProblem {
    pub(super) fn new(certificate: Which, fault: Fault) -> Self {
        Self { certificate, fault }
    }
}

/// Which certificate it is about, with its subject.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Which {
    /// The server's own.
    Server(Printable),
    /// Another one that the server sends with it.
    Intermediate(Printable),
    /// The server's own; its subject could not be read.
    Unknown,
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (words, subject) = match self {
            Self::Server(subject) => ("the server's certificate", Some(subject)),
            Self::Intermediate(subject) => ("the intermediate certificate from the server", Some(subject)),
            Self::Unknown => ("the server's certificate", None),
        };
        f.write_str(words)?;
        match subject {
            Some(subject) if !subject.is_empty() => write!(f, " \"{subject}\""),
            _ => Ok(()),
        }
    }
}

/// What is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub(super) enum Fault {
    #[error("expired at {0}: renew it on the server")]
    Expired(Timestamp),
    #[error("is not valid before {0}: check the clock of the operator's node, or wait")]
    NotYetValid(Timestamp),
    #[error(
        "does not cover the host name of the provider's URL{}: correct the URL, or issue a certificate for that name",
        covered(.0)
    )]
    OtherName(Printable),
    #[error(
        "names no host in a subjectAltName, and its common name (CN) does not count: issue one with the host name \
        as subjectAltName"
    )]
    NoName,
    #[error(
        "is not trusted: its chain ends at {}: add that CA to spec.caBundle, or have the server send its \
        intermediate certificates",
        issuer(.0)
    )]
    UnknownIssuer(Printable),
    #[error("is in spec.caBundle, but it is not self-signed: add the certificate of its issuer, {}", issuer(.0))]
    IssuerMissing(Printable),
    #[error(
        "is self-signed, and spec.caBundle does not hold this very certificate: add it, or replace the one \
        that the server no longer uses"
    )]
    NotPinned,
    #[error("is a CA certificate (CA:TRUE) and not self-signed: issue a server certificate with CA:FALSE")]
    CaOfServer,
    #[error("is not a CA certificate, but signs another one: correct the chain that the server sends")]
    NotCa,
    #[error("is not for servers: issue one whose extendedKeyUsage includes serverAuth, or that has none")]
    NotForServers,
    #[error(
        "was not signed with the key of {}: spec.caBundle or the server's chain holds another CA of that name",
        issuer(.0)
    )]
    WrongSigner(Printable),
    #[error(
        "has an unsupported signature algorithm or key: use SHA-256 or stronger, with RSA of at least 2048 bits, \
        ECDSA on P-256 or P-384, or Ed25519"
    )]
    UnsupportedAlgorithm,
    #[error("does not match the server's key: configure the server with the certificate's own key")]
    WrongKey,
    #[error("cannot be read: issue it again as X.509 version 3")]
    Unreadable,
    #[error("violates a constraint of its CA, or has a critical extension that is not supported")]
    Constraint,
}

fn covered(names: &Printable) -> String {
    match names.is_empty() {
        true => String::new(),
        false => format!("; it covers {names}"),
    }
}

fn issuer(name: &Printable) -> String {
    match name.is_empty() {
        true => "an issuer without a name".to_owned(),
        false => format!("\"{name}\""),
    }
}
