//! The operator put together: clients, caches, tasks, and an orderly end.

use crate::api::{ClusterShareProvider, OneTimeShare, ShareProvider};
use crate::config::ControllerArgs;
use crate::kubernetes::{bounded, filled};
use crate::onetime::Clock;
use crate::provider::health::{self, HealthContext};
use crate::provider::{Policy, ProviderId, Providers};
use crate::share::context::{AttemptClock, Context, Lanes, Options};
use crate::share::event::Events;
use crate::share::ledger::{Ledger, Owner};
use crate::telemetry::{HasMetrics, Metrics, Readiness, serve};
use anyhow::Context as _;
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::controller::{self, Action, Controller};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::{Api, Client};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio_util::sync::CancellationToken;

impl HasMetrics for Context {
    fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

/// Runs until `stop` is cancelled and what was begun has ended.
///
/// # Errors
/// When the API server cannot be reached at the start, or the HTTP server fails.
pub async fn run(args: ControllerArgs, stop: CancellationToken) -> anyhow::Result<()> {
    let listener = TcpListener::bind(args.http_address)
        .await
        .with_context(|| format!("cannot listen on {}", args.http_address))?;
    tracing::info!(address = %listener.local_addr()?, "serving /livez, /readyz and /metrics");
    let client = Client::try_default()
        .await
        .context("no cluster: neither a service account nor a kubeconfig was found")?;
    let cluster = cluster_id(&client).await?;
    check_crds(&client).await?;

    let (recheck, rechecks) = mpsc::unbounded_channel();
    let (wake, woken) = mpsc::unbounded_channel();
    let cluster_providers = Controller::new(
        Api::<ClusterShareProvider>::all(client.clone()),
        watcher::Config::default(),
    );
    let providers = Controller::new(
        Api::<ShareProvider>::all(client.clone()),
        watcher::Config::default(),
    );
    let (ledger, ledger_changes) = Ledger::open(client.clone(), &args.ledger_namespace);
    let context = Arc::new(Context {
        kubernetes: client.clone(),
        cluster,
        ledger,
        providers: Providers::new(
            client.clone(),
            cluster_providers.store(),
            providers.store(),
            policy(&args),
            args.request_timeout,
            args.attempt_deadline.max(args.request_timeout),
            recheck,
        ),
        lanes: Lanes::default(),
        attempts: AttemptClock::new(Clock::boot()),
        events: Events::new(client, args.instance.clone()),
        metrics: Metrics::default(),
        options: options(&args),
    });
    let health = Arc::new(HealthContext {
        context: Arc::clone(&context),
        interval: args.provider_check_interval,
        wake,
    });
    let (cluster_rechecks, rechecks) = by_kind(rechecks);
    let ledger_changes = in_background(ledger_changes);

    let readiness = Readiness::default();
    let server = serve(
        listener,
        Arc::clone(&context),
        readiness.clone(),
        stop.clone().cancelled_owned(),
    );
    let stores = (cluster_providers.store(), providers.store());
    let health_of_cluster = check_providers(
        cluster_providers,
        cluster_rechecks,
        Arc::clone(&health),
        stop.clone(),
    );
    let health_of_namespaces = check_providers(providers, rechecks, health, stop.clone());
    let shares = {
        let (context, stop) = (Arc::clone(&context), stop.clone());
        async move {
            // A share that is looked at before the caches are filled would be told that its provider is missing.
            let filled =
                async { context.ledger.filled().await && filled(&stores.0).await && filled(&stores.1).await };
            tokio::select! {
                true = filled => {}
                () = stop.cancelled() => return Ok(()),
                else => anyhow::bail!("a watch ended before its cache was filled"),
            }
            readiness.set(true);
            tracing::info!(cluster = context.cluster, "ready");
            let controller = Controller::new(
                Api::<OneTimeShare>::all(context.kubernetes.clone()),
                watcher::Config::default(),
            );
            let sweep = tokio::spawn(crate::sweep::run(Arc::clone(&context), controller.store()));
            crate::share::controller::run(
                controller,
                context,
                ledger_changes,
                receive(woken),
                stop.cancelled_owned(),
            )
            .await;
            sweep.abort();
            anyhow::Ok(())
        }
    };
    let ((), (), shares, server) = tokio::join!(health_of_cluster, health_of_namespaces, shares, server);
    shares.and(server)?;
    tracing::info!("stopped");
    Ok(())
}

fn policy(args: &ControllerArgs) -> Policy {
    Policy {
        allowed_hosts: args.allowed_provider_hosts.clone(),
        allow_http: args.allow_http,
        allow_private_addresses: args.allow_private_addresses,
        operator_namespace: args.namespace.clone(),
    }
}

fn options(args: &ControllerArgs) -> Options {
    Options {
        attempt_deadline: args.attempt_deadline,
        request_timeout: args.request_timeout,
        concurrency: args.concurrency,
        settling_time: args.settling_time,
        generate: args.enable_generate,
        ledger_retention: args.ledger_retention,
        allow_mass_burn: args.allow_mass_burn,
    }
}

/// The uid of `kube-system` lasts as long as the cluster, and a restore elsewhere has another.
async fn cluster_id(client: &Client) -> anyhow::Result<String> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let system = bounded(namespaces.get("kube-system"))
        .await
        .context("cannot read the namespace kube-system, which names this cluster")?;
    system
        .metadata
        .uid
        .context("the namespace kube-system has no uid")
}

/// A watch of a kind that does not exist would be tried forever; a missing CRD is better told at once.
async fn check_crds(client: &Client) -> anyhow::Result<()> {
    use kube::api::ListParams;
    let shares: Api<OneTimeShare> = Api::all(client.clone());
    match bounded(shares.list(&ListParams::default().limit(1))).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => {
            anyhow::bail!(
                "the custom resource definitions are not installed: run `onetimeshare crds | kubectl apply --server-side -f -`"
            )
        }
        Err(error) => Err(error).context("cannot list OneTimeShares"),
    }
}

async fn check_providers<K>(
    controller: Controller<K>,
    rechecks: impl Stream<Item = ObjectRef<K>> + Send + 'static,
    health: Arc<HealthContext>,
    stop: CancellationToken,
) where
    K: crate::api::provider::Provider
        + Clone
        + serde::de::DeserializeOwned
        + std::fmt::Debug
        + Send
        + Sync
        + 'static,
{
    controller
        .with_config(controller::Config::default().concurrency(8))
        .reconcile_on(rechecks)
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(
            health::check,
            |_, error, _| {
                tracing::warn!(%error, "the status of a provider could not be written; trying again");
                Action::requeue(Duration::from_secs(5))
            },
            health,
        )
        .for_each(|_| async {})
        .await;
}

/// Splits rechecks by the kind of the provider.
fn by_kind(
    mut rechecks: UnboundedReceiver<ProviderId>,
) -> (
    impl Stream<Item = ObjectRef<ClusterShareProvider>> + Send,
    impl Stream<Item = ObjectRef<ShareProvider>> + Send,
) {
    let (to_cluster, cluster) = mpsc::unbounded_channel();
    let (to_namespaced, namespaced) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(id) = rechecks.recv().await {
            // Nobody receives any more while the operator shuts down.
            let _ = match &id.namespace {
                None => to_cluster.send(ObjectRef::new(&id.name)).is_ok(),
                Some(namespace) => to_namespaced
                    .send(ObjectRef::new(&id.name).within(namespace))
                    .is_ok(),
            };
        }
    });
    (receive(cluster), receive(namespaced))
}

/// The ledger's watch must go on while nobody asks for its changes: it fills the cache.
fn in_background(changes: impl Stream<Item = Owner> + Send + 'static) -> impl Stream<Item = Owner> + Send {
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut changes = std::pin::pin!(changes);
        while let Some(owner) = changes.next().await {
            if sender.send(owner).is_err() {
                return;
            }
        }
    });
    receive(receiver)
}

fn receive<T: Send + 'static>(receiver: UnboundedReceiver<T>) -> impl Stream<Item = T> + Send {
    futures::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|item| (item, receiver))
    })
}
