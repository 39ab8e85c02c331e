//! From what webpki says to what an operator can do about it.

use std::time::Duration;

use rustls::CertificateError;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, UnixTime};

use super::parsed::{BadSignature, Parsed, timestamp};
use super::printable::Printable;
use super::problem::{CertificateProblem, Fault, Which};

/// Real chains have three or four certificates; what is beyond is not looked at.
const CHAIN_LIMIT: usize = 8;

/// The certificates that a server sent.
pub(super) struct Presented<'a> {
    /// The server's own.
    pub(super) leaf: Parsed<'a>,
    /// The others, without those that cannot be read.
    others: Vec<Parsed<'a>>,
    /// Whether the CA bundle holds the server's own.
    in_bundle: bool,
}

impl<'a> Presented<'a> {
    pub(super) fn new(leaf: Parsed<'a>, others: &'a [CertificateDer<'_>], in_bundle: bool) -> Self {
        let others = others.iter().take(CHAIN_LIMIT).filter_map(Parsed::new).collect();
        Self {
            leaf,
            others,
            in_bundle,
        }
    }

    fn all(&self) -> impl Iterator<Item = &Parsed<'a>> {
        std::iter::once(&self.leaf).chain(&self.others)
    }

    /// The server's own certificate, its issuer, and so on, as far as the server sent them.
    fn chain(&self) -> Vec<&Parsed<'a>> {
        let mut chain = vec![&self.leaf];
        let mut last = &self.leaf;
        while chain.len() <= CHAIN_LIMIT && !last.is_self_issued() {
            match self.others.iter().find(|other| last.is_issued_by(other)) {
                Some(issuer) => last = issuer,
                None => break,
            }
            chain.push(last);
        }
        chain
    }

    /// The problem of the first certificate of which this holds, or else of the server's own.
    fn problem_of(&self, fault: Fault, holds: impl Fn(&Parsed<'_>) -> bool) -> CertificateProblem {
        let certificate = self.all().find(|one| holds(one)).unwrap_or(&self.leaf);
        self.problem(certificate, fault)
    }

    fn problem(&self, certificate: &Parsed<'_>, fault: Fault) -> CertificateProblem {
        let is_leaf = std::ptr::eq(certificate, &raw const self.leaf);
        let which = match is_leaf {
            true => Which::Server(certificate.subject()),
            false => Which::Intermediate(certificate.subject()),
        };
        CertificateProblem::new(which, fault)
    }

    /// What is wrong, after webpki refused the certificates.
    pub(super) fn diagnose(
        &self,
        error: &CertificateError,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> CertificateProblem {
        use CertificateError as E;
        match error {
            E::ExpiredContext { not_after, .. } => self.expired(*not_after),
            E::NotValidYetContext { not_before, .. } => self.not_yet_valid(*not_before),
            // So webpki calls a certificate whose dates are the wrong way round.
            E::Expired => self.problem(&self.leaf, Fault::Expired(timestamp(self.leaf.not_after()))),
            E::NotValidForName | E::NotValidForNameContext { .. } => {
                self.problem(&self.leaf, name_fault(&self.leaf))
            }
            E::UnknownIssuer => self.unknown_issuer(algorithms),
            E::BadSignature => self.wrong_signer(algorithms),
            E::UnsupportedSignatureAlgorithmContext {
                signature_algorithm_id: id,
                ..
            }
            | E::UnsupportedSignatureAlgorithmForPublicKeyContext {
                signature_algorithm_id: id,
                ..
            } => self.problem_of(Fault::UnsupportedAlgorithm, |one| one.has_algorithm(id)),
            E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
                self.problem_of(Fault::NotForServers, |one| !one.is_for_servers())
            }
            E::BadEncoding => self.problem(&self.leaf, Fault::Unreadable),
            _ => self.other(algorithms),
        }
    }

    fn expired(&self, not_after: UnixTime) -> CertificateProblem {
        let at = Duration::from_secs(not_after.as_secs());
        self.problem_of(Fault::Expired(timestamp(at)), |one| one.not_after() == at)
    }

    fn not_yet_valid(&self, not_before: UnixTime) -> CertificateProblem {
        let at = Duration::from_secs(not_before.as_secs());
        self.problem_of(Fault::NotYetValid(timestamp(at)), |one| one.not_before() == at)
    }

    fn unknown_issuer(&self, algorithms: WebPkiSupportedAlgorithms) -> CertificateProblem {
        let fault = match self.chain().last() {
            _ if self.leaf.is_self_signed(algorithms) => Fault::NotPinned,
            _ if self.in_bundle => Fault::IssuerMissing(self.leaf.issuer()),
            last => Fault::UnknownIssuer(last.map_or_else(Printable::default, |last| last.issuer())),
        };
        self.problem(&self.leaf, fault)
    }

    /// Finds the certificate that its issuer did not sign. If the server sent the issuers and each signature is
    /// right, it is the last one, whose issuer is in the bundle with another key.
    fn wrong_signer(&self, algorithms: WebPkiSupportedAlgorithms) -> CertificateProblem {
        if self.leaf.is_self_signed(algorithms) {
            return self.problem(&self.leaf, Fault::NotPinned);
        }
        let chain = self.chain();
        let mut pairs = chain.iter().zip(chain.iter().skip(1));
        let wrong = pairs.find_map(|(one, issuer)| {
            let bad = one.verify_signature(issuer, algorithms).err()?;
            Some((*one, bad))
        });
        // The root that a server may send is not what the bundle has to vouch for.
        let last = chain.iter().rev().find(|one| !one.is_self_issued());
        let (one, bad) = wrong.unwrap_or((last.unwrap_or(&&self.leaf), BadSignature::Wrong));
        let fault = match bad {
            BadSignature::Unsupported => Fault::UnsupportedAlgorithm,
            BadSignature::Wrong => Fault::WrongSigner(one.issuer()),
        };
        self.problem(one, fault)
    }

    /// What webpki reports without a word of its own in rustls, the most common first.
    fn other(&self, algorithms: WebPkiSupportedAlgorithms) -> CertificateProblem {
        let leaf = &self.leaf;
        let fault = if leaf.is_ca() {
            match leaf.verify_signature(leaf, algorithms) {
                Ok(()) if leaf.is_self_issued() => Fault::NotPinned,
                Err(BadSignature::Unsupported) if leaf.is_self_issued() => Fault::UnsupportedAlgorithm,
                _ => Fault::CaOfServer,
            }
        } else if leaf.hosts().is_some_and(|hosts| hosts.is_empty()) {
            Fault::NoName
        } else if let Some(signer) = self.chain().into_iter().skip(1).find(|one| !one.is_ca()) {
            return self.problem(signer, Fault::NotCa);
        } else {
            Fault::Constraint
        };
        self.problem(leaf, fault)
    }
}

/// What to say of a certificate that does not cover the server's name.
pub(super) fn name_fault(leaf: &Parsed<'_>) -> Fault {
    match leaf.hosts() {
        Some(hosts) if hosts.is_empty() => Fault::NoName,
        Some(hosts) => Fault::OtherName(Printable::hosts(&hosts)),
        None => Fault::OtherName(Printable::default()),
    }
}
