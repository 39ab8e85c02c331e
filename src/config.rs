//! Command line and environment of the operator.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::time::Duration;

/// Puts the values of Secrets behind one-time links at Onetime Secret.
#[derive(Debug, Parser)]
#[command(name = "onetimeshare", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the operator.
    Controller(Box<ControllerArgs>),
    /// Print the custom resource definitions as YAML.
    Crds {
        /// Write one file per definition into this folder instead.
        #[arg(long)]
        dir: Option<std::path::PathBuf>,
    },
}

/// Settings of the operator. Each can also be given by the environment variable named beside it.
#[derive(Args, Clone, Debug)]
pub struct ControllerArgs {
    /// The operator's own namespace, where the credentials of ClusterShareProviders are.
    #[arg(long, env = "ONETIMESHARE_NAMESPACE", default_value = "onetimeshare-system")]
    pub namespace: String,

    /// The namespace of the ledger. Nothing else should be in it, and nobody else should have access.
    #[arg(
        long,
        env = "ONETIMESHARE_LEDGER_NAMESPACE",
        default_value = "onetimeshare-ledger"
    )]
    pub ledger_namespace: String,

    /// Hosts that a ShareProvider's url may name: exact names, or *.example.com for every name below.
    #[arg(
        long,
        env = "ONETIMESHARE_ALLOWED_PROVIDER_HOSTS",
        value_delimiter = ',',
        default_value = "*.onetimesecret.com"
    )]
    pub allowed_provider_hosts: Vec<String>,

    /// Let a ShareProvider's host have a private or loopback address.
    #[arg(long, env = "ONETIMESHARE_ALLOW_PRIVATE_ADDRESSES")]
    pub allow_private_addresses: bool,

    /// Allow http to hosts other than loopback. Values and tokens then cross the network in the clear.
    #[arg(long, env = "ONETIMESHARE_ALLOW_HTTP")]
    pub allow_http: bool,

    /// How many shares are worked on at once.
    #[arg(long, env = "ONETIMESHARE_CONCURRENCY", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub concurrency: u16,

    /// How long creating a link may take before it counts as lost: whole seconds such as "30s", at least 2s.
    #[arg(long, env = "ONETIMESHARE_ATTEMPT_DEADLINE", default_value = "30s", value_parser = seconds_from_2)]
    pub attempt_deadline: Duration,

    /// How long any other request to the service may take, such as "15s".
    #[arg(long, env = "ONETIMESHARE_REQUEST_TIMEOUT", default_value = "15s", value_parser = seconds)]
    pub request_timeout: Duration,

    /// How often the health of a provider is checked, such as "60s".
    #[arg(long, env = "ONETIMESHARE_PROVIDER_CHECK_INTERVAL", default_value = "60s", value_parser = seconds)]
    pub provider_check_interval: Duration,

    /// The name of this instance in events.
    #[arg(long, env = "POD_NAME", default_value = "onetimeshare")]
    pub instance: String,

    /// Where /livez, /readyz and /metrics are served. Port 0 takes a free one, which the log names.
    #[arg(long, env = "ONETIMESHARE_HTTP_ADDRESS", default_value = "0.0.0.0:8080")]
    pub http_address: SocketAddr,

    /// The form of the logs.
    #[arg(long, env = "ONETIMESHARE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,

    /// What is logged, such as "info" or "onetimeshare=debug,kube=warn".
    #[arg(long, env = "ONETIMESHARE_LOG", default_value = "info")]
    pub log: String,
}

/// The form of the logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

fn seconds(text: &str) -> Result<Duration, String> {
    crate::api::duration::parse(text)
        .map_err(|error| error.to_string())
        .and_then(|duration| {
            if duration.is_zero() {
                Err("must be at least 1s".into())
            } else {
                Ok(duration)
            }
        })
}

fn seconds_from_2(text: &str) -> Result<Duration, String> {
    seconds(text).and_then(|duration| {
        if duration < Duration::from_secs(2) {
            Err("must be at least 2s".into())
        } else {
            Ok(duration)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_are_checked() {
        assert!(Cli::try_parse_from(["onetimeshare", "controller", "--attempt-deadline", "1s"]).is_err());
        assert!(Cli::try_parse_from(["onetimeshare", "controller", "--attempt-deadline", "2s"]).is_ok());
        assert!(Cli::try_parse_from(["onetimeshare", "controller", "--request-timeout", "0s"]).is_err());
    }
}
