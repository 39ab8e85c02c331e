//! Providers whose servers never answer their health checks, and what others notice of it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::onetime::{Config, Fault, Gate, Hold, OnetimeServer, Operation, Stage, Version};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::scope::{PATIENCE, Scope};

/// Providers of one tenant. Were their checks to fill the workers of all, the others would wait for minutes.
const HANGING: usize = 60;

/// How soon a corrected Secret is noticed, whatever the providers of others do.
const SOON: Duration = Duration::from_secs(20);

/// How many checks of one namespace are under way at once.
const AT_ONCE: u64 = 4;

/// A check gives up after this time.
const TIMEOUT: u64 = 15;

/// A tenant's hanging providers do not keep another tenant's corrected credentials from being noticed.
pub async fn hanging_providers() -> Result<()> {
    let mut fixture = Fixture::start(false).await?;
    fixture.start_operator(&["--watch-secrets"]).await?;
    let team = Scope::open(&fixture, "team").await?;
    credentials(&fixture, "wrong").await?;
    let providers = providers(&fixture, "team");
    wait_for(&providers, "Unauthorized").await?;
    team.share("one", json!({})).await?;
    let refused = |share: &Value| cluster::is(share, "Ready", "False", "Unauthorized");
    team.wait("one", "refused", refused).await?;

    let (server, gate) = (
        OnetimeServer::start(Config::new(Version::V0_26)).await?,
        Gate::new(),
    );
    let hangs = Fault::Hang(Stage::BeforeCommit, Hold::Until(gate.clone()));
    server.plan().always(Operation::Status, hangs);
    let began = Instant::now();
    create_hanging(&fixture, &server).await?;
    let others: Api<DynamicObject> = self::providers(&fixture, "hangs");
    ensure!(others.list(&kube::api::ListParams::default()).await?.items.len() == HANGING);
    until("the first of them is asked", || server.plan().hits() > 0).await?;

    let corrected = Instant::now();
    credentials(&fixture, "a token of the fake server").await?;
    cluster::wait_for(&team.shares, "one", "ready", SOON, cluster::is_ready).await?;
    ensure!(corrected.elapsed() < SOON, "{:?}", corrected.elapsed());
    let (hits, waves) = (server.plan().hits(), 1 + began.elapsed().as_secs() / TIMEOUT);
    ensure!(
        hits <= AT_ONCE * waves,
        "{hits} checks of one namespace in {waves} waves"
    );

    // Those that wait for their turn do not keep the operator from ending.
    let stopping = Instant::now();
    fixture.stop_operator().await?;
    ensure!(stopping.elapsed() < SOON, "{:?}", stopping.elapsed());
    gate.open();
    fixture.start_operator(&[]).await?;
    let ready = cluster::is_ready;
    cluster::wait_for_many(&others, HANGING, "ready", PATIENCE, ready).await?;
    fixture.end().await
}

/// A provider that never answered is asked at once after an edit, although many others of its namespace wait.
pub async fn edits_first() -> Result<()> {
    let mut fixture = Fixture::start(false).await?;
    let server = OnetimeServer::start(Config::new(Version::V0_26)).await?;
    let gate = Gate::new();
    let hangs = Fault::Hang(Stage::BeforeCommit, Hold::Until(gate.clone()));
    server.plan().always(Operation::Status, hangs);
    fixture
        .start_operator(&["--request-timeout=2s", "--provider-check-interval=1s"])
        .await?;
    create_hanging(&fixture, &server).await?;
    let providers = providers(&fixture, "hangs");
    let told = |provider: &Value| cluster::is(provider, "Ready", "False", "Unavailable");
    let all_once = Duration::from_secs(2 * HANGING as u64 / AT_ONCE) + PATIENCE;
    cluster::wait_for_many(&providers, HANGING, "told", all_once, told).await?;

    // All of them are due again all the time, and one round takes 30 s.
    let healthy = OnetimeServer::start(Config::new(Version::V0_26)).await?;
    for number in [HANGING - 1, HANGING / 2, 0] {
        let name = format!("hangs-{number}");
        let edited = provider(&name, &healthy.url());
        cluster::apply_one(&fixture.client, edited).await?;
        cluster::wait_for(&providers, &name, "ready", SOON, cluster::is_ready).await?;
    }
    gate.open();
    fixture.end().await
}

async fn create_hanging(fixture: &Fixture, server: &OnetimeServer) -> Result<()> {
    cluster::namespace(&fixture.client, "hangs").await?;
    for number in 0..HANGING {
        let object = provider(&format!("hangs-{number}"), &server.url());
        cluster::apply_one(&fixture.client, object).await?;
    }
    Ok(())
}

fn provider(name: &str, url: &str) -> Value {
    json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "ShareProvider",
        "metadata": {"name": name, "namespace": "hangs"}, "spec": {"url": url},
    })
}

async fn credentials(fixture: &Fixture, token: &str) -> Result<()> {
    let object = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "account", "namespace": "team"},
        "stringData": {"username": "ops@example.com", "token": token},
    });
    cluster::apply_one(&fixture.client, object).await.map(drop)
}

fn providers(fixture: &Fixture, namespace: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("onetimeshare.dev", "v1alpha1", "ShareProvider");
    Api::namespaced_with(fixture.client.clone(), namespace, &ApiResource::from_gvk(&kind))
}

async fn wait_for(providers: &Api<DynamicObject>, reason: &str) -> Result<()> {
    let told = |provider: &Value| cluster::is(provider, "Ready", "False", reason);
    cluster::wait_for(providers, "here", reason, PATIENCE, told)
        .await
        .map(drop)
}

async fn until(what: &str, holds: impl Fn() -> bool) -> Result<()> {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .with_context(|| format!("waited in vain until {what}"))
}
