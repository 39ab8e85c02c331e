//! Starting the logs. What is logged is decided where it happens.

use crate::config::LogFormat;
use tracing::Metadata;
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt, registry};

/// Libraries whose lines may quote what they send or receive: answers of the API server with links in them, addresses
/// with keys in them. They are off, whatever the filter says.
const SILENT: [&str; 9] = [
    "h2",
    "hyper",
    "hyper_rustls",
    "hyper_util",
    "kube_client",
    "reqwest",
    "rustls",
    "tower",
    "tower_http",
];

/// Starts logging to standard error.
///
/// # Errors
/// When the filter cannot be read, or logging was started before.
pub fn init_logs(format: LogFormat, filter: &str) -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_new(filter)?.and(filter_fn(|metadata: &Metadata<'_>| !is_silent(metadata.target())));
    let lines = fmt::layer()
        // No escape codes in a file.
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text => lines.boxed(),
    };
    registry()
        .with(lines.with_filter(filter))
        .try_init()
        .map_err(|error| anyhow::anyhow!("logging could not be started: {error}"))
}

fn is_silent(target: &str) -> bool {
    let library = target.split("::").next().unwrap_or_default();
    SILENT.contains(&library)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_that_quote_are_silent() {
        for target in [
            "hyper::proto::h1::io",
            "reqwest::connect",
            "kube_client::client",
            "rustls",
            "h2::codec",
        ] {
            assert!(is_silent(target), "{target}");
        }
        for target in ["onetimeshare::poll", "kube_runtime::controller", "hyperspace", ""] {
            assert!(!is_silent(target), "{target}");
        }
    }
}
