//! A cluster that the caller runs (`USE_EXISTING_CLUSTER=true`): reads how to reach it, and changes nothing
//! there.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::config::{Cluster, Kubeconfig};

use super::identity::write;

/// How to reach the caller's cluster.
pub(super) struct Existing {
    pub(super) kubeconfig: PathBuf,
    pub(super) server: String,
    pub(super) ca_pem: String,
}

/// Whether the caller asks for it.
pub(super) fn wanted() -> bool {
    std::env::var("USE_EXISTING_CLUSTER")
        .is_ok_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
}

/// Reads `KUBECONFIG`, which may name several files, and writes it as one file into `scratch`.
pub(super) fn read(scratch: &Path) -> Result<Existing> {
    let config = Kubeconfig::from_env()
        .context("reading KUBECONFIG")?
        .context("USE_EXISTING_CLUSTER is true, but KUBECONFIG is not set")?;
    let cluster = current_cluster(&config).context("KUBECONFIG has no current context with a cluster")?;
    let server = cluster
        .server
        .clone()
        .context("the cluster of KUBECONFIG has no server")?;
    let ca_pem = match (
        &cluster.certificate_authority_data,
        &cluster.certificate_authority,
    ) {
        (Some(data), _) => {
            let pem = STANDARD
                .decode(data)
                .context("decoding certificate-authority-data")?;
            String::from_utf8(pem).context("decoding certificate-authority-data")?
        }
        (None, Some(path)) => std::fs::read_to_string(path).with_context(|| format!("reading {path}"))?,
        // Signed by an authority that everybody trusts.
        (None, None) => String::new(),
    };
    let kubeconfig = scratch.join("kubeconfig");
    write(
        &kubeconfig,
        &serde_yaml_ng::to_string(&config).context("writing a kubeconfig")?,
    )?;
    Ok(Existing {
        kubeconfig,
        server,
        ca_pem,
    })
}

fn current_cluster(config: &Kubeconfig) -> Option<&Cluster> {
    let current = config.current_context.as_ref()?;
    let named = config.contexts.iter().find(|context| context.name == *current)?;
    let name = &named.context.as_ref()?.cluster;
    config
        .clusters
        .iter()
        .find(|cluster| cluster.name == *name)?
        .cluster
        .as_ref()
}
