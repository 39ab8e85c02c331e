//! A real Kubernetes control plane for tests: etcd, kube-apiserver, kube-controller-manager, no nodes.
//!
//! Where it comes from follows controller-runtime's envtest: `USE_EXISTING_CLUSTER=true` with `KUBECONFIG`
//! uses a running cluster, `KUBEBUILDER_ASSETS` names a folder with the programs, and otherwise they are
//! built once from `tests/control-plane` into a cache folder. `ONETIMESHARE_KEEP=true` keeps the data and the
//! logs, and says where.
//!
//! It knows nothing of the operator: the caller applies CRDs and roles.

mod binaries;
mod build;
mod existing;
mod identity;
mod ports;
mod process;
mod servers;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use kube::Client;
use tempfile::TempDir;

pub use binaries::locate;
use existing::Existing;
use servers::Servers;

/// How often a start is tried when another program takes one of the ports first.
const ATTEMPTS: usize = 3;

/// Why something is not possible with a cluster that the caller runs.
const NOT_OURS: &str = "needs a control plane of its own: not with USE_EXISTING_CLUSTER=true";

/// What to start. A cluster that runs already is used as it is.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Write every request to a log that the test can read.
    pub audit: bool,
    /// Start kube-controller-manager too. Without it namespaces stay, and nothing collects garbage. Choose
    /// `false` and call [`ControlPlane::start_controller_manager`] later to apply CRDs first: it learns of
    /// kinds that come later only after half a minute.
    pub controller_manager: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            audit: true,
            controller_manager: true,
        }
    }
}

/// A control plane. Dropping it ends its servers and removes its data.
pub struct ControlPlane {
    kind: Kind,
    server: String,
    ca_pem: String,
    kubeconfig: PathBuf,
    // After the servers: they write there until they end.
    scratch: TempDir,
}

enum Kind {
    Own(Box<Servers>),
    Existing,
}

impl ControlPlane {
    /// Starts one and waits until it is ready: about four seconds, the very first time some minutes more to
    /// build it.
    ///
    /// # Errors
    /// When it cannot be built or does not become ready; then with the end of the log of the server that
    /// failed.
    pub async fn start(options: Options) -> Result<Self> {
        if existing::wanted() {
            let scratch = scratch(false)?;
            let Existing {
                kubeconfig,
                server,
                ca_pem,
            } = existing::read(scratch.path())?;
            return Ok(Self {
                kind: Kind::Existing,
                server,
                ca_pem,
                kubeconfig,
                scratch,
            });
        }
        let binaries = tokio::task::spawn_blocking(locate)
            .await
            .context("building the control plane")??;
        let mut attempt = 1;
        loop {
            match Self::start_own(binaries.clone(), options).await {
                Err(error) if attempt < ATTEMPTS && port_was_taken(&error) => attempt += 1,
                result => return result,
            }
        }
    }

    async fn start_own(binaries: PathBuf, options: Options) -> Result<Self> {
        let keep = std::env::var("ONETIMESHARE_KEEP").is_ok_and(|value| value == "true");
        let scratch = scratch(keep)?;
        let mut servers = Box::pin(Servers::start(binaries, scratch.path(), options.audit, keep)).await?;
        if options.controller_manager {
            servers.start_controller_manager().await?;
        }
        Ok(Self {
            server: servers.address.clone(),
            ca_pem: servers.authority.pem(),
            kubeconfig: servers.admin.clone(),
            kind: Kind::Own(Box::new(servers)),
            scratch,
        })
    }

    /// The administrator's kubeconfig file.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The address of the API server, such as `https://127.0.0.1:20123`.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The certificate of the authority that signed the API server's. Empty when an existing cluster names
    /// none.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// A client with the administrator's rights.
    ///
    /// # Errors
    /// When the kubeconfig file cannot be used.
    pub async fn client(&self) -> Result<Client> {
        servers::client(&self.kubeconfig).await
    }

    /// A client of a user with a certificate, who has the rights that the roles give. At most two groups:
    /// that is what a service account's name needs.
    ///
    /// # Errors
    /// With an existing cluster, whose authority is not ours, and with more than two groups.
    pub async fn client_for(&self, user: &str, groups: &[&str]) -> Result<Client> {
        servers::client(&self.kubeconfig_for(user, groups)?).await
    }

    /// The kubeconfig file of such a user; see [`Self::client_for`].
    ///
    /// # Errors
    /// As [`Self::client_for`].
    pub fn kubeconfig_for(&self, user: &str, groups: &[&str]) -> Result<PathBuf> {
        self.own("a certificate for a user")?
            .authority
            .kubeconfig(&self.server, user, groups)
    }

    /// kubectl as the administrator.
    ///
    /// # Errors
    /// When there is none beside the servers and none on the `PATH`.
    pub fn kubectl(&self) -> Result<Command> {
        let beside = self
            .bin_dir()
            .map(|folder| folder.join("kubectl"))
            .filter(|path| path.is_file());
        let program = match beside.or_else(kubectl_on_path) {
            Some(program) => program,
            None => bail!("found no kubectl beside the servers or on the PATH"),
        };
        let mut command = Command::new(program);
        command
            .env("KUBECONFIG", &self.kubeconfig)
            // Keyed by address, and a later control plane may have the same: never share what it learnt of
            // the kinds.
            .env("KUBECACHEDIR", self.scratch.path().join("kubectl-cache"))
            // The person's own preferences do not matter here.
            .env("KUBERC", "off");
        Ok(command)
    }

    /// The folder with the programs, to put on the `PATH` of a script. None with an existing cluster.
    #[must_use]
    pub fn bin_dir(&self) -> Option<&Path> {
        match &self.kind {
            Kind::Own(servers) => Some(&servers.binaries),
            Kind::Existing => None,
        }
    }

    /// The audit log: one JSON object per line. A request's line may come a moment after its answer.
    /// None without [`Options::audit`] and with an existing cluster.
    #[must_use]
    pub fn audit_log(&self) -> Option<PathBuf> {
        match &self.kind {
            Kind::Own(servers) => servers.audit_log.clone(),
            Kind::Existing => None,
        }
    }

    /// Starts kube-controller-manager and waits until it works. Nothing to do when it runs.
    ///
    /// # Errors
    /// When `KUBEBUILDER_ASSETS` has none, or it does not become ready. An existing cluster has its own.
    pub async fn start_controller_manager(&mut self) -> Result<()> {
        match &mut self.kind {
            Kind::Own(servers) => servers.start_controller_manager().await,
            Kind::Existing => Ok(()),
        }
    }

    /// Kills etcd with SIGKILL. The API server stays and answers with errors.
    ///
    /// # Errors
    /// With an existing cluster.
    pub async fn kill_etcd(&mut self) -> Result<()> {
        self.own_mut("killing etcd")?.kill_etcd()
    }

    /// Starts etcd again on the data it had (killing it first if it runs), and waits until the API server is
    /// ready.
    ///
    /// # Errors
    /// With an existing cluster, and when it does not become ready.
    pub async fn restart_etcd(&mut self) -> Result<()> {
        self.own_mut("restarting etcd")?.restart_etcd().await
    }

    /// Ends the servers with SIGTERM, after a while with SIGKILL, and removes the data. Leaves an existing
    /// cluster alone.
    ///
    /// # Errors
    /// When a server cannot be ended.
    pub async fn stop(self) -> Result<()> {
        if let Kind::Own(servers) = self.kind {
            servers.stop().await?;
        }
        // The folder goes (or, when asked for, stays) as it is dropped.
        Ok(())
    }

    fn own(&self, what: &str) -> Result<&Servers> {
        match &self.kind {
            Kind::Own(servers) => Ok(servers),
            Kind::Existing => bail!("{what} {NOT_OURS}"),
        }
    }

    fn own_mut(&mut self, what: &str) -> Result<&mut Servers> {
        match &mut self.kind {
            Kind::Own(servers) => Ok(servers),
            Kind::Existing => bail!("{what} {NOT_OURS}"),
        }
    }
}

/// A folder that only this user can read: it will hold keys.
fn scratch(keep: bool) -> Result<TempDir> {
    let mut folder = tempfile::Builder::new()
        .prefix("onetimeshare-control-plane-")
        .tempdir()
        .context("making a temporary folder")?;
    if keep {
        folder.disable_cleanup(true);
        binaries::say(&format!("keeping {}", folder.path().display()));
    }
    Ok(folder)
}

fn port_was_taken(error: &anyhow::Error) -> bool {
    format!("{error:#}").contains("address already in use")
}

fn kubectl_on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join("kubectl"))
        .find(|candidate| candidate.is_file())
}
