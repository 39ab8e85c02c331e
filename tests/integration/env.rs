//! What all tests share: one control plane, one operator, and the values that must never be seen anywhere.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use harness::audit::AuditLog;
use harness::cluster;
use harness::control_plane::{ControlPlane, Options};
use harness::onetime::{Config, OnetimeServer};
use harness::operator::{Launch, Operator};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use libtest_mimic::Failed;
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

/// The operator's user: the audit log is filtered by it.
pub const USER: &str = "onetimeshare";
/// Where the operator's own objects are.
pub const SYSTEM: &str = "onetimeshare-system";
/// Where the ledger is.
pub const LEDGER: &str = "onetimeshare-ledger";

/// The runtime, and the environment once a test needs it.
pub struct Stage {
    runtime: Runtime,
    env: OnceCell<Result<Env, String>>,
}

impl Stage {
    pub fn new() -> Self {
        Self {
            runtime: Runtime::new().expect("a tokio runtime"),
            env: OnceCell::new(),
        }
    }

    /// Runs one test on the calling thread.
    pub fn run(&self, test: impl AsyncFnOnce(&Env) -> Result<()>) -> Result<(), Failed> {
        self.runtime.block_on(async {
            let env = self.env.get_or_init(async || {
                // Boxed: starting everything is a large future.
                Box::pin(Env::start()).await.map_err(|error| format!("{error:#}"))
            });
            match env.await {
                Ok(env) => Box::pin(test(env))
                    .await
                    .map_err(|error| format!("{error:#}").into()),
                Err(error) => Err(format!("the control plane or the operator did not start: {error}").into()),
            }
        })
    }

    /// Ends everything. What does not end well is killed. After a failure the operator's log is kept.
    pub fn tear_down(self, failed: bool) -> Result<()> {
        let Some(Ok(env)) = self.env.into_inner() else {
            return Ok(());
        };
        self.runtime.block_on(async {
            let stopped = env.shut_down().await;
            if failed || stopped.is_err() {
                let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join("operator.log");
                std::fs::write(&log, env.operator.lock().await.log())?;
                println!("the operator's log is in {}", log.display());
            }
            drop(env.operator);
            drop(env.services);
            stopped.and(env.plane.stop().await)
        })
    }
}

/// The running servers.
pub struct Env {
    pub plane: ControlPlane,
    /// The administrator's.
    pub client: Client,
    pub audit: AuditLog,
    pub operator: tokio::sync::Mutex<Operator>,
    services: Mutex<Vec<Arc<OnetimeServer>>>,
    canaries: Mutex<Vec<String>>,
    stopped: OnceCell<()>,
}

impl Env {
    async fn start() -> Result<Self> {
        // Without kube-controller-manager: nothing here depends on it, and it would remove the token Secret.
        let plane = ControlPlane::start(Options {
            audit: true,
            controller_manager: false,
        })
        .await?;
        let client = plane.client().await?;
        let crds: String = onetimeshare::api::manifests()?
            .into_iter()
            .map(|(_, yaml)| yaml)
            .collect();
        cluster::install_crds(&client, &crds).await?;
        for name in [SYSTEM, LEDGER] {
            cluster::namespace(&client, name).await?;
        }
        let launch = Launch {
            binary: PathBuf::from(env!("CARGO_BIN_EXE_onetimeshare")),
            kubeconfig: plane.kubeconfig_for(USER, &["system:masters"])?,
            // All that our own code can say: what it must not say is searched for at the end.
            args: [
                "--log=info,onetimeshare=trace,kube=trace,reqwest=trace,hyper=trace,hyper_util=trace,rustls=trace,tower=trace",
                "--enable-generate",
                // The fake servers are on this machine, and a ShareProvider must name them.
                "--allowed-provider-hosts=*.onetimesecret.com,127.0.0.1",
                "--allow-private-addresses",
                "--settling-time=2s",
            ]
            .map(String::from)
            .into(),
            env: Vec::new(),
        };
        Ok(Self {
            audit: AuditLog::open(&plane).await?,
            operator: tokio::sync::Mutex::new(Operator::start(&launch).await?),
            plane,
            client,
            services: Mutex::default(),
            canaries: Mutex::default(),
            stopped: OnceCell::new(),
        })
    }

    /// Starts a fake server. It lives until the end: its journal is searched then, and its port is nobody else's.
    pub async fn service(&self, config: Config) -> Result<Arc<OnetimeServer>> {
        let service = Arc::new(OnetimeServer::start(config).await?);
        lock(&self.services).push(Arc::clone(&service));
        Ok(service)
    }

    /// The providers for all namespaces.
    pub fn providers(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("onetimeshare.dev", "v1alpha1", "ClusterShareProvider");
        Api::all_with(self.client.clone(), &ApiResource::from_gvk(&kind))
    }

    /// Every fake server.
    pub fn services(&self) -> Vec<Arc<OnetimeServer>> {
        lock(&self.services).clone()
    }

    /// A value that must never be seen where it does not belong. Every encoding changes it.
    pub fn canary(&self, kind: &str) -> String {
        let canary = format!("{kind}-{:032x} \"\\/+%&=<>'~", rand::random::<u128>());
        self.must_not_be_seen(&canary);
        canary
    }

    /// Adds a value to those that are searched for at the end.
    pub fn must_not_be_seen(&self, value: &str) {
        lock(&self.canaries).push(value.to_owned());
    }

    /// Every such value.
    pub fn canaries(&self) -> Vec<String> {
        lock(&self.canaries).clone()
    }

    /// Ends the operator with SIGTERM; once.
    pub async fn shut_down(&self) -> Result<()> {
        let stop = async || {
            let status = self.operator.lock().await.terminate().await?;
            ensure!(status.success(), "the operator ended with {status}");
            Ok(())
        };
        self.stopped
            .get_or_try_init(stop)
            .await
            .copied()
            .context("the end of the operator")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
