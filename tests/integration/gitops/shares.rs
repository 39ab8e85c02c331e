//! Shares in every state that they can be in.

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::http::request;
use harness::onetime::Version;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::engine::Engine;
use super::row::{Row, compare, fresh, row};
use crate::env::Env;
use crate::registry::integration_test;
use crate::scope::Scope;

integration_test!(gitops_shares_are_judged);
/// Every state of a share.
async fn gitops_shares_are_judged(env: &Env) -> Result<()> {
    let engine = Engine::build().await?;
    let scope = Scope::with_account(env, "gitops", Version::V0_26).await?;
    scope.secret("expired").await?;
    scope.share("expired", json!({"ttl": "1m"})).await?;
    let object = scope.share_object("fresh", json!({}));
    let mut rows = vec![fresh(&scope.shares, object, "InProgress").await?];
    rows.extend(without_link(&scope).await?);
    rows.extend(with_link(&scope).await?);
    rows.push(lost_answer(&rows)?);
    let over = |share: &Value| share["status"]["state"] == "Expired";
    let share = scope.wait("expired", "expired", over).await?;
    rows.push(
        row(
            "expired",
            share,
            "Healthy",
            "Expired: the link expired",
            "Current",
        )
        .offering(&["new-link"]),
    );
    compare(&engine, &rows).await
}

async fn without_link(scope: &Scope<'_>) -> Result<Vec<Row>> {
    for name in ["suspended", "ambiguous", "astray"] {
        scope.secret(name).await?;
    }
    scope
        .secret_with("ambiguous", json!({"one": "1", "two": "2"}))
        .await?;
    scope.share("early", json!({})).await?;
    scope.share("suspended", json!({"suspend": true})).await?;
    scope.share("ambiguous", json!({})).await?;
    scope
        .share("astray", json!({"providerRef": {"name": "nowhere"}}))
        .await?;
    let shown = async |name, status, reason| {
        let shown = |share: &Value| cluster::is(share, "Ready", status, reason);
        scope.wait(name, reason, shown).await
    };
    let early = shown("early", "Unknown", "SecretNotFound").await?;
    let suspended = shown("suspended", "Unknown", "Suspended").await?;
    let ambiguous = shown("ambiguous", "False", "SecretKeyAmbiguous").await?;
    let astray = shown("astray", "Unknown", "ProviderNotFound").await?;
    Ok(vec![
        row(
            "before its Secret",
            early,
            "Progressing",
            "\"early\"",
            "InProgress",
        ),
        row("suspended", suspended, "Suspended", "spec.suspend", "InProgress"),
        row(
            "with a mistake",
            ambiguous,
            "Degraded",
            "spec.secretRef.key",
            "Failed",
        ),
        row(
            "before its provider",
            astray,
            "Progressing",
            "nowhere",
            "InProgress",
        ),
    ])
}

async fn with_link(scope: &Scope<'_>) -> Result<Vec<Row>> {
    for name in ["shared", "received", "burned", "edited"] {
        scope.secret(name).await?;
        scope.share(name, json!({})).await?;
    }
    let shared = scope.ready("shared").await?;
    let received = scope.ready("received").await?;
    let burned = scope.ready("burned").await?;
    scope.ready("edited").await?;

    let key = received["status"]["secretKey"].as_str().context("a key")?;
    ensure!(scope.service.open(key, None).is_some(), "the link opens");
    let key = burned["status"]["secretKey"].as_str().context("a key")?;
    let receipt = scope
        .service
        .journal()
        .by_secret(key)
        .context("a receipt")?
        .metadata_key
        .clone();
    let path = format!("/api/v1/private/{receipt}/burn");
    let (code, _) = request(scope.service.address(), "POST", &path).await?;
    ensure!(code == 200, "the service burns: {code}");
    let ended = async |name, state: &'static str| {
        scope
            .wait(name, state, |share: &Value| share["status"]["state"] == state)
            .await
    };
    let received = ended("received", "Received").await?;
    let burned = ended("burned", "Burned").await?;
    // As the API server answers the edit: the operator cannot have seen it.
    let edit = Patch::Merge(json!({"spec": {"ttl": "2h"}}));
    let edited = scope
        .shares
        .patch("edited", &PatchParams::default(), &edit)
        .await?;
    let edited = serde_json::to_value(edited)?;

    let (both, again) = (&["burn", "new-link"], &["new-link"]);
    Ok(vec![
        row(
            "shared",
            shared,
            "Healthy",
            "Shared: nobody has opened",
            "Current",
        )
        .offering(both),
        row(
            "received",
            received,
            "Healthy",
            "Received: the link was opened",
            "Current",
        )
        .offering(again),
        row(
            "burned",
            burned,
            "Healthy",
            "Burned: the link was burned",
            "Current",
        )
        .offering(again),
        row(
            "edited",
            edited,
            "Progressing",
            "waiting for the operator",
            "InProgress",
        )
        .offering(&["burn"]),
    ])
}

/// A person's decision is asked for: one that a new link makes. The real status is hard to come by, and differs from that
/// of another mistake in its reason only.
fn lost_answer(rows: &[Row]) -> Result<Row> {
    let mistake = rows
        .iter()
        .find(|row| row.health == "Degraded")
        .context("a share with a mistake")?;
    let mut object = mistake.object.clone();
    for condition in object["status"]["conditions"]
        .as_array_mut()
        .context("conditions")?
    {
        condition["reason"] = json!("Uncertain");
    }
    Ok(row("uncertain", object, "Degraded", mistake.says, "Failed").offering(&["new-link"]))
}
