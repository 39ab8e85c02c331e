//! The TLS configuration of a client.
//!
//! Owns: what is trusted: the public roots and the certificates of a CA bundle. Must
//! not: read files or the environment.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::{ClientConfig, RootCertStore};

use super::certificate::Verifier;

/// Why a client could not be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientBuildError {
    /// A block of the CA bundle is unusable; blocks are counted from 1.
    #[error("block {block} of the CA bundle is unusable: {problem}")]
    CaBundle {
        /// Which block, counted from 1.
        block: usize,
        /// What is wrong with it.
        problem: CaProblem,
    },
    /// The CA bundle holds no PEM block at all.
    #[error("the CA bundle holds no certificate: it must be PEM, -----BEGIN CERTIFICATE-----")]
    NoCertificate,
    /// The user agent holds characters that a header must not have.
    #[error("the user agent is not a valid header value")]
    UserAgent,
    /// The TLS library refused its configuration.
    #[error("TLS could not be set up")]
    Tls,
}

/// What is wrong with a block of a CA bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CaProblem {
    /// It is cut short or its base64 is broken.
    #[error("it is not valid PEM")]
    NotPem,
    /// It is something else, perhaps a private key.
    #[error("it is not a certificate; only certificates belong there")]
    NotACertificate,
    /// It is no certificate that can be trusted.
    #[error("its certificate can't be read")]
    Unreadable,
}

pub(in crate::onetime) fn client_config(ca_bundle: Option<&str>) -> Result<ClientConfig, ClientBuildError> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let bundle = ca_bundle.map_or(Ok(Vec::new()), |bundle| add_bundle(&mut roots, bundle))?;
    // Named, never the process default: that panics when there are two providers or none.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier::new(roots, bundle, &provider).map_err(|_| ClientBuildError::Tls)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| ClientBuildError::Tls)?
        .dangerous() // rustls's word for any verifier but its own, which this one asks first
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// Adds the certificates of a bundle to the roots, and returns them.
fn add_bundle(
    roots: &mut RootCertStore,
    bundle: &str,
) -> Result<Vec<CertificateDer<'static>>, ClientBuildError> {
    let mut certificates = Vec::new();
    for (number, block) in (1..).zip(<(SectionKind, Vec<u8>)>::pem_slice_iter(bundle.as_bytes())) {
        let unusable = |problem| ClientBuildError::CaBundle {
            block: number,
            problem,
        };
        let (kind, der) = block.map_err(|_| unusable(CaProblem::NotPem))?;
        if kind != SectionKind::Certificate {
            return Err(unusable(CaProblem::NotACertificate));
        }
        let certificate = CertificateDer::from(der);
        roots
            .add(certificate.clone())
            .map_err(|_| unusable(CaProblem::Unreadable))?;
        certificates.push(certificate);
    }
    if certificates.is_empty() {
        Err(ClientBuildError::NoCertificate)
    } else {
        Ok(certificates)
    }
}
