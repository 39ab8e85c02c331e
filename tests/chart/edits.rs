//! The policy that warns of what an edit does: it refuses nothing, and says it in one sentence.

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::guards::settled;
use crate::people::TEAM;
use crate::release::Cluster;

const SHARE: &str = "edited";

/// The spec that is edited.
fn spec() -> Value {
    json!({
        "secretRef": {"name": "own", "key": "password"}, "ttl": "24h", "requestID": "1",
        "recipient": "alice@example.com",
    })
}

/// What the API server warns of when this is merged into the spec, without changing anything.
async fn warning(cluster: &Cluster, edit: &Value) -> Result<String> {
    let patch = serde_json::to_vec(&json!({"spec": edit}))?;
    let path = format!("/apis/onetimeshare.dev/v1alpha1/namespaces/{TEAM}/onetimeshares/{SHARE}?dryRun=All");
    let request = http::Request::patch(path)
        .header("content-type", "application/merge-patch+json")
        .body(patch.into())?;
    let response = cluster.client.send(request).await?;
    ensure!(response.status().is_success(), "{}: {edit}", response.status());
    let warnings = response.headers().get_all("warning").iter();
    let texts = warnings.map(|text| String::from_utf8_lossy(text.as_bytes()).into_owned());
    Ok(texts.collect::<Vec<_>>().join("\n"))
}

async fn becomes(cluster: &Cluster, state: &str) -> Result<()> {
    let status = json!({"status": {"state": state, "observedGeneration": 1}});
    let shares = cluster::shares(&cluster.client, TEAM);
    let params = PatchParams::default();
    shares
        .patch_status(SHARE, &params, &Patch::Merge(status))
        .await
        .context("a status")
        .map(drop)
}

pub async fn run(cluster: &Cluster) -> Result<()> {
    let share = json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
        "metadata": {"name": SHARE, "namespace": TEAM}, "spec": spec(),
    });
    cluster::apply_one(&cluster.client, share).await?;
    let quiet = async |edit: Value| {
        let said = warning(cluster, &edit).await?;
        ensure!(said.is_empty(), "{edit}: {said}");
        anyhow::Ok(())
    };
    let warns = async |edit: Value, words: &[&str]| {
        let said = warning(cluster, &edit).await?;
        for word in words {
            ensure!(said.contains(word), "{edit}: {said:?} without {word:?}");
        }
        anyhow::Ok(())
    };
    // Nothing was sent yet.
    quiet(json!({"ttl": "48h"})).await?;

    becomes(cluster, "Shared").await?;
    let heeded = async || {
        warning(cluster, &json!({"ttl": "48h"}))
            .await
            .is_ok_and(|said| !said.is_empty())
    };
    settled(heeded).await.context("the policy warns of nothing")?;
    let burns = "burns the link that can still be opened and sends a new one";
    let mailed = format!("{burns} by e-mail to alice@example.com");
    for (edit, fields) in [
        (json!({"ttl": "48h"}), "ttl"),
        (json!({"requestID": "2"}), "requestID"),
        (json!({"requestID": null}), "requestID"),
        (json!({"secretRef": {"key": "other"}}), "secretRef"),
        (json!({"secretRef": {"key": null}}), "secretRef"),
        (
            json!({"passphraseSecretRef": {"name": "p", "key": "p"}}),
            "passphraseSecretRef",
        ),
        (json!({"shareDomain": "links.example.com"}), "shareDomain"),
        (json!({"providerRef": {"name": "other"}}), "providerRef"),
        (
            json!({"secretRef": null, "generate": {"targetSecretRef": {"name": "fresh", "key": "p"}}}),
            "secretRef, generate",
        ),
    ] {
        warns(edit, &[&format!("this edit of {fields} "), &mailed]).await?;
    }
    warns(
        json!({"recipient": "bob@example.com"}),
        &["this edit of recipient ", "by e-mail to bob@example.com"],
    )
    .await?;
    warns(
        json!({"recipient": null, "recipientFrom": {"configMapKeyRef": {"name": "m", "key": "m"}}}),
        &[
            "recipient, recipientFrom",
            "to the recipient that spec.recipientFrom names",
        ],
    )
    .await?;
    warns(
        json!({"ttl": "48h", "suspend": true}),
        &[burns, "once spec.suspend is false"],
    )
    .await?;
    // What the recipient would not notice.
    for edit in [
        json!({"ttl": "1440m"}),
        json!({"recipient": "alice@EXAMPLE.com"}),
        json!({"requestID": null, "requestId": "1"}),
        json!({"suspend": true}),
        json!({"deletionPolicy": "Retain"}),
        json!({"generate": null}),
    ] {
        quiet(edit).await?;
    }

    becomes(cluster, "Received").await?;
    for edit in [json!({"ttl": "48h"}), json!({"requestID": null})] {
        warns(
            edit,
            &[
                "nothing is sent",
                "the life of the link is over",
                "set spec.requestID to a new value",
            ],
        )
        .await?;
    }
    quiet(json!({"ttl": "48h", "requestID": "2"})).await?;
    quiet(json!({"suspend": true})).await
}
