//! What Argo CD's actions ask for, asked of a real API server as Argo CD asks it: with the merge patch between the live
//! object and what the script made of it.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use harness::onetime::{State, Version};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::engine::{Engine, Verdict};
use crate::env::Env;
use crate::registry::integration_test;
use crate::requests::{new_link, states};
use crate::scope::Scope;

/// What is offered for a share as it is now.
async fn now(engine: &Engine, scope: &Scope<'_>, share: &str) -> Result<Verdict> {
    let live = scope.shares.get(share).await?;
    engine.judge_one(&serde_json::to_value(live)?).await
}

/// Does what Argo CD does when somebody presses the button.
async fn run(engine: &Engine, scope: &Scope<'_>, share: &str, action: &str) -> Result<Value> {
    let verdict = now(engine, scope, share).await?;
    let action = verdict.action(action)?;
    let patch = action
        .patch
        .as_ref()
        .with_context(|| format!("no patch: {action:?}"))?;
    // Its server's name, by which managed fields tell it from who applies what is in Git.
    let as_server = PatchParams {
        field_manager: Some("argocd-server".into()),
        ..PatchParams::default()
    };
    let patched = scope
        .shares
        .patch(share, &as_server, &Patch::Merge(patch))
        .await?;
    Ok(serde_json::to_value(patched)?)
}

integration_test!(gitops_actions_are_accepted);
/// Git says nothing of `requestID`: a new link stays, however often Git is applied again.
async fn gitops_actions_are_accepted(env: &Env) -> Result<()> {
    let engine = Engine::build().await?;
    let scope = Scope::with_account(env, "gitops-actions", Version::V0_26).await?;
    scope.secret("alice").await?;
    let mailed = json!({"recipient": "dave@example.com"});
    scope.share("alice", mailed.clone()).await?;
    let first = scope.ready("alice").await?;

    run(&engine, &scope, "alice", "new-link").await?;
    let second = new_link(&scope, "alice", &first).await?;
    states(&scope, &[State::Burned, State::New])?;
    // As a sync does.
    scope.share("alice", mailed).await?;
    let synced = scope.ready("alice").await?;
    ensure!(
        synced["spec"]["requestID"] == second["spec"]["requestID"],
        "the sync leaves it alone"
    );
    ensure!(
        synced["status"]["link"] == second["status"]["link"],
        "and the link too"
    );
    states(&scope, &[State::Burned, State::New])?;
    ensure!(
        now(&engine, &scope, "alice").await?.offered()? == ["burn", "new-link"],
        "it can be asked again"
    );

    let attempt = second["status"]["attempt"].clone();
    let asked = run(&engine, &scope, "alice", "burn").await?;
    ensure!(
        asked["metadata"]["annotations"]["onetimeshare.dev/burn"] == attempt,
        "the annotation is kept"
    );
    ensure!(
        asked["metadata"]["generation"] == synced["metadata"]["generation"],
        "it is no new request"
    );
    ensure!(
        !now(&engine, &scope, "alice").await?.action("burn")?.enabled,
        "it is not asked twice"
    );
    burn_takes_effect(&scope, "alice").await?;
    ensure!(
        scope.service.journal().mails.len() == 2,
        "one e-mail for each request"
    );
    Ok(())
}

/// What the operator does on that annotation: the link is dead, and nothing is sent.
async fn burn_takes_effect(scope: &Scope<'_>, share: &str) -> Result<()> {
    let burned = |share: &Value| share["status"]["state"] == "Burned";
    scope.wait(share, "burned", burned).await?;
    states(scope, &[State::Burned, State::Burned])
}

integration_test!(gitops_declared_requests_are_left_alone);
/// Git sets `requestID`, applied by the server or by the client: the action is neither offered nor done.
async fn gitops_declared_requests_are_left_alone(env: &Env) -> Result<()> {
    let engine = Engine::build().await?;
    let scope = Scope::anonymous(env, "gitops-declared", Version::V0_26).await?;
    for name in ["by-server", "by-client", "taken-over"] {
        scope.secret(name).await?;
    }
    scope.share("by-server", json!({"requestID": "1"})).await?;
    apply_by_client(&scope, "by-client", json!({"requestID": "1"}))?;
    // Somebody commits the very value that the action made.
    scope.share("taken-over", json!({})).await?;
    scope.ready("taken-over").await?;
    let made = run(&engine, &scope, "taken-over", "new-link").await?["spec"]["requestID"].clone();
    scope.share("taken-over", json!({"requestID": made})).await?;

    for name in ["by-server", "by-client", "taken-over"] {
        scope.ready(name).await?;
        let verdict = now(&engine, &scope, name).await?;
        ensure!(
            verdict.offered()? == ["burn"],
            "{name}: {:?} are offered",
            verdict.offered()
        );
        let told = verdict.action("new-link")?.error.clone().context("an error")?;
        ensure!(told.contains("spec.requestID is set elsewhere"), "{name}: {told}");
    }
    by_client_it_stays_too(&engine, &scope).await
}

/// As `Git says nothing` above, for what `kubectl apply` does without the server's help.
async fn by_client_it_stays_too(engine: &Engine, scope: &Scope<'_>) -> Result<()> {
    scope.secret("silent").await?;
    apply_by_client(scope, "silent", json!({}))?;
    let first = scope.ready("silent").await?;
    run(engine, scope, "silent", "new-link").await?;
    let second = new_link(scope, "silent", &first).await?;
    apply_by_client(scope, "silent", json!({}))?;
    let synced = scope.ready("silent").await?;
    ensure!(
        synced["spec"]["requestID"] == second["spec"]["requestID"],
        "the sync leaves it alone"
    );
    ensure!(
        now(engine, scope, "silent").await?.offered()? == ["burn", "new-link"],
        "it can be asked again"
    );
    Ok(())
}

/// `kubectl apply`, which keeps what it applied in an annotation.
fn apply_by_client(scope: &Scope<'_>, name: &str, spec: Value) -> Result<()> {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}.json", scope.name));
    std::fs::write(&file, scope.share_object(name, spec).to_string())?;
    let output = scope
        .env
        .plane
        .kubectl()?
        .arg("apply")
        .arg("-f")
        .arg(&file)
        .output()
        .context("kubectl")?;
    ensure!(
        output.status.success(),
        "kubectl apply: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
