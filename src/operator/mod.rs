//! The operator put together: clients, election, and an orderly end.

mod caches;
mod secrets;
mod start;
mod streams;
mod watch;
mod work;

use crate::api::OneTimeShare;
use crate::clock::Clock;
use crate::config::ControllerArgs;
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

/// The name of the lease.
const LEASE: &str = "onetimeshare";

/// Runs until `stop` is cancelled and what was begun has ended.
///
/// # Errors
/// When a variable for a forward proxy is wrong, the API server cannot be reached at the start, the lease is lost, or the
/// HTTP server fails.
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
    let result = if start.args.leader_elect {
        lead(&start, stop).await
    } else {
        start.metrics.leading(true);
        work(&start, stop).await
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

/// Works while the lease is held.
async fn lead(start: &Start, stop: CancellationToken) -> anyhow::Result<()> {
    let ControllerArgs {
        namespace,
        instance,
        lease_duration,
        ..
    } = &start.args;
    // Two replicas that were given one name must not both believe that the lease is theirs.
    let identity = format!("{instance}_{}", crate::ledger::hash::random_id());
    let mut lease = Lease::new(start.client.clone(), namespace, LEASE, identity, *lease_duration);
    // A replica that waits for the lease is as ready as it can be.
    start.readiness.stands_by();
    tracing::info!("waiting for the lease");
    tokio::select! {
        () = lease.acquire() => {}
        () = stop.cancelled() => {
            // A write that was under way may have taken it.
            lease.release().await;
            return Ok(());
        }
    }
    start.metrics.leading(true);
    tracing::info!("leading");
    let stop = stop.child_token();
    let mut work = std::pin::pin!(work(start, stop.clone()));
    let result = tokio::select! {
        result = &mut work => result,
        () = lease.keep() => {
            start.metrics.leading(false);
            // Another replica may lead by now. What is under way ends; the ledger keeps both from doing it twice.
            stop.cancel();
            work.await?;
            Err(anyhow::anyhow!("the lease was lost"))
        }
    };
    start.metrics.leading(false);
    start.pulse.forget_all();
    lease.release().await;
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
