//! Edits at the wrong time: while a share waits for its turn, and after its link's life is over.

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::onetime::{Config, Version};
use serde_json::{Value, json};

use crate::env::Env;
use crate::own::Own;
use crate::registry::{Phase, integration_test};
use crate::requests::new_link;
use crate::scope::{Scope, is_ready_now, merged};

/// A provider with a turn every 20 s: the first share took one, and "second" shows that it waits for the next.
async fn second_waits<'e>(env: &'e Env, name: &str) -> Result<Scope<'e>> {
    let scope = Scope::with_account(env, name, Version::V0_26).await?;
    let slow = merged(scope.account_spec(), json!({"requestsPerMinute": 3}));
    scope.provider(slow).await?;
    for share in ["first", "second", "third"] {
        scope.secret(share).await?;
    }
    scope.share("first", json!({})).await?;
    scope.ready("first").await?;
    scope
        .share("second", json!({"recipient": "old@example.com"}))
        .await?;
    let waits = |share: &Value| cluster::is(share, "Reconciling", "True", "InProgress");
    let share = scope.wait("second", "waiting for its turn", waits).await?;
    ensure!(
        share["status"]["waitingSince"].is_string(),
        "{:#}",
        share["status"]
    );
    Ok(scope)
}

integration_test!(edits_while_waiting_reach_the_new_recipient, Phase::Slow);
async fn edits_while_waiting_reach_the_new_recipient(env: &Env) -> Result<()> {
    let scope = second_waits(env, "edit-recipient").await?;
    scope
        .share("second", json!({"recipient": "new@example.org"}))
        .await?;
    let share = scope.ready("second").await?;
    ensure!(share["status"]["waitingSince"].is_null(), "{:#}", share["status"]);
    let mails: Vec<String> = scope
        .service
        .journal()
        .mails
        .iter()
        .map(|mail| mail.to.clone())
        .collect();
    ensure!(mails == ["new@example.org"], "{mails:?}");
    ensure!(
        scope.service.journal().shares.len() == 2,
        "one link for each share"
    );
    Ok(())
}

integration_test!(edits_while_waiting_suspend, Phase::Slow);
async fn edits_while_waiting_suspend(env: &Env) -> Result<()> {
    let scope = second_waits(env, "edit-suspend").await?;
    scope
        .share("second", json!({"recipient": "old@example.com", "suspend": true}))
        .await?;
    let suspended = |share: &Value| {
        cluster::is(share, "Ready", "Unknown", "Suspended")
            && share["status"]["observedGeneration"] == share["metadata"]["generation"]
    };
    scope.wait("second", "suspended", suspended).await?;
    nothing_but_first_and_third(&scope).await
}

integration_test!(edits_while_waiting_delete, Phase::Slow);
async fn edits_while_waiting_delete(env: &Env) -> Result<()> {
    let scope = second_waits(env, "edit-delete").await?;
    scope.delete("second").await?;
    nothing_but_first_and_third(&scope).await
}

/// The third share has its turn after the second one.
async fn nothing_but_first_and_third(scope: &Scope<'_>) -> Result<()> {
    scope.share("third", json!({})).await?;
    scope.ready("third").await?;
    let journal = scope.service.journal();
    ensure!(journal.mails.is_empty(), "{:?}", journal.mails);
    ensure!(journal.shares.len() == 2, "{} links", journal.shares.len());
    Ok(())
}

integration_test!(edits_while_waiting_rotate_the_secret, Phase::Slow);
async fn edits_while_waiting_rotate_the_secret(env: &Env) -> Result<()> {
    let scope = second_waits(env, "edit-rotate").await?;
    let rotated = scope.secret("second").await?;
    scope.ready("second").await?;
    let journal = scope.service.journal();
    let [_, share] = &journal.shares[..] else {
        anyhow::bail!("{} links", journal.shares.len());
    };
    ensure!(share.value == rotated.as_bytes(), "the old value was sent");
    ensure!(journal.mails.len() == 1, "{:?}", journal.mails);
    Ok(())
}

/// The share shows that it was edited after the end, and that nothing is sent for these fields.
fn noted(share: &Value, fields: &str) -> bool {
    cluster::is(share, "UpToDate", "False", "NeedsNewRequestID")
        && is_ready_now(share)
        && cluster::condition(share, "UpToDate")
            .and_then(|condition| condition["message"].as_str())
            .is_some_and(|message| message.contains(fields))
}

async fn received(scope: &Scope<'_>, share: &Value) -> Result<Value> {
    let key = share["status"]["secretKey"].as_str().context("a key")?;
    ensure!(scope.service.open(key, None).is_some(), "the link opens");
    let received = |share: &Value| cluster::is(share, "Received", "True", "Received");
    scope.wait("alice", "received", received).await
}

integration_test!(edits_after_the_end_send_nothing);
async fn edits_after_the_end_send_nothing(env: &Env) -> Result<()> {
    let scope = Scope::with_account(env, "edit-finished", Version::V0_26).await?;
    scope.secret("alice").await?;
    let spec = json!({"recipient": "alice@example.com", "ttl": "24h"});
    let edited = |fields: Value| merged(spec.clone(), fields);
    scope.share("alice", spec.clone()).await?;
    let first = received(&scope, &scope.ready("alice").await?).await?;

    for (edit, fields) in [
        (json!({"ttl": "48h"}), "(ttl)"),
        (
            json!({"secretRef": {"name": "alice", "key": "value"}}),
            "(secretRef.key)",
        ),
        (json!({"recipient": "bob@example.com"}), "(recipient)"),
        (json!({"recipient": null, "ttl": "1h"}), "(recipient, ttl)"),
    ] {
        scope.share("alice", edited(edit)).await?;
        scope.wait("alice", fields, |share| noted(share, fields)).await?;
    }
    scope.event("alice", "Warning", "NeedsNewRequestID").await?;
    scope.share("alice", spec.clone()).await?;
    let reverted = scope.ready("alice").await?;
    ensure!(
        cluster::condition(&reverted, "UpToDate").is_none(),
        "{:#}",
        reverted["status"]
    );
    ensure!(
        scope.service.journal().mails.len() == 1,
        "nobody is mailed for an edit of an old spec"
    );

    let anew = edited(json!({"ttl": "48h", "requestID": "2"}));
    scope.share("alice", anew.clone()).await?;
    let second = received(&scope, &new_link(&scope, "alice", &first).await?).await?;
    // To take it away again asks for nothing.
    scope
        .share("alice", merged(anew, json!({"requestID": null})))
        .await?;
    scope
        .wait("alice", "noted", |share| noted(share, "(requestID)"))
        .await?;
    ensure!(
        scope.service.journal().mails.len() == 2,
        "one e-mail for each request: {:#}",
        second["status"]
    );
    Ok(())
}

integration_test!(edits_of_a_recreated_share_are_edits);
/// As a GitOps controller that replaces: the same share as another object, and then an edit of that.
async fn edits_of_a_recreated_share_are_edits(env: &Env) -> Result<()> {
    let scope = Scope::with_account(env, "edit-recreated", Version::V0_26).await?;
    scope.secret("alice").await?;
    let spec = json!({"recipient": "alice@example.com", "deletionPolicy": "Retain"});
    scope.share("alice", spec.clone()).await?;
    received(&scope, &scope.ready("alice").await?).await?;
    scope.delete("alice").await?;
    scope.share("alice", spec.clone()).await?;
    let again = scope.ready("alice").await?;
    ensure!(again["status"]["state"] == "Received", "{:#}", again["status"]);
    scope.share("alice", merged(spec, json!({"ttl": "48h"}))).await?;
    scope
        .wait("alice", "noted", |share| noted(share, "(ttl)"))
        .await?;
    ensure!(
        scope.service.journal().mails.len() == 1,
        "one request, one e-mail"
    );
    Ok(())
}

integration_test!(edits_confirm_what_waited_too_long, Phase::OwnOperator(3));
async fn edits_confirm_what_waited_too_long(env: &Env) -> Result<()> {
    let args = ["--max-wait=3s", "--allow-private-addresses"];
    let own = Own::start(env, "edit-waited", Config::new(Version::V0_26), &args).await?;
    let scope = &own.scope;
    own.cluster_provider("edit-waited", json!({})).await?;
    scope.share("alice", json!({})).await?;
    let waited = |share: &Value| cluster::is(share, "Stalled", "True", "WaitedTooLong");
    scope.wait("alice", "waited too long", waited).await?;
    scope.secret("alice").await?;
    // Whoever comes now is served: the operator has had time for the first one.
    scope.secret("bob").await?;
    scope.share("bob", json!({})).await?;
    scope.ready("bob").await?;
    let share = serde_json::to_value(scope.shares.get("alice").await?)?;
    ensure!(waited(&share), "{:#}", share["status"]);
    ensure!(
        own.service().journal().shares.len() == 1,
        "nothing was sent for it"
    );
    scope.share("alice", json!({"ttl": "48h"})).await?;
    scope.ready("alice").await?;
    own.stop().await
}
