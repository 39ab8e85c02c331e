//! Users of a cluster with what they may do, and what the API server answers them.

use anyhow::{Context as _, Result, bail, ensure};
use harness::cluster;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::release::Cluster;

/// Where people share.
pub const TEAM: &str = "team";

/// One user.
pub struct Person {
    pub name: String,
    client: Client,
}

impl Person {
    /// A user of the cluster without any rights yet.
    pub async fn new(cluster: &Cluster, name: &str, groups: &[&str]) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            client: cluster.plane.client_for(name, groups).await?,
        })
    }

    /// Gives a role in a namespace.
    pub async fn bind(&self, cluster: &Cluster, namespace: &str, kind: &str, role: &str) -> Result<()> {
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": format!("{role}-{}", self.name.replace(':', "-")), "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": self.name}],
        });
        cluster::apply_one(&cluster.client, binding).await.map(drop)
    }

    /// Creates an object.
    pub async fn create(&self, object: &Value) -> Answer {
        self.create_with(object, false).await
    }

    async fn create_with(&self, object: &Value, dry_run: bool) -> Answer {
        let answer = async {
            let object: DynamicObject = serde_json::from_value(object.clone())?;
            let api = self.api(&object)?;
            let params = PostParams {
                dry_run,
                ..PostParams::default()
            };
            api.create(&params, &object).await?;
            anyhow::Ok(())
        };
        Answer(answer.await)
    }

    /// Whether an object would be taken.
    pub async fn would_create(&self, object: &Value) -> Answer {
        self.create_with(object, true).await
    }

    /// Changes an object, or its status, by a merge patch.
    pub async fn patch(&self, object: &Value, patch: Value) -> Answer {
        let answer = async {
            let object: DynamicObject = serde_json::from_value(object.clone())?;
            let name = object.metadata.name.clone().context("a name")?;
            let (api, params) = (self.api(&object)?, PatchParams::default());
            match patch.get("status") {
                Some(_) => api.patch_status(&name, &params, &Patch::Merge(patch)).await?,
                None => api.patch(&name, &params, &Patch::Merge(patch)).await?,
            };
            anyhow::Ok(())
        };
        Answer(answer.await)
    }

    /// Deletes an object.
    pub async fn delete(&self, object: &Value) -> Answer {
        let answer = async {
            let object: DynamicObject = serde_json::from_value(object.clone())?;
            let name = object.metadata.name.clone().context("a name")?;
            self.api(&object)?
                .delete(&name, &kube::api::DeleteParams::default())
                .await?;
            anyhow::Ok(())
        };
        Answer(answer.await)
    }

    fn api(&self, object: &DynamicObject) -> Result<Api<DynamicObject>> {
        let kind = GroupVersionKind::try_from(object.types.as_ref().context("a kind")?)?;
        let resource = ApiResource::from_gvk(&kind);
        Ok(match &object.metadata.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        })
    }
}

/// What the API server said.
#[must_use]
pub struct Answer(Result<()>);

impl Answer {
    pub fn is_denied(&self) -> bool {
        self.0.is_err()
    }

    pub fn allowed(self, what: &str) -> Result<()> {
        self.0.with_context(|| format!("{what}: not allowed"))
    }

    /// Denied by the policy, with words that tell what to do.
    pub fn denied(self, what: &str, sentence: &str) -> Result<()> {
        match self.0 {
            Ok(()) => bail!("{what}: allowed, though: {sentence}"),
            Err(error) => {
                let said = format!("{error:#}");
                ensure!(
                    said.contains("ValidatingAdmissionPolicy"),
                    "{what}: not by a policy: {said}"
                );
                ensure!(said.contains(sentence), "{what}: {said}, not: {sentence}");
                Ok(())
            }
        }
    }

    /// Not even asked for: no role allows it.
    pub fn without_right(self, what: &str) -> Result<()> {
        match self.0 {
            Ok(()) => bail!("{what}: allowed"),
            Err(error) => {
                let said = format!("{error:#}");
                ensure!(
                    said.contains("cannot ") && !said.contains("Policy"),
                    "{what}: {said}"
                );
                Ok(())
            }
        }
    }
}
