//! What counts as a new request, and what does not: a link for each request, and never a second one for the same.

use anyhow::{Result, ensure};
use harness::cluster;
use harness::onetime::{Journal, State, Version};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::env::Env;
use crate::registry::integration_test;
use crate::scope::{PATIENCE, Scope, merged};

/// Waits until a share shows another link than before.
pub async fn new_link(scope: &Scope<'_>, share: &str, before: &Value) -> Result<Value> {
    let link = before["status"]["link"].clone();
    let other = |share: &Value| crate::scope::is_ready_now(share) && share["status"]["link"] != link;
    scope.wait(share, "ready with a new link", other).await
}

/// Waits until the operator has seen the newest spec, and makes sure that it did not change the link.
async fn same_link(scope: &Scope<'_>, share: &str, before: &Value) -> Result<()> {
    let now = scope.ready(share).await?;
    ensure!(
        now["status"]["link"] == before["status"]["link"],
        "the link is another: {:#}",
        now["status"]
    );
    Ok(())
}

integration_test!(request_id_makes_a_new_link);
async fn request_id_makes_a_new_link(env: &Env) -> Result<()> {
    let scope = Scope::with_account(env, "request-id", Version::V0_26).await?;
    scope.secret("alice").await?;
    let passphrase = env.canary("passphrase");
    scope
        .secret_with("passphrase", json!({"passphrase": passphrase}))
        .await?;
    // With a passphrase: burning needs it.
    let base = json!({"passphraseSecretRef": {"name": "passphrase", "key": "passphrase"}, "ttl": "24h"});
    let with_id = |id: &str| merged(base.clone(), json!({"requestID": id}));
    scope.share("alice", with_id("1")).await?;
    let first = scope.ready("alice").await?;

    // Nothing of this asks for another link.
    scope.share("alice", with_id("1")).await?;
    let mut labelled = scope.share_object("alice", with_id("1"));
    labelled["metadata"]["labels"] = json!({"team": "onboarding"});
    cluster::apply_one(&env.client, labelled).await?;
    for same in [
        json!({"suspend": true}),
        json!({"suspend": false}),
        json!({"ttl": "1440m"}),
        // The field's old name.
        json!({"requestID": null, "requestId": "1"}),
        json!({"providerRef": {"kind": "ClusterShareProvider", "name": scope.name}}),
    ] {
        scope.share("alice", merged(with_id("1"), same)).await?;
        same_link(&scope, "alice", &first).await?;
    }
    ensure!(scope.service.journal().shares.len() == 1, "one request, one link");

    scope.share("alice", with_id("2")).await?;
    let second = new_link(&scope, "alice", &first).await?;
    states(&scope, &[State::Burned, State::New])?;

    // Going back is a request of its own: the first link is burned.
    scope.share("alice", with_id("1")).await?;
    let third = new_link(&scope, "alice", &second).await?;
    states(&scope, &[State::Burned, State::Burned, State::New])?;
    ensure!(
        third["status"]["link"] != first["status"]["link"],
        "a burned link never comes back"
    );
    let hashes = [&first, &second, &third].map(|share| share["status"]["requestHash"].clone());
    ensure!(
        hashes[0] != hashes[1] && hashes[1] != hashes[2] && hashes[0] != hashes[2],
        "{hashes:?}"
    );

    // The last link is whole, and a link that was read is not burned.
    let key = third["status"]["secretKey"].as_str().unwrap_or_default();
    ensure!(
        scope.service.open(key, Some(&passphrase)).is_some(),
        "the newest link opens"
    );
    let received = |share: &Value| cluster::is(share, "Received", "True", "Received");
    scope.wait("alice", "received", received).await?;
    scope.share("alice", with_id("3")).await?;
    new_link(&scope, "alice", &third).await?;
    states(
        &scope,
        &[State::Burned, State::Burned, State::Received, State::New],
    )
}

/// The links of the fake server, oldest first.
pub fn states(scope: &Scope<'_>, wanted: &[State]) -> Result<()> {
    let states: Vec<State> = scope
        .service
        .journal()
        .shares
        .iter()
        .map(|share| share.state)
        .collect();
    ensure!(states == wanted, "the links are {states:?}, not {wanted:?}");
    Ok(())
}

integration_test!(burned_when_asked);
/// A user has the link burned, by annotation. Nothing takes its place until somebody asks for it.
async fn burned_when_asked(env: &Env) -> Result<()> {
    let scope = Scope::with_account(env, "asked-to-burn", Version::V0_26).await?;
    scope.secret("alice").await?;
    let spec = json!({"recipient": "alice@example.com"});
    scope.share("alice", spec.clone()).await?;
    let first = scope.ready("alice").await?;
    let annotate = async |value: &str| {
        let patch = json!({"metadata": {"annotations": {"onetimeshare.dev/burn": value}}});
        scope
            .shares
            .patch("alice", &PatchParams::default(), &Patch::Merge(&patch))
            .await
    };

    // A wish about another link is none about this one. That it was seen shows in the generation.
    annotate("0123456789abcdef").await?;
    scope
        .share("alice", merged(spec.clone(), json!({"suspend": true})))
        .await?;
    same_link(&scope, "alice", &first).await?;
    states(&scope, &[State::New])?;

    // Also while new links are held back.
    annotate(first["status"]["attempt"].as_str().unwrap_or_default()).await?;
    let over = |share: &Value| cluster::is(share, "Finished", "True", "Burned");
    let burned = scope.wait("alice", "burned", over).await?;
    ensure!(
        cluster::is(&burned, "Ready", "True", "Shared"),
        "{:#}",
        burned["status"]
    );
    ensure!(
        cluster::is(&burned, "Received", "False", "Burned"),
        "{:#}",
        burned["status"]
    );
    ensure!(burned["status"]["state"] == "Burned", "{:#}", burned["status"]);
    ensure!(burned["status"]["link"].is_null(), "a dead link is not shown");
    states(&scope, &[State::Burned])?;

    scope.share("alice", spec.clone()).await?;
    same_link(&scope, "alice", &burned).await?;
    states(&scope, &[State::Burned])?;
    scope
        .share("alice", merged(spec, json!({"requestID": "2"})))
        .await?;
    new_link(&scope, "alice", &burned).await?;
    states(&scope, &[State::Burned, State::New])?;
    ensure!(
        scope.service.journal().mails.len() == 2,
        "one e-mail for each request"
    );
    Ok(())
}

integration_test!(suspend_holds_back);
async fn suspend_holds_back(env: &Env) -> Result<()> {
    let scope = Scope::anonymous(env, "suspend", Version::V0_26).await?;
    scope.secret("held").await?;
    scope.share("held", json!({"suspend": true})).await?;
    let suspended = |share: &Value| {
        cluster::is(share, "Ready", "Unknown", "Suspended")
            && share["status"]["observedGeneration"] == share["metadata"]["generation"]
    };
    let share = scope.wait("held", "suspended", suspended).await?;
    ensure!(share["status"]["state"] == "Pending", "{:#}", share["status"]);
    ensure!(scope.service.journal().shares.is_empty(), "nothing is sent");

    scope.share("held", json!({"suspend": false})).await?;
    let shared = scope.ready("held").await?;

    // What was sent is followed to its end, and a changed request is held back; the old link stays as it is.
    scope
        .share("held", json!({"suspend": true, "requestID": "2"}))
        .await?;
    scope.wait("held", "suspended again", suspended).await?;
    states(&scope, &[State::New])?;
    scope
        .share("held", json!({"suspend": false, "requestID": "2"}))
        .await?;
    new_link(&scope, "held", &shared).await?;
    states(&scope, &[State::Burned, State::New])
}

integration_test!(deleted_and_reapplied);
/// A share that is created again, as GitOps may do, gets the link that is there.
async fn deleted_and_reapplied(env: &Env) -> Result<()> {
    let scope = Scope::anonymous(env, "reapplied", Version::V0_26).await?;
    scope.secret("alice").await?;
    let retained = json!({"deletionPolicy": "Retain"});
    scope.share("alice", retained.clone()).await?;
    let first = scope.ready("alice").await?;
    scope.delete("alice").await?;
    scope.share("alice", retained).await?;
    let second = scope.ready("alice").await?;
    ensure!(
        first["metadata"]["uid"] != second["metadata"]["uid"],
        "it is another object"
    );
    ensure!(
        first["status"]["link"] == second["status"]["link"],
        "with the same link"
    );
    states(&scope, &[State::New])
}

integration_test!(deleted_and_burned);
async fn deleted_and_burned(env: &Env) -> Result<()> {
    let scope = Scope::anonymous(env, "deleted", Version::V0_26).await?;
    scope.secret("alice").await?;
    scope.share("alice", json!({})).await?;
    let first = scope.ready("alice").await?;
    scope.delete("alice").await?;
    let burned = |journal: &Journal| journal.shares.iter().all(|share| share.state == State::Burned);
    scope
        .service
        .wait_for("burn of the deleted share", PATIENCE, burned)
        .await?;
    scope.share("alice", json!({})).await?;
    let second = scope.ready("alice").await?;
    ensure!(
        first["status"]["link"] != second["status"]["link"],
        "the burned link is not shown again"
    );
    states(&scope, &[State::Burned, State::New])
}
