//! The control plane that all tests share. It starts with the first test that needs it.

use anyhow::Result;
use harness::audit::AuditLog;
use harness::cluster;
use harness::control_plane::{ControlPlane, Options};
use kube::Client;
use libtest_mimic::Failed;
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

use crate::Test;

/// The runtime, and the control plane once a test needs it.
pub struct Stage {
    runtime: Runtime,
    plane: OnceCell<Result<Plane, String>>,
}

/// A running control plane that serves our kinds.
pub struct Plane {
    pub plane: ControlPlane,
    /// The administrator's.
    pub client: Client,
    pub audit: AuditLog,
}

impl Stage {
    pub fn new() -> Self {
        Self {
            runtime: Runtime::new().expect("a tokio runtime"),
            plane: OnceCell::new(),
        }
    }

    /// Runs one test on the calling thread.
    pub fn run(&self, test: &Test) -> Result<(), Failed> {
        self.runtime.block_on(async {
            let plane = self.plane.get_or_init(async || {
                // Boxed: starting everything is a large future.
                Box::pin(Plane::start())
                    .await
                    .map_err(|error| format!("{error:#}"))
            });
            match plane.await {
                Ok(plane) => test(plane).await.map_err(|error| format!("{error:#}").into()),
                Err(error) => Err(format!("the control plane did not start: {error}").into()),
            }
        })
    }

    /// Ends the control plane.
    pub fn tear_down(self) -> Result<()> {
        match self.plane.into_inner() {
            Some(Ok(plane)) => self.runtime.block_on(plane.plane.stop()),
            _ => Ok(()),
        }
    }
}

impl Plane {
    async fn start() -> Result<Self> {
        let options = Options {
            audit: true,
            controller_manager: false,
        };
        let plane = ControlPlane::start(options).await?;
        let client = plane.client().await?;
        let crds: String = onetimeshare::api::manifests()?
            .into_iter()
            .map(|(_, yaml)| yaml)
            .collect();
        cluster::install_crds(&client, &crds).await?;
        Ok(Self {
            audit: AuditLog::open(&plane).await?,
            plane,
            client,
        })
    }
}
