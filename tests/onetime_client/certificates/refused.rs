//! What is refused, and the message.

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use super::issue::{
    authority, below, ca_params, dates, for_clients, localhost, named, pem_of, self_signed, self_signed_ca,
    signed,
};
use super::{Identity, VERSIONS};

#[tokio::test]
async fn a_certificate_of_a_ca_is_refused_with_the_reason() {
    let root = authority(ca_params("Root"));
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
            dates(localhost(), 2002, 2001),
            "expired at 2001-01-01T00:00:00Z: renew it on the server",
        ),
        (
            named("the server", &["a.example", "*.b.example", "192.0.2.1"]),
            "does not cover the host name of the provider's URL; it covers a.example, *.b.example, 192.0.2.1: \
            correct the URL, or issue a certificate for that name",
        ),
        (
            named("the server", &["1", "2", "3", "4", "5", "6", "7"]),
            "does not cover the host name of the provider's URL; it covers 1, 2, 3, 4, 5 and 2 more: correct the \
            URL, or issue a certificate for that name",
        ),
        (
            named("the server", &[]),
            "names no host in a subjectAltName, and its common name (CN) does not count: issue one with the host name as subjectAltName",
        ),
        (
            self_signed_ca(),
            "is a CA certificate (CA:TRUE) and not self-signed: issue a server certificate with CA:FALSE",
        ),
        (
            for_clients(localhost()),
            "is not for servers: issue one whose extendedKeyUsage includes serverAuth, or that has none",
        ),
    ];
    for (params, want) in table {
        let said = signed(&params, &[&root])
            .refusal("localhost", Some(&root.pem()))
            .await;
        assert_eq!(said, format!("the server's certificate \"CN=the server\" {want}"));
    }
}

#[tokio::test]
async fn an_unknown_issuer_is_named() {
    let (root, other) = (authority(ca_params("Root")), authority(ca_params("Other")));
    let middle = below(ca_params("Middle"), &root);
    let unknown = |name: &str| {
        format!(
            "the server's certificate \"CN=the server\" is not trusted: its chain ends at \"CN={name}\": add that \
            CA to spec.caBundle, or have the server send its intermediate certificates"
        )
    };
    let direct = signed(&localhost(), &[&root]);
    let mut without_middle = signed(&localhost(), &[&middle]);
    let with_middle = Identity {
        chain: without_middle.chain.clone(),
        key: without_middle.key.clone_key(),
        versions: without_middle.versions,
    };
    without_middle.chain.truncate(1);
    for bundle in [None, Some(other.pem())] {
        let bundle = bundle.as_deref();
        assert_eq!(direct.refusal("localhost", bundle).await, unknown("Root"));
        assert_eq!(with_middle.refusal("localhost", bundle).await, unknown("Root"));
        assert_eq!(
            without_middle.refusal("localhost", bundle).await,
            unknown("Middle")
        );
    }
    assert_eq!(
        without_middle.refusal("localhost", Some(&root.pem())).await,
        unknown("Middle")
    );

    let leaf_only = pem_of(&direct.chain[0]);
    assert_eq!(
        direct.refusal("localhost", Some(&leaf_only)).await,
        "the server's certificate \"CN=the server\" is in spec.caBundle, but it is not self-signed: add the \
        certificate of its issuer, \"CN=Root\""
    );
}

#[tokio::test]
async fn an_intermediate_with_a_problem_is_named() {
    let root = authority(ca_params("Root"));
    let table = [
        (
            below(dates(ca_params("Middle"), 2001, 2002), &root),
            "expired at 2002-01-01T00:00:00Z: renew it on the server",
        ),
        (
            below(dates(ca_params("Middle"), 4000, 4001), &root),
            "is not valid before 4000-01-01T00:00:00Z: check the clock of the operator's node, or wait",
        ),
        (
            below(named("Middle", &[]), &root),
            "is not a CA certificate, but signs another one: correct the chain that the server sends",
        ),
        (
            below(ca_params("Middle"), &authority(ca_params("Root"))),
            "was not signed with the key of \"CN=Root\": spec.caBundle or the server's chain holds another CA of \
            that name",
        ),
        (
            below(for_clients(ca_params("Middle")), &root),
            "is not for servers: issue one whose extendedKeyUsage includes serverAuth, or that has none",
        ),
    ];
    for (middle, want) in table {
        let said = signed(&localhost(), &[&middle])
            .refusal("localhost", Some(&root.pem()))
            .await;
        assert_eq!(
            said,
            format!("the intermediate certificate from the server \"CN=Middle\" {want}")
        );
    }
}

#[tokio::test]
async fn another_ca_of_the_same_name_is_no_issuer() {
    let (root, again) = (authority(ca_params("Root")), authority(ca_params("Root")));
    let want = |name: &str| {
        format!(
            "the server's certificate \"CN=the server\" was not signed with the key of \"CN={name}\": \
            spec.caBundle or the server's chain holds another CA of that name"
        )
    };
    let server = signed(&localhost(), &[&root]);
    assert_eq!(
        server.refusal("localhost", Some(&again.pem())).await,
        want("Root")
    );

    let (middle, other) = (
        below(ca_params("Middle"), &root),
        below(ca_params("Middle"), &root),
    );
    let mut server = signed(&localhost(), &[&middle]);
    server.chain[1] = other.certificate.der().clone();
    assert_eq!(
        server.refusal("localhost", Some(&root.pem())).await,
        want("Middle")
    );
}

#[tokio::test]
async fn a_server_must_have_the_key_of_its_certificate() {
    let root = authority(ca_params("Root"));
    let (pinned, pinned_pem) = self_signed(&self_signed_ca());
    let other_key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for (mut server, bundle) in [(signed(&localhost(), &[&root]), root.pem()), (pinned, pinned_pem)] {
        server.key = PrivateKeyDer::from_pem_slice(other_key.as_bytes()).unwrap();
        for versions in VERSIONS {
            server.versions = versions;
            assert_eq!(
                server.refusal("localhost", Some(&bundle)).await,
                "the server's certificate does not match the server's key: configure the server with the certificate's \
            own key"
            );
        }
    }
}

#[tokio::test]
async fn hostile_names_are_shown_harmless_and_bounded() {
    let hostile = "x\" trusted\r\n\u{1b}[2J<script>http://evil.example/\u{202e}";
    let shown = r"x\? trusted\0d\0a\1b?2J\?script\?http???evil.example??";
    let root = authority(ca_params(hostile));
    let said = signed(&named(hostile, &["localhost"]), &[&root])
        .refusal("localhost", None)
        .await;
    assert_eq!(
        said,
        format!(
            "the server's certificate \"CN={shown}\" is not trusted: its chain ends at \"CN={shown}\": add that CA \
            to spec.caBundle, or have the server send its intermediate certificates"
        )
    );

    let host = "a\" b\r\n\u{1b}[2J<i>https://evil.example/x";
    let long = "y".repeat(3000);
    let root = authority(ca_params("Root"));
    let many: Vec<&str> = [host, &long]
        .into_iter()
        .chain(std::iter::repeat_n("z", 500))
        .collect();
    let said = signed(&named(&long, &many), &[&root])
        .refusal("localhost", Some(&root.pem()))
        .await;
    let first = "a??b????2J?i?https???evil.example?x";
    let cut = "y".repeat(200 - first.len() - ", ".len() - "...".len());
    let subject = "y".repeat(100 - "CN=".len() - "...".len());
    assert_eq!(
        said,
        format!(
            "the server's certificate \"CN={subject}...\" does not cover the host name of the provider's URL; it \
            covers {first}, {cut}... and 500 more: correct the URL, or issue a \
            certificate for that name"
        )
    );
}
