//! The three servers and their command lines: which flags, in which order they start, when they are ready.
//! Everything that a real cluster leaves at its default is left at its default here.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::identity::{
    Authority, CA_FILE, SERVER_CERTIFICATE_FILE, SERVER_KEY_FILE, TOKEN_KEY_FILE, TOKEN_PUBLIC_FILE, write,
};
use super::ports::Port;
use super::process::Server;

const AUDIT_LOG: &str = "audit.log";
const AUDIT_POLICY_FILE: &str = "audit-policy.yaml";

/// Every request once, when it is answered (a watch also when it begins), without bodies.
const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
";

/// A control plane that this process runs.
///
/// The servers are dropped in the order of the fields: nobody loses the one it depends on first.
pub(super) struct Servers {
    controller_manager: Option<Server>,
    api_server: Server,
    etcd: Server,
    etcd_port: Port,
    _peer_port: Port,
    _api_port: Port,
    pub(super) authority: Authority,
    pub(super) address: String,
    pub(super) admin: PathBuf,
    pub(super) audit_log: Option<PathBuf>,
    pub(super) binaries: PathBuf,
    scratch: PathBuf,
    keep: bool,
}

impl Servers {
    /// Starts etcd and the API server from `binaries` and waits until both are ready.
    pub(super) async fn start(binaries: PathBuf, scratch: &Path, audit: bool, keep: bool) -> Result<Self> {
        let (etcd_port, peer_port, api_port) = (Port::reserve()?, Port::reserve()?, Port::reserve()?);
        let authority = Authority::create(scratch)?;
        let address = format!("https://127.0.0.1:{}", api_port.number);
        let admin = authority.kubeconfig(&address, "admin", &["system:masters"])?;

        let flags = etcd_flags(scratch, &etcd_port, &peer_port);
        let mut etcd = Server::start("etcd", &binaries, flags, scratch, keep)?;
        etcd.ready(async || etcd_answers(&etcd_port).await).await?;

        let mut flags = api_server_flags(scratch, &etcd_port, &api_port);
        let audit_log = audit.then(|| scratch.join(AUDIT_LOG));
        if let Some(log) = &audit_log {
            write(&scratch.join(AUDIT_POLICY_FILE), AUDIT_POLICY)?;
            flags.extend(audit_flags(scratch, log));
        }
        let api_server = Server::start("kube-apiserver", &binaries, flags, scratch, keep)?;
        let scratch = scratch.to_owned();
        let mut servers = Self {
            controller_manager: None,
            api_server,
            etcd,
            etcd_port,
            _peer_port: peer_port,
            _api_port: api_port,
            authority,
            address,
            admin,
            audit_log,
            binaries,
            scratch,
            keep,
        };
        servers.api_ready().await?;
        Ok(servers)
    }

    /// Starts kube-controller-manager, and waits until it has done something.
    pub(super) async fn start_controller_manager(&mut self) -> Result<()> {
        if self.controller_manager.is_some() {
            return Ok(());
        }
        if !self.binaries.join("kube-controller-manager").is_file() {
            bail!(
                "KUBEBUILDER_ASSETS is {}, which has no kube-controller-manager: this test needs one",
                self.binaries.display(),
            );
        }
        let kubeconfig = self
            .authority
            .kubeconfig(&self.address, "system:kube-controller-manager", &[])?;
        let flags = controller_manager_flags(&self.scratch, &kubeconfig);
        let name = "kube-controller-manager";
        let mut server = Server::start(name, &self.binaries, flags, &self.scratch, self.keep)?;
        let accounts: Api<ServiceAccount> = Api::namespaced(client(&self.admin).await?, "default");
        // Its first visible deed; no server of its own to ask, so no port to find.
        server
            .ready(async || Ok(accounts.get("default").await.map(drop)?))
            .await?;
        self.controller_manager = Some(server);
        Ok(())
    }

    /// SIGKILL for etcd.
    pub(super) fn kill_etcd(&mut self) -> Result<()> {
        self.etcd.kill()
    }

    /// Starts etcd on the data it had, and waits until it and the API server are ready again.
    pub(super) async fn restart_etcd(&mut self) -> Result<()> {
        self.etcd.restart()?;
        let port = &self.etcd_port;
        self.etcd.ready(async || etcd_answers(port).await).await?;
        self.api_ready().await
    }

    /// Ends the servers one after the other, the one that needs the others first.
    pub(super) async fn stop(self) -> Result<()> {
        if let Some(server) = self.controller_manager {
            server.stop().await?;
        }
        self.api_server.stop().await?;
        self.etcd.stop().await
    }

    async fn api_ready(&mut self) -> Result<()> {
        let client = client(&self.admin).await?;
        let probe = async || {
            let request = http::Request::get("/readyz")
                .body(Vec::new())
                .context("asking /readyz")?;
            client.request_text(request).await.context("asking /readyz")?;
            Ok(())
        };
        self.api_server.ready(probe).await
    }
}

/// A client as the user of the given kubeconfig file.
pub(super) async fn client(kubeconfig: &Path) -> Result<Client> {
    let file = kube::config::Kubeconfig::read_from(kubeconfig).context("reading the kubeconfig")?;
    let options = kube::config::KubeConfigOptions::default();
    let mut config = kube::Config::from_custom_kubeconfig(file, &options)
        .await
        .context("using the kubeconfig")?;
    // The environment may name one, which does not lead here.
    config.proxy_url = None;
    Client::try_from(config).context("making a client")
}

/// One plain HTTP request: etcd's own word on whether it serves.
async fn etcd_answers(port: &Port) -> Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port.number))
        .await
        .context("connecting")?;
    stream
        .write_all(b"GET /health HTTP/1.0\r\n\r\n")
        .await
        .context("asking /health")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.context("asking /health")?;
    let first = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    ensure!(
        first.ends_with(b"200 OK"),
        "/health says {}",
        String::from_utf8_lossy(first)
    );
    Ok(())
}

fn etcd_flags(scratch: &Path, client: &Port, peer: &Port) -> Vec<String> {
    let client = format!("http://127.0.0.1:{}", client.number);
    let peer = format!("http://127.0.0.1:{}", peer.number);
    vec![
        "--name=test".to_owned(),
        format!("--data-dir={}", scratch.join("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=test={peer}"),
        // The data need to outlive the process, not the machine.
        "--unsafe-no-fsync".to_owned(),
    ]
}

fn api_server_flags(scratch: &Path, etcd: &Port, own: &Port) -> Vec<String> {
    let file = |name| scratch.join(name).display().to_string();
    vec![
        format!("--etcd-servers=http://127.0.0.1:{}", etcd.number),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        format!("--secure-port={}", own.number),
        format!("--cert-dir={}", file("apiserver")),
        format!("--tls-cert-file={}", file(SERVER_CERTIFICATE_FILE)),
        format!("--tls-private-key-file={}", file(SERVER_KEY_FILE)),
        format!("--client-ca-file={}", file(CA_FILE)),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
        format!("--service-account-key-file={}", file(TOKEN_PUBLIC_FILE)),
        format!("--service-account-signing-key-file={}", file(TOKEN_KEY_FILE)),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        "--authorization-mode=RBAC".to_owned(),
        // The service `kubernetes` would point at a loopback address, which is not allowed: an error every
        // ten seconds.
        "--endpoint-reconciler-type=none".to_owned(),
    ]
}

fn audit_flags(scratch: &Path, log: &Path) -> [String; 4] {
    [
        format!(
            "--audit-policy-file={}",
            scratch.join(AUDIT_POLICY_FILE).display()
        ),
        format!("--audit-log-path={}", log.display()),
        "--audit-log-mode=blocking".to_owned(),
        // In MB, then it would begin a new file: a test reads one.
        "--audit-log-maxsize=10000".to_owned(),
    ]
}

fn controller_manager_flags(scratch: &Path, kubeconfig: &Path) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        format!(
            "--service-account-private-key-file={}",
            scratch.join(TOKEN_KEY_FILE).display()
        ),
        format!("--root-ca-file={}", scratch.join(CA_FILE).display()),
        "--use-service-account-credentials=true".to_owned(),
        "--leader-elect=false".to_owned(),
        // No server of its own.
        "--secure-port=0".to_owned(),
        // By default 20 a second: then it takes four seconds to start, and deletes a large namespace slowly.
        "--kube-api-qps=500".to_owned(),
        "--kube-api-burst=500".to_owned(),
        // It creates this folder, by default under /usr.
        format!("--flex-volume-plugin-dir={}", scratch.join("volumes").display()),
    ]
}
