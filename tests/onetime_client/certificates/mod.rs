//! Which server certificates are accepted in real handshakes, and what is said of the others.

mod issue;
mod openssl;
mod pinned;
mod refused;
mod trusted;

use onetimeshare::onetime::{CallError, Client, ClientConfig, CreateError, Transport, Unavailable};
use rustls::SupportedProtocolVersion;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::sync::Arc;

use super::server::{Act, Server};
use super::{alice, config, created, share, soon};

/// Each version of TLS alone.
const VERSIONS: [&[&SupportedProtocolVersion]; 2] = [&[&rustls::version::TLS12], &[&rustls::version::TLS13]];

/// What a server presents.
pub struct Identity {
    /// Its certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
    pub versions: &'static [&'static SupportedProtocolVersion],
}

impl Identity {
    fn server(&self) -> Server {
        let provider = rustls::crypto::ring::default_provider();
        let key = provider
            .key_provider
            .load_private_key(self.key.clone_key())
            .unwrap();
        // Unlike `with_single_cert`, this takes any key and any certificate.
        let certified = Arc::new(CertifiedKey::new(self.chain.clone(), key));
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
        Server::tls(vec![Act::Answer(created())], Arc::new(config))
    }

    /// Creates a share at a server with this identity.
    async fn share(&self, host: &str, bundle: Option<&str>) -> Result<String, CreateError> {
        share(&self.client(host, bundle).0).await
    }

    fn client(&self, host: &str, bundle: Option<&str>) -> (Client, Server) {
        let server = self.server();
        let config = ClientConfig {
            ca_bundle: bundle.map(str::to_owned),
            ..config(&format!("https://{host}:{}", server.address.port()))
        };
        (Client::new(config).unwrap(), server)
    }

    /// What the client says of this identity, which it must refuse in each call.
    async fn refusal(&self, host: &str, bundle: Option<&str>) -> String {
        let (client, server) = self.client(host, bundle);
        let problem = match share(&client).await {
            Err(CreateError::NotSent(Transport::Certificate(problem))) => problem,
            other => panic!("{other:?}"),
        };
        let transport = Unavailable::Transport(Transport::Certificate(problem.clone()));
        let called = client.authcheck(&alice(), soon()).await;
        assert_eq!(called, Err(CallError::Unavailable(transport)));
        assert_eq!(server.seen().requests.len(), 0, "nothing was sent");
        let text = problem.to_string();
        assert!(
            text.is_ascii() && !text.contains(|c: char| c.is_control()),
            "{text:?}"
        );
        assert!(text.len() < 600, "{}: {text}", text.len());
        text
    }
}
