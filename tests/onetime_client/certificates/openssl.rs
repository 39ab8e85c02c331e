//! Certificates made by the `openssl` command line, as people type it.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::Identity;

/// Runs a line in a folder. Words with blanks are between double quotes.
fn run(folder: &Path, line: &str) {
    let mut words: Vec<String> = Vec::new();
    for (index, part) in line.split('"').enumerate() {
        match index % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    let output = match Command::new(&words[0])
        .args(&words[1..])
        .current_dir(folder)
        .output()
    {
        Ok(output) => output,
        Err(error) => panic!(
            "this test needs the command {}: {error}. Install it: apt-get install openssl",
            words[0]
        ),
    };
    assert!(
        output.status.success(),
        "{line}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn read(folder: &Path, key: &str, certificates: &[&str]) -> Identity {
    let bytes = |name: &str| fs::read(folder.join(name)).unwrap();
    let certificate = |name: &&str| CertificateDer::from_pem_slice(&bytes(name)).unwrap();
    Identity {
        chain: certificates.iter().map(certificate).collect(),
        key: PrivateKeyDer::from_pem_slice(&bytes(key)).unwrap(),
        versions: rustls::ALL_VERSIONS,
    }
}

fn pem(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

const RSA: &str = "-newkey rsa:2048";
const EC: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1";
const EC_384: &str = "-newkey ec -pkeyopt ec_paramgen_curve:secp384r1";
const ED25519: &str = "-newkey ed25519";
const SAN: &str = "-addext \"subjectAltName=DNS:localhost,IP:127.0.0.1\"";

#[tokio::test]
async fn what_openssl_req_x509_makes_is_accepted_when_it_is_in_the_bundle() {
    let lines = [
        format!("{RSA} -nodes -keyout k -out c -days 365 -subj \"/CN=localhost\" {SAN}"),
        format!("{EC} -nodes -keyout k -out c -days 365 -subj \"/CN=localhost\" {SAN}"),
        format!("{EC_384} -sha384 -nodes -keyout k -out c -subj \"/CN=localhost\" {SAN}"),
        format!("{ED25519} -nodes -keyout k -out c -days 3650 -subj \"/C=DE/O=Our Company/CN=ots\" {SAN}"),
        format!(
            "{RSA} -sha512 -nodes -keyout k -out c -subj \"/CN=localhost\" {SAN} \
            -addext \"basicConstraints=critical,CA:FALSE\" -addext \"keyUsage=critical,digitalSignature\" \
            -addext \"extendedKeyUsage=serverAuth\""
        ),
    ];
    for line in lines {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        run(folder, &format!("openssl req -x509 {line}"));
        let (server, bundle) = (read(folder, "k", &["c"]), pem(folder, "c"));
        for host in ["localhost", "127.0.0.1"] {
            let outcome = server.share(host, Some(&bundle)).await;
            assert!(outcome.is_ok(), "{line}: {outcome:?}");
        }
        let said = server.refusal("localhost", None).await;
        assert!(
            said.contains(" is self-signed, and spec.caBundle does not hold"),
            "{said}"
        );
        let said = server.refusal("[::ffff:127.0.0.1]", Some(&bundle)).await;
        assert!(
            said.contains("; it covers localhost, 127.0.0.1: correct the URL"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn openssl_without_addext_lacks_a_subject_alt_name() {
    for key in [RSA, EC] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        run(
            folder,
            &format!("openssl req -x509 {key} -nodes -keyout k -out c -days 365 -subj \"/CN=localhost\""),
        );
        let said = read(folder, "k", &["c"])
            .refusal("localhost", Some(&pem(folder, "c")))
            .await;
        assert_eq!(
            said,
            "the server's certificate \"CN=localhost\" names no host in a subjectAltName, and its common name (CN) does not count: issue one with the host name as subjectAltName"
        );
    }
}

#[tokio::test]
async fn dates_that_openssl_ca_sets_are_checked_in_a_pinned_certificate() {
    const CONFIG: &str = "[ca]\ndefault_ca=own\n[own]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n\
        policy=any\nx509_extensions=ext\n[any]\ncommonName=supplied\n[ext]\nbasicConstraints=critical,CA:TRUE\n\
        subjectAltName=DNS:localhost\n";
    let table = [
        (
            "20200101000000Z",
            "20200201000000Z",
            "expired at 2020-02-01T00:00:00Z: renew it on the server",
        ),
        (
            "40000101000000Z",
            "40010101000000Z",
            "is not valid before 4000-01-01T00:00:00Z: check the clock of the operator's node, or wait",
        ),
    ];
    for (from, to, want) in table {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for (name, text) in [("conf", CONFIG), ("index", ""), ("serial", "01\n")] {
            fs::write(folder.join(name), text).unwrap();
        }
        run(
            folder,
            &format!("openssl req -new {EC} -nodes -keyout k -out r -subj \"/CN=localhost\""),
        );
        run(
            folder,
            &format!(
                "openssl ca -batch -config conf -selfsign -keyfile k -in r -out c -notext -startdate {from} -enddate {to}"
            ),
        );
        let said = read(folder, "k", &["c"])
            .refusal("localhost", Some(&pem(folder, "c")))
            .await;
        assert_eq!(said, format!("the server's certificate \"CN=localhost\" {want}"));
    }
}

/// A root `ca.pem`, and certificates that it signs with these options.
fn signed_by_openssl_ca(folder: &Path, ca_key: &str, options: &str) -> Identity {
    fs::write(folder.join("ext"), "subjectAltName=DNS:localhost\n").unwrap();
    let lines = [
        format!("openssl req -x509 {ca_key} -nodes -keyout ca.key -out ca.pem -subj \"/CN=Our CA\""),
        format!("openssl req -new {EC} -nodes -keyout k -out r -subj \"/CN=localhost\""),
        format!("openssl x509 -req -in r -CA ca.pem -CAkey ca.key -CAcreateserial -out c {options}"),
    ];
    for line in &lines {
        run(folder, line);
    }
    read(folder, "k", &["c"])
}

const UNSUPPORTED: &str = "has an unsupported signature algorithm or key: use SHA-256 or stronger, with RSA of at least \
    2048 bits, ECDSA on P-256 or P-384, or Ed25519";

#[tokio::test]
async fn a_weak_self_signed_certificate_is_refused_in_the_bundle_too() {
    for weak in ["-newkey rsa:1024", "-newkey rsa:2048 -sha1"] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let lines = [
            format!("openssl req -x509 {weak} -nodes -keyout weak -out c -subj \"/CN=localhost\" {SAN}"),
            // The server of the test takes no weak key. The certificate is judged before its key is used.
            format!("openssl req -x509 {EC} -nodes -keyout k -out other -subj \"/CN=localhost\""),
        ];
        for line in &lines {
            run(folder, line);
        }
        let said = read(folder, "k", &["c"])
            .refusal("localhost", Some(&pem(folder, "c")))
            .await;
        assert_eq!(
            said,
            format!("the server's certificate \"CN=localhost\" {UNSUPPORTED}"),
            "{weak}"
        );
    }
}

#[tokio::test]
async fn a_ca_of_openssl_in_the_bundle_signs_servers() {
    let no_name = "names no host in a subjectAltName, and its common name (CN) does not count: issue one with the host name as subjectAltName";
    let ec_521 = "-newkey ec -pkeyopt ec_paramgen_curve:secp521r1";
    let table = [
        (RSA, "-extfile ext", None),
        (EC, "-extfile ext", None),
        // Version 1 up to openssl 3.3, version 3 without extensions later.
        (RSA, "", Some(no_name)),
        (RSA, "-sha1 -extfile ext", Some(UNSUPPORTED)),
        (ec_521, "-extfile ext", Some(UNSUPPORTED)),
    ];
    for (ca_key, options, want) in table {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let server = signed_by_openssl_ca(folder, ca_key, options);
        let bundle = pem(folder, "ca.pem");
        match want {
            None => drop(server.share("localhost", Some(&bundle)).await.unwrap()),
            Some(want) => assert_eq!(
                server.refusal("localhost", Some(&bundle)).await,
                format!("the server's certificate \"CN=localhost\" {want}"),
                "{ca_key} {options}"
            ),
        }
    }
}

#[tokio::test]
async fn a_weak_intermediate_of_openssl_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("ca-ext"), "basicConstraints=critical,CA:TRUE\n").unwrap();
    fs::write(folder.join("ext"), "subjectAltName=DNS:localhost\n").unwrap();
    let sign = "openssl x509 -req -CAcreateserial";
    let lines = [
        format!("openssl req -x509 {RSA} -nodes -keyout ca.key -out ca.pem -subj \"/CN=Our CA\""),
        format!("openssl req -new {EC} -nodes -keyout middle.key -out middle.csr -subj \"/CN=Middle\""),
        format!("{sign} -in middle.csr -CA ca.pem -CAkey ca.key -out middle.pem -sha1 -extfile ca-ext"),
        format!("openssl req -new {EC} -nodes -keyout k -out r -subj \"/CN=localhost\""),
        format!("{sign} -in r -CA middle.pem -CAkey middle.key -out c -extfile ext"),
    ];
    for line in &lines {
        run(folder, line);
    }
    let said = read(folder, "k", &["c", "middle.pem"])
        .refusal("localhost", Some(&pem(folder, "ca.pem")))
        .await;
    assert_eq!(
        said,
        format!("the intermediate certificate from the server \"CN=Middle\" {UNSUPPORTED}")
    );
}
