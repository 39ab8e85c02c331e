//! Logs, metrics and health endpoints. Labels are words from fixed lists: never a name, key or address.

use crate::api::condition::Reason;
use crate::config::LogFormat;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

/// Starts logging to standard error.
///
/// # Errors
/// When the filter cannot be read, or logging was started before.
pub fn init_logs(format: LogFormat, filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // No escape codes in a file.
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.try_init(),
    }
    .map_err(|error| anyhow::anyhow!("logging could not be started: {error}"))
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

/// The counters.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    notices: Family<ReasonLabel, Counter>,
    reconciles: Family<ResultLabel, Counter>,
    resolutions: Family<ResultLabel, Counter>,
    quarantined: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("onetimeshare");
        let requests = Family::default();
        let notices = Family::default();
        let reconciles = Family::default();
        let resolutions = Family::default();
        let quarantined = Gauge::default();
        registry.register(
            "service_requests",
            "Requests to Onetime Secret by operation and outcome",
            requests.clone(),
        );
        registry.register(
            "share_changes",
            "Changes of shares' statuses by reason",
            notices.clone(),
        );
        registry.register("reconciles", "Reconciles of shares by result", reconciles.clone());
        registry.register(
            "resolutions",
            "Decisions about lost answers by result",
            resolutions.clone(),
        );
        registry.register(
            "quarantined_links",
            "Links that are not burned because too many shares were missing when the operator started",
            quarantined.clone(),
        );
        Self {
            registry,
            requests,
            notices,
            reconciles,
            resolutions,
            quarantined,
        }
    }
}

impl Metrics {
    /// Counts a request to the service.
    pub fn service_request(&self, operation: &'static str, outcome: &'static str) {
        self.requests
            .get_or_create(&RequestLabels { operation, outcome })
            .inc();
    }

    /// Counts a change of a share that users were told of.
    pub fn notice(&self, reason: Reason) {
        self.notices
            .get_or_create(&ReasonLabel {
                reason: reason.as_str(),
            })
            .inc();
    }

    /// Counts a decision about a lost answer.
    pub fn resolution(&self, result: &'static str) {
        self.resolutions.get_or_create(&ResultLabel { result }).inc();
    }

    /// How many links are not burned because too many shares were missing at the start.
    pub fn quarantined(&self, links: usize) {
        self.quarantined.set(i64::try_from(links).unwrap_or(i64::MAX));
    }

    /// Counts a reconcile.
    pub fn reconcile(&self, ok: bool) {
        let result = if ok { "ok" } else { "error" };
        self.reconciles.get_or_create(&ResultLabel { result }).inc();
    }

    fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Whether the operator works, or waits for its turn.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// From now on the operator is ready, or not.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Serves /livez, /readyz and /metrics until `stop` resolves.
///
/// # Errors
/// When the server fails.
pub async fn serve(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    readiness: Readiness,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let ready = move || async move {
        if readiness.get() {
            (StatusCode::OK, "ok\n")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "caches are not filled yet\n")
        }
    };
    let app = axum::Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics_text))
        .with_state(metrics);
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    Ok(())
}

async fn metrics_text(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    let content_type = [(
        header::CONTENT_TYPE,
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
    )];
    match metrics.encode() {
        Ok(text) => (StatusCode::OK, content_type, text),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, content_type, String::new()),
    }
}
