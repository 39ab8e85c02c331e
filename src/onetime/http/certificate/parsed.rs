//! One certificate, read for what webpki does not tell.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use x509_cert::der::{self, Decode, Encode, Reader};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, SubjectAltName};

use super::printable::{Host, Printable};

const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// A shorter RSA key has fewer than 2048 bits.
const RSA_BYTES: usize = 2048 / 8;

/// Why a signature was not verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadSignature {
    /// No algorithm fits, the key is too short, or the parts of the certificate cannot be read.
    Unsupported,
    /// Another key made it, or the certificate was altered.
    Wrong,
}

/// A certificate that could be read.
pub(super) struct Parsed<'a> {
    der: &'a [u8],
    certificate: Certificate,
}

impl<'a> Parsed<'a> {
    pub(super) fn new(der: &'a CertificateDer<'_>) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        Some(Self { der, certificate })
    }

    pub(super) fn subject(&self) -> Printable {
        Printable::name(self.certificate.tbs_certificate().subject())
    }

    pub(super) fn issuer(&self) -> Printable {
        Printable::name(self.certificate.tbs_certificate().issuer())
    }

    pub(super) fn not_before(&self) -> Duration {
        let validity = self.certificate.tbs_certificate().validity();
        validity.not_before.to_unix_duration()
    }

    pub(super) fn not_after(&self) -> Duration {
        let validity = self.certificate.tbs_certificate().validity();
        validity.not_after.to_unix_duration()
    }

    /// Whether it names itself as its issuer; says nothing about its signature.
    pub(super) fn is_self_issued(&self) -> bool {
        self.is_issued_by(self)
    }

    /// Whether it names itself as its issuer and its own key made its signature.
    pub(super) fn is_self_signed(&self, algorithms: WebPkiSupportedAlgorithms) -> bool {
        self.is_self_issued() && self.verify_signature(self, algorithms).is_ok()
    }

    /// Whether its issuer is named like the other's subject; says nothing about its signature.
    pub(super) fn is_issued_by(&self, other: &Parsed<'_>) -> bool {
        self.certificate.tbs_certificate().issuer() == other.certificate.tbs_certificate().subject()
    }

    pub(super) fn is_ca(&self) -> bool {
        let constraints = self.certificate.tbs_certificate().get_extension();
        matches!(constraints, Ok(Some((_, BasicConstraints { ca: true, .. }))))
    }

    /// Whether it may be a server's, as webpki sees it: it has no extended key usage, or that of a server.
    pub(super) fn is_for_servers(&self) -> bool {
        match self.certificate.tbs_certificate().get_extension() {
            Ok(None) => true,
            Ok(Some((_, ExtendedKeyUsage(usages)))) => usages.contains(&SERVER_AUTH),
            Err(_) => false,
        }
    }

    /// The host names that it covers. `None` when they cannot be read.
    pub(super) fn hosts(&self) -> Option<Vec<Host>> {
        let Some((_, SubjectAltName(names))) = self.certificate.tbs_certificate().get_extension().ok()?
        else {
            return Some(Vec::new());
        };
        Some(names.iter().filter_map(host).collect())
    }

    /// Whether its signature is in an algorithm with this identifier, encoded without its header.
    pub(super) fn has_algorithm(&self, id: &[u8]) -> bool {
        signed(self.der).is_ok_and(|signed| signed.algorithm == id)
    }

    /// Verifies its signature with the key of another certificate, or with its own.
    pub(super) fn verify_signature(
        &self,
        signer: &Parsed<'_>,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Result<(), BadSignature> {
        let unsupported = |_: der::Error| BadSignature::Unsupported;
        let signed = signed(self.der).map_err(unsupported)?;
        let key = signer.certificate.tbs_certificate().subject_public_key_info();
        let key_algorithm = key.algorithm.to_der().map_err(unsupported)?;
        let key_algorithm = AnyRef::from_der(&key_algorithm).map_err(unsupported)?.value();
        let mut fitting = algorithms.all.iter().filter(|algorithm| {
            *algorithm.signature_alg_id() == *signed.algorithm
                && *algorithm.public_key_alg_id() == *key_algorithm
        });
        let algorithm = fitting.next().ok_or(BadSignature::Unsupported)?;
        let key_bytes = key.subject_public_key.raw_bytes();
        match algorithm.verify_signature(key_bytes, signed.message, signed.signature) {
            Ok(()) => Ok(()),
            // The verification of any signature fails with such a key.
            Err(_) if key.algorithm.oid == RSA && key_bytes.len() < RSA_BYTES => {
                Err(BadSignature::Unsupported)
            }
            Err(_) => Err(BadSignature::Wrong),
        }
    }
}

/// The parts of a certificate that are about its signature, as they were encoded.
struct Signed<'a> {
    message: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

fn signed(certificate: &[u8]) -> der::Result<Signed<'_>> {
    AnyRef::from_der(certificate)?.sequence(|reader| {
        Ok(Signed {
            message: reader.tlv_bytes()?,
            algorithm: AnyRef::decode(reader)?.value(),
            signature: BitStringRef::decode(reader)?.raw_bytes(),
        })
    })
}

fn host(name: &GeneralName) -> Option<Host> {
    match name {
        GeneralName::DnsName(name) => Some(Host::Dns(name.as_str().to_owned())),
        GeneralName::IpAddress(octets) => {
            let octets = octets.as_bytes();
            let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
            let v6 = <[u8; 16]>::try_from(octets).map(IpAddr::from);
            v4.or(v6).ok().map(Host::Ip)
        }
        _ => None,
    }
}

/// A time of a certificate. The last ones of the year 9999 are shown as the last that there is.
pub(super) fn timestamp(since_epoch: Duration) -> Timestamp {
    i64::try_from(since_epoch.as_secs())
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(Timestamp::MAX)
}
