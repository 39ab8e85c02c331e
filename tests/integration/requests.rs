//! What counts as a new request, and what does not: a link for each request, and never a second one for the same.

use anyhow::{Result, ensure};
use harness::cluster;
use harness::onetime::{Journal, State, Version};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::env::Env;
use crate::registry::integration_test;
use crate::space::{PATIENCE, Space, merged};

/// Waits until a share shows another link than before.
pub async fn new_link(space: &Space<'_>, share: &str, before: &Value) -> Result<Value> {
    let link = before["status"]["link"].clone();
    let other = |share: &Value| crate::space::is_ready_now(share) && share["status"]["link"] != link;
    space.wait(share, "ready with a new link", other).await
}

/// Waits until the operator has seen the newest spec, and makes sure that it did not change the link.
async fn same_link(space: &Space<'_>, share: &str, before: &Value) -> Result<()> {
    let now = space.ready(share).await?;
    ensure!(
        now["status"]["link"] == before["status"]["link"],
        "the link is another: {:#}",
        now["status"]
    );
    Ok(())
}

integration_test!(request_id_makes_a_new_link);
async fn request_id_makes_a_new_link(env: &Env) -> Result<()> {
    let space = Space::with_account(env, "request-id", Version::V0_26).await?;
    space.secret("alice").await?;
    let passphrase = env.canary("passphrase");
    space
        .secret_with("passphrase", json!({"passphrase": passphrase}))
        .await?;
    // With a passphrase: burning needs it.
    let base = json!({"passphraseSecretRef": {"name": "passphrase", "key": "passphrase"}, "ttl": "24h"});
    let with_id = |id: &str| merged(base.clone(), json!({"requestId": id}));
    space.share("alice", with_id("1")).await?;
    let first = space.ready("alice").await?;

    // Nothing of this asks for another link.
    space.share("alice", with_id("1")).await?;
    let mut labelled = space.share_object("alice", with_id("1"));
    labelled["metadata"]["labels"] = json!({"team": "onboarding"});
    cluster::apply_one(&env.client, labelled).await?;
    for same in [
        json!({"suspend": true}),
        json!({"suspend": false}),
        json!({"ttl": "1440m"}),
        json!({"providerRef": {"kind": "ClusterShareProvider", "name": space.name}}),
    ] {
        space.share("alice", merged(with_id("1"), same)).await?;
        same_link(&space, "alice", &first).await?;
    }
    ensure!(space.service.journal().shares.len() == 1, "one request, one link");

    space.share("alice", with_id("2")).await?;
    let second = new_link(&space, "alice", &first).await?;
    states(&space, &[State::Burned, State::New])?;

    // Going back is a request of its own: the first link is burned.
    space.share("alice", with_id("1")).await?;
    let third = new_link(&space, "alice", &second).await?;
    states(&space, &[State::Burned, State::Burned, State::New])?;
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
        space.service.open(key, Some(&passphrase)).is_some(),
        "the newest link opens"
    );
    let received = |share: &Value| cluster::is(share, "Received", "True", "Received");
    space.wait("alice", "received", received).await?;
    space.share("alice", with_id("3")).await?;
    new_link(&space, "alice", &third).await?;
    states(
        &space,
        &[State::Burned, State::Burned, State::Received, State::New],
    )
}

/// The links of the stand-in, oldest first.
pub fn states(space: &Space<'_>, wanted: &[State]) -> Result<()> {
    let states: Vec<State> = space
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
    let space = Space::with_account(env, "asked-to-burn", Version::V0_26).await?;
    space.secret("alice").await?;
    let spec = json!({"recipient": "alice@example.com"});
    space.share("alice", spec.clone()).await?;
    let first = space.ready("alice").await?;
    let annotate = async |value: &str| {
        let patch = json!({"metadata": {"annotations": {"onetimeshare.dev/burn": value}}});
        space
            .shares
            .patch("alice", &PatchParams::default(), &Patch::Merge(&patch))
            .await
    };

    // A wish about another link is none about this one. That it was seen shows in the generation.
    annotate("0123456789abcdef").await?;
    space
        .share("alice", merged(spec.clone(), json!({"suspend": true})))
        .await?;
    same_link(&space, "alice", &first).await?;
    states(&space, &[State::New])?;

    // Also while new links are held back.
    annotate(first["status"]["attempt"].as_str().unwrap_or_default()).await?;
    let over = |share: &Value| cluster::is(share, "Finished", "True", "Burned");
    let burned = space.wait("alice", "burned", over).await?;
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
    states(&space, &[State::Burned])?;

    space.share("alice", spec.clone()).await?;
    same_link(&space, "alice", &burned).await?;
    states(&space, &[State::Burned])?;
    space
        .share("alice", merged(spec, json!({"requestId": "2"})))
        .await?;
    new_link(&space, "alice", &burned).await?;
    states(&space, &[State::Burned, State::New])?;
    ensure!(
        space.service.journal().mails.len() == 2,
        "one e-mail for each request"
    );
    Ok(())
}

integration_test!(suspend_holds_back);
async fn suspend_holds_back(env: &Env) -> Result<()> {
    let space = Space::anonymous(env, "suspend", Version::V0_26).await?;
    space.secret("held").await?;
    space.share("held", json!({"suspend": true})).await?;
    let suspended = |share: &Value| {
        cluster::is(share, "Ready", "Unknown", "Suspended")
            && share["status"]["observedGeneration"] == share["metadata"]["generation"]
    };
    let share = space.wait("held", "suspended", suspended).await?;
    ensure!(share["status"]["state"] == "Pending", "{:#}", share["status"]);
    ensure!(space.service.journal().shares.is_empty(), "nothing is sent");

    space.share("held", json!({"suspend": false})).await?;
    let shared = space.ready("held").await?;

    // What was sent is followed to its end, and a changed request is held back; the old link stays as it is.
    space
        .share("held", json!({"suspend": true, "requestId": "2"}))
        .await?;
    space.wait("held", "suspended again", suspended).await?;
    states(&space, &[State::New])?;
    space
        .share("held", json!({"suspend": false, "requestId": "2"}))
        .await?;
    new_link(&space, "held", &shared).await?;
    states(&space, &[State::Burned, State::New])
}

integration_test!(deleted_and_reapplied);
/// A share that is created again, as GitOps may do, gets the link that is there.
async fn deleted_and_reapplied(env: &Env) -> Result<()> {
    let space = Space::anonymous(env, "reapplied", Version::V0_26).await?;
    space.secret("alice").await?;
    let retained = json!({"deletionPolicy": "Retain"});
    space.share("alice", retained.clone()).await?;
    let first = space.ready("alice").await?;
    space.delete("alice").await?;
    space.share("alice", retained).await?;
    let second = space.ready("alice").await?;
    ensure!(
        first["metadata"]["uid"] != second["metadata"]["uid"],
        "it is another object"
    );
    ensure!(
        first["status"]["link"] == second["status"]["link"],
        "with the same link"
    );
    states(&space, &[State::New])
}

integration_test!(deleted_and_burned);
async fn deleted_and_burned(env: &Env) -> Result<()> {
    let space = Space::anonymous(env, "deleted", Version::V0_26).await?;
    space.secret("alice").await?;
    space.share("alice", json!({})).await?;
    let first = space.ready("alice").await?;
    space.delete("alice").await?;
    let burned = |journal: &Journal| journal.shares.iter().all(|share| share.state == State::Burned);
    space
        .service
        .wait_for("burn of the deleted share", PATIENCE, burned)
        .await?;
    space.share("alice", json!({})).await?;
    let second = space.ready("alice").await?;
    ensure!(
        first["status"]["link"] != second["status"]["link"],
        "the burned link is not shown again"
    );
    states(&space, &[State::Burned, State::New])
}
