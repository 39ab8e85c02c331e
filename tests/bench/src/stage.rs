//! The stage of one run: a control plane, a fake Onetime Secret server, and what every contender needs to begin.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::audit::AuditLog;
use harness::cluster;
use harness::control_plane::{ControlPlane, Options};
use harness::onetime::{Config, OnetimeServer, Version};
use kube::Client;
use serde_json::{Value, json};

/// Who the contender is to the API server.
pub(crate) const USER: &str = "contender";
pub(crate) const USERNAME: &str = "ops@example.com";
pub(crate) const TOKEN: &str = "a-token-of-the-fake-server";
/// Where the operator keeps its ledger, and the raw loop its intents.
pub(crate) const LEDGER: &str = "onetimeshare-ledger";
/// Where the account is.
pub(crate) const SYSTEM: &str = "onetimeshare-system";
/// Whose shares they are. A namespace has a limit of its own, so that many are quicker than one.
pub(crate) const TENANTS: usize = 10;

/// How long anything may take on the way to what is measured.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Stage {
    pub(crate) plane: ControlPlane,
    /// The administrator's.
    pub(crate) client: Client,
    pub(crate) service: OnetimeServer,
}

/// The namespace of a tenant.
pub(crate) fn tenant(number: usize) -> String {
    format!("tenant-{}", number % TENANTS)
}

impl Stage {
    /// Starts everything but the contender. `provider` is what the spec of the ClusterShareProvider `default` has
    /// besides address and account.
    pub(crate) async fn open(operator: &Path, audit: bool, provider: Value) -> Result<Self> {
        // Nothing that is measured needs a controller of Kubernetes' own, and each would cost processor time.
        let options = Options {
            audit,
            controller_manager: false,
        };
        let plane = ControlPlane::start(options).await?;
        let client = plane.client().await?;
        let service = OnetimeServer::start(Config::new(Version::V0_26).account(USERNAME, TOKEN)).await?;
        let crds = std::process::Command::new(operator).arg("crds").output();
        let crds = crds.with_context(|| format!("starting {}", operator.display()))?;
        ensure!(crds.status.success(), "{} prints no CRDs", operator.display());
        cluster::install_crds(&client, &String::from_utf8(crds.stdout)?).await?;
        for name in [SYSTEM, LEDGER] {
            cluster::namespace(&client, name).await?;
        }
        for number in 0..TENANTS {
            cluster::namespace(&client, &tenant(number)).await?;
        }
        let stage = Self {
            plane,
            client,
            service,
        };
        stage.provider(provider).await?;
        Ok(stage)
    }

    /// Applies the provider of all shares.
    pub(crate) async fn provider(&self, more: Value) -> Result<()> {
        let account = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "account", "namespace": SYSTEM},
            "stringData": {"username": USERNAME, "token": TOKEN},
        });
        cluster::apply_one(&self.client, account).await?;
        let mut spec = json!({"url": self.service.url(), "credentialsSecretRef": {"name": "account"}});
        if let (Some(spec), Value::Object(more)) = (spec.as_object_mut(), more) {
            spec.extend(more);
        }
        let provider = json!({
            "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "ClusterShareProvider",
            "metadata": {"name": "default"}, "spec": spec,
        });
        cluster::apply_one(&self.client, provider).await.map(drop)
    }

    /// The contender's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> Result<PathBuf> {
        self.plane.kubeconfig_for(USER, &["system:masters"])
    }

    /// The log of all requests, of a stage that was opened with it.
    pub(crate) async fn audit(&self) -> Result<AuditLog> {
        AuditLog::open(&self.plane).await
    }

    pub(crate) async fn close(self) -> Result<()> {
        drop(self.service);
        self.plane.stop().await
    }
}
