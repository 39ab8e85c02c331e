//! The scope of one part of a test: a namespace with everything its shares need. The Secrets and the
//! ShareProvider, with an account at a fake server, go with the namespace.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::onetime::{Config, OnetimeServer, State, Version};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::DeleteParams;
use kube::api::DynamicObject;
use kube::runtime::conditions::is_deleted;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use crate::fixture::Fixture;

/// How long anything may take that should be quick.
pub const PATIENCE: Duration = Duration::from_secs(60);

const USERNAME: &str = "ops@example.com";
const TOKEN: &str = "a token of the fake server";
/// The passphrase of the shares that have one.
pub const PASSPHRASE: &str = "open sesame &=+%";

/// One namespace, its service and its shares.
pub struct Scope {
    pub name: &'static str,
    pub service: OnetimeServer,
    pub shares: Api<DynamicObject>,
    client: Client,
}

impl Scope {
    pub async fn open(fixture: &Fixture, name: &'static str) -> Result<Self> {
        let client = fixture.client.clone();
        cluster::namespace(&client, name).await?;
        let service = OnetimeServer::start(Config::new(Version::V0_26).account(USERNAME, TOKEN)).await?;
        let secret = |name: &str, texts: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": texts});
        let provider = json!({
            "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "ShareProvider", "metadata": {"name": "here"},
            "spec": {
                "url": service.url(), "pollInterval": "1s", "credentialsSecretRef": {"name": "account"},
            },
        });
        for mut object in [
            secret("account", json!({"username": USERNAME, "token": TOKEN})),
            secret("value", json!({"value": "a value"})),
            secret("phrase", json!({"phrase": PASSPHRASE})),
            provider,
        ] {
            object["metadata"]["namespace"] = json!(name);
            cluster::apply_one(&client, object).await?;
        }
        let shares = cluster::shares(&client, name);
        Ok(Self {
            name,
            service,
            shares,
            client,
        })
    }

    /// Applies a share with what the spec says.
    pub async fn share(&self, name: &str, spec: Value) -> Result<()> {
        let mut whole = json!({
            "secretRef": {"name": "value"}, "providerRef": {"kind": "ShareProvider", "name": "here"},
        });
        let fields = whole.as_object_mut().context("an object")?;
        fields.extend(spec.as_object().cloned().unwrap_or_default());
        let object = json!({
            "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
            "metadata": {"name": name, "namespace": self.name}, "spec": whole,
        });
        cluster::apply_one(&self.client, object).await.map(drop)
    }

    /// Applies so many shares, the first of them with a passphrase.
    pub async fn share_many(&self, count: usize) -> Result<()> {
        for number in 0..count {
            let spec = match number {
                0 => json!({"passphraseSecretRef": {"name": "phrase", "key": "phrase"}}),
                _ => json!({}),
            };
            self.share(&format!("share-{number}"), spec).await?;
        }
        Ok(())
    }

    pub async fn all_ready(&self, count: usize) -> Result<()> {
        let ready = cluster::is_ready;
        cluster::wait_for_many(&self.shares, count, "ready", PATIENCE, ready).await?;
        let shares = self.shares.list(&kube::api::ListParams::default()).await?;
        let held = shares
            .items
            .iter()
            .any(|share| share.metadata.finalizers.is_some());
        ensure!(!held, "a finalizer would make a deletion wait for us");
        Ok(())
    }

    pub async fn wait(&self, share: &str, what: &str, condition: impl Fn(&Value) -> bool) -> Result<Value> {
        Box::pin(cluster::wait_for(&self.shares, share, what, PATIENCE, condition)).await
    }

    /// Deletes the namespace and waits until it is gone. Says how long that took.
    pub async fn delete(&self) -> Result<Duration> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let uid = namespaces.get(self.name).await?.metadata.uid.context("a uid")?;
        let begin = Instant::now();
        namespaces.delete(self.name, &DeleteParams::default()).await?;
        let gone = await_condition(namespaces, self.name, is_deleted(&uid));
        tokio::time::timeout(PATIENCE, gone)
            .await
            .context("the namespace is not gone")??;
        Ok(begin.elapsed())
    }

    /// Deletes every share and waits until they are gone.
    pub async fn delete_shares(&self) -> Result<()> {
        let all = kube::api::ListParams::default();
        for share in self.shares.list(&all).await? {
            self.shares
                .delete(&share.name_any(), &DeleteParams::default())
                .await?;
        }
        ensure!(self.shares.list(&all).await?.items.is_empty(), "a share is left");
        Ok(())
    }

    /// Waits until so many links are burned.
    pub async fn burned(&self, count: usize) -> Result<()> {
        let what = format!("{count} burned links of {}", self.name);
        let all = |journal: &harness::onetime::Journal| in_state(journal, State::Burned) == count;
        self.service.wait_for(&what, PATIENCE, all).await.map(drop)
    }
}

/// How many links are in that state.
pub fn in_state(journal: &harness::onetime::Journal, state: State) -> usize {
    journal.shares.iter().filter(|share| share.state == state).count()
}
