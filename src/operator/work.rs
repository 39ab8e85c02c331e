//! The leader's part: caches, controllers and the poll, from the first watch to an orderly end.

use super::caches;
use super::start::Start;
use super::streams::{in_background, receive, while_filled};
use super::watch::{controller, kept_shares, of_shares, unobserved};
use crate::api::provider::Provider;
use crate::api::{ClusterShareProvider, ShareProvider};
use crate::clock::Clock;
use crate::config::ControllerArgs;
use crate::kubernetes::definition::Definition;
use crate::kubernetes::filled;
use crate::kubernetes::leadership::Leadership;
use crate::kubernetes::namespaces::Unlisted;
use crate::ledger::Ledger;
use crate::provider::gates::{Check, Lane, Standing};
use crate::provider::health::{self, Checks, HealthContext};
use crate::provider::version::Versions;
use crate::provider::{Demand, Gates, Policy, Providers, Timeouts};
use crate::share::CachedShare;
use crate::share::context::{Context, Options};
use crate::share::controller::Triggers;
use crate::share::deletions::Deletions;
use crate::share::freshness::Freshness;
use crate::share::hearing::Hearing;
use crate::share::looks::Looks;
use crate::share::occupancy::Occupancy;
use crate::share::quota::Quota;
use crate::share::sightings::Sightings;
use crate::share::status::events::Events;
use crate::telemetry::Readiness;
use anyhow::Context as _;
use futures::{StreamExt, stream};
use kube::Api;
use kube::runtime::controller::Controller;
use kube::runtime::reflector::{ObjectRef, Store};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Works until `stop` is cancelled and what was begun has ended.
///
/// # Errors
/// When a watch ends before its cache was filled.
pub(super) async fn work(
    start: &Start,
    leadership: Leadership,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let client = start.client.clone();
    start.readiness.waits_for(caches::all(&start.args));
    let (recheck, rechecks) = mpsc::unbounded_channel();
    let (trigger, triggered) = mpsc::unbounded_channel();
    let cluster_providers = Controller::new(
        Api::<ClusterShareProvider>::all(client.clone()),
        crate::kubernetes::watch::config("clustershareproviders", None),
    );
    let (providers, _) = controller::<ShareProvider>(start, None, &unobserved(), &unobserved());
    let (deletions, definition) = (Deletions::default(), Arc::new(Definition::new(client.clone())));
    let freshness = Arc::new(Freshness::default());
    let (shares, unlisted) = controller::<CachedShare>(
        start,
        start.args.watch_label_selector.shares(),
        &of_shares(deletions.clone(), Arc::clone(&definition)),
        &kept_shares(Arc::clone(&freshness)),
    );
    let stores = (cluster_providers.store(), providers.store(), shares.store());
    let (room, has_room) = mpsc::unbounded_channel();
    let quota = Quota::new(room);
    let (counted, limited) = (Arc::clone(&start.metrics), quota.clone());
    let (ledger, ledger_changes) = Ledger::open(
        client,
        &start.args.ledger_namespace,
        start.args.watch_label_selector.clone(),
        Arc::new(move |before, after| {
            counted.written(before, after);
            limited.written(before, after);
        }),
    );
    let (call, called) = mpsc::unbounded_channel();
    let gates = Arc::new(Gates::new(Clock::boot(), start.args.shards, call));
    let registry = Arc::new(registry(start, &cluster_providers, &providers, recheck, gates));
    let context = Arc::new(context(
        start,
        leadership,
        ledger,
        registry,
        quota,
        Watched {
            unlisted,
            deletions,
            freshness,
            definition,
        },
    ));
    let health = Arc::new(HealthContext {
        kubernetes: start.client.clone(),
        providers: Arc::clone(&context.providers),
        metrics: Arc::clone(&start.metrics),
        namespaces: start.namespaces.clone(),
        speaks_for_all: start.args.watch_label_selector.speaks_for_all(),
        events: Events::new(start.client.clone(), start.args.instance.clone()),
        request_timeout: start.args.request_timeout,
        checks: Checks::new(start.args.provider_check_interval),
        versions: Versions::default(),
        trigger,
    });
    let ledger_changes = in_background(ledger_changes);
    let called = stream::select(receive(called), receive(has_room));
    // Boxed: each of them is large.
    let checks = async {
        tokio::join!(
            Box::pin(note_providers(
                cluster_providers,
                Arc::clone(&health),
                stop.clone()
            )),
            Box::pin(note_providers(providers, Arc::clone(&health), stop.clone())),
            Box::pin(health::run(Arc::clone(&health), rechecks, stop.clone())),
            Box::pin(super::shards::run(start, &stop)),
        )
    };
    let share_life = async {
        // A share that is looked at before the caches are filled would be told that its provider is missing.
        tokio::select! {
            true = all_filled(&start.readiness, &context.ledger, &stores.0, &stores.1) => {}
            () = stop.cancelled() => return Ok(()),
            else => anyhow::bail!("a watch ended before its cache was filled"),
        }
        let rechecked = Arc::clone(&context);
        let secret_changes = super::secrets::changes(start)
            .inspect(move |changed| rechecked.providers.recheck_credentials(changed));
        let polling = stop.child_token();
        let poll = tokio::spawn(crate::poll::run(
            Arc::clone(&context),
            stores.2.clone(),
            polling.clone(),
        ));
        let store = shares.store();
        let gates = Arc::clone(context.providers.gates());
        let standing = standing(&context, store.clone());
        let calls = tokio::spawn(async move { gates.run(standing).await });
        let freed = Arc::clone(context.providers.gates());
        let triggers = Triggers {
            // An attempt that ended may free a lane.
            ledger: ledger_changes.inspect(move |_| freed.look_again()),
            called,
            providers: receive(triggered),
            secrets: secret_changes,
        };
        let run = crate::share::controller::run(shares, Arc::clone(&context), triggers, stop.clone());
        let shares_filled = async {
            if filled(&stores.2).await {
                start.readiness.filled(caches::SHARES);
                tracing::info!(cluster = context.cluster, "ready");
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = while_filled(run, store, &stop) => {}
            () = shares_filled => {}
        }
        calls.abort();
        polling.cancel();
        poll.await.context("the poll ended unexpectedly")
    };
    let (_, result) = tokio::join!(checks, share_life);
    result
}

/// Waits for what shares depend on. False when a watch ended before its cache was filled.
async fn all_filled(
    readiness: &Readiness,
    ledger: &Ledger,
    cluster: &Store<ClusterShareProvider>,
    namespaced: &Store<ShareProvider>,
) -> bool {
    let done = |filled: bool, cache| {
        if filled {
            readiness.filled(cache);
        }
        filled
    };
    let (ledger, cluster, namespaced) = futures::join!(
        async { done(ledger.filled().await, caches::LEDGER) },
        async { done(filled(cluster).await, caches::CLUSTER_PROVIDERS) },
        async { done(filled(namespaced).await, caches::PROVIDERS) },
    );
    ledger && cluster && namespaced
}

fn registry(
    start: &Start,
    cluster: &Controller<ClusterShareProvider>,
    namespaced: &Controller<ShareProvider>,
    recheck: mpsc::UnboundedSender<Demand>,
    gates: Arc<Gates>,
) -> Providers {
    let ControllerArgs {
        request_timeout,
        attempt_deadline,
        ..
    } = &start.args;
    Providers::new(
        start.client.clone(),
        cluster.store(),
        namespaced.store(),
        policy(start),
        Timeouts {
            connect: *request_timeout,
            // A creating call ends by its own deadline.
            request: *attempt_deadline.max(request_timeout),
        },
        recheck,
        gates,
    )
}

/// Tells of a share that waits for its turn whether it is in the cache, and whether its lane is free.
fn standing(context: &Arc<Context>, shares: Store<CachedShare>) -> Box<Check> {
    // The gates are a part of the context.
    let context = Arc::downgrade(context);
    Box::new(move |owner, lane| {
        let reference = ObjectRef::new(&owner.name).within(&owner.namespace);
        let Some(context) = context.upgrade().filter(|_| shares.get(&reference).is_some()) else {
            return Standing::Gone;
        };
        let taken = |lane: &Lane| context.ledger.seems_taken(&lane.name, &lane.endpoint, owner);
        match lane {
            Some(lane) if taken(lane) => Standing::Blocked,
            _ => Standing::Ready,
        }
    })
}

/// What the watch of shares tells beside the shares.
struct Watched {
    unlisted: Unlisted,
    deletions: Deletions,
    freshness: Arc<Freshness>,
    definition: Arc<Definition>,
}

fn context(
    start: &Start,
    leadership: Leadership,
    ledger: Ledger,
    providers: Arc<Providers>,
    quota: Quota,
    watched: Watched,
) -> Context {
    Context {
        kubernetes: start.client.clone(),
        cluster: start.cluster.clone(),
        leadership,
        ledger,
        providers,
        unlisted: watched.unlisted,
        deletions: watched.deletions,
        freshness: watched.freshness,
        definition: watched.definition,
        occupancy: Occupancy::new(start.ledger_uid.clone(), Clock::boot()),
        quota,
        sightings: Sightings::new(Clock::boot()),
        looks: Looks::new(Clock::boot()),
        hearing: Hearing::new(Clock::boot()),
        events: Events::new(start.client.clone(), start.args.instance.clone()),
        metrics: Arc::clone(&start.metrics),
        options: options(start),
    }
}

fn policy(start: &Start) -> Policy {
    let args = &start.args;
    Policy {
        allowed_hosts: args.allowed_provider_hosts.clone(),
        allow_http: args.allow_http,
        allow_private_addresses: args.allow_private_addresses,
        proxies: start.proxies.clone(),
        allow_proxy_for_namespaced_providers: args.allow_proxy_for_namespaced_providers,
        operator_namespace: args.namespace.clone(),
        labelled_only: args.require_shareable_label,
    }
}

fn options(start: &Start) -> Options {
    let args = &start.args;
    Options {
        attempt_deadline: args.attempt_deadline,
        request_timeout: args.request_timeout,
        namespaces: start.namespaces.clone(),
        concurrency: args.max_concurrent_reconciles,
        settling_time: args.settling_time,
        generate: args.enable_generate,
        labelled_only: args.require_shareable_label,
        max_wait: args.max_wait,
        ledger_retention: args.ledger_retention,
        allow_mass_burn: args.allow_mass_burn,
    }
}

/// Has every new and every edited provider checked.
async fn note_providers<K>(controller: Controller<K>, health: Arc<HealthContext>, stop: CancellationToken)
where
    K: Provider + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    let store = controller.store();
    let run = controller
        .graceful_shutdown_on(stop.clone().cancelled_owned())
        .run(health::seen, |_, never, _| match *never {}, health)
        .for_each(|_| async {});
    while_filled(run, store, &stop).await;
}
