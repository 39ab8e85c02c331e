//! The admission policy of the ledger: only the operator writes it.

use anyhow::Result;
use harness::cluster;
use serde_json::{Value, json};

use crate::helm::{LEDGER, RELEASE, SYSTEM};
use crate::people::{Person, TEAM};
use crate::release::Cluster;

/// Whoever administers the cluster may do everything else with Secrets.
pub async fn run(cluster: &Cluster) -> Result<()> {
    let secret = |namespace: &str, name: &str, kind: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "type": kind,
        })
    };
    let root = Person::new(cluster, "root", &["system:masters"]).await?;
    let groups = [
        "system:serviceaccounts",
        "system:serviceaccounts:onetimeshare-system",
    ];
    let operator = Person::new(
        cluster,
        &format!("system:serviceaccount:{SYSTEM}:{RELEASE}"),
        &groups,
    )
    .await?;
    let sentence = |verb: &str, at: &str| {
        format!("user root may not {verb} Secret {at}: only the operator writes its ledger")
    };
    let entry = secret(LEDGER, "entry", "onetimeshare.dev/ledger");
    root.create(&entry)
        .await
        .denied("an entry", &sentence("create", "onetimeshare-ledger/entry"))?;
    operator.create(&entry).await.allowed("the operator's entry")?;
    let change = json!({"stringData": {"entry": "{}"}});
    root.patch(&entry, change.clone()).await.denied(
        "a changed entry",
        &sentence("update", "onetimeshare-ledger/entry"),
    )?;
    root.delete(&entry).await.denied(
        "a deleted entry",
        &sentence("delete", "onetimeshare-ledger/entry"),
    )?;
    // The operator replaces entries whole and has no patch.
    operator
        .delete(&entry)
        .await
        .allowed("the operator deletes an entry")?;
    for kind in ["onetimeshare.dev/ledger", "onetimeshare.dev/claim"] {
        let stray = secret(TEAM, "stray", kind);
        root.create(&stray)
            .await
            .denied(kind, &sentence("create", "team/stray"))?;
    }
    let other = secret(LEDGER, "other", "Opaque");
    root.create(&other).await.denied(
        "another Secret there",
        &sentence("create", "onetimeshare-ledger/other"),
    )?;
    let plain = secret(TEAM, "plain", "Opaque");
    root.create(&plain).await.allowed("a Secret elsewhere")?;
    root.patch(&plain, change).await.allowed("its change")?;
    root.delete(&plain).await.allowed("its end")?;
    goes_with_its_namespace(cluster, secret("leaving", "entry", "onetimeshare.dev/ledger")).await
}

/// The controller that clears a deleted namespace is no administrator, and must not wait for one.
async fn goes_with_its_namespace(cluster: &Cluster, entry: Value) -> Result<()> {
    cluster::namespace(&cluster.client, "leaving").await?;
    let name = format!("system:serviceaccount:{SYSTEM}:{RELEASE}");
    let operator = Person::new(cluster, &name, &["system:masters"]).await?;
    operator.create(&entry).await.allowed("an entry elsewhere")?;
    cluster.delete_namespace("leaving").await
}
