//! Edits at the wrong time: while a share waits for its turn, after its intent was written, and of a share that a GitOps
//! controller replaced.

use super::*;
use serde_json::{Value, json};

/// A share of this name, through the provider of the scope.
fn share(scope: &Scope, name: &str, spec: &Value) -> Value {
    let mut all = json!({
        "secretRef": {"name": "value-1", "key": "password"},
        "providerRef": {"kind": "ShareProvider", "name": "fake"},
    });
    for (field, value) in spec.as_object().into_iter().flatten() {
        all[field] = value.clone();
    }
    json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
        "metadata": {"name": name, "namespace": scope.namespace}, "spec": all,
    })
}

async fn apply(scope: &Scope, name: &str, spec: &Value) -> Result<()> {
    cluster::apply_one(&scope.client, share(scope, name, spec))
        .await
        .map(drop)
}

async fn wait(scope: &Scope, name: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Result<()> {
    cluster::wait_for(&scope.shares, name, what, LIMIT, fits)
        .await
        .map(drop)
}

fn is_ready_now(share: &Value) -> bool {
    cluster::is_ready(share) && share["status"]["observedGeneration"] == share["metadata"]["generation"]
}

/// Who was mailed, in order.
fn mailed(scope: &Scope) -> Vec<String> {
    let journal = scope.service.journal();
    journal.mails.iter().map(|mail| mail.to.clone()).collect()
}

fn unless(right: bool, what: &str, scope: &Scope) -> Vec<String> {
    let links = scope.service.journal().shares.len();
    let text = || format!("{what}: {links} links, mails to {:?}", mailed(scope));
    (!right).then(text).into_iter().collect()
}

scenario!(
    "wait-edit",
    "edits",
    Shared(|fixture, _| wait_edit(fixture).boxed())
);
/// The recipient is corrected while the share waits for its turn, and the watch does not tell: one e-mail, to the new one.
async fn wait_edit(fixture: &Fixture) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, true).await?;
    let slow = json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "ShareProvider",
        "metadata": {"name": "fake", "namespace": scope.namespace},
        "spec": {
            "url": scope.service.url(), "credentialsSecretRef": {"name": "account"}, "requestsPerMinute": 6,
        },
    });
    cluster::apply_one(&scope.client, slow).await?;
    scope.start().await?;
    apply(&scope, "first", &json!({})).await?;
    wait(&scope, "first", "ready", is_ready_now).await?;
    apply(&scope, "second", &json!({"recipient": "old@example.com"})).await?;
    let waits = |share: &Value| cluster::is(share, "Reconciling", "True", "InProgress");
    wait(&scope, "second", "waiting for its turn", waits).await?;
    // The operator's cache keeps the old one.
    scope.proxy.as_ref().context("a proxy")?.swallow_watches();
    apply(&scope, "second", &json!({"recipient": "new@example.org"})).await?;
    wait(&scope, "second", "ready", is_ready_now).await?;
    let right = mailed(&scope) == ["new@example.org"];
    let found = unless(right, "what was edited while it waited was sent", &scope);
    scope.stop_all().await?;
    Ok((0, found))
}

scenario!(
    "late-edit",
    "edits",
    Shared(|fixture, _| late_edit(fixture).boxed())
);
/// The recipient is corrected after the intent was written, which took long.
async fn late_edit(fixture: &Fixture) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    scope.set("--attempt-deadline=", "20s");
    let armed = scope.start_armed("intent.after=sleep:4000").await?;
    apply(&scope, "alice", &json!({"recipient": "old@example.com"})).await?;
    scope.reached(armed, LIMIT).await?;
    apply(&scope, "alice", &json!({"recipient": "new@example.org"})).await?;
    wait(&scope, "alice", "ready", is_ready_now).await?;
    let right = mailed(&scope) == ["new@example.org"];
    let found = unless(right, "what was edited after its intent was sent", &scope);
    scope.stop_all().await?;
    Ok((0, found))
}

scenario!(
    "late-rotate",
    "edits",
    Shared(|fixture, _| late_rotate(fixture).boxed())
);
/// The Secret is rotated after the intent was written, which took very long: the new value is sent, once.
async fn late_rotate(fixture: &Fixture) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    scope.set("--attempt-deadline=", "20s");
    let armed = scope.start_armed("intent.after=sleep:6000").await?;
    apply(&scope, "alice", &json!({"recipient": "alice@example.com"})).await?;
    scope.reached(armed, LIMIT).await?;
    let rotated = json!({
        "apiVersion": "v1", "kind": "Secret", "stringData": {"password": "rotated"},
        "metadata": {"name": "value-1", "namespace": scope.namespace},
    });
    cluster::apply_one(&scope.client, rotated).await?;
    wait(&scope, "alice", "ready", is_ready_now).await?;
    let journal = scope.service.journal();
    let right = mailed(&scope).len() == 1 && journal.shares.iter().all(|share| share.value == b"rotated");
    let found = unless(right, "the old value was sent", &scope);
    scope.stop_all().await?;
    Ok((0, found))
}

scenario!(
    "late-undo",
    "edits",
    Shared(|fixture, _| late_undo(fixture).boxed())
);
/// A new link is asked for after the end of the first, and the wish is taken back while its intent is written: nothing is
/// sent, now and later.
async fn late_undo(fixture: &Fixture) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    let first = scope.start().await?;
    let spec = |id: &str| json!({"recipient": "alice@example.com", "requestID": id});
    received(&scope, &spec("1")).await?;
    scope.stop(first).await?;
    scope.set("--attempt-deadline=", "20s");
    let armed = scope.start_armed("intent.after=sleep:4000").await?;
    apply(&scope, "alice", &spec("2")).await?;
    scope.reached(armed, LIMIT).await?;
    apply(&scope, "alice", &spec("1")).await?;
    let taken_back = |log: &String| log.contains("nothing was sent");
    scope.operator(armed)?.wait_for_log(LIMIT, taken_back).await?;
    let over = |share: &Value| is_ready_now(share) && share["status"]["state"] == "Received";
    wait(&scope, "alice", "received as before", over).await?;
    // Whoever comes now is served: what was left to do for the first share is done.
    apply(&scope, "bob", &json!({})).await?;
    wait(&scope, "bob", "ready", is_ready_now).await?;
    let found = unless(
        mailed(&scope).len() == 1,
        "a wish that was taken back was sent",
        &scope,
    );
    scope.stop_all().await?;
    Ok((0, found))
}

/// A share whose link was opened.
async fn received(scope: &Scope, spec: &Value) -> Result<()> {
    apply(scope, "alice", spec).await?;
    wait(scope, "alice", "ready", is_ready_now).await?;
    let share = serde_json::to_value(scope.shares.get("alice").await?)?;
    let key = share["status"]["secretKey"].as_str().context("a key")?;
    scope.service.open(key, None).context("the link does not open")?;
    let over = |share: &Value| share["status"]["state"] == "Received";
    wait(scope, "alice", "received", over).await
}

scenario!(
    "replaced-share",
    "edits",
    Shared(|fixture, _| replaced_share(fixture).boxed())
);
/// A GitOps controller replaces a share whose link was opened, and later its spec is tidied up: nobody is mailed again.
async fn replaced_share(fixture: &Fixture) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    scope.start().await?;
    let spec = json!({"recipient": "alice@example.com", "ttl": "24h"});
    received(&scope, &spec).await?;
    let before = scope.shares.get("alice").await?.metadata.uid;
    scope.shares.delete("alice", &DeleteParams::default()).await?;
    let gone = async {
        while scope
            .shares
            .get_opt("alice")
            .await?
            .is_some_and(|share| share.metadata.uid == before)
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(LIMIT, gone).await.context("deleting")??;
    apply(&scope, "alice", &spec).await?;
    let over = |share: &Value| is_ready_now(share) && share["status"]["state"] == "Received";
    wait(&scope, "alice", "received as before", over).await?;
    let tidied = json!({"recipient": "alice@example.com", "ttl": "48h"});
    apply(&scope, "alice", &tidied).await?;
    wait(&scope, "alice", "ready", is_ready_now).await?;
    let found = unless(
        mailed(&scope).len() == 1,
        "an edit of an old spec was sent",
        &scope,
    );
    scope.stop_all().await?;
    Ok((0, found))
}

scenario!(
    "waited-too-long",
    "edits",
    Shared(|fixture, _| waited_too_long(fixture).boxed())
);
/// A share whose Secret comes after `--max-wait` is not sent until somebody edits it.
async fn waited_too_long(fixture: &Fixture) -> Outcome {
    let mut scope = Scope::new(fixture, Flavor::Account26, false).await?;
    scope.set("--max-wait=", "1s");
    scope.start().await?;
    let late = |ttl: &str| json!({"secretRef": {"name": "late", "key": "password"}, "ttl": ttl});
    apply(&scope, "alice", &late("24h")).await?;
    let waits = |share: &Value| share["status"]["waitingSince"].is_string();
    wait(&scope, "alice", "waiting", waits).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "stringData": {"password": "late"},
        "metadata": {"name": "late", "namespace": scope.namespace},
    });
    cluster::apply_one(&scope.client, secret).await?;
    let told = |share: &Value| cluster::is(share, "Stalled", "True", "WaitedTooLong") || is_ready_now(share);
    wait(&scope, "alice", "told", told).await?;
    let nothing_sent = scope.service.journal().shares.is_empty();
    let mut found = unless(nothing_sent, "what waited too long was sent", &scope);
    apply(&scope, "alice", &late("48h")).await?;
    wait(&scope, "alice", "ready", is_ready_now).await?;
    let links = scope.service.journal().shares.len();
    if found.is_empty() {
        found = unless(links == 1, "the edit did not let it go on", &scope);
    }
    scope.stop_all().await?;
    Ok((0, found))
}
