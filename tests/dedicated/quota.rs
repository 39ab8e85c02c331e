//! The limit of shares of one namespace, over a restart of the operator.

use anyhow::{Result, ensure};
use harness::cluster;
use harness::onetime::State;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::scope::{Scope, in_state};

/// What lives is known from the ledger, not from what this process did.
pub async fn run() -> Result<()> {
    let mut fixture = Fixture::start(false).await?;
    fixture.start_operator(&[]).await?;
    let scope = Scope::open(&fixture, "limited").await?;
    let limited = json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "ShareProvider",
        "metadata": {"name": "here", "namespace": "limited"},
        "spec": {
            "url": scope.service.url(), "pollInterval": "1s", "credentialsSecretRef": {"name": "account"},
            "maxSharesPerNamespace": 2,
        },
    });
    cluster::apply_one(&fixture.client, limited).await?;
    for name in ["one", "two"] {
        scope.share(name, json!({})).await?;
        scope.wait(name, "ready", cluster::is_ready).await?;
    }

    fixture.stop_operator().await?;
    fixture.start_operator(&[]).await?;
    scope.share("three", json!({})).await?;
    let waits = |share: &Value| cluster::is(share, "Ready", "Unknown", "TooManyShares");
    scope.wait("three", "waiting", waits).await?;
    // Its own link counts once.
    let edit = Patch::Merge(json!({"spec": {"requestID": "2"}}));
    scope.shares.patch("one", &PatchParams::default(), &edit).await?;
    let again = |share: &Value| cluster::is_ready(share) && share["status"]["observedGeneration"] == 2;
    scope.wait("one", "ready again", again).await?;
    ensure!(scope.service.journal().shares.len() == 3, "nothing for the third");

    scope.shares.delete("two", &DeleteParams::default()).await?;
    scope.wait("three", "ready", cluster::is_ready).await?;
    let journal = scope.service.journal();
    ensure!(journal.shares.len() == 4 && in_state(&journal, State::New) == 2);
    fixture.end().await
}
