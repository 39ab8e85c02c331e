//! Certificates made by rcgen.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::Identity;

/// A certificate authority, and its certificate in PEM.
pub struct Authority {
    pub issuer: Issuer<'static, KeyPair>,
    pub certificate: rcgen::Certificate,
}

impl Authority {
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }
}

/// Parameters with this common name and these subjectAltNames.
pub fn named(common_name: &str, hosts: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    // Not `CertificateParams::new`, which refuses hostile names.
    params.subject_alt_names = hosts
        .iter()
        .map(|host| match host.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName((*host).try_into().unwrap()),
        })
        .collect();
    params
}

/// Parameters of a server's certificate for `localhost`.
pub fn localhost() -> CertificateParams {
    named("the server", &["localhost", "127.0.0.1"])
}

pub fn ca_params(common_name: &str) -> CertificateParams {
    let mut params = named(common_name, &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

pub fn for_clients(mut params: CertificateParams) -> CertificateParams {
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

pub fn dates(mut params: CertificateParams, from: i32, to: i32) -> CertificateParams {
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
    params
}

/// A root.
pub fn authority(params: CertificateParams) -> Authority {
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    Authority { issuer, certificate }
}

/// An authority below another one.
pub fn below(params: CertificateParams, above: &Authority) -> Authority {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &above.issuer).unwrap();
    let issuer = Issuer::new(params, key);
    Authority { issuer, certificate }
}

/// A server whose certificate was signed by the first authority, and which sends the certificates of all.
pub fn signed(params: &CertificateParams, chain: &[&Authority]) -> Identity {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &chain[0].issuer).unwrap();
    let sent = chain.iter().map(|authority| authority.certificate.der().clone());
    Identity {
        chain: std::iter::once(certificate.der().clone()).chain(sent).collect(),
        key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        versions: rustls::ALL_VERSIONS,
    }
}

/// A server with a self-signed certificate, and that certificate in PEM.
pub fn self_signed(params: &CertificateParams) -> (Identity, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let identity = Identity {
        chain: vec![certificate.der().clone()],
        key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        versions: rustls::ALL_VERSIONS,
    };
    (identity, certificate.pem())
}

/// As `openssl req -x509` makes it: self-signed, with CA:TRUE.
pub fn self_signed_ca() -> CertificateParams {
    let mut params = ca_params("the server");
    params.subject_alt_names = localhost().subject_alt_names;
    params
}

/// In PEM.
pub fn pem_of(der: &CertificateDer<'_>) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}
