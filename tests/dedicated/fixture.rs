//! The fixture of one test: a control plane, with or without its controllers, and one operator that the
//! test can stop and start again.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::control_plane::{ControlPlane, Options};
use harness::operator::{Launch, Operator};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

/// One test's control plane and operator.
pub struct Fixture {
    pub client: Client,
    /// What the next operator starts with.
    pub launch: Launch,
    plane: ControlPlane,
    operator: Option<Operator>,
}

impl Fixture {
    /// Starts a control plane that serves our kinds. `controllers`: with kube-controller-manager.
    pub async fn start(controllers: bool) -> Result<Self> {
        let options = Options {
            audit: false,
            controller_manager: false,
        };
        let mut plane = Box::pin(ControlPlane::start(options)).await?;
        let client = plane.client().await?;
        let crds: String = onetimeshare::api::manifests()?
            .into_iter()
            .map(|(_, yaml)| yaml)
            .collect();
        cluster::install_crds(&client, &crds).await?;
        // After the kinds, or it learns of them late.
        if controllers {
            plane.start_controller_manager().await?;
        }
        for name in ["onetimeshare-system", "onetimeshare-ledger"] {
            cluster::namespace(&client, name).await?;
        }
        let args = [
            "--allowed-provider-hosts=127.0.0.1",
            "--allow-private-addresses",
            // A second operator must not wait for the first one's lease.
            "--leader-elect=false",
        ];
        Ok(Self {
            client,
            launch: Launch {
                binary: PathBuf::from(env!("CARGO_BIN_EXE_onetimeshare")),
                kubeconfig: plane.kubeconfig_for("onetimeshare", &["system:masters"])?,
                args: args.map(String::from).into(),
                env: Vec::new(),
            },
            plane,
            operator: None,
        })
    }

    /// Starts the operator with these options more.
    pub async fn start_operator(&mut self, more: &[&str]) -> Result<()> {
        ensure!(self.operator.is_none(), "it runs already");
        let mut launch = self.launch.clone();
        launch.args.extend(more.iter().map(|arg| (*arg).to_owned()));
        self.operator = Some(Operator::start(&launch).await?);
        Ok(())
    }

    /// Starts another operator, with its own ledger, over the same namespaces.
    pub async fn start_neighbour(&self, ledger: &str) -> Result<Operator> {
        cluster::namespace(&self.client, ledger).await?;
        let mut launch = self.launch.clone();
        launch.args.push(format!("--ledger-namespace={ledger}"));
        Operator::start(&launch).await
    }

    /// A client's file for a user who may do only what roles grant.
    pub fn kubeconfig_for(&self, user: &str) -> Result<PathBuf> {
        self.plane.kubeconfig_for(user, &[])
    }

    /// A kubeconfig file as the operator's own, but with other fields of the cluster.
    pub fn kubeconfig_with(&self, fields: &Value) -> Result<PathBuf> {
        let own = self.plane.kubeconfig_for("onetimeshare", &["system:masters"])?;
        let mut file: Value = serde_yaml_ng::from_str(&std::fs::read_to_string(&own)?)?;
        let cluster = file["clusters"][0]["cluster"]
            .as_object_mut()
            .context("a cluster")?;
        cluster.extend(fields.as_object().cloned().unwrap_or_default());
        // In the folder of the control plane, which goes with it.
        let path = own.with_file_name("kubeconfig-of-the-operator");
        std::fs::write(&path, serde_json::to_string(&file)?)?;
        Ok(path)
    }

    /// Where the API server listens.
    pub fn api_server(&self) -> Result<SocketAddr> {
        let address = self.plane.server().strip_prefix("https://").context("https")?;
        address.parse().context("an address")
    }

    pub fn operator(&self) -> Result<&Operator> {
        self.operator.as_ref().context("no operator runs")
    }

    /// Sets or removes an annotation of the ledger's namespace.
    pub async fn annotate_ledger(&self, key: &str, value: Option<&str>) -> Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let patch = Patch::Merge(json!({"metadata": {"annotations": {key: value}}}));
        namespaces
            .patch("onetimeshare-ledger", &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    pub async fn stop_operator(&mut self) -> Result<()> {
        let operator = self.operator.take().context("no operator runs")?;
        let status = operator.stop().await?;
        ensure!(status.success(), "the operator ended with {status}");
        Ok(())
    }

    /// Ends everything.
    pub async fn end(mut self) -> Result<()> {
        self.stop_operator().await?;
        self.plane.stop().await
    }
}
