//! A test that needs an operator of its own, started otherwise than the one of all tests: only in the last phase, when
//! that one has ended, because it serves every namespace.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use harness::audit::Call;
use harness::cluster;
use harness::onetime::{Config, OnetimeServer};
use harness::operator::{Launch, Operator};
use serde_json::{Value, json};

use crate::env::Env;
use crate::scope::{Scope, merged, username};
use crate::search::Needles;

/// A namespace, a fake server with an account, and an operator that works on that namespace only.
pub struct Own<'e> {
    pub scope: Scope<'e>,
    pub operator: Operator,
    /// Where the credentials of the cluster's providers are.
    pub system: String,
    pub ledger: String,
}

impl<'e> Own<'e> {
    /// Ends the operator of all tests, if it runs, and starts this one.
    pub async fn start(env: &'e Env, name: &str, config: Config, args: &[&str]) -> Result<Self> {
        env.shut_down().await?;
        let scope = Scope::open(env, name, config).await?;
        let (system, ledger) = (format!("{name}-system"), format!("{name}-ledger"));
        for namespace in [&system, &ledger] {
            cluster::namespace(&env.client, namespace).await?;
        }
        let mut all = vec![
            format!("--watch-namespaces={name}"),
            format!("--namespace={system}"),
            format!("--ledger-namespace={ledger}"),
            "--leader-elect=false".to_owned(),
            "--log=info,onetimeshare=trace".to_owned(),
        ];
        all.extend(args.iter().map(|arg| (*arg).to_owned()));
        let launch = Launch {
            binary: PathBuf::from(env!("CARGO_BIN_EXE_onetimeshare")),
            kubeconfig: env.plane.kubeconfig_for(&user(name), &["system:masters"])?,
            args: all,
            env: Vec::new(),
        };
        Ok(Self {
            operator: Operator::start(&launch).await?,
            scope,
            system,
            ledger,
        })
    }

    pub fn service(&self) -> &Arc<OnetimeServer> {
        &self.scope.service
    }

    /// Applies a provider of the namespace. It has the fake server's address, a quick poll, and what the spec says.
    pub async fn provider(&self, name: &str, spec: Value) -> Result<()> {
        let metadata = json!({"name": name, "namespace": self.scope.name});
        self.apply_provider("ShareProvider", metadata, spec).await
    }

    /// The same for all namespaces. Its status is not written by an operator of one namespace.
    pub async fn cluster_provider(&self, name: &str, spec: Value) -> Result<()> {
        self.apply_provider("ClusterShareProvider", json!({"name": name}), spec)
            .await
    }

    async fn apply_provider(&self, kind: &str, metadata: Value, spec: Value) -> Result<()> {
        let defaults = json!({"url": self.service().url(), "pollInterval": "1s"});
        let object = json!({
            "apiVersion": "onetimeshare.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": merged(defaults, spec),
        });
        cluster::apply_one(&self.scope.env.client, object).await.map(drop)
    }

    /// Applies a Secret of credentials.
    pub async fn credentials(&self, namespace: &str, name: &str, token: &str) -> Result<()> {
        self.scope
            .secret_object(json!({
                "metadata": {"name": name, "namespace": namespace},
                "stringData": {"username": username(&self.scope.name), "token": token},
            }))
            .await
    }

    /// Everything that this operator has asked the API server for, and that concerns Secrets.
    pub async fn secret_calls(&self) -> Result<Vec<Call>> {
        let mut calls = self
            .scope
            .env
            .audit
            .calls_and_watches_of(&user(&self.scope.name))
            .await?;
        calls.retain(|call| call.resource == "secrets");
        Ok(calls)
    }

    /// Ends the operator, and sees that it said nothing secret.
    pub async fn stop(mut self) -> Result<()> {
        let metrics = self.operator.metrics().await?;
        let status = self.operator.terminate().await?;
        ensure!(status.success(), "the operator ended with {status}");
        let mut needles = Needles::default();
        for canary in self.scope.env.canaries() {
            needles.add("a value, passphrase or token", &canary);
        }
        for share in &self.service().journal().shares {
            needles.add("a link", &share.link);
            needles.add("a metadata key", &share.metadata_key);
        }
        let log = self.operator.log();
        let first = log.lines().next().context("a log")?;
        ensure!(!first.is_empty());
        for text in [log.as_str(), metrics.as_str()] {
            let found = needles.in_text(text);
            ensure!(found.is_empty(), "{found:#?}");
        }
        Ok(())
    }
}

fn user(name: &str) -> String {
    format!("onetimeshare-{name}")
}
