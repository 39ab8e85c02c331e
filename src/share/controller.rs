//! Wiring: what triggers a share, how many are worked on at once, and what happens after a failure.

use crate::api::share::OneTimeShare;
use crate::kubernetes::secret::SecretName;
use crate::ledger::Owner;
use crate::provider::ProviderId;
use crate::share::context::Context;
use crate::share::error::Failure;
use crate::share::reconcile::reconcile;
use crate::share::triggers;
use futures::{Stream, StreamExt, stream};
use kube::ResourceExt;
use kube::runtime::controller::{self, Action, Controller};
use kube::runtime::reflector::ObjectRef;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::Instrument;

/// Runs until `stop` resolves and what was begun has ended.
///
/// Four things trigger a share: its own changes, those of its ledger entry, its provider becoming usable, and (with
/// `--watch-secrets`) changes of the Secrets that it names.
pub async fn run(
    controller: Controller<OneTimeShare>,
    context: Arc<Context>,
    ledger_changes: impl Stream<Item = Owner> + Send + 'static,
    provider_changes: impl Stream<Item = ProviderId> + Send + 'static,
    secret_changes: impl Stream<Item = HashSet<SecretName>> + Send + 'static,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let shares = controller.store();
    let by_ledger = ledger_changes.map(|owner| ObjectRef::new(&owner.name).within(&owner.namespace));
    let by_secret = {
        let shares = shares.clone();
        secret_changes.flat_map(move |changed| stream::iter(triggers::of_secrets(&shares.state(), &changed)))
    };
    let by_provider =
        provider_changes.flat_map(move |id| stream::iter(triggers::of_provider(&shares.state(), &id)));
    controller
        .with_config(controller::Config::default().concurrency(context.options.concurrency))
        .reconcile_on(by_ledger)
        .reconcile_on(by_provider)
        .reconcile_on(by_secret)
        .graceful_shutdown_on(stop)
        .run(observed, after_failure, context)
        .for_each(|result| async move {
            match result {
                // An entry of the ledger may outlive its share.
                Ok(_)
                | Err(controller::Error::ObjectNotFound(_) | controller::Error::ReconcilerFailed(..)) => {}
                Err(controller::Error::QueueError(error)) => {
                    tracing::warn!(
                        error = crate::kubernetes::watch_error(&error),
                        "the watch of shares broke off and starts again"
                    );
                }
                Err(controller::Error::RunnerError(_)) => tracing::warn!("the queue of shares failed"),
            }
        })
        .await;
}

async fn observed(share: Arc<OneTimeShare>, context: Arc<Context>) -> Result<Action, Failure> {
    let span = tracing::info_span!("share", namespace = share.namespace(), share = share.name_any());
    let began = Instant::now();
    // Boxed: all that a reconcile may wait for is large.
    let result = Box::pin(reconcile(share, Arc::clone(&context)))
        .instrument(span.clone())
        .await;
    context.metrics.reconcile(result.is_ok(), began.elapsed());
    if let Err(error) = &result {
        span.in_scope(|| tracing::warn!(%error, "the share could not be brought further; trying again"));
    }
    result
}

/// The failures that end here are the API server's: it answers again soon, or the watches tell.
#[allow(clippy::needless_pass_by_value, reason = "the signature is the controller's")]
fn after_failure(share: Arc<OneTimeShare>, _: &Failure, _: Arc<Context>) -> Action {
    let seed = share.metadata.uid.as_deref().unwrap_or_default();
    Action::requeue(crate::backoff::spread(Duration::from_secs(8), seed))
}
