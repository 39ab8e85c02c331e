//! The API server's audit log: who asked for what. The ground truth about requests to the API server.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use serde_json::Value;

use crate::control_plane::ControlPlane;

/// The audit log of a control plane that was started with it.
pub struct AuditLog {
    path: PathBuf,
    client: Client,
}

/// One request that was answered.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who asked.
    pub user: String,
    /// Such as `get` or `patch`.
    pub verb: String,
    /// Such as `secrets` or `onetimeshares/status`.
    pub resource: String,
    /// The object's namespace, or nothing.
    pub namespace: String,
    /// The object's name, or nothing. A request that creates one has none when the server did not take it.
    pub name: String,
    /// The status code of the answer.
    pub code: u64,
    /// When it arrived.
    pub at: Timestamp,
    /// The path with its query.
    pub uri: String,
}

impl Call {
    /// Verb and resource, such as `create secrets`.
    #[must_use]
    pub fn what(&self) -> String {
        format!("{} {}", self.verb, self.resource)
    }
}

impl AuditLog {
    /// Opens the log.
    ///
    /// # Errors
    /// When the control plane writes none.
    pub async fn open(plane: &ControlPlane) -> Result<Self> {
        let path = plane.audit_log().context(
            "this needs an audit log: a control plane of the tests' own, not USE_EXISTING_CLUSTER",
        )?;
        let client = plane.client_for("audit-log", &["system:masters"]).await?;
        Ok(Self { path, client })
    }

    /// Everything but watches that a user has asked for, oldest first, up to this moment.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn calls_of(&self, user: &str) -> Result<Vec<Call>> {
        let mut calls = self.calls_and_watches_of(user).await?;
        calls.retain(|call| call.verb != "watch");
        Ok(calls)
    }

    /// As [`Self::calls_of`], with the watches: each once when it begins, and again when it has ended.
    ///
    /// # Errors
    /// As [`Self::calls_of`].
    pub async fn calls_and_watches_of(&self, user: &str) -> Result<Vec<Call>> {
        self.catch_up().await?;
        let text = tokio::fs::read_to_string(&self.path).await?;
        Ok(text
            .lines()
            .filter_map(parse)
            .filter(|call| call.user == user)
            .collect())
    }

    /// A request's line may come a moment after its answer. When the line of a later request is there, so is that of
    /// every request answered before.
    async fn catch_up(&self) -> Result<()> {
        let marker = format!("marker-{:032x}", rand::random::<u128>());
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), "default");
        maps.get_opt(&marker).await?;
        let seen = async {
            loop {
                let text = tokio::fs::read_to_string(&self.path).await?;
                if text.contains(&marker) {
                    return anyhow::Ok(());
                }
                // A file cannot be watched without another dependency.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        match tokio::time::timeout(Duration::from_secs(10), seen).await {
            Ok(result) => result,
            Err(_) => bail!("the audit log {} does not grow", self.path.display()),
        }
    }
}

fn parse(line: &str) -> Option<Call> {
    let event: Value = serde_json::from_str(line).ok()?;
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = &event["objectRef"];
    let resource = match object["subresource"].as_str() {
        None => word(&object["resource"]),
        Some(sub) => format!("{}/{sub}", word(&object["resource"])),
    };
    Some(Call {
        user: word(&event["user"]["username"]),
        verb: word(&event["verb"]),
        resource,
        namespace: word(&object["namespace"]),
        name: word(&object["name"]),
        code: event["responseStatus"]["code"].as_u64().unwrap_or_default(),
        at: word(&event["requestReceivedTimestamp"]).parse().ok()?,
        uri: word(&event["requestURI"]),
    })
}
