//! The verifier of server certificates.
//!
//! webpki decides. What it accepts is accepted, and handshakes are verified by it alone. When it refuses a
//! certificate, this module says why, and makes one exception: see [`pinned`].

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
};

use super::diagnosis::Presented;
use super::parsed::Parsed;
use super::pinned;
use super::problem::{CertificateProblem, Fault, Which};

/// Verifies with webpki; its errors hold a [`CertificateProblem`].
pub(in crate::onetime) struct Verifier {
    webpki: Arc<WebPkiServerVerifier>,
    bundle: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// The roots include the certificates of the bundle.
    pub(in crate::onetime) fn new(
        roots: RootCertStore,
        bundle: Vec<CertificateDer<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, VerifierBuilderError> {
        Ok(Self {
            webpki: WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build()?,
            bundle,
            algorithms: provider.signature_verification_algorithms,
        })
    }

    /// Judges what webpki refused: `Ok` only for a CA certificate that the bundle pins and that passes every check.
    fn judge(
        &self,
        refused: &CertificateError,
        der: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), CertificateProblem> {
        let Some(leaf) = Parsed::new(der) else {
            return Err(CertificateProblem::new(Which::Unknown, Fault::Unreadable));
        };
        let in_bundle = self.bundle.contains(der);
        if in_bundle && leaf.is_self_signed(self.algorithms) {
            pinned::check(der, &leaf, server_name, now)?;
            // webpki refuses any CA certificate of a server, with an error that has no name in rustls.
            if leaf.is_ca() && matches!(refused, CertificateError::Other(_)) {
                return Ok(());
            }
        }
        let presented = Presented::new(leaf, intermediates, in_bundle);
        Err(presented.diagnose(refused, self.algorithms))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("bundle", &self.bundle.len())
            .finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.webpki
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let refused = match verified {
            Err(Error::InvalidCertificate(refused)) => refused,
            verified => return verified,
        };
        match self.judge(&refused, end_entity, intermediates, server_name, now) {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(problem) => Err(CertificateError::Other(OtherError(Arc::new(problem))).into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.webpki.requires_raw_public_keys()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.webpki.root_hint_subjects()
    }
}

/// What is wrong with the server's certificate, when that is why TLS failed.
pub(in crate::onetime) fn problem(error: &Error) -> Option<CertificateProblem> {
    let fault = match error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(ours))) => {
            match ours.downcast_ref::<CertificateProblem>() {
                Some(problem) => return Some(problem.clone()),
                None => Fault::Constraint,
            }
        }
        // Certificates are judged above, so this is about the signature of the handshake.
        Error::InvalidCertificate(CertificateError::BadSignature) => Fault::WrongKey,
        Error::InvalidCertificate(_) => Fault::Unreadable,
        _ => return None,
    };
    Some(CertificateProblem::new(Which::Unknown, fault))
}
