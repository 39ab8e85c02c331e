//! The client of the API server: its address, the operator's identity there, and the proxy in between.
//!
//! Owns: kubectl's choice of the proxy. kube's own is not used; see `of_kubeconfig`. Must not: read the environment for
//! proxies, or show the credentials of one.

use super::observed::observed;
use super::pulse::Pulse;
use crate::proxy::{Proxies, ProxyError, ProxyUrl};
use http::Uri;
use kube::config::{ExecAuthCluster, InClusterError, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use url::Url;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Neither source names a cluster.
    #[error(
        "no cluster: neither a kubeconfig nor a service account was found (kubeconfig: {kubeconfig}; service account: {in_cluster})"
    )]
    NoCluster {
        /// What is wrong with the kubeconfig.
        kubeconfig: Box<KubeconfigError>,
        /// What is wrong with the service account.
        in_cluster: Box<InClusterError>,
    },
    /// The certificate authority of the cluster is not PEM.
    #[error("the kubeconfig's certificate-authority holds something that is not PEM")]
    Authority,
    /// The kubeconfig's proxy is not one.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The HTTP client does not take the URL of the proxy.
    #[error(
        "the URL of the API server's proxy cannot be used: percent-encode special characters of its user name and password"
    )]
    ProxyUrl,
    /// The client cannot be made, for example because of the user's certificate.
    #[error("the client of the API server cannot be made: {0}")]
    Client(#[from] Box<kube::Error>),
}

/// Makes the client: for the cluster of the kubeconfig, or without one for the cluster that the operator runs in.
/// Connects to nothing. What the API server brings is told to `pulse`.
///
/// # Errors
/// [`ClientError`]
pub fn client(proxies: &Proxies, pulse: Pulse) -> Result<Client, ClientError> {
    let client = Client::try_from(config(proxies)?).map_err(|error| ClientError::Client(Box::new(error)))?;
    Ok(observed(client, pulse))
}

fn config(proxies: &Proxies) -> Result<Config, ClientError> {
    let read = Kubeconfig::read().and_then(|file| Selected::of(&file));
    let kubeconfig = match read {
        Ok(selected) => return of_kubeconfig(selected, proxies),
        Err(error) => Box::new(error),
    };
    let mut config = Config::incluster().map_err(|error| ClientError::NoCluster {
        kubeconfig,
        in_cluster: Box::new(error),
    })?;
    config.apply_debug_overrides();
    // The API server is next door. A proxy would make the operator fail with it.
    config.proxy_url = None;
    Ok(config)
}

/// What the current context of a kubeconfig names.
struct Selected {
    server: Uri,
    namespace: Option<String>,
    cluster: kube::config::Cluster,
    user: kube::config::AuthInfo,
    authority: Option<Vec<u8>>,
}

impl Selected {
    fn of(file: &Kubeconfig) -> Result<Self, KubeconfigError> {
        let current = file
            .current_context
            .as_ref()
            .ok_or(KubeconfigError::CurrentContextNotSet)?;
        let context = file.contexts.iter().find(|named| named.name == *current);
        let context = context
            .and_then(|named| named.context.clone())
            .ok_or_else(|| KubeconfigError::LoadContext(current.clone()))?;
        let cluster = file.clusters.iter().find(|named| named.name == context.cluster);
        let cluster = cluster
            .and_then(|named| named.cluster.clone())
            .ok_or_else(|| KubeconfigError::LoadClusterOfContext(context.cluster.clone()))?;
        // As in kubectl, a user that does not exist is nobody.
        let user = file
            .auth_infos
            .iter()
            .find(|named| Some(&named.name) == context.user.as_ref());
        let mut user = user.and_then(|named| named.auth_info.clone()).unwrap_or_default();
        // Reads the file of the certificate authority too.
        let for_exec = ExecAuthCluster::try_from(&cluster)?;
        let authority = for_exec.certificate_authority_data.clone();
        if let Some(exec) = user.exec.as_mut().filter(|exec| exec.provide_cluster_info) {
            exec.cluster = Some(for_exec);
        }
        let server = cluster
            .server
            .as_ref()
            .ok_or(KubeconfigError::MissingClusterUrl)?;
        Ok(Self {
            server: server.parse().map_err(KubeconfigError::ParseClusterUrl)?,
            namespace: context.namespace,
            cluster,
            user,
            authority,
        })
    }
}

/// Does the work of `Config::from_custom_kubeconfig` of kube 5.0.0, which gets the proxy wrong. `tests/kube_proxy.rs` turns
/// red when kube is mended; then this function and [`Selected`] can go. The report, ready to send:
//
// > **`ConfigLoader::proxy_url` holds `NO_PROXY` against the proxy instead of the API server**
// >
// > kube 5.0.0, feature `http-proxy` or `socks5`, `kube-client/src/config/file_loader.rs`, `ConfigLoader::proxy_url`.
// >
// > `no_proxy.matches(&uri)` is asked about `uri`, the address of the *proxy*. `NO_PROXY` names the *targets* that are
// > reached without a proxy, so it must be asked about `cluster.server`. Two consequences:
// >
// > 1. `HTTPS_PROXY=http://proxy.corp:3128 NO_PROXY=api.corp` with `server: https://api.corp` goes through the proxy.
// >    kubectl connects directly.
// > 2. `NO_PROXY=10.0.0.0/8` with `proxy-url: http://10.1.2.3:3128` in the kubeconfig drops the proxy, and the API server
// >    cannot be reached. kubectl uses `proxy-url` whatever `NO_PROXY` says (client-go: `http.ProxyURL`), and consults the
// >    environment only without it (client-go: `http.ProxyFromEnvironment`).
// >
// > Besides: a name without a port, such as `NO_PROXY=api.corp`, never matches, because its port `None` is compared with 443;
// > in Go it matches every port, and subdomains too. An empty item, as in `NO_PROXY=a.example,`, makes `Config::infer` fail with
// > `ParseNoProxy`; Go ignores it. And localhost and loopback addresses go through the proxy; in Go they never do.
// >
// > Proposal: return `cluster.proxy_url` first, unconditionally; otherwise the proxy of the environment for the scheme of
// > `cluster.server` (`HTTPS_PROXY` or `HTTP_PROXY`), unless `NO_PROXY` matches `cluster.server`; skip empty items.
fn of_kubeconfig(selected: Selected, proxies: &Proxies) -> Result<Config, ClientError> {
    let Selected {
        server,
        namespace,
        cluster,
        user,
        authority,
    } = selected;
    let mut config = Config::new(server);
    config.default_namespace = namespace.unwrap_or(config.default_namespace);
    config.root_cert = authority.as_deref().map(certificates).transpose()?;
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or(false);
    config.disable_compression = cluster.disable_compression.unwrap_or(false);
    config.tls_server_name = cluster.tls_server_name;
    config.auth_info = user;
    config.apply_debug_overrides();
    config.proxy_url = proxy(&config.cluster_url, cluster.proxy_url.as_deref(), proxies)?;
    Ok(config)
}

fn certificates(pem: &[u8]) -> Result<Vec<Vec<u8>>, ClientError> {
    CertificateDer::pem_slice_iter(pem)
        .map(|certificate| Ok(certificate.map_err(|_| ClientError::Authority)?.to_vec()))
        .collect()
}

/// As kubectl: the cluster's own proxy whatever `NO_PROXY` says. Otherwise that of the environment, unless `NO_PROXY` names
/// the API server.
fn proxy(server: &Uri, own: Option<&str>, proxies: &Proxies) -> Result<Option<Uri>, ClientError> {
    let proxy = match own.filter(|own| !own.is_empty()) {
        Some(own) => Some(ProxyUrl::parse("proxy-url in the kubeconfig", own)?),
        None => Url::parse(&server.to_string())
            .ok()
            .and_then(|server| proxies.for_url(&server).cloned()),
    };
    if let Some(proxy) = &proxy {
        tracing::info!(%proxy, "the API server is reached through a proxy");
    }
    proxy
        .map(|proxy| proxy.url().as_str().parse().map_err(|_| ClientError::ProxyUrl))
        .transpose()
}

#[cfg(test)]
mod tests;
