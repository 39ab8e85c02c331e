//! The verifier without a network: moments in time, and certificates that nobody would issue.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use super::parsed::Parsed;
use super::{Verifier, pinned, problem};

/// 2026-01-01 and 2027-01-01.
const DATES: (u64, u64) = (1_767_225_600, 1_798_761_600);

fn certificate(change: impl Fn(&mut CertificateParams)) -> CertificateDer<'static> {
    let mut params = CertificateParams::new(["ots.example.com".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().clone()
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// A verifier that trusts these certificates.
fn verifier(bundle: &[CertificateDer<'static>]) -> Verifier {
    let mut roots = RootCertStore::empty();
    for certificate in bundle {
        roots.add(certificate.clone()).unwrap();
    }
    Verifier::new(roots, bundle.to_vec(), &Arc::new(ring::default_provider())).unwrap()
}

/// The check of a pinned certificate relies on nothing that webpki found before it.
#[test]
fn the_check_of_a_pinned_certificate_is_complete() {
    let good = certificate(|_| {});
    let clients =
        certificate(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
    let servers =
        certificate(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    let (from, to) = DATES;
    let table = [
        (&good, "ots.example.com", from, None),
        (&good, "OTS.example.com", to, None),
        (&servers, "ots.example.com", to, None),
        (
            &good,
            "ots.example.com",
            from - 1,
            Some("is not valid before 2026-01-01T00:00:00Z"),
        ),
        (
            &good,
            "ots.example.com",
            to + 1,
            Some("expired at 2027-01-01T00:00:00Z"),
        ),
        (&good, "example.com", from, Some("does not cover the host name")),
        (&good, "127.0.0.1", from, Some("does not cover the host name")),
        (&clients, "ots.example.com", from, Some("is not for servers")),
    ];
    for (der, host, now, want) in table {
        let name = ServerName::try_from(host).unwrap();
        let checked = pinned::check(der, &Parsed::new(der).unwrap(), &name, at(now));
        let verified = verifier(std::slice::from_ref(der)).verify_server_cert(der, &[], &name, &[], at(now));
        match want {
            None => {
                assert_eq!(checked, Ok(()), "{host} {now}");
                verified.unwrap();
            }
            Some(want) => {
                let said = checked.unwrap_err();
                assert!(said.to_string().contains(want), "{said}");
                assert_eq!(problem(&verified.unwrap_err()), Some(said));
            }
        }
    }
}

/// A panic would end the operator, and whoever runs a server chooses its certificates.
#[test]
fn no_certificate_makes_the_verifier_panic() {
    let good = certificate(|_| {});
    let verifier = verifier(std::slice::from_ref(&good));
    let name = ServerName::try_from("ots.example.com").unwrap();
    let changes = || prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    let mangled = |changes: &[(prop::sample::Index, u8)]| {
        let mut bytes = good.to_vec();
        for (index, byte) in changes {
            let length = bytes.len();
            bytes[index.index(length)] = *byte;
        }
        CertificateDer::from(bytes)
    };
    proptest!(ProptestConfig::with_cases(4000), |(leaf in changes(), other in changes())| {
        let (leaf, others) = (mangled(&leaf), [mangled(&other), good.clone()]);
        let verified = verifier.verify_server_cert(&leaf, &others, &name, &[], at(DATES.0));
        match verified {
            Ok(_) => prop_assert_eq!(&leaf, &good, "only the pinned bytes are accepted"),
            Err(error) => {
                let said = problem(&error).unwrap().to_string();
                prop_assert!(said.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{said}");
            }
        }
    });
}
