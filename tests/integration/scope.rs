//! The scope of one test: its own namespace, its own fake server, and a provider named like the namespace.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use harness::cluster;
use harness::onetime::{Config, Journal, OnetimeServer, Operation, Version};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use crate::env::{Env, LEDGER, SYSTEM};

/// How long anything may take that should be quick. Generous: the machine is shared.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// What one test has for itself.
pub struct Scope<'e> {
    pub env: &'e Env,
    /// The namespace, the provider, and the Secret of its credentials.
    pub name: String,
    pub service: Arc<OnetimeServer>,
    pub shares: Api<DynamicObject>,
    /// The token of the account, right from the start.
    pub token: String,
}

impl<'e> Scope<'e> {
    /// A namespace and a fake server with one account. No provider yet.
    pub async fn open(env: &'e Env, name: &str, config: Config) -> Result<Self> {
        cluster::namespace(&env.client, name).await?;
        let token = env.canary("token");
        let service = env.service(config.account(&username(name), &token)).await?;
        Ok(Self {
            env,
            name: name.to_owned(),
            service,
            shares: cluster::shares(&env.client, name),
            token,
        })
    }

    /// … with a provider that shares anonymously.
    pub async fn anonymous(env: &'e Env, name: &str, version: Version) -> Result<Self> {
        let scope = Self::open(env, name, Config::new(version)).await?;
        scope.provider(json!({})).await?;
        Ok(scope)
    }

    /// … with a provider that uses the account.
    pub async fn with_account(env: &'e Env, name: &str, version: Version) -> Result<Self> {
        let scope = Self::open(env, name, Config::new(version)).await?;
        scope.credentials(&scope.token).await?;
        scope.provider(scope.account_spec()).await?;
        Ok(scope)
    }

    /// What makes a provider use the account.
    pub fn account_spec(&self) -> Value {
        json!({"credentialsSecretRef": {"name": self.name}})
    }

    /// Applies the provider: the fake server's address, a quick poll, and what the spec says. Waits until the operator has
    /// checked it: the end of that check wakes shares, and must not be what heals them.
    pub async fn provider(&self, spec: Value) -> Result<()> {
        self.named_provider(&self.name, spec).await
    }

    /// The same under another name.
    pub async fn named_provider(&self, name: &str, spec: Value) -> Result<()> {
        let defaults = json!({"url": self.service.url(), "pollInterval": "1s"});
        let object = json!({
            "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "ClusterShareProvider",
            "metadata": {"name": name}, "spec": merged(defaults, spec),
        });
        cluster::apply_one(&self.env.client, object).await?;
        let checked =
            |provider: &Value| provider["status"]["observedGeneration"] == provider["metadata"]["generation"];
        Box::pin(cluster::wait_for(
            &self.env.providers(),
            name,
            "checked",
            PATIENCE,
            checked,
        ))
        .await
        .map(drop)
    }

    /// Applies the Secret of the account.
    pub async fn credentials(&self, token: &str) -> Result<()> {
        self.secret_object(json!({
            "metadata": {"name": self.name, "namespace": SYSTEM},
            "stringData": {"username": username(&self.name), "token": token},
        }))
        .await
    }

    /// Applies a Secret that has one key with a canary, and returns the canary.
    pub async fn secret(&self, name: &str) -> Result<String> {
        let value = self.env.canary("value");
        self.secret_with(name, json!({"value": value})).await?;
        Ok(value)
    }

    /// Applies a Secret with these texts.
    pub async fn secret_with(&self, name: &str, texts: Value) -> Result<()> {
        self.secret_object(json!({
            "metadata": {"name": name, "namespace": self.name}, "stringData": texts,
        }))
        .await
    }

    /// Applies a Secret.
    pub async fn secret_object(&self, rest: Value) -> Result<()> {
        let object = merged(json!({"apiVersion": "v1", "kind": "Secret"}), rest);
        cluster::apply_one(&self.env.client, object).await.map(drop)
    }

    /// Applies a share of the Secret of the same name through the provider, but with what the spec says.
    pub async fn share(&self, name: &str, spec: Value) -> Result<Value> {
        let object = self.share_object(name, spec);
        Ok(serde_json::to_value(
            cluster::apply_one(&self.env.client, object).await?,
        )?)
    }

    pub fn share_object(&self, name: &str, spec: Value) -> Value {
        let defaults = json!({"secretRef": {"name": name}, "providerRef": {"name": self.name}});
        json!({
            "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
            "metadata": {"name": name, "namespace": self.name}, "spec": merged(defaults, spec),
        })
    }

    /// Waits for a share.
    pub async fn wait(&self, share: &str, what: &str, condition: impl Fn(&Value) -> bool) -> Result<Value> {
        Box::pin(cluster::wait_for(&self.shares, share, what, PATIENCE, condition)).await
    }

    /// Waits until a share is ready as its spec is now.
    pub async fn ready(&self, share: &str) -> Result<Value> {
        self.wait(share, "ready", is_ready_now).await
    }

    /// The events of this namespace.
    pub fn events(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("events.k8s.io", "v1", "Event");
        Api::namespaced_with(self.env.client.clone(), &self.name, &ApiResource::from_gvk(&kind))
    }

    /// Waits for an event about a share, and returns its note.
    pub async fn event(&self, share: &str, kind: &str, reason: &str) -> Result<String> {
        let found = std::sync::Mutex::new(String::new());
        let fits = |event: &Value| {
            let fits =
                event["regarding"]["name"] == share && event["type"] == kind && event["reason"] == reason;
            if fits {
                event["note"]
                    .as_str()
                    .unwrap_or_default()
                    .clone_into(&mut found.lock().unwrap());
            }
            fits
        };
        let what = format!("a {kind} event {reason} of {share}");
        Box::pin(cluster::wait_for_many(&self.events(), 1, &what, PATIENCE, fits)).await?;
        Ok(found.into_inner()?)
    }

    /// Waits for the fake server's journal.
    pub async fn journal(&self, what: &str, condition: impl Fn(&Journal) -> bool) -> Result<Journal> {
        self.service.wait_for(what, PATIENCE, condition).await
    }

    /// Waits until the operator has asked for the account's list or for a link so many times more.
    pub async fn polled(&self, operation: Operation, times: usize) -> Result<()> {
        let before = self.service.journal().count(operation);
        let what = format!("{times} requests {operation:?} more");
        self.journal(&what, |journal| journal.count(operation) >= before + times)
            .await
            .map(drop)
    }

    /// The name of a share's ledger entry.
    pub fn entry_name(&self, share: &str) -> String {
        let (namespace, name) = (self.name.clone(), share.to_owned());
        onetimeshare::ledger::Owner { namespace, name }.entry_name()
    }

    /// Whether a request to the API server is about this namespace or the ledger entries of these shares.
    pub fn concerns(&self, call: &harness::audit::Call, entries: &[String]) -> bool {
        call.namespace == self.name || call.namespace == LEDGER && entries.contains(&call.name)
    }

    /// Deletes a share and waits until it is gone.
    pub async fn delete(&self, share: &str) -> Result<()> {
        let uid = self.shares.get(share).await?.uid().unwrap_or_default();
        self.shares
            .delete(share, &kube::api::DeleteParams::default())
            .await?;
        let gone = kube::runtime::conditions::is_deleted(&uid);
        let wait = kube::runtime::wait::await_condition(self.shares.clone(), share, gone);
        tokio::time::timeout(PATIENCE, wait).await??;
        Ok(())
    }
}

pub fn username(name: &str) -> String {
    format!("{name}@example.com")
}

/// Ready, and the status speaks of the newest spec.
pub fn is_ready_now(share: &Value) -> bool {
    cluster::is_ready(share) && share["status"]["observedGeneration"] == share["metadata"]["generation"]
}

/// The second object's fields over the first's.
pub fn merged(mut base: Value, over: Value) -> Value {
    if let (Some(base), Value::Object(over)) = (base.as_object_mut(), over) {
        base.extend(over);
    }
    base
}
