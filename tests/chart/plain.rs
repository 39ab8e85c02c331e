//! The manifests in `deploy/`, for those who do without helm: they are what the chart renders, and they work.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::onetime::{Config, OnetimeServer, Version};
use serde_json::{Value, json};

use crate::helm::template;
use crate::least::share_lives;
use crate::release::Cluster;

const FOLDER: &str = "deploy";

/// What the chart renders with its own values, less what only helm understands. Definitions are in `crds/`.
fn rendered() -> Result<String> {
    let mut text = String::from(
        "# Made from the chart by `make manifests`: change that. Apply with `kubectl apply --server-side -k deploy`.\n",
    );
    for mut object in template(&["crds.install=false"])? {
        let metadata = object["metadata"].as_object_mut().context("metadata")?;
        if has_hook(metadata) {
            continue;
        }
        without_helm(metadata);
        if let Some(pod) = object
            .pointer_mut("/spec/template/metadata")
            .and_then(Value::as_object_mut)
        {
            without_helm(pod);
        }
        text.push_str("---\n");
        text.push_str(&serde_yaml_ng::to_string(&object)?);
    }
    Ok(text)
}

fn has_hook(metadata: &serde_json::Map<String, Value>) -> bool {
    metadata
        .get("annotations")
        .is_some_and(|annotations| annotations.get("helm.sh/hook").is_some())
}

fn without_helm(metadata: &mut serde_json::Map<String, Value>) {
    for field in ["labels", "annotations"] {
        let Some(words) = metadata.get_mut(field).and_then(Value::as_object_mut) else {
            continue;
        };
        words.retain(|name, value| {
            let of_helm = name.starts_with("helm.sh/") || value == "Helm";
            !of_helm
        });
        if words.is_empty() {
            metadata.remove(field);
        }
    }
}

/// With `ONETIMESHARE_WRITE=1` writes them instead.
pub fn in_sync() -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(FOLDER)
        .join("operator.yaml");
    let wanted = rendered()?;
    if std::env::var_os("ONETIMESHARE_WRITE").is_some() {
        return Ok(std::fs::write(&path, wanted)?);
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    ensure!(
        found == wanted,
        "{} is stale: run `make manifests`",
        path.display()
    );
    Ok(())
}

/// `kubectl apply -k` on a cluster without a release, and one share through it.
pub async fn work(cluster: &Cluster) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
    let output = cluster
        .plane
        .kubectl()?
        .args(["apply", "--server-side", "--force-conflicts", "-k"])
        .arg(&folder)
        .output()
        .context("kubectl")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");

    let service = OnetimeServer::start(Config::new(Version::V0_26)).await?;
    let provider = json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "ClusterShareProvider",
        "metadata": {"name": "default"}, "spec": {"url": service.url()},
    });
    cluster::apply_one(&cluster.client, provider).await?;
    share_lives(cluster, "plain", &serde_json::json!({}))
        .await
        .map(drop)
}
