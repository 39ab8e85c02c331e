//! `helm test`, with this test as the kubelet: it runs what the pod says, against the operator beside the cluster.

use anyhow::{Context as _, Result, ensure};
use harness::operator::Operator;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tokio::process::Command;

use crate::guards::settled;
use crate::helm::{self, RELEASE, SYSTEM};
use crate::release::Cluster;

const POD: &str = "onetimeshare-test";

pub async fn run(cluster: &Cluster, operator: &Operator) -> Result<()> {
    passes(cluster, &operator.address().to_string())
        .await
        .context("helm test")?;
    // Port 1 of this machine: nobody listens.
    let failed = passes(cluster, "127.0.0.1:1").await;
    ensure!(failed.is_err(), "helm test passed without an operator");
    Ok(())
}

/// Runs `helm test`, and its pod with this address in the place of the Service's.
async fn passes(cluster: &Cluster, address: &str) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), SYSTEM);
    let before = pods.get_opt(POD).await?.and_then(|pod| pod.metadata.uid);
    let kubeconfig = cluster.plane.kubeconfig().to_path_buf();
    let args = ["test", RELEASE, "--namespace", SYSTEM, "--timeout", "60s"];
    let tested = tokio::task::spawn_blocking(move || helm::run_with(&kubeconfig, &args));
    let made = async || {
        let pod = pods.get_opt(POD).await.ok().flatten();
        pod.is_some_and(|pod| pod.metadata.uid != before)
    };
    settled(made).await.context("no pod was made")?;
    let pod = pods.get(POD).await?;
    let spec = pod.spec.context("a pod")?;
    let args = spec.containers[0].args.clone().context("arguments")?;
    let service = format!("{RELEASE}-metrics.{SYSTEM}:8080");
    ensure!(args.iter().any(|arg| arg.contains(&service)), "{args:?}");
    let ended = Command::new(env!("CARGO_BIN_EXE_onetimeshare"))
        .args(args.iter().map(|arg| arg.replace(&service, address)))
        .output()
        .await?;
    let phase = if ended.status.success() {
        "Succeeded"
    } else {
        "Failed"
    };
    let status = Patch::Merge(json!({"status": {"phase": phase}}));
    pods.patch_status(POD, &PatchParams::default(), &status).await?;
    tested.await?.map(drop)
}
