//! A provider that is polled once a day, and an operator that restarts every day.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::onetime::{Journal, Operation};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::scope::Scope;

/// From the start to the first poll, with what a busy machine adds.
const FIRST_POLL: Duration = Duration::from_secs(60 + 15);

pub async fn run() -> Result<()> {
    let mut fixture = Fixture::start(false).await?;
    let scope = Scope::open(&fixture, "daily").await?;
    let kind = GroupVersionKind::gvk("onetimeshare.dev", "v1alpha1", "ShareProvider");
    let resource = ApiResource::from_gvk(&kind);
    let providers: Api<DynamicObject> = Api::namespaced_with(fixture.client.clone(), scope.name, &resource);
    let daily = Patch::Merge(json!({"spec": {"pollInterval": "24h"}}));
    providers.patch("here", &PatchParams::default(), &daily).await?;

    fixture.start_operator(&[]).await?;
    scope.share("alice", json!({})).await?;
    scope.all_ready(1).await?;
    fixture.stop_operator().await?;
    ensure!(
        scope.service.journal().count(Operation::Recent) == 0,
        "it was not polled before it was stopped"
    );
    let alice = scope.shares.get("alice").await?;
    let key = alice.data["status"]["secretKey"].as_str().context("a key")?;
    ensure!(scope.service.open(key, None).is_some(), "the link opens");

    fixture.start_operator(&[]).await?;
    let polled = |journal: &Journal| journal.count(Operation::Recent) == 1;
    scope.service.wait_for("a poll", FIRST_POLL, polled).await?;
    let received = |share: &Value| share["status"]["state"] == "Received";
    let alice = scope.wait(&alice.name_any(), "received", received).await?;
    ensure!(alice["status"]["link"].is_null(), "a dead link is not shown");
    fixture.end().await
}
