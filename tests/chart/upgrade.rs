//! From the chart before this one (`previous/`) to this one, with a share whose link must live on.

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::control_plane::{ControlPlane, Options};
use harness::onetime::{Config, OnetimeServer, Version};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use serde_json::json;

use crate::helm::{self, CHART, RELEASE, SYSTEM};
use crate::least::share_lives;
use crate::release::Cluster;

const PREVIOUS: &str = "tests/chart/previous/onetimeshare";
const HERE: &str = "before";

pub async fn run() -> Result<()> {
    let plane = Box::pin(ControlPlane::start(Options::default())).await?;
    let cluster = Cluster {
        client: plane.client().await?,
        plane,
    };
    let service = OnetimeServer::start(Config::new(Version::V0_26)).await?;
    let url = format!("--set=provider.url={}", service.url());
    let install = [
        "install",
        RELEASE,
        PREVIOUS,
        "--namespace",
        SYSTEM,
        "--create-namespace",
        &url,
    ];
    helm::run_with(cluster.plane.kubeconfig(), &install)?;
    let before = chart_of(&cluster).await?;
    leases_allowed(&cluster).await?;
    let share = share_lives(&cluster, HERE, &json!({"requestId": "1"})).await?;

    // As docs/install.md says.
    let upgrade = [
        "upgrade",
        RELEASE,
        CHART,
        "--namespace",
        SYSTEM,
        "--reset-then-reuse-values",
    ];
    helm::run_with(cluster.plane.kubeconfig(), &upgrade)?;
    let after = chart_of(&cluster).await?;
    ensure!(before != after, "both charts are {after}");
    let provider = cluster.providers().get("default").await?;
    ensure!(
        provider.data["spec"]["url"] == json!(service.url()),
        "{:#}",
        provider.data
    );
    // First as it was, then under the field's new name: neither is another request.
    for id in [json!({"requestId": "1"}), json!({"requestID": "1"})] {
        let later = share_lives(&cluster, HERE, &id).await?;
        ensure!(
            share["status"]["link"] == later["status"]["link"]
                && share["metadata"]["uid"] == later["metadata"]["uid"],
            "{id}: the link is another one"
        );
        for (name, value) in id.as_object().into_iter().flatten() {
            ensure!(later["spec"][name] == *value, "{id}: {:#}", later["spec"]);
        }
    }
    ensure!(service.journal().shares.len() == 1, "something was sent again");
    let uninstall = ["uninstall", RELEASE, "--namespace", SYSTEM];
    helm::run_with(cluster.plane.kubeconfig(), &uninstall)?;
    ensure!(
        cluster.providers().get_opt("default").await?.is_none(),
        "the provider stayed"
    );
    cluster.plane.stop().await
}

/// This operator needs them, and the chart before did not grant them: its own operator had no use for them.
async fn leases_allowed(cluster: &Cluster) -> Result<()> {
    cluster::namespace(&cluster.client, HERE).await?;
    let metadata = json!({"name": "leases", "namespace": HERE});
    for object in [
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata,
            "rules": [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "get"]}],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "leases"},
            "subjects": [{"kind": "ServiceAccount", "name": RELEASE, "namespace": SYSTEM}],
        }),
    ] {
        cluster::apply_one(&cluster.client, object).await?;
    }
    Ok(())
}

async fn chart_of(cluster: &Cluster) -> Result<String> {
    let deployments: Api<Deployment> = Api::namespaced(cluster.client.clone(), SYSTEM);
    let labels = deployments
        .get(RELEASE)
        .await?
        .metadata
        .labels
        .unwrap_or_default();
    labels.get("helm.sh/chart").cloned().context("the chart's label")
}
