//! The operator of some namespaces, with the rights that the chart gives it there, and with the watch of Secrets. What is
//! in other namespaces it leaves alone, and one that it may not look into keeps it from nothing.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use harness::audit::{AuditLog, Call};
use harness::cluster;
use harness::onetime::{Config, Journal, OnetimeServer, Operation, State, Version};
use harness::operator::Operator;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};

use crate::guards::settled;
use crate::helm::{LEDGER, RELEASE, SYSTEM};
use crate::least::{PATIENCE, TOKEN, USERNAME, launch, secret};
use crate::release::Cluster;

const LISTED: [&str; 2] = ["narrow-north", "narrow-south"];
/// Before the others in the alphabet, so that it is also asked first.
const ELSEWHERE: &str = "narrow-elsewhere";

/// What it may ask for in no namespace, or in all at once.
const WIDE: [&str; 2] = ["clustershareproviders", "customresourcedefinitions"];

/// A cluster with the chart on it, and the service that its shares go to.
struct Narrow<'c> {
    cluster: &'c Cluster,
    service: OnetimeServer,
}

pub async fn run(cluster: &Cluster) -> Result<()> {
    let service = OnetimeServer::start(Config::new(Version::V0_26).account(USERNAME, TOKEN)).await?;
    let narrow = Narrow { cluster, service };
    for namespace in LISTED.iter().chain([&ELSEWHERE]) {
        cluster::namespace(&cluster.client, namespace).await?;
        narrow
            .apply(secret(namespace, "value", &json!({"value": "a value"})))
            .await?;
    }
    let left = Box::pin(narrow.leave_elsewhere())
        .await
        .context("all namespaces")?;
    Box::pin(narrow.only_listed(&left))
        .await
        .context("some namespaces")?;
    Box::pin(narrow.one_is_refused(&left))
        .await
        .context("one of them refused")?;
    Box::pin(narrow.two_are_deleted())
        .await
        .context("two of them deleted")
}

impl Narrow<'_> {
    async fn apply(&self, object: Value) -> Result<()> {
        cluster::apply_one(&self.cluster.client, object).await.map(drop)
    }

    async fn share(&self, namespace: &str, name: &str, spec: Value) -> Result<()> {
        self.apply(json!({
            "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
            "metadata": {"name": name, "namespace": namespace}, "spec": spec,
        }))
        .await
    }

    async fn wait(
        &self,
        namespace: &str,
        name: &str,
        what: &str,
        condition: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let shares = cluster::shares(&self.cluster.client, namespace);
        Box::pin(cluster::wait_for(&shares, name, what, PATIENCE, condition)).await
    }

    /// The key of a share's link.
    async fn ready(&self, namespace: &str, name: &str) -> Result<String> {
        let share = self.wait(namespace, name, "ready", cluster::is_ready).await?;
        Ok(share["status"]["secretKey"].as_str().context("a key")?.to_owned())
    }

    async fn delete(&self, namespace: &str, name: &str) -> Result<()> {
        let shares = cluster::shares(&self.cluster.client, namespace);
        shares.delete(name, &DeleteParams::default()).await?;
        Ok(())
    }

    async fn burned(&self, key: &str) -> Result<()> {
        let burned = |journal: &Journal| is(journal, key, State::Burned);
        self.service
            .wait_for("the link burned", PATIENCE, burned)
            .await
            .map(drop)
    }

    fn upgrade(&self, namespaces: &str) -> Result<String> {
        self.cluster.helm(
            "upgrade",
            &[
                format!("provider.url={}", self.service.url()),
                "provider.credentialsSecretName=account".into(),
                "provider.extraSpec.pollInterval=1s".into(),
                "allowedProviderHosts[0]=127.0.0.1".into(),
                "allowPrivateAddresses=true".into(),
                format!("watchNamespaces={namespaces}"),
                "watchSecrets=true".into(),
            ],
        )
    }

    /// Runs an operator as the chart says, and returns what it asked the API server for.
    async fn operate(&self, life: impl AsyncFnOnce(&Operator) -> Result<()>) -> Result<Vec<Call>> {
        let audit = AuditLog::open(&self.cluster.plane).await?;
        let user = user();
        let before = audit.calls_and_watches_of(&user).await?.len();
        let operator = Operator::start(&launch(self.cluster, &user).await?).await?;
        let lived = Box::pin(life(&operator)).await;
        if lived.is_err() {
            println!("{}", operator.log());
        }
        lived?;
        let status = operator.stop().await?;
        ensure!(status.success(), "the operator ended with {status}");
        Ok(audit.calls_and_watches_of(&user).await?.split_off(before))
    }

    /// A link of a share that is deleted when nobody works on its namespace any more, and a share that comes then.
    async fn leave_elsewhere(&self) -> Result<String> {
        self.upgrade("null")?;
        let spec = json!({"secretRef": {"name": "value"}});
        let mut left = String::new();
        self.operate(async |_| {
            self.share(ELSEWHERE, "left", spec.clone()).await?;
            left = self.ready(ELSEWHERE, "left").await?;
            Ok(())
        })
        .await?;
        self.delete(ELSEWHERE, "left").await?;
        self.share(ELSEWHERE, "untouched", spec).await?;
        Ok(left)
    }

    async fn only_listed(&self, left: &str) -> Result<()> {
        let said = self.upgrade(&list(&LISTED))?;
        ensure!(
            said.contains("works on namespaces narrow-north, narrow-south."),
            "{said}"
        );
        let calls = self
            .operate(async |_| {
                for namespace in LISTED {
                    self.one_life(namespace).await.context(namespace)?;
                }
                self.untouched(left).await
            })
            .await?;
        judge(&calls)
    }

    /// Through a provider of the namespace: its Secrets, shares and providers are each watched.
    async fn one_life(&self, namespace: &str) -> Result<()> {
        let spec = json!({
            "secretRef": {"name": "later"}, "providerRef": {"kind": "ShareProvider", "name": "here"},
        });
        self.share(namespace, "one", spec).await?;
        let reason =
            |reason: &'static str| move |share: &Value| cluster::is(share, "Ready", "Unknown", reason);
        self.wait(namespace, "one", "waiting", reason("ProviderNotFound"))
            .await?;
        self.apply(json!({
            "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "ShareProvider",
            "metadata": {"name": "here", "namespace": namespace}, "spec": {"url": self.service.url()},
        }))
        .await?;
        self.wait(namespace, "one", "waiting", reason("SecretNotFound"))
            .await?;
        self.apply(secret(namespace, "later", &json!({"value": "a value"})))
            .await?;
        let key = self.ready(namespace, "one").await?;
        self.delete(namespace, "one").await?;
        self.burned(&key).await
    }

    /// By now the sweep has burned what it burns.
    async fn untouched(&self, left: &str) -> Result<()> {
        let journal = self.service.journal();
        ensure!(is(&journal, left, State::New), "the link that was left is gone");
        let shares = cluster::shares(&self.cluster.client, ELSEWHERE);
        let share = shares.get("untouched").await?;
        // As it was created.
        let untouched = json!({"observedGeneration": -1});
        ensure!(share.data["status"] == untouched, "{:#}", share.data);
        Ok(())
    }

    /// Until its Role is bound, and that is noticed without a restart.
    async fn one_is_refused(&self, left: &str) -> Result<()> {
        let spec = json!({"secretRef": {"name": "value"}});
        let all = list(&[&LISTED[..], &[ELSEWHERE]].concat());
        self.upgrade(&all)?;
        self.unbind(ELSEWHERE).await?;
        let calls = self
            .operate(async |operator| {
                let told = |log: &String| {
                    ["onetimeshares", "shareproviders"]
                        .iter()
                        .all(|kind| log.lines().any(|line| is_refusal(line, kind)))
                };
                operator.wait_for_log(PATIENCE, told).await?;
                for namespace in LISTED {
                    self.share(namespace, "two", spec.clone()).await?;
                    let key = self.ready(namespace, "two").await?;
                    self.delete(namespace, "two").await?;
                    self.burned(&key).await?;
                }
                self.untouched(left).await?;
                self.upgrade(&all)?;
                self.ready(ELSEWHERE, "untouched").await?;
                self.burned(left).await
            })
            .await?;
        let refused: Vec<_> = calls.iter().filter(|call| call.code == 403).collect();
        ensure!(!refused.is_empty(), "nothing was refused");
        let others: Vec<_> = refused
            .iter()
            .filter(|call| call.namespace != ELSEWHERE || call.verb != "list")
            .collect();
        ensure!(others.is_empty(), "refused besides: {others:#?}");
        let burns = self.service.journal().count(Operation::Burn);
        ensure!(burns == 5, "{burns} requests burn five links");
        Ok(())
    }

    /// Takes the operator's rights in a namespace away.
    async fn unbind(&self, namespace: &str) -> Result<()> {
        let bindings: Api<RoleBinding> = Api::namespaced(self.cluster.client.clone(), namespace);
        let name = format!("{RELEASE}-shares");
        bindings.delete(&name, &DeleteParams::default()).await?;
        let client = self.cluster.plane.client_for(&user(), &[]).await?;
        let shares = cluster::shares(&client, namespace);
        settled(async || shares.list(&ListParams::default()).await.is_err()).await
    }

    /// With a namespace goes the Role that lets the operator ask for its shares; its links must be burned all the same,
    /// whether the operator sees it go or not.
    async fn two_are_deleted(&self) -> Result<()> {
        let [north, south] = LISTED;
        let spec = json!({"secretRef": {"name": "value"}});
        let mut unseen = String::new();
        self.operate(async |_| {
            for namespace in LISTED {
                self.share(namespace, "three", spec.clone()).await?;
            }
            unseen = self.ready(south, "three").await?;
            let seen = self.ready(north, "three").await?;
            self.cluster.delete_namespace(north).await?;
            self.burned(&seen).await
        })
        .await?;
        self.cluster.delete_namespace(south).await?;
        ensure!(is(&self.service.journal(), &unseen, State::New), "nobody burned");
        self.operate(async |_| self.burned(&unseen).await).await.map(drop)
    }
}

/// The operator.
fn user() -> String {
    format!("system:serviceaccount:{SYSTEM}:{RELEASE}")
}

fn list(namespaces: &[&str]) -> String {
    format!("{{{}}}", namespaces.join(","))
}

fn is(journal: &Journal, key: &str, state: State) -> bool {
    journal.by_secret(key).is_some_and(|share| share.state == state)
}

/// What the operator says of a namespace that it may not look into.
fn is_refusal(line: &str, kind: &str) -> bool {
    let told: Value = serde_json::from_str(line).unwrap_or_default();
    told["namespace"] == ELSEWHERE
        && told["kind"] == kind
        && told["message"]
            .as_str()
            .is_some_and(|message| message.contains("may not be listed and watched"))
}

fn judge(calls: &[Call]) -> Result<()> {
    let refused: Vec<_> = calls.iter().filter(|call| call.code == 403).collect();
    ensure!(refused.is_empty(), "refused: {refused:#?}");
    let places = [&LISTED[..], &[SYSTEM, LEDGER]].concat();
    let elsewhere: Vec<_> = calls
        .iter()
        .filter(|call| !places.contains(&call.namespace.as_str()))
        .filter(|call| !WIDE.contains(&call.resource.as_str()))
        .filter(|call| call.what() != "get namespaces")
        .collect();
    ensure!(elsewhere.is_empty(), "in other namespaces: {elsewhere:#?}");
    for (what, namespaces) in [
        ("watch secrets", &places[..]),
        ("watch onetimeshares", &LISTED[..]),
        ("watch shareproviders", &LISTED[..]),
    ] {
        let watched: BTreeSet<_> = calls
            .iter()
            .filter(|call| call.what() == what)
            .map(|call| call.namespace.as_str())
            .collect();
        ensure!(
            watched == namespaces.iter().copied().collect(),
            "{what}: {watched:?}"
        );
    }
    Ok(())
}
