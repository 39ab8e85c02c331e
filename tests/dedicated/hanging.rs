//! A server that accepts and never answers keeps nobody else waiting: neither the deletions, burns and outcomes of a healthy
//! server, nor the operator's own end.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::onetime::{Fault, Gate, Hold, Journal, Matcher, Operation, Rule, Stage, State};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::scope::Scope;

/// Anonymous links, each looked at with a request of its own.
const LINKS: usize = 40;

/// Anything on the healthy server, which takes under 4 s on an idle machine. One request to the other one takes 15 s to fail.
const UNAFFECTED: Duration = Duration::from_secs(20);

/// Until the hanging server is asked.
const LONGEST: Duration = Duration::from_secs(60);

/// Looks at a server that hangs are dropped at the end, and nothing else is under way.
const STOPPED: Duration = Duration::from_secs(10);

pub async fn run() -> Result<()> {
    let mut fixture = Fixture::start(false).await?;
    fixture.start_operator(&[]).await?;
    let (hanging, healthy) = (
        Scope::open(&fixture, "hanging").await?,
        Scope::open(&fixture, "healthy").await?,
    );
    anonymous_links(&fixture, &hanging).await?;
    healthy.share_many(5).await?;
    healthy.all_ready(5).await?;

    let gate = Gate::new();
    let hang = Fault::Hang(Stage::BeforeCommit, Hold::Until(gate.clone()));
    hanging.service.plan().push(Rule::always(Matcher::any(), hang));
    let before = hanging.service.journal().count(Operation::Look);
    let asked = |journal: &Journal| journal.count(Operation::Look) > before;
    hanging
        .service
        .wait_for("look that hangs", LONGEST, asked)
        .await?;

    is_deleted(&healthy, "share-0").await?;
    is_burned_by_annotation(&healthy, "share-1").await?;
    is_burned_by_edit(&healthy, "share-2").await?;
    is_received(&healthy, "share-3").await?;
    let begin = Instant::now();
    fixture.stop_operator().await?;
    let took = begin.elapsed();
    println!("the operator ended after {took:?}");
    ensure!(took < STOPPED, "the operator ended after {took:?}");

    fixture.start_operator(&[]).await?;
    hanging.shares.delete("share-0", &DeleteParams::default()).await?;
    let asked = |journal: &Journal| journal.count(Operation::Burn) > 0;
    hanging
        .service
        .wait_for("burn that hangs", LONGEST, asked)
        .await?;
    is_deleted(&healthy, "share-4").await?;
    gate.open();
    fixture.end().await
}

/// The links of a provider without an account.
async fn anonymous_links(fixture: &Fixture, scope: &Scope) -> Result<()> {
    let provider = json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "ShareProvider",
        "metadata": {"name": "anonymous", "namespace": scope.name},
        "spec": {"url": scope.service.url(), "pollInterval": "1s", "maxConcurrentRequests": 8},
    });
    cluster::apply_one(&fixture.client, provider).await?;
    let spec = json!({"providerRef": {"kind": "ShareProvider", "name": "anonymous"}});
    for number in 0..LINKS {
        scope.share(&format!("share-{number}"), spec.clone()).await?;
    }
    scope.all_ready(LINKS).await
}

async fn key(scope: &Scope, name: &str) -> Result<String> {
    let share = scope.shares.get(name).await?;
    let key = share.data["status"]["secretKey"].as_str().context("a key")?;
    Ok(key.to_owned())
}

async fn is_in_state(scope: &Scope, key: &str, state: State) -> Result<()> {
    let is = |journal: &Journal| journal.by_secret(key).is_some_and(|share| share.state == state);
    scope
        .service
        .wait_for("link burned", UNAFFECTED, is)
        .await
        .map(drop)
}

async fn is_deleted(scope: &Scope, name: &str) -> Result<()> {
    let (key, begin) = (key(scope, name).await?, Instant::now());
    scope.shares.delete(name, &DeleteParams::default()).await?;
    is_in_state(scope, &key, State::Burned).await?;
    println!("{name}: burned {:?} after its deletion", begin.elapsed());
    Ok(())
}

async fn is_burned_by_annotation(scope: &Scope, name: &str) -> Result<()> {
    let (key, begin) = (key(scope, name).await?, Instant::now());
    let share = scope.shares.get(name).await?;
    let attempt = &share.data["status"]["attempt"];
    let patch = Patch::Merge(json!({"metadata": {"annotations": {"onetimeshare.dev/burn": attempt}}}));
    scope.shares.patch(name, &PatchParams::default(), &patch).await?;
    is_in_state(scope, &key, State::Burned).await?;
    println!("{name}: burned {:?} after its annotation", begin.elapsed());
    Ok(())
}

async fn is_burned_by_edit(scope: &Scope, name: &str) -> Result<()> {
    let (key, begin) = (key(scope, name).await?, Instant::now());
    let patch = Patch::Merge(json!({"spec": {"requestID": "again"}}));
    scope.shares.patch(name, &PatchParams::default(), &patch).await?;
    is_in_state(scope, &key, State::Burned).await?;
    println!("{name}: burned {:?} after an edit", begin.elapsed());
    Ok(())
}

async fn is_received(scope: &Scope, name: &str) -> Result<()> {
    let (key, begin) = (key(scope, name).await?, Instant::now());
    ensure!(scope.service.open(&key, None).is_some(), "the link opens");
    let received = |share: &Value| share["status"]["state"] == "Received";
    cluster::wait_for(&scope.shares, name, "received", UNAFFECTED, received).await?;
    println!("{name}: received {:?} after it was opened", begin.elapsed());
    Ok(())
}
