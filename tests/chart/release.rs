//! The life of a release on a real API server: install with one value, use, upgrade, uninstall. There is no kubelet, so
//! nothing waits for pods, and the operator runs beside the cluster as the service account of the chart.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::control_plane::{ControlPlane, Options};
use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams};
use kube::runtime::conditions::is_deleted;
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use serde_json::json;

use crate::guards::settled;
use crate::helm::{self, CHART, LEDGER, RELEASE, SYSTEM};
use crate::{edits, guards, least, ledger, narrow, plain};

/// A cluster with the chart on it.
pub struct Cluster {
    pub plane: ControlPlane,
    /// The administrator's.
    pub client: Client,
}

impl Cluster {
    /// `helm install` or `helm upgrade` with these values.
    pub fn helm(&self, action: &str, values: &[String]) -> Result<String> {
        let set: Vec<String> = values.iter().map(|value| format!("--set={value}")).collect();
        let mut args = vec![
            action,
            RELEASE,
            CHART,
            "--namespace",
            SYSTEM,
            "--create-namespace",
        ];
        if action == "upgrade" {
            args.retain(|arg| *arg != "--create-namespace");
        }
        args.extend(set.iter().map(String::as_str));
        helm::run_with(self.plane.kubeconfig(), &args)
    }

    /// Deletes a namespace and waits until it is gone, with all that is in it.
    pub async fn delete_namespace(&self, name: &str) -> Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let uid = namespaces.get(name).await?.metadata.uid.context("a uid")?;
        namespaces.delete(name, &DeleteParams::default()).await?;
        let gone = await_condition(namespaces, name, is_deleted(&uid));
        tokio::time::timeout(Duration::from_secs(60), gone)
            .await
            .context("the namespace stays")??;
        Ok(())
    }

    pub fn providers(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("onetimeshare.dev", "v1alpha1", "ClusterShareProvider");
        Api::all_with(self.client.clone(), &ApiResource::from_gvk(&kind))
    }
}

pub async fn run() -> Result<()> {
    let plane = Box::pin(ControlPlane::start(Options::default())).await?;
    let cluster = Cluster {
        client: plane.client().await?,
        plane,
    };
    install(&cluster).await?;
    Box::pin(guards::authors(&cluster))
        .await
        .context("who may share what")?;
    Box::pin(edits::run(&cluster))
        .await
        .context("what an edit will do")?;
    Box::pin(ledger::run(&cluster))
        .await
        .context("who may write the ledger")?;
    Box::pin(least::run(&cluster))
        .await
        .context("the operator as the chart's service account")?;
    Box::pin(narrow::run(&cluster))
        .await
        .context("the operator of some namespaces")?;
    uninstall(&cluster).await.context("uninstall")?;
    Box::pin(plain::work(&cluster))
        .await
        .context("the plain manifests")?;
    cluster.plane.stop().await
}

async fn install(cluster: &Cluster) -> Result<()> {
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": SYSTEM, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    });
    cluster::apply_one(&cluster.client, namespace).await?;
    let said = cluster.helm("install", &["provider.region=eu".into()])?;
    ensure!(
        said.contains("kubectl get clustershareprovider default"),
        "{said}"
    );
    ensure!(!said.contains("WARNING"), "{said}");
    let provider = cluster.providers().get("default").await.context("the provider")?;
    ensure!(provider.data["spec"]["region"] == "eu", "{:#}", provider.data);
    let deployments: Api<Deployment> = Api::namespaced(cluster.client.clone(), SYSTEM);
    deployments.get(RELEASE).await.context("the Deployment")?;
    kept(cluster).await?;
    // Nothing runs it, but a pod that is not as restricted as its namespace asks is not even made.
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), SYSTEM);
    let made = async || {
        pods.list(&ListParams::default())
            .await
            .is_ok_and(|found| !found.items.is_empty())
    };
    settled(made).await.context("no pod was made")?;
    well_typed(cluster).await?;

    // The provider came as a hook, because its kind was new. The upgrade takes it over.
    cluster.helm(
        "upgrade",
        &[
            "provider.region=us".into(),
            "replicas=2".into(),
            "networkPolicy.enabled=true".into(),
        ],
    )?;
    let provider = cluster.providers().get("default").await.context("the provider")?;
    ensure!(provider.data["spec"]["region"] == "us", "{:#}", provider.data);
    let deployment = deployments.get(RELEASE).await?;
    ensure!(
        deployment.spec.and_then(|spec| spec.replicas) == Some(2),
        "two replicas"
    );
    Ok(())
}

/// The controller compares the expressions of the policies with the schemas of what they look at.
async fn well_typed(cluster: &Cluster) -> Result<()> {
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(cluster.client.clone());
    let checked = async || {
        let found = policies.list(&ListParams::default()).await;
        found.is_ok_and(|found| {
            let checked = |policy: &ValidatingAdmissionPolicy| {
                policy
                    .status
                    .as_ref()
                    .is_some_and(|status| status.type_checking.is_some())
            };
            found.items.len() == 5 && found.items.iter().all(checked)
        })
    };
    settled(checked).await.context("the policies are not checked")?;
    for policy in policies.list(&ListParams::default()).await?.items {
        let warnings = policy
            .status
            .and_then(|status| status.type_checking)
            .and_then(|checking| checking.expression_warnings)
            .unwrap_or_default();
        ensure!(warnings.is_empty(), "{:?}: {warnings:#?}", policy.metadata.name);
    }
    Ok(())
}

/// What stays for as long as there are shares.
async fn kept(cluster: &Cluster) -> Result<()> {
    let definitions: Api<CustomResourceDefinition> = Api::all(cluster.client.clone());
    let found = definitions.list(&ListParams::default()).await?.items;
    let ours = found
        .iter()
        .filter(|crd| crd.spec.group == "onetimeshare.dev" && crd.metadata.deletion_timestamp.is_none());
    ensure!(ours.count() == 3, "three definitions that stay");
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    let ledger = namespaces.get(LEDGER).await.context("the ledger's namespace")?;
    ensure!(
        ledger.metadata.deletion_timestamp.is_none(),
        "the ledger is going"
    );
    Ok(())
}

async fn uninstall(cluster: &Cluster) -> Result<()> {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "survivors"}});
    cluster::apply_one(&cluster.client, namespace).await?;
    let share = json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
        "metadata": {"name": "survivor", "namespace": "survivors"}, "spec": {"secretRef": {"name": "later"}},
    });
    cluster::apply_one(&cluster.client, share).await?;

    let kubeconfig = cluster.plane.kubeconfig();
    helm::run_with(kubeconfig, &["uninstall", RELEASE, "--namespace", SYSTEM])?;
    kept(cluster).await?;
    let shares = cluster::shares(&cluster.client, "survivors");
    shares
        .get("survivor")
        .await
        .context("a share that is still wanted")?;
    ensure!(
        cluster.providers().get_opt("default").await?.is_none(),
        "the provider stayed"
    );
    let accounts: Api<ServiceAccount> = Api::namespaced(cluster.client.clone(), SYSTEM);
    ensure!(
        accounts.get_opt(RELEASE).await?.is_none(),
        "the service account stayed"
    );

    // The definitions are there, and the release takes them up again.
    cluster
        .helm("install", &["provider.region=eu".into()])
        .context("installing again")?;
    ensure!(
        cluster.providers().get_opt("default").await?.is_some(),
        "the provider"
    );
    helm::run_with(kubeconfig, &["uninstall", RELEASE, "--namespace", SYSTEM])?;
    kept(cluster).await
}
