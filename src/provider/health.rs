//! Whether a provider can be used: asks its server now and then, writes the provider's status, and triggers its shares
//! when something changed.

use super::problems::unauthorized;
use super::registry::Providers;
use super::resolved::Resolved;
use super::settings::ProviderId;
use super::version::Versions;
use crate::api::condition::{READY, Reason, STALLED};
use crate::api::provider::{Provider, ProviderSpec, ProviderStatus};
use crate::backoff;
use crate::clock::Deadline;
use crate::kubernetes::namespaces::Namespaces;
use crate::kubernetes::{ApiError, bounded};
use crate::onetime::{Account, CallError, Redirect, Refusal, Unavailable, Unknown};
use crate::problem::Problem;
use crate::telemetry::Metrics;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// What the health check works with.
pub struct HealthContext {
    /// The API server.
    pub kubernetes: kube::Client,
    /// The providers.
    pub providers: Arc<Providers>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// The namespaces that are worked on.
    pub namespaces: Namespaces,
    /// How long a request to the service may take.
    pub request_timeout: Duration,
    /// How often a healthy provider is asked.
    pub interval: Duration,
    /// What the servers said of their versions.
    pub versions: Versions,
    /// Triggers the shares of a provider.
    pub trigger: UnboundedSender<ProviderId>,
}

/// How often a provider is asked that cannot be used.
const UNHEALTHY_INTERVAL: Duration = Duration::from_secs(15);

/// Checks one provider.
///
/// # Errors
/// [`ApiError`] when the status could not be written.
pub async fn check<K>(provider: Arc<K>, health: Arc<HealthContext>) -> Result<Action, ApiError>
where
    K: Provider + Clone + DeserializeOwned + Debug,
{
    let id = ProviderId {
        namespace: provider.namespace(),
        name: provider.name_any(),
    };
    let result = ask(&health, &id, provider.settings()).await;
    let first = match &result {
        Ok(resolved) => health.providers.answered(resolved),
        Err(problem) => {
            health.providers.unhealthy(&id, problem);
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
    let changed = report(&health, &*provider, &id, &result, version).await?;
    let revived = result.is_ok() && health.providers.accepted(&id);
    if changed || revived || first {
        // Without a receiver the operator is shutting down.
        let _ = health.trigger.send(id.clone());
    }
    let nominal = if result.is_ok() {
        health.interval
    } else {
        UNHEALTHY_INTERVAL.min(health.interval)
    };
    Ok(Action::requeue(backoff::spread(nominal, &id.to_string())))
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

/// Writes the status, if it differs. Tells whether it did.
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
    // An operator of some namespaces uses the cluster's providers; their status is written by the cluster's operator.
    if id.namespace.is_none() && health.namespaces != Namespaces::All {
        return Ok(false);
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
        Err(error) if error.is_not_found() => Ok(false),
        result => result.map(|_| true),
    }
}

fn status<K: Provider>(
    provider: &K,
    result: &Result<Resolved, Problem>,
    server_version: Option<String>,
    now: Timestamp,
) -> ProviderStatus {
    let (value, reason, message, endpoint) = match result {
        Ok(resolved) => {
            let (reason, message) = match resolved.account {
                Account::Anonymous => (Reason::Anonymous, "the service answers; shares are anonymous"),
                Account::Basic { .. } => (Reason::CredentialsAccepted, "the service accepts the credentials"),
            };
            (
                "True",
                reason,
                message.to_owned(),
                Some(resolved.settings.endpoint.base().to_string()),
            )
        }
        Err(problem) => {
            let endpoint = provider.status().and_then(|status| status.endpoint.clone());
            ("False", problem.reason, problem.message.clone(), endpoint)
        }
    };
    let generation = provider.meta().generation;
    let condition = |type_: &str, value: &str, message: String| {
        let all = provider.status().map(|status| &status.conditions[..]);
        let before = all.unwrap_or_default().iter().find(|c| c.type_ == type_);
        let since = before
            .filter(|c| c.status == value)
            .map(|c| c.last_transition_time.clone());
        Condition {
            last_transition_time: since.unwrap_or(Time(now)),
            message,
            observed_generation: generation,
            reason: reason.as_str().into(),
            status: value.into(),
            type_: type_.into(),
        }
    };
    let mut conditions = vec![condition(READY, value, message.clone())];
    // kstatus uses it to tell problems that a person must fix from temporary ones.
    if result
        .as_ref()
        .is_err_and(|problem| problem.remedy.needs_person())
    {
        conditions.push(condition(STALLED, "True", message));
    }
    ProviderStatus {
        observed_generation: generation,
        endpoint,
        server_version,
        conditions,
    }
}
