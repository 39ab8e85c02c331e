//! The operator of one namespace, with the rights that the chart gives it there, and with the watch of Secrets.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use harness::audit::{AuditLog, Call};
use harness::cluster;
use harness::onetime::{Config, OnetimeServer, State, Version};
use harness::operator::Operator;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::helm::{LEDGER, RELEASE, SYSTEM};
use crate::least::{PATIENCE, TOKEN, USERNAME, launch, secret};
use crate::release::Cluster;

const HERE: &str = "narrow";

/// What it may ask for in no namespace, or in all at once.
const WIDE: [&str; 2] = ["clustershareproviders", "customresourcedefinitions"];

pub async fn run(cluster: &Cluster) -> Result<()> {
    let service = OnetimeServer::start(Config::new(Version::V0_26).account(USERNAME, TOKEN)).await?;
    cluster::namespace(&cluster.client, HERE).await?;
    cluster.helm(
        "upgrade",
        &[
            format!("provider.url={}", service.url()),
            "provider.credentialsSecretName=account".into(),
            "provider.extraSpec.pollInterval=1s".into(),
            format!("watchNamespace={HERE}"),
            "watchSecrets=true".into(),
        ],
    )?;
    let audit = AuditLog::open(&cluster.plane).await?;
    let user = format!("system:serviceaccount:{SYSTEM}:{RELEASE}");
    let before = audit.calls_and_watches_of(&user).await?.len();
    let operator = Operator::start(&launch(cluster, &user).await?).await?;
    let lived = Box::pin(one_share(cluster, &service)).await;
    if lived.is_err() {
        println!("{}", operator.log());
    }
    lived?;
    let status = operator.stop().await?;
    ensure!(status.success(), "the operator ended with {status}");
    let calls = audit.calls_and_watches_of(&user).await?.split_off(before);
    judge(&calls)
}

async fn one_share(cluster: &Cluster, service: &OnetimeServer) -> Result<()> {
    let shares = cluster::shares(&cluster.client, HERE);
    let object = json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
        "metadata": {"name": "one", "namespace": HERE}, "spec": {"secretRef": {"name": "value"}},
    });
    cluster::apply_one(&cluster.client, object).await?;
    let waits = |share: &Value| cluster::is(share, "Ready", "Unknown", "SecretNotFound");
    Box::pin(cluster::wait_for(&shares, "one", "waiting", PATIENCE, waits)).await?;
    let value = secret(HERE, "value", &json!({"value": "a value"}));
    cluster::apply_one(&cluster.client, value).await?;
    let share = Box::pin(cluster::wait_for(
        &shares,
        "one",
        "ready",
        PATIENCE,
        cluster::is_ready,
    ))
    .await?;
    let key = share["status"]["secretKey"].as_str().context("a key")?.to_owned();
    shares.delete("one", &DeleteParams::default()).await?;
    let burned = |journal: &harness::onetime::Journal| {
        journal
            .by_secret(&key)
            .is_some_and(|share| share.state == State::Burned)
    };
    service
        .wait_for("the link burned", PATIENCE, burned)
        .await
        .map(drop)
}

fn judge(calls: &[Call]) -> Result<()> {
    let refused: Vec<_> = calls.iter().filter(|call| call.code == 403).collect();
    ensure!(refused.is_empty(), "refused: {refused:#?}");
    let elsewhere: Vec<_> = calls
        .iter()
        .filter(|call| ![HERE, SYSTEM, LEDGER].contains(&call.namespace.as_str()))
        .filter(|call| !WIDE.contains(&call.resource.as_str()))
        .filter(|call| call.what() != "get namespaces")
        .collect();
    ensure!(elsewhere.is_empty(), "in other namespaces: {elsewhere:#?}");
    let watched: BTreeSet<_> = calls
        .iter()
        .filter(|call| call.what() == "watch secrets")
        .map(|call| call.namespace.as_str())
        .collect();
    ensure!(
        watched == BTreeSet::from([HERE, SYSTEM, LEDGER]),
        "watched: {watched:?}"
    );
    Ok(())
}
