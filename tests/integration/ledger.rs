//! The ledger's promises on a real API server: what is lost is made again, what changed is noticed, nothing twice.

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::onetime::{Fault, Operation, State, Version};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::env::{Env, LEDGER};
use crate::registry::integration_test;
use crate::scope::{Scope, is_ready_now};

fn entries(env: &Env) -> Api<Secret> {
    Api::namespaced(env.client.clone(), LEDGER)
}

fn text(secret: &Secret, key: &str) -> Result<String> {
    let bytes = secret
        .data
        .as_ref()
        .and_then(|data| data.get(key))
        .context("the key")?;
    Ok(String::from_utf8(bytes.0.clone())?)
}

pub async fn set_status(scope: &Scope<'_>, share: &str, status: Value) -> Result<()> {
    let patch = Patch::Merge(json!({ "status": status }));
    scope
        .shares
        .patch_status(share, &PatchParams::default(), &patch)
        .await?;
    Ok(())
}

integration_test!(status_is_a_projection);
/// A status that was lost or forged is written again from the ledger, and nothing is sent.
async fn status_is_a_projection(env: &Env) -> Result<()> {
    let scope = Scope::with_account(env, "projection", Version::V0_26).await?;
    scope.secret("alice").await?;
    scope
        .share("alice", json!({"recipient": "dave@example.com"}))
        .await?;
    let first = scope.ready("alice").await?;
    let link = first["status"]["link"].clone();
    for broken in [
        json!({"link": "https://evil.example/secret/forged"}),
        json!({"state": "Received", "link": null, "conditions": []}),
        // As after a restore that brings no status.
        json!({"link": null, "secretKey": null, "attempt": null, "requestHash": null, "state": null, "conditions": null}),
    ] {
        set_status(&scope, "alice", broken).await?;
        let again = |share: &Value| is_ready_now(share) && share["status"]["link"] == link;
        let healed = scope.wait("alice", "shown as before", again).await?;
        ensure!(
            healed["status"]["state"] == "Shared"
                && healed["status"]["attempt"] == first["status"]["attempt"]
        );
    }
    let journal = scope.service.journal();
    ensure!(
        journal.shares.len() == 1 && journal.mails.len() == 1,
        "nothing was sent again"
    );
    Ok(())
}

integration_test!(lost_ledger_sends_nothing);
/// A ledger that lost an entry is mended from the status where that suffices, and nothing is sent.
async fn lost_ledger_sends_nothing(env: &Env) -> Result<()> {
    let scope = Scope::with_account(env, "lost-ledger", Version::V0_26).await?;
    scope.secret("alice").await?;
    scope
        .share("alice", json!({"recipient": "dave@example.com"}))
        .await?;
    let first = scope.ready("alice").await?;
    let name = scope.entry_name("alice");
    entries(env).delete(&name, &DeleteParams::default()).await?;
    let rebuilt = async {
        while entries(env).get_opt(&name).await?.is_none() {
            tokio::task::yield_now().await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(crate::scope::PATIENCE, rebuilt).await??;
    let second = scope.ready("alice").await?;
    ensure!(
        first["status"]["link"] == second["status"]["link"],
        "the link is still shown"
    );

    // A status that tells of a request and not of its link: nobody knows what happened.
    set_status(&scope, "alice", json!({"link": null, "secretKey": null})).await?;
    scope.ready("alice").await?;
    let journal = scope.service.journal();
    ensure!(
        journal.shares.len() == 1 && journal.mails.len() == 1,
        "nothing was sent again"
    );
    Ok(())
}

integration_test!(lost_answer_is_adopted);
/// The answer is lost after the share was stored and mailed: the link is found at the service.
async fn lost_answer_is_adopted(env: &Env) -> Result<()> {
    let adopted = async |name, version| {
        let scope = Scope::with_account(env, name, version).await?;
        let value = scope.secret("alice").await?;
        scope
            .service
            .plan()
            .once(Operation::Share, Fault::commit_then_reset());
        scope
            .share("alice", json!({"recipient": "dave@example.com"}))
            .await?;
        let doubt = |share: &Value| cluster::is(share, "Ready", "Unknown", "InDoubt");
        scope.wait("alice", "in doubt", doubt).await?;
        let ready = scope.ready("alice").await?;
        let journal = scope.service.journal();
        ensure!(
            journal.shares.len() == 1 && journal.mails.len() == 1,
            "one link and one e-mail"
        );
        let key = ready["status"]["secretKey"].as_str().context("a key")?;
        let share = journal.by_secret(key).context("the link is the stored one")?;
        ensure!(share.value == value.as_bytes());
        scope.event("alice", "Normal", "Adopted").await?;
        anyhow::Ok(())
    };
    // At the same time: each waits 40 s until the service's list may be believed.
    let (v23, v26) = futures::join!(
        adopted("adopt-v23", Version::V0_23),
        adopted("adopt-v26", Version::V0_26)
    );
    v23.context("v0.23")?;
    v26.context("v0.26")
}

integration_test!(lost_answer_is_sent_again);
/// The same without a recipient: nobody has the lost link, and another is made.
async fn lost_answer_is_sent_again(env: &Env) -> Result<()> {
    let scope = Scope::anonymous(env, "send-again", Version::V0_26).await?;
    scope.secret("alice").await?;
    scope
        .service
        .plan()
        .once(Operation::Share, Fault::commit_then_500());
    scope.share("alice", json!({})).await?;
    let ready = scope.ready("alice").await?;
    let journal = scope.service.journal();
    ensure!(journal.shares.len() == 2, "the lost one and the shown one");
    ensure!(ready["status"]["secretKey"] == journal.shares[1].secret_key.as_str());
    scope.event("alice", "Warning", "LinkLost").await?;
    Ok(())
}

integration_test!(generated_value_is_written);
/// The generated value is behind the link and in its Secret, which must be nobody else's.
async fn generated_value_is_written(env: &Env) -> Result<()> {
    let scope = Scope::with_account(env, "generate", Version::V0_26).await?;
    scope
        .secret_with("taken", json!({"password": "not ours"}))
        .await?;
    let spec = |target: &str| {
        json!({
            "secretRef": null, "recipient": "dave@example.com",
            "generate": {"length": 32, "targetSecretRef": {"name": target, "key": "password"}},
        })
    };
    scope.share("taken", spec("taken")).await?;
    let refused = |share: &Value| cluster::is(share, "Stalled", "True", "TargetNotOurs");
    scope.wait("taken", "stalled", refused).await?;
    ensure!(scope.service.journal().shares.is_empty(), "nothing was sent");

    scope.share("fresh", spec("fresh")).await?;
    let ready = scope.ready("fresh").await?;
    let secrets: Api<Secret> = Api::namespaced(env.client.clone(), &scope.name);
    let value = text(&secrets.get("fresh").await?, "password")?;
    env.must_not_be_seen(&value);
    ensure!(value.chars().count() == 32);
    let key = ready["status"]["secretKey"].as_str().context("a key")?;
    ensure!(
        scope.service.open(key, None).as_deref() == Some(value.as_bytes()),
        "the link opens to the same"
    );
    let kept = text(&secrets.get("taken").await?, "password")?;
    ensure!(kept == "not ours");
    let entry = entries(env).get(&scope.entry_name("fresh")).await?;
    ensure!(
        !text(&entry, "entry")?.contains(&value),
        "the value has left the ledger"
    );
    Ok(())
}

integration_test!(changed_value_is_shared_again);
/// A changed value is a new request where the policy says so and the Secret's owner agrees.
async fn changed_value_is_shared_again(env: &Env) -> Result<()> {
    let scope = Scope::anonymous(env, "on-change", Version::V0_26).await?;
    let secret = |value: &str, labels: Value| {
        json!({
            "metadata": {"name": "alice", "namespace": scope.name, "labels": labels}, "stringData": {"value": value},
        })
    };
    scope.secret_object(secret("first", json!({}))).await?;
    scope.share("alice", json!({"refreshPolicy": "OnChange"})).await?;
    let refused = |share: &Value| cluster::is(share, "Stalled", "True", "SecretNotShareable");
    scope.wait("alice", "stalled", refused).await?;
    let shareable = json!({"onetimeshare.dev/shareable": "true"});
    scope.secret_object(secret("first", shareable.clone())).await?;
    let first = scope.ready("alice").await?;

    scope.secret_object(secret("second", shareable)).await?;
    // An edit of the share makes the operator look at once, not within the minute.
    scope
        .share(
            "alice",
            json!({"refreshPolicy": "OnChange", "deletionPolicy": "Retain"}),
        )
        .await?;
    let link = first["status"]["link"].clone();
    let other = |share: &Value| is_ready_now(share) && share["status"]["link"] != link;
    scope.wait("alice", "ready with another link", other).await?;
    let states: Vec<State> = scope
        .service
        .journal()
        .shares
        .iter()
        .map(|share| share.state)
        .collect();
    ensure!(states == [State::Burned, State::New], "{states:?}");
    Ok(())
}
