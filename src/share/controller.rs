//! Wiring: what triggers a share, how many are worked on at once, and what happens after a failure.

use crate::kubernetes::secret::SecretName;
use crate::ledger::{LedgerError, Owner};
use crate::provider::ProviderId;
use crate::share::cached::CachedShare;
use crate::share::context::Context;
use crate::share::error::Failure;
use crate::share::in_work::InWork;
use crate::share::reconcile::reconcile;
use crate::share::triggers;
use crate::share::turns::{Line, Turn, Turns};
use futures::{Stream, StreamExt, stream};
use kube::ResourceExt;
use kube::runtime::controller::{self, Action, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// The streams that trigger shares beside their own changes.
pub struct Triggers<L, C, P, S> {
    /// Shares whose ledger entry changed.
    pub ledger: L,
    /// Shares whose turn it is to send, or for which there is room.
    pub called: C,
    /// Providers that became usable.
    pub providers: P,
    /// Secrets that changed (with `--watch-secrets`).
    pub secrets: S,
}

/// Runs until `stop` is cancelled and what was begun has ended.
pub async fn run(
    controller: Controller<CachedShare>,
    context: Arc<Context>,
    triggers: Triggers<
        impl Stream<Item = Owner> + Send + 'static,
        impl Stream<Item = Owner> + Send + 'static,
        impl Stream<Item = ProviderId> + Send + 'static,
        impl Stream<Item = HashSet<SecretName>> + Send + 'static,
    >,
    stop: CancellationToken,
) {
    let shares = controller.store();
    let reference = |owner: Owner| ObjectRef::new(&owner.name).within(&owner.namespace);
    let by_secret = {
        let shares = shares.clone();
        let changes = triggers.secrets;
        changes.flat_map(move |changed| stream::iter(triggers::of_secrets(&shares.state(), &changed)))
    };
    let by_provider = {
        let shares = shares.clone();
        let changes = triggers.providers;
        changes.flat_map(move |id| stream::iter(triggers::of_provider(&shares.state(), &id)))
    };
    let worker = Arc::new(Worker {
        turns: Turns::new(usize::from(context.options.concurrency)),
        failures: Mutex::default(),
        in_work: InWork::default(),
        shares,
        context,
    });
    let by_ledger = {
        let worker = Arc::clone(&worker);
        let changes = triggers.ledger;
        changes.filter(move |owner| std::future::ready(worker.is_news(owner)))
    };
    let closes = {
        let (stop, turns) = (stop.clone(), worker.turns.clone());
        async move {
            stop.cancelled().await;
            turns.close();
        }
    };
    let works = controller
        // Those that wait for a turn do it in its fair order, not in the controller's.
        .with_config(controller::Config::default().concurrency(0))
        .reconcile_on(by_ledger.map(reference))
        .reconcile_on(triggers.called.map(reference))
        .reconcile_on(by_provider)
        .reconcile_on(by_secret)
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(observed, after_failure, worker)
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
        });
    let mut works = std::pin::pin!(works);
    tokio::select! {
        () = &mut works => {}
        () = closes => works.await,
    }
}

/// What every reconcile is given.
struct Worker {
    context: Arc<Context>,
    turns: Turns,
    in_work: InWork,
    shares: Store<CachedShare>,
    /// How often in a row each share failed.
    failures: Mutex<HashMap<Owner, u32>>,
}

impl Worker {
    /// Where a share waits for its turn.
    fn line(&self, owner: &Owner, share: &CachedShare) -> Line {
        if self.context.providers.gates().is_called(owner) {
            Line::Called
        } else if self.context.ledger.knew(owner) {
            Line::Known
        } else {
            Line::New(ProviderId::of(share.provider(), &owner.namespace))
        }
    }

    /// Whether a change of a share's entry calls for work: it is not the last own write, and nobody works on the share.
    fn is_news(&self, owner: &Owner) -> bool {
        !self.in_work.notes(owner) && !self.context.ledger.is_acted_on(owner)
    }

    /// A share failed: how often in a row it has now.
    fn failed(&self, owner: Owner) -> u32 {
        let mut failures = self.failures();
        let count = failures.entry(owner).or_default();
        *count = count.saturating_add(1);
        *count
    }

    /// A share went well.
    fn succeeded(&self, owner: &Owner) {
        self.failures().remove(owner);
    }

    fn failures(&self) -> MutexGuard<'_, HashMap<Owner, u32>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a share is left alone while nothing may begin. Costs no request.
const WHILE_PAUSED: Duration = Duration::from_secs(3);

async fn observed(share: Arc<CachedShare>, worker: Arc<Worker>) -> Result<Action, Failure> {
    let owner = Owner::of(&*share).ok_or(Failure::MissingIdentity)?;
    let later = || Ok(Action::requeue(crate::backoff::spread(WHILE_PAUSED, &owner.name)));
    if worker.context.may_begin().is_err() {
        return later();
    }
    let line = worker.line(&owner, &share);
    let Some(turn) = worker.turns.enter(&owner.namespace, line).await else {
        return Ok(Action::await_change());
    };
    worker.in_work.begins(&owner);
    let result = in_turn(&owner, &turn, &worker).await;
    let has_changed = worker.in_work.ends(&owner);
    match result {
        // Written meanwhile, and not by what was done: by a poll, or by somebody else.
        Ok(_) if has_changed && !worker.context.ledger.is_acted_on(&owner) => {
            Ok(Action::requeue(Duration::ZERO))
        }
        Err(Failure::Ledger(LedgerError::Paused)) => later(),
        result => result,
    }
}

async fn in_turn(owner: &Owner, turn: &Turn, worker: &Worker) -> Result<Action, Failure> {
    // It may have changed, or gone, while it waited.
    let reference = ObjectRef::new(&owner.name).within(&owner.namespace);
    let known_at = worker.context.freshness.complete_at();
    let Some(share) = worker.shares.get(&reference) else {
        return Ok(Action::await_change());
    };
    let share = Arc::new(share.open()?);
    let span = tracing::info_span!("share", namespace = share.namespace(), share = share.name_any());
    let began = Instant::now();
    // Boxed: all that a reconcile may wait for is large, and those that wait for a turn may be many.
    let work = Box::pin(reconcile(share, known_at, Arc::clone(&worker.context), turn));
    let result = work.instrument(span.clone()).await;
    let waiting = worker.context.providers.gates().waiting();
    worker.context.metrics.waiting(waiting);
    if matches!(result, Err(Failure::Ledger(LedgerError::Paused))) {
        return result;
    }
    worker.context.metrics.reconcile(result.is_ok(), began.elapsed());
    if let Err(error) = &result {
        span.in_scope(|| tracing::warn!(%error, "the share could not be brought further; trying again"));
    }
    if result.is_ok() {
        worker.succeeded(owner);
    }
    result
}

/// The failures that end here are the API server's: it answers again soon, or the watches tell.
#[allow(clippy::needless_pass_by_value, reason = "the signature is the controller's")]
fn after_failure(share: Arc<CachedShare>, _: &Failure, worker: Arc<Worker>) -> Action {
    const LONGEST: Duration = Duration::from_secs(60);
    let failures = Owner::of(&*share).map_or(1, |owner| worker.failed(owner));
    Action::requeue(crate::backoff::delay(failures, &share.name_any()).min(LONGEST))
}
