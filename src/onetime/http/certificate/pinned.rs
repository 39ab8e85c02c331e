//! The check of a self-signed certificate that the CA bundle holds.
//!
//! Nobody vouches for it but whoever put it there, so only this very certificate is meant. All else that webpki
//! checks of a server's certificate is checked here: dates, use and name.

use std::time::Duration;

use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error};

use super::diagnosis::name_fault;
use super::parsed::{Parsed, timestamp};
use super::problem::{CertificateProblem, Fault, Which};

/// Checks a certificate that is in the bundle and was signed with its own key.
pub(super) fn check(
    der: &CertificateDer<'_>,
    leaf: &Parsed<'_>,
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), CertificateProblem> {
    match fault(der, leaf, server_name, now) {
        None => Ok(()),
        Some(fault) => Err(CertificateProblem::new(Which::Server(leaf.subject()), fault)),
    }
}

fn fault(
    der: &CertificateDer<'_>,
    leaf: &Parsed<'_>,
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> Option<Fault> {
    let now = Duration::from_secs(now.as_secs());
    if now > leaf.not_after() {
        return Some(Fault::Expired(timestamp(leaf.not_after())));
    }
    if now < leaf.not_before() {
        return Some(Fault::NotYetValid(timestamp(leaf.not_before())));
    }
    if !leaf.is_for_servers() {
        return Some(Fault::NotForServers);
    }
    let named = ParsedCertificate::try_from(der).and_then(|parsed| verify_server_name(&parsed, server_name));
    match named {
        Ok(()) => None,
        Err(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => Some(name_fault(leaf)),
        Err(_) => Some(Fault::Constraint),
    }
}
