//! Self-signed certificates: what a bundle pins, and what it does not.

use rcgen::{CertificateParams, CustomExtension};

use super::issue::{
    authority, ca_params, dates, for_clients, localhost, named, pem_of, self_signed, self_signed_ca, signed,
};

const NOT_PINNED: &str = "the server's certificate \"CN=the server\" is self-signed, and spec.caBundle does not hold \
    this very certificate: add it, or replace the one that the server no longer uses";

#[tokio::test]
async fn a_self_signed_certificate_must_be_the_very_one_in_the_bundle() {
    for params in [localhost(), self_signed_ca()] {
        let (server, _) = self_signed(&params);
        assert_eq!(server.refusal("localhost", None).await, NOT_PINNED);
        // The same names, another key.
        let (_, other) = self_signed(&params);
        assert_eq!(server.refusal("localhost", Some(&other)).await, NOT_PINNED);
    }
    let (server, _) = self_signed(&self_signed_ca());
    let root = authority(ca_params("Root"));
    assert_eq!(server.refusal("localhost", Some(&root.pem())).await, NOT_PINNED);
}

#[tokio::test]
async fn a_pinned_certificate_must_be_right_in_all_else() {
    let ca = |mut params: CertificateParams| {
        params.is_ca = self_signed_ca().is_ca;
        params
    };
    let table = [
        (
            dates(localhost(), 2001, 2002),
            "expired at 2002-01-01T00:00:00Z: renew it on the server",
        ),
        (
            dates(localhost(), 4000, 4001),
            "is not valid before 4000-01-01T00:00:00Z: check the clock of the operator's node, or wait",
        ),
        (
            named("the server", &["a.example"]),
            "does not cover the host name of the provider's URL; it covers a.example: correct the URL, or issue a \
            certificate for that name",
        ),
        (
            named("the server", &[]),
            "names no host in a subjectAltName, and its common name (CN) does not count: issue one with the host name as subjectAltName",
        ),
        (
            for_clients(localhost()),
            "is not for servers: issue one whose extendedKeyUsage includes serverAuth, or that has none",
        ),
    ];
    for (params, want) in table {
        let want = format!("the server's certificate \"CN=the server\" {want}");
        for params in [params.clone(), ca(params)] {
            let (server, pem) = self_signed(&params);
            assert_eq!(server.refusal("localhost", Some(&pem)).await, want);
        }
    }
}

#[tokio::test]
async fn a_pinned_certificate_must_be_signed_with_its_own_key() {
    let table = [
        (
            localhost(),
            "was not signed with the key of \"CN=the server\": spec.caBundle or the server's chain holds another CA \
            of that name",
        ),
        (
            self_signed_ca(),
            "is a CA certificate (CA:TRUE) and not self-signed: issue a server certificate with CA:FALSE",
        ),
    ];
    for (params, want) in table {
        // Named like its issuer, but signed by another key.
        let impostor = signed(&params, &[&authority(params.clone())]);
        let pem = pem_of(&impostor.chain[0]);
        assert_eq!(
            impostor.refusal("localhost", Some(&pem)).await,
            format!("the server's certificate \"CN=the server\" {want}")
        );
    }
}

const CONSTRAINT: &str = "the server's certificate \"CN=the server\" violates a constraint of its CA, or has a critical \
    extension that is not supported";

#[tokio::test]
async fn a_pinned_certificate_is_not_beyond_the_rules() {
    let mut unknown = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 32473, 1], vec![5, 0]);
    unknown.set_criticality(true);
    // Name constraints that exclude the DNS name `localhost`.
    let excluded = b"\x30\x0f\xa1\x0d\x30\x0b\x82\x09localhost".to_vec();
    let constraints = CustomExtension::from_oid_content(&[2, 5, 29, 30], excluded);
    let table = [
        (self_signed_ca(), unknown.clone()),
        (localhost(), unknown),
        (localhost(), constraints),
    ];
    for (mut params, extension) in table {
        params.custom_extensions.push(extension);
        let (server, pem) = self_signed(&params);
        assert_eq!(server.refusal("localhost", Some(&pem)).await, CONSTRAINT);
    }
}
