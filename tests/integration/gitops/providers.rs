//! Providers in every state that they can be in, and a share of one that cannot be used.

use anyhow::Result;
use harness::cluster;
use harness::onetime::{Config, Version};
use kube::Api;
use kube::api::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use super::engine::Engine;
use super::row::{compare, fresh, row};
use crate::env::Env;
use crate::registry::integration_test;
use crate::scope::{PATIENCE, Scope};

integration_test!(gitops_providers_are_judged);
/// Every state of a provider, of both kinds.
async fn gitops_providers_are_judged(env: &Env) -> Result<()> {
    let engine = Engine::build().await?;
    let scope = Scope::with_account(env, "gitops-providers", Version::V0_26).await?;
    let refused = Scope::open(env, "gitops-refused", Config::new(Version::V0_26)).await?;
    refused.credentials("another token").await?;
    refused.provider(refused.account_spec()).await?;
    let silent = Scope::open(env, "gitops-silent", Config::new(Version::V0_26)).await?;
    // Nobody listens there: a port that was free just now could be another test's by then.
    silent.provider(json!({"url": "http://127.0.0.1:1"})).await?;

    let kind = GroupVersionKind::gvk("onetimeshare.dev", "v1alpha1", "ShareProvider");
    let tenants = Api::namespaced_with(env.client.clone(), &scope.name, &ApiResource::from_gvk(&kind));
    let tenant = json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "ShareProvider",
        "metadata": {"name": "tenant", "namespace": scope.name}, "spec": {"url": scope.service.url()},
    });
    let object = json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "ClusterShareProvider",
        "metadata": {"name": "gitops-fresh"}, "spec": {"url": scope.service.url()},
    });
    let mut rows = vec![
        fresh(&tenants, tenant, "InProgress").await?,
        // Where nobody may ever write a status, kstatus must not wait for one.
        fresh(&env.providers(), object, "Current").await?,
    ];
    let known = Box::pin(cluster::wait_for(
        &tenants,
        "tenant",
        "ready",
        PATIENCE,
        cluster::is_ready,
    ))
    .await?;
    rows.push(row(
        "a tenant's provider",
        known,
        "Healthy",
        "the service answers",
        "Current",
    ));
    for (what, scope, health, says, kstatus) in [
        ("ready", &scope, "Healthy", "accepts the credentials", "Current"),
        ("refused", &refused, "Degraded", "credentials", "Failed"),
        // That may pass: Flux waits until its time-out.
        ("silent", &silent, "Degraded", "does not answer", "InProgress"),
    ] {
        let provider = env.providers().get(&scope.name).await?;
        rows.push(row(what, serde_json::to_value(provider)?, health, says, kstatus));
    }
    refused.secret("app").await?;
    refused.share("app", json!({})).await?;
    let shown = |share: &Value| cluster::is(share, "Ready", "False", "Unauthorized");
    let share = refused.wait("app", "refused", shown).await?;
    rows.push(row(
        "of a refused provider",
        share,
        "Degraded",
        "credentials",
        "Failed",
    ));
    compare(&engine, &rows).await
}
