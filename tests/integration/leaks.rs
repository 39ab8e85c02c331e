//! Nothing secret is where it does not belong. Looks back at everything that all tests have made the operator do.

use anyhow::{Context as _, Result, ensure};
use harness::onetime::Version;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use serde_json::{Value, json};

use crate::env::{Env, LEDGER, USER};
use crate::registry::{Phase, integration_test};
use crate::scope::Scope;
use crate::search::{Needles, check_itself};

/// Too short for v0.23, which says so in an answer that the operator must not repeat.
pub const SHORT_PASSPHRASE: &str = "q7#Zv!k";

integration_test!(no_secret_leaks, Phase::LookBack(1));
async fn no_secret_leaks(env: &Env) -> Result<()> {
    use_everything(env).await?;
    check_itself(&env.canary("check")).map_err(anyhow::Error::msg)?;
    env.must_not_be_seen(SHORT_PASSPHRASE);

    let (never, links) = needles(env);
    ensure!(
        never.count() >= 6 && links.count() >= 4,
        "there is something to search for"
    );
    let outside = outside(env).await?;
    let resources = resources(env).await?;
    let ledger = ledger(env).await?;

    // The search works: the ledger's data is where these values are.
    let contents: String = ledger.iter().map(|(_, data)| data.as_str()).collect();
    ensure!(
        never.in_text(&contents).len() >= 2,
        "the ledger has metadata keys and passphrases"
    );
    ensure!(!links.in_text(&resources).is_empty(), "the shares have links");

    let mut found = Vec::new();
    for (place, text) in &outside {
        ensure!(!text.is_empty(), "there are no {place}");
        for needles in [&never, &links] {
            found.extend(
                needles
                    .in_text(text)
                    .into_iter()
                    .map(|what| format!("{place}: {what}")),
            );
        }
    }
    for (metadata, _) in &ledger {
        for needles in [&never, &links] {
            found.extend(
                needles
                    .in_text(metadata)
                    .into_iter()
                    .map(|what| format!("ledger metadata: {what}")),
            );
        }
    }
    found.extend(
        never
            .in_text(&resources)
            .into_iter()
            .map(|what| format!("a resource: {what}")),
    );
    found.dedup();
    ensure!(
        found.is_empty(),
        "{} leaks:\n{}",
        found.len(),
        found[..found.len().min(20)].join("\n")
    );
    Ok(())
}

/// Makes this test mean something also when it runs alone: every kind of secret, in success and failure.
async fn use_everything(env: &Env) -> Result<()> {
    for (name, version) in [("leaks-23", Version::V0_23), ("leaks-26", Version::V0_26)] {
        let scope = Scope::with_account(env, name, version).await?;
        scope.secret("alice").await?;
        scope.secret("bob").await?;
        scope
            .secret_with(
                "passphrase",
                json!({"good": env.canary("passphrase"), "bad": "x"}),
            )
            .await?;
        let with = |key: &str| json!({"name": "passphrase", "key": key});
        let alice =
            json!({"recipient": format!("alice-{name}@example.com"), "passphraseSecretRef": with("good")});
        scope.share("alice", alice.clone()).await?;
        scope
            .share("bob", json!({"passphraseSecretRef": with("bad")}))
            .await?;
        scope.ready("alice").await?;
        scope.event("bob", "Warning", "PassphraseInvalid").await?;
        let before = scope.service.journal().shares.len();
        // Burning needs the passphrase.
        scope
            .share(
                "alice",
                crate::scope::merged(alice, json!({"requestID": "again"})),
            )
            .await?;
        scope
            .journal("a second link", |journal| journal.shares.len() > before)
            .await?;
        scope.ready("alice").await?;
    }
    Ok(())
}

/// What may be nowhere but in the ledger's data, and what may also be in the status of a share.
fn needles(env: &Env) -> (Needles, Needles) {
    let (mut never, mut links) = (Needles::default(), Needles::default());
    for canary in env.canaries() {
        never.add("a value, passphrase or token", &canary);
    }
    for service in env.services() {
        let journal = service.journal();
        for share in &journal.shares {
            never.add("a metadata key", &share.metadata_key);
            links.add("a secret key", &share.secret_key);
            links.add("a link", &share.link);
        }
        // alice@example.com is the example in the operator's own messages: no test mails her.
        for mail in &journal.mails {
            links.add("a recipient", &mail.to);
        }
    }
    (never, links)
}

/// What others than the owner of a share may see.
async fn outside(env: &Env) -> Result<Vec<(&'static str, String)>> {
    let operator = env.operator.lock().await;
    let (log, metrics) = (operator.log(), operator.metrics().await?);
    ensure!(
        log.contains("\"level\":\"DEBUG\""),
        "the log is one for debugging"
    );
    let calls = env.audit.calls_of(USER).await?;
    let paths: Vec<&str> = calls.iter().map(|call| call.uri.as_str()).collect();
    Ok(vec![
        ("logs", log),
        ("metrics", metrics),
        ("events", list(env, "events.k8s.io", "v1", "Event").await?),
        ("requests to the API server", paths.join("\n")),
    ])
}

async fn resources(env: &Env) -> Result<String> {
    let mut all = String::new();
    for kind in ["OneTimeShare", "ShareProvider", "ClusterShareProvider"] {
        all += &list(env, "onetimeshare.dev", "v1alpha1", kind).await?;
    }
    Ok(all)
}

/// Every object of a kind, as the API server keeps it.
async fn list(env: &Env, group: &str, version: &str, kind: &str) -> Result<String> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let api: Api<DynamicObject> = Api::all_with(env.client.clone(), &resource);
    let items = api.list(&ListParams::default()).await?.items;
    let lines: Result<Vec<String>, _> = items.iter().map(serde_json::to_string).collect();
    Ok(lines?.join("\n"))
}

/// Of each entry everything but its data, and its data.
async fn ledger(env: &Env) -> Result<Vec<(String, String)>> {
    let api: Api<Secret> = Api::namespaced(env.client.clone(), LEDGER);
    let entries = api.list(&ListParams::default()).await?.items;
    entries
        .into_iter()
        .map(|mut entry| {
            // What the API server notes of writers names fields, not values; it stays in what is searched.
            let data = entry.data.take().context("an entry has data")?;
            let data: Vec<String> = data
                .into_values()
                .map(|value| String::from_utf8_lossy(&value.0).into_owned())
                .collect();
            let mut rest = serde_json::to_value(&entry)?;
            rest["data"] = Value::Null;
            Ok((rest.to_string(), data.join("\n")))
        })
        .collect()
}
