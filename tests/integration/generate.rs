//! A value that the service generates: of the wanted length behind the link, and the same in its Secret.

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::onetime::{Journal, Operation, State, Version};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::{Value, json};

use crate::env::Env;
use crate::registry::integration_test;
use crate::scope::{PATIENCE, Scope};

fn spec(length: u32, target: &str) -> Value {
    json!({
        "secretRef": null, "ttl": "2h",
        "generate": {"length": length, "targetSecretRef": {"name": target, "key": "password"}},
    })
}

async fn target(scope: &Scope<'_>, name: &str) -> Result<Secret> {
    let secrets: Api<Secret> = Api::namespaced(scope.env.client.clone(), &scope.name);
    Ok(secrets.get(name).await?)
}

fn value(secret: &Secret) -> Result<String> {
    let data = secret.data.as_ref().and_then(|data| data.get("password"));
    Ok(String::from_utf8(data.context("the key password")?.0.clone())?)
}

integration_test!(generate_both_versions);
/// Both versions, with and without an account, with every other parameter of the call.
async fn generate_both_versions(env: &Env) -> Result<()> {
    for (name, version, account) in [
        ("generate-23", Version::V0_23, true),
        ("generate-23-anonymous", Version::V0_23, false),
        ("generate-26", Version::V0_26, true),
        ("generate-26-anonymous", Version::V0_26, false),
    ] {
        let scope = match account {
            true => Scope::with_account(env, name, version).await?,
            false => Scope::anonymous(env, name, version).await?,
        };
        let phrase = env.canary("passphrase");
        scope.secret_with("phrase", json!({"phrase": phrase})).await?;
        for (share, length) in [("short", 4), ("usual", 24), ("long", 128)] {
            let mut spec = spec(length, share);
            spec["passphraseSecretRef"] = json!({"name": "phrase", "key": "phrase"});
            scope.share(share, spec).await?;
        }
        for (share, length) in [("short", 4), ("usual", 24), ("long", 128)] {
            let ready = scope.ready(share).await?;
            let status = &ready["status"];
            let key = status["secretKey"].as_str().context("a key")?;
            let link = status["link"].as_str().context("a link")?;
            ensure!(link.ends_with(&format!("/secret/{key}")), "{status:#}");
            ensure!(
                status["ttlSeconds"] == 7200 && status["passphraseRequired"] == true,
                "{status:#}"
            );
            let written = target(&scope, share).await?;
            ensure!(
                written.metadata.owner_references.is_none(),
                "pruning the share must not delete the credential"
            );
            let value = value(&written)?;
            if length > 4 {
                env.must_not_be_seen(&value);
            }
            ensure!(value.chars().count() == length as usize, "{length} characters");
            ensure!(
                scope.service.open(key, Some(&phrase)).as_deref() == Some(value.as_bytes()),
                "the link opens to the same value"
            );
        }
        let journal = scope.service.journal();
        ensure!(
            journal.count(Operation::Generate) == 3,
            "three values, three requests"
        );
        ensure!(
            journal.shares.iter().all(|share| share.generated),
            "all generated there"
        );
    }
    Ok(())
}

integration_test!(generate_target_of_somebody_else);
/// A Secret of somebody else stays as it is, also one that another share made; freeing the name heals.
async fn generate_target_of_somebody_else(env: &Env) -> Result<()> {
    let scope = Scope::anonymous(env, "generate-target", Version::V0_23).await?;
    scope
        .secret_with("taken", json!({"password": "not ours"}))
        .await?;
    scope.share("first", spec(24, "made")).await?;
    scope.ready("first").await?;
    let made = value(&target(&scope, "made").await?)?;

    let refused = |share: &Value| cluster::is(share, "Stalled", "True", "TargetNotOurs");
    for (share, name) in [("second", "taken"), ("third", "made")] {
        scope.share(share, spec(24, name)).await?;
        let share = scope.wait(share, "stalled", refused).await?;
        let message = cluster::condition(&share, "Stalled").context("Stalled")?["message"].to_string();
        ensure!(
            message.contains(name) && message.contains("spec.generate.targetSecretRef"),
            "{message}"
        );
    }
    ensure!(
        scope.service.journal().count(Operation::Generate) == 1,
        "nothing was sent"
    );
    ensure!(
        value(&target(&scope, "taken").await?)? == "not ours",
        "it is as it was"
    );
    ensure!(value(&target(&scope, "made").await?)? == made, "it is as it was");

    // Another name for the one; and the first one's next request writes over its own Secret.
    scope.share("second", spec(24, "free")).await?;
    scope.ready("second").await?;
    let mut again = spec(24, "made");
    again["requestID"] = json!("2");
    scope.share("first", again).await?;
    let renewed = |journal: &Journal| journal.shares.len() == 3 && journal.shares[0].state == State::Burned;
    scope.service.wait_for("renewed value", PATIENCE, renewed).await?;
    let ready = scope.ready("first").await?;
    let key = ready["status"]["secretKey"].as_str().context("a key")?;
    let now = value(&target(&scope, "made").await?)?;
    ensure!(now != made, "the Secret has the new value");
    ensure!(
        scope.service.open(key, None).as_deref() == Some(now.as_bytes()),
        "the link has the new value"
    );
    env.must_not_be_seen(&made);
    env.must_not_be_seen(&now);
    Ok(())
}

integration_test!(generate_too_long);
/// v0.26 generates at most 128 characters and says so; v0.23 has no limit.
async fn generate_too_long(env: &Env) -> Result<()> {
    let scope = Scope::anonymous(env, "generate-long", Version::V0_26).await?;
    scope.share("long", spec(129, "long")).await?;
    let refused = |share: &Value| cluster::is(share, "Stalled", "True", "Refused");
    let share = scope.wait("long", "refused", refused).await?;
    let message = cluster::condition(&share, "Stalled").context("Stalled")?["message"].to_string();
    ensure!(message.contains("at most 128 characters"), "{message}");
    scope.share("long", spec(128, "long")).await?;
    scope.ready("long").await?;
    ensure!(value(&target(&scope, "long").await?)?.chars().count() == 128);

    let scope = Scope::anonymous(env, "generate-longer", Version::V0_23).await?;
    scope.share("long", spec(1024, "long")).await?;
    scope.ready("long").await?;
    ensure!(value(&target(&scope, "long").await?)?.chars().count() == 1024);
    Ok(())
}
