//! What is accepted.

use super::VERSIONS;
use super::issue::{authority, below, ca_params, localhost, self_signed, self_signed_ca, signed};

#[tokio::test]
async fn a_ca_in_the_bundle_vouches_for_servers_and_intermediates() {
    let root = authority(ca_params("Root"));
    let middle = below(ca_params("Middle"), &root);
    let direct = signed(&localhost(), &[&root]);
    let indirect = signed(&localhost(), &[&middle]);
    for host in ["localhost", "127.0.0.1"] {
        direct.share(host, Some(&root.pem())).await.unwrap();
        indirect.share(host, Some(&root.pem())).await.unwrap();
    }
}

#[tokio::test]
async fn a_self_signed_certificate_in_the_bundle_is_accepted() {
    for params in [localhost(), self_signed_ca()] {
        let (mut server, pem) = self_signed(&params);
        for versions in VERSIONS {
            server.versions = versions;
            for host in ["localhost", "127.0.0.1"] {
                server.share(host, Some(&pem)).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_bundle_may_hold_cas_and_self_signed_certificates() {
    let root = authority(ca_params("Root"));
    let by_root = signed(&localhost(), &[&root]);
    let (pinned, pinned_pem) = self_signed(&self_signed_ca());
    let (plain, plain_pem) = self_signed(&localhost());
    let bundle = format!("# ours\n{}{pinned_pem}\n{plain_pem}", root.pem());
    for server in [by_root, pinned, plain] {
        server.share("localhost", Some(&bundle)).await.unwrap();
    }
}
