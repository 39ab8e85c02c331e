//! The place of one test: an operator with its own ledger, and the namespaces that it serves.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use harness::audit::Call;
use harness::cluster;
use harness::onetime::{Config, OnetimeServer, Version};
use harness::operator::{Launch, Operator};
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::stage::Plane;
use crate::status::{brief, is_ready_now};

/// How soon something must happen that has no reason to wait.
pub const SOON: Duration = Duration::from_secs(20);
/// How long anything may take on the way to what a test is about. Generous: the machine is shared.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub const USERNAME: &str = "ops@example.com";
const TOKEN: &str = "a token of the fake server";

/// One test's operator.
pub struct Place<'p> {
    plane: &'p Plane,
    user: String,
    name: String,
    pub operator: Operator,
}

/// One of its namespaces.
#[derive(Clone)]
pub struct Tenant {
    pub namespace: String,
    pub shares: Api<DynamicObject>,
    client: Client,
}

impl<'p> Place<'p> {
    /// Starts an operator for the namespaces of so many tenants, with these options more.
    pub async fn open<const N: usize>(
        plane: &'p Plane,
        name: &str,
        tenants: [&str; N],
        more: &[&str],
    ) -> Result<(Self, [Tenant; N])> {
        let (user, system) = (format!("onetimeshare-{name}"), format!("{name}-system"));
        let ledger = format!("{name}-ledger");
        let tenants = tenants.map(|tenant| Tenant::new(&plane.client, format!("{name}-{tenant}")));
        let namespaces: Vec<&str> = tenants.iter().map(|tenant| &*tenant.namespace).collect();
        for namespace in namespaces.iter().copied().chain([&*system, &*ledger]) {
            cluster::namespace(&plane.client, namespace).await?;
        }
        let mut args = vec![
            format!("--watch-namespaces={}", namespaces.join(",")),
            format!("--namespace={system}"),
            format!("--ledger-namespace={ledger}"),
            "--leader-elect=false".to_owned(),
            "--allowed-provider-hosts=127.0.0.1".to_owned(),
            "--allow-private-addresses".to_owned(),
        ];
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        let launch = Launch {
            binary: PathBuf::from(env!("CARGO_BIN_EXE_onetimeshare")),
            kubeconfig: plane.plane.kubeconfig_for(&user, &["system:masters"])?,
            args,
            env: Vec::new(),
        };
        let operator = Operator::start(&launch).await?;
        let name = name.to_owned();
        let place = Self {
            plane,
            user,
            name,
            operator,
        };
        Ok((place, tenants))
    }

    /// Applies a ClusterShareProvider with the place's name.
    pub async fn cluster_provider(&self, service: &OnetimeServer, spec: Value) -> Result<()> {
        let metadata = json!({"name": self.name});
        let object = provider("ClusterShareProvider", &metadata, service, spec);
        cluster::apply_one(&self.plane.client, object).await.map(drop)
    }

    /// The spec of a share through that provider.
    pub fn through_cluster(&self) -> Value {
        json!({"providerRef": {"kind": "ClusterShareProvider", "name": self.name}})
    }

    /// What this operator has asked the API server for until now.
    pub async fn calls(&self) -> Result<Vec<Call>> {
        self.plane.audit.calls_of(&self.user).await
    }

    pub async fn close(self) -> Result<()> {
        // What is still under way is of no interest.
        self.operator.kill().await
    }
}

/// A fake server with an account, which only a provider with [`account`] uses.
pub async fn service(version: Version) -> Result<OnetimeServer> {
    configured(Config::new(version)).await
}

pub async fn configured(config: Config) -> Result<OnetimeServer> {
    OnetimeServer::start(config.account(USERNAME, TOKEN)).await
}

/// What makes a provider use the account.
pub fn account() -> Value {
    json!({"credentialsSecretRef": {"name": "account"}})
}

fn provider(kind: &str, metadata: &Value, service: &OnetimeServer, spec: Value) -> Value {
    // Looks at the links are another matter.
    let defaults = json!({"url": service.url(), "pollInterval": "1h"});
    json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": merged(defaults, spec),
    })
}

impl Tenant {
    fn new(client: &Client, namespace: String) -> Self {
        Self {
            shares: cluster::shares(client, &namespace),
            client: client.clone(),
            namespace,
        }
    }

    /// Applies a ShareProvider and waits until it is ready, and a Secret of its account.
    pub async fn provider(&self, name: &str, service: &OnetimeServer, spec: Value) -> Result<()> {
        self.secret("account", json!({"username": USERNAME, "token": TOKEN}))
            .await?;
        let metadata = json!({"name": name, "namespace": self.namespace});
        let object = provider("ShareProvider", &metadata, service, spec);
        cluster::apply_one(&self.client, object).await?;
        let kind = GroupVersionKind::gvk("onetimeshare.dev", "v1alpha1", "ShareProvider");
        let providers = Api::namespaced_with(
            self.client.clone(),
            &self.namespace,
            &ApiResource::from_gvk(&kind),
        );
        Box::pin(cluster::wait_for(
            &providers,
            name,
            "ready",
            PATIENCE,
            cluster::is_ready,
        ))
        .await
        .map(drop)
    }

    /// Applies a Secret with these texts.
    pub async fn secret(&self, name: &str, texts: Value) -> Result<()> {
        let object = json!({
            "apiVersion": "v1", "kind": "Secret", "stringData": texts,
            "metadata": {"name": name, "namespace": self.namespace},
        });
        cluster::apply_one(&self.client, object).await.map(drop)
    }

    /// The Secret that shares use unless they say otherwise.
    pub async fn value(&self, value: &str) -> Result<()> {
        self.secret("value", json!({"value": value})).await
    }

    /// Applies a share with what the spec says.
    pub async fn share(&self, name: &str, spec: Value) -> Result<()> {
        let object = json!({
            "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": merged(json!({"secretRef": {"name": "value"}}), spec),
        });
        cluster::apply_one(&self.client, object).await.map(drop)
    }

    /// Applies the shares `prefix-0` and so on, some at a time. The specs are asked for by number, one after the other.
    pub async fn share_many(&self, prefix: &str, count: usize, spec: impl Fn(usize) -> Value) -> Result<()> {
        let spec = &spec;
        stream::iter(0..count)
            .map(async |number| self.share(&format!("{prefix}-{number}"), spec(number)).await)
            .buffer_unordered(8)
            .try_collect()
            .await
    }

    pub async fn edit(&self, name: &str, patch: Value) -> Result<()> {
        let params = PatchParams::default();
        self.shares.patch(name, &params, &Patch::Merge(&patch)).await?;
        Ok(())
    }

    pub async fn delete(&self, name: &str) -> Result<()> {
        self.shares.delete(name, &DeleteParams::default()).await?;
        Ok(())
    }

    pub async fn get(&self, name: &str) -> Result<Value> {
        Ok(serde_json::to_value(self.shares.get(name).await?)?)
    }

    pub async fn wait(
        &self,
        name: &str,
        what: &str,
        limit: Duration,
        condition: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let waited = Box::pin(cluster::wait_for(&self.shares, name, what, limit, condition)).await;
        let Err(error) = waited else { return waited };
        let now = self
            .get(name)
            .await
            .map_or_else(|_| "gone".to_owned(), |share| brief(&share));
        // The whole status hides what matters among so many shares.
        let error = error.to_string();
        let said = error.split("; its status").next().unwrap_or_default();
        bail!("{said}: {now}")
    }

    /// Waits until so many shares fulfil a condition at the same time.
    pub async fn wait_for_many(
        &self,
        count: usize,
        what: &str,
        limit: Duration,
        condition: impl Fn(&Value) -> bool,
    ) -> Result<()> {
        let waited = cluster::wait_for_many(&self.shares, count, what, limit, &condition);
        let Err(error) = Box::pin(waited).await else {
            return Ok(());
        };
        let shares = self.shares.list(&ListParams::default()).await?.items;
        let shares = shares.iter().filter_map(|share| serde_json::to_value(share).ok());
        let other = shares
            .filter(|share| !condition(share))
            .map(|share| brief(&share))
            .next();
        let error = error.to_string();
        let said = error.split("; one that").next().unwrap_or_default();
        bail!("{said}; one that is not: {}", other.unwrap_or_default())
    }

    /// Waits until a share has its link, as its spec is now.
    pub async fn ready(&self, name: &str, limit: Duration) -> Result<Value> {
        self.wait(name, "ready", limit, is_ready_now).await
    }

    /// Applies a share and measures the time until it has its link.
    pub async fn time_to_link(&self, name: &str, spec: Value, limit: Duration) -> Result<Duration> {
        let begin = Instant::now();
        self.share(name, spec).await?;
        let share = self.ready(name, limit).await?;
        share["status"]["link"].as_str().context("a link")?;
        Ok(begin.elapsed())
    }
}

/// The spec of a share through a ShareProvider.
pub fn through(provider: &str) -> Value {
    json!({"providerRef": {"kind": "ShareProvider", "name": provider}})
}

/// The second object's fields over the first's.
pub fn merged(mut base: Value, over: Value) -> Value {
    if let (Some(base), Value::Object(over)) = (base.as_object_mut(), over) {
        base.extend(over);
    }
    base
}
