//! Whether a provider can be used: asks its server now and then, writes the provider's status, and triggers its shares
//! when something changed.
//!
//! Nothing waits for a server in a controller's worker: a controller only notes what changed, and `plan` says who is asked.

mod checks;
mod status;

pub use checks::Checks;

use super::plan::{Demand, Edition, Outcome};
use super::problems::unauthorized;
use super::registry::Providers;
use super::resolved::Resolved;
use super::settings::ProviderId;
use super::version::Versions;
use crate::api::condition::Reason;
use crate::api::provider::{Provider, ProviderSpec};
use crate::clock::Deadline;
use crate::kubernetes::namespaces::Namespaces;
use crate::kubernetes::{ApiError, bounded};
use crate::onetime::{Account, CallError, Redirect, Refusal, Unavailable, Unknown};
use crate::problem::Problem;
use crate::telemetry::{Events, Metrics};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use serde::de::DeserializeOwned;
use status::{notice, status};
use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What the health check works with.
pub struct HealthContext {
    /// The API server.
    pub kubernetes: kube::Client,
    /// The providers.
    pub providers: Arc<Providers>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Events for users.
    pub events: Events,
    /// The namespaces that are worked on.
    pub namespaces: Namespaces,
    /// Whether the statuses and events of providers are this operator's. Of several shards they are the default one's.
    pub speaks_for_all: bool,
    /// How long a request to the service may take.
    pub request_timeout: Duration,
    /// When each provider is checked.
    pub checks: Checks,
    /// What the servers said of their versions.
    pub versions: Versions,
    /// Triggers the shares of a provider.
    pub trigger: UnboundedSender<ProviderId>,
}

/// Notes a provider as it is now: an edit has it checked soon. Asks nobody.
///
/// # Errors
/// None.
pub async fn seen<K: Provider>(provider: Arc<K>, health: Arc<HealthContext>) -> Result<Action, Infallible> {
    let id = ProviderId {
        namespace: provider.namespace(),
        name: provider.name_any(),
    };
    let edition = Edition {
        uid: provider.uid(),
        generation: provider.meta().generation,
    };
    health.checks.plan().seen(id, edition);
    health.checks.changed.notify_one();
    Ok(Action::await_change())
}

/// Checks providers until `stop` is cancelled. Then it leaves at once: a check that is dropped loses nothing.
pub async fn run(
    health: Arc<HealthContext>,
    mut demands: UnboundedReceiver<Demand>,
    stop: CancellationToken,
) {
    let mut running = FuturesUnordered::new();
    loop {
        let due = {
            let mut plan = health.checks.plan();
            while let Some(id) = plan.next(Instant::now()) {
                let health = Arc::clone(&health);
                running.push(async move {
                    let outcome = Box::pin(check(&health, &id)).await;
                    (id, outcome)
                });
            }
            plan.next_due()
        };
        let is_due = async {
            match due {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = health.checks.changed.notified() => {}
            () = is_due => {}
            Some(demand) = demands.recv() => health.checks.plan().demand(demand),
            Some((id, outcome)) = running.next() => health.checks.plan().ended(id, outcome, Instant::now()),
        }
    }
}

/// Checks a provider as it is now.
async fn check(health: &HealthContext, id: &ProviderId) -> Outcome {
    let began = Instant::now();
    let checked = match &id.namespace {
        None => match health.providers.of_cluster(&id.name) {
            Some(provider) => check_one(health, &*provider, id).await,
            None => return gone(health, id),
        },
        Some(namespace) => match health.providers.of_namespace(namespace, &id.name) {
            Some(provider) => check_one(health, &*provider, id).await,
            None => return gone(health, id),
        },
    };
    let (outcome, label) = match checked {
        Ok(true) => (Outcome::Ready, "ready"),
        Ok(false) => (Outcome::NotReady, "not_ready"),
        Err(error) => {
            tracing::warn!(%error, provider = %id, "the status of a provider could not be written; will retry");
            (Outcome::Unwritten, "error")
        }
    };
    health.metrics.provider_check(label, began.elapsed());
    outcome
}

/// Nothing is kept of a provider that was deleted.
fn gone(health: &HealthContext, id: &ProviderId) -> Outcome {
    health.versions.forget(id);
    health.checks.forget(id);
    health.providers.forget_deleted();
    Outcome::Gone
}

/// Asks the server, and tells what came of it. Whether the provider can be used.
async fn check_one<K>(health: &HealthContext, provider: &K, id: &ProviderId) -> Result<bool, ApiError>
where
    K: Provider + Clone + DeserializeOwned + Debug,
{
    let result = ask(health, id, provider.settings()).await;
    let first = match &result {
        Ok(resolved) => health.providers.answered(resolved),
        Err(problem) => {
            health.providers.unhealthy(id, problem);
            false
        }
    };
    let version = match &result {
        Ok(resolved) => {
            health
                .versions
                .of(&health.metrics, health.request_timeout, resolved)
                .await
        }
        Err(_) => provider.status().and_then(|status| status.server_version.clone()),
    };
    let changed = report(health, provider, id, &result, version).await?;
    let revived = result.is_ok() && health.providers.accepted(id);
    if changed || revived || first {
        // Without a receiver the operator is shutting down.
        let _ = health.trigger.send(id.clone());
    }
    Ok(result.is_ok())
}

async fn ask(health: &HealthContext, id: &ProviderId, spec: &ProviderSpec) -> Result<Resolved, Problem> {
    let providers = &health.providers;
    let resolved = providers.resolve_afresh(id, spec.clone()).await?;
    let deadline = Deadline::after(health.request_timeout);
    let request = health.metrics.service_request(match resolved.account {
        Account::Anonymous => "status",
        Account::Basic { .. } => "authcheck",
    });
    let answer = match &resolved.account {
        Account::Anonymous => resolved.client.status(deadline).await.map(|_| ()),
        account @ Account::Basic { .. } => resolved.client.authcheck(account, deadline).await,
    };
    request.ended(CallError::label(answer.as_ref().err()));
    match answer {
        Ok(()) => Ok(resolved),
        Err(CallError::Unauthorized) => {
            providers.refused(&resolved);
            Err(match &spec.credentials_secret_ref {
                Some(reference) => unauthorized(id, reference),
                None => Problem::administrator(
                    Reason::Unauthorized,
                    format!("the service of {id} wants credentials: set spec.credentialsSecretRef"),
                ),
            })
        }
        Err(error) => {
            match &error {
                // The API's own words: a share is told what it says itself.
                CallError::Refused(Refusal::NotAvailable) => {
                    providers.answered(&resolved);
                }
                error if !is_the_api(error) => providers.doubted(&resolved),
                _ => {}
            }
            Err(not_as_it_should(id, &error))
        }
    }
}

/// Whether the API may have given this error. A redirect, a page and a success that is none are of something else.
fn is_the_api(error: &CallError) -> bool {
    !matches!(
        error,
        CallError::Malformed(_)
            | CallError::Unavailable(Unavailable::Redirected(_))
            | CallError::Unavailable(Unavailable::Unrecognised(Unknown { page: true, .. }))
    )
}

fn not_as_it_should(id: &ProviderId, error: &CallError) -> Problem {
    let text = match error {
        CallError::Unavailable(Unavailable::Redirected(Redirect {
            target: Some(target), ..
        })) => {
            format!("the url of {id} redirects to {target}: set spec.url to where the service is")
        }
        error => format!("the service of {id} does not answer as it should: {error}"),
    };
    Problem::passing(Reason::Unavailable, text)
}

/// Writes the status, if it differs and is this operator's. Tells whether there is something new.
async fn report<K>(
    health: &HealthContext,
    provider: &K,
    id: &ProviderId,
    result: &Result<Resolved, Problem>,
    version: Option<String>,
) -> Result<bool, ApiError>
where
    K: Provider + Clone + DeserializeOwned + Debug,
{
    // An operator of some namespaces uses the cluster's providers; their status is written by the cluster's operator. That
    // of all providers is written by the default shard.
    let of_another = id.namespace.is_none() && health.namespaces != Namespaces::All;
    if of_another || !health.speaks_for_all {
        let problem = result.as_ref().err().map(|problem| problem.reason);
        return Ok(health.checks.is_news(id, problem));
    }
    let status = status(provider, result, version, Timestamp::now());
    if provider.status() == Some(&status) {
        return Ok(false);
    }
    let api = K::api(health.kubernetes.clone(), id.namespace.as_deref());
    let mut patch = serde_json::json!({ "metadata": { "uid": provider.uid() }, "status": status });
    // A merge patch removes only what it names: one that is not told any more would stay.
    patch["status"]["serverVersion"] = serde_json::json!(status.server_version);
    match bounded(api.patch_status(&id.name, &PatchParams::default(), &Patch::Merge(&patch))).await {
        Err(error) if error.is_not_found() => return Ok(false),
        result => result?,
    };
    if let Some(notice) = notice(provider.status(), &status) {
        health.metrics.provider_notice(notice.reason);
        health.events.publish_about(provider, notice).await;
    }
    Ok(true)
}
