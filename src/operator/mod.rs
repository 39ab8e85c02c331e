//! The operator put together: clients, election, and an orderly end.

mod caches;
mod secrets;
mod shards;
mod start;
mod streams;
mod watch;
mod work;

use crate::api::OneTimeShare;
use crate::clock::Clock;
use crate::config::ControllerArgs;
use crate::kubernetes::leadership::Leadership;
use crate::kubernetes::lease::Lease;
use crate::kubernetes::namespaces::Namespaces;
use crate::kubernetes::pulse::Pulse;
use crate::kubernetes::{self, ApiError, bounded};
use crate::proxy::Proxies;
use crate::telemetry::{Metrics, Readiness, serve};
use anyhow::Context as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::{Api, Client};
use start::Start;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use work::work;

/// Runs until `stop` is cancelled and what was begun has ended.
///
/// # Errors
/// When a variable for a forward proxy is wrong, the API server cannot be reached at the start, or the HTTP server fails.
pub async fn run(args: ControllerArgs, stop: CancellationToken) -> anyhow::Result<()> {
    let proxies = proxies(&args)?;
    let listener = TcpListener::bind(args.http_address)
        .await
        .with_context(|| format!("cannot listen on {}", args.http_address))?;
    tracing::info!(address = %listener.local_addr()?, "serving /livez, /readyz and /metrics");
    let pulse = Pulse::new(Clock::boot());
    let (metrics, readiness) = (Arc::new(Metrics::default()), Readiness::new(pulse.clone()));
    let served = CancellationToken::new();
    let server = tokio::spawn(serve(
        listener,
        Arc::clone(&metrics),
        readiness.clone(),
        served.clone().cancelled_owned(),
    ));

    let client = kubernetes::client::client(&proxies, pulse.clone())?;
    let cluster = cluster_id(&client).await?;
    let ledger_uid = ledger_uid(&client, &args.ledger_namespace).await?;
    let start = Start {
        namespaces: Namespaces::new(&args.watch_namespaces),
        args,
        client,
        proxies,
        cluster,
        ledger_uid,
        metrics,
        readiness,
        pulse,
    };
    check_crds(&start).await?;
    let ControllerArgs {
        watch_label_selector,
        shards,
        ..
    } = &start.args;
    if watch_label_selector.is_part() {
        tracing::info!(works_on = %watch_label_selector, shards, "sharing the work with other operators");
    }
    let result = if start.args.leader_elect {
        lead(&start, stop).await
    } else {
        start.metrics.leading(true);
        work(&start, Leadership::unelected(stop.clone()), stop).await
    };
    served.cancel();
    let server = server.await.context("the HTTP server ended unexpectedly")?;
    result.and(server)?;
    tracing::info!("stopped");
    Ok(())
}

/// The forward proxies of the environment, which are read only here.
fn proxies(args: &ControllerArgs) -> anyhow::Result<Proxies> {
    let proxies = Proxies::from_env(|name| std::env::var(name).ok())?;
    if proxies.https().or(proxies.http()).is_some() {
        tracing::info!(
            https = proxies.https().map(tracing::field::display),
            http = proxies.http().map(tracing::field::display),
            namespaced_providers = args.allow_proxy_for_namespaced_providers,
            "using forward proxies, except for what NO_PROXY names"
        );
    }
    Ok(proxies)
}

/// Works while the lease is held, and waits for it again after another replica has had it.
async fn lead(start: &Start, stop: CancellationToken) -> anyhow::Result<()> {
    let ControllerArgs {
        namespace,
        instance,
        lease_duration,
        ..
    } = &start.args;
    // Two replicas that were given one name must not both believe that the lease is theirs.
    let identity = format!("{instance}_{}", crate::ledger::hash::random_id());
    let name = start.args.watch_label_selector.lease();
    let mut lease = Lease::new(start.client.clone(), namespace, &name, identity, *lease_duration);
    loop {
        tracing::info!("waiting for the lease");
        tokio::select! {
            () = lease.acquire(|looked| stand_by(&start.readiness, looked)) => {}
            () = stop.cancelled() => {
                // A write that was under way may have taken it.
                lease.release().await;
                return Ok(());
            }
        }
        tracing::info!("leading");
        match work_while_held(start, &mut lease, stop.child_token()).await {
            Some(result) => {
                lease.release().await;
                return result;
            }
            None if stop.is_cancelled() => return Ok(()),
            None => {}
        }
    }
}

/// What a standby's look at the lease says of its readiness. One that failed otherwise leaves it as it was: another start
/// would not help against an API server that does not answer.
fn stand_by(readiness: &Readiness, looked: Result<(), &ApiError>) {
    match looked {
        Ok(()) => readiness.stands_by(),
        Err(error) if error.is_refusal() => readiness.lacks_lease(error.to_string()),
        Err(_) => {}
    }
}

/// Works until `stop` is cancelled, and renews the lease until what was begun has ended: no standby works meanwhile. None
/// when another replica has the lease. What was begun has ended then too; the ledger keeps both from doing it twice.
async fn work_while_held(
    start: &Start,
    lease: &mut Lease,
    stop: CancellationToken,
) -> Option<anyhow::Result<()>> {
    start.metrics.leading(true);
    let leadership = Leadership::elected(lease.term(), stop.clone());
    let mut work = std::pin::pin!(work(start, leadership, stop.clone()));
    let result = tokio::select! {
        result = &mut work => Some(result),
        () = lease.keep(|held| start.metrics.leading(held)) => None,
    };
    if result.is_none() {
        start.metrics.leading(false);
        start.readiness.stands_by();
        tracing::warn!("another replica has the lease; finishing in-flight work");
        stop.cancel();
        if let Err(error) = work.await {
            return Some(Err(error));
        }
    }
    start.metrics.leading(false);
    start.pulse.forget_all();
    result
}

/// The uid of `kube-system` lasts as long as the cluster, and a restore elsewhere has another.
async fn cluster_id(client: &Client) -> anyhow::Result<String> {
    namespace_uid(client, "kube-system")
        .await
        .context("cannot read the namespace kube-system, which names this cluster")?
        .context("the namespace kube-system has no uid")
}

/// The uid of the ledger's namespace: another operator's ledger has another.
async fn ledger_uid(client: &Client, name: &str) -> anyhow::Result<String> {
    namespace_uid(client, name)
        .await
        .with_context(|| format!("cannot read the namespace {name:?} of the ledger"))?
        .with_context(|| format!("the namespace {name:?} has no uid"))
}

async fn namespace_uid(client: &Client, name: &str) -> Result<Option<String>, ApiError> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    Ok(bounded(namespaces.get(name)).await?.metadata.uid)
}

/// A watch of a kind that does not exist would be tried forever; a missing CRD is better told at once.
async fn check_crds(start: &Start) -> anyhow::Result<()> {
    let mut refused = Ok(());
    for shares in start.namespaces.apis::<OneTimeShare>(&start.client) {
        match bounded(shares.list(&ListParams::default().limit(1))).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_not_found() => {
                anyhow::bail!(
                    "the custom resource definitions are not installed: run `onetimeshare crds | kubectl apply --server-side -f -`"
                )
            }
            // Another namespace may allow it, and that is enough to go on.
            Err(error) if error.is_forbidden() => refused = Err(error),
            Err(error) => return Err(error).context("cannot list OneTimeShares"),
        }
    }
    refused.context("cannot list OneTimeShares")
}
