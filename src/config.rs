//! Command line and environment of the operator.

use crate::shard::Shard;
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
    /// Ask a running operator whether it is ready: 0 when it is.
    Ready {
        /// An http address with the path /readyz.
        url: http::Uri,
    },
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

    /// Work only on the shares and ShareProviders of these namespaces, separated by commas or named one by one. Without
    /// it on those of all.
    #[arg(long, env = "ONETIMESHARE_WATCH_NAMESPACES", value_delimiter = ',', value_parser = namespace)]
    pub watch_namespaces: Vec<String>,

    /// Work only on the shares with this label, as one of several operators that share one ledger: onetimeshare.dev/shard=NAME
    /// for a shard, !onetimeshare.dev/shard for the default shard, which has the shares without the label. Without it on
    /// all shares.
    #[arg(
        long,
        env = "ONETIMESHARE_WATCH_LABEL_SELECTOR",
        default_value = "",
        value_name = "SELECTOR",
        hide_default_value = true
    )]
    pub watch_label_selector: Shard,

    /// How many shards there are, the default one included. Each sends its part of a provider's requestsPerMinute.
    #[arg(long, env = "ONETIMESHARE_SHARDS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub shards: u32,

    /// React at once to changed Secrets, instead of within minutes. Needs the right to list and watch Secrets; only
    /// their metadata is asked for.
    #[arg(long, env = "ONETIMESHARE_WATCH_SECRETS")]
    pub watch_secrets: bool,

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

    /// Let ShareProviders use the forward proxy that HTTPS_PROXY or HTTP_PROXY names. A proxy resolves host names itself,
    /// so the operator cannot check the addresses that a ShareProvider leads to. Default: they connect directly.
    #[arg(long, env = "ONETIMESHARE_ALLOW_PROXY_FOR_NAMESPACED_PROVIDERS")]
    pub allow_proxy_for_namespaced_providers: bool,

    /// Allow http to hosts other than loopback. Values and tokens then cross the network in the clear.
    #[arg(long, env = "ONETIMESHARE_ALLOW_HTTP")]
    pub allow_http: bool,

    /// Maximum number of shares that are reconciled at the same time, without those that wait for the service.
    #[arg(long, alias = "concurrency", env = "ONETIMESHARE_MAX_CONCURRENT_RECONCILES", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub max_concurrent_reconciles: u16,

    /// How long creating a link may take before it counts as lost: whole seconds such as "30s", at least 2s.
    #[arg(long, env = "ONETIMESHARE_ATTEMPT_DEADLINE", default_value = "30s", value_parser = seconds_from_2)]
    pub attempt_deadline: Duration,

    /// How long any other request to the service may take, such as "15s".
    #[arg(long, env = "ONETIMESHARE_REQUEST_TIMEOUT", default_value = "15s", value_parser = seconds)]
    pub request_timeout: Duration,

    /// How long to wait between the two looks at the service's list that must both find no trace of a lost answer
    /// before an e-mail is sent again, such as "60s".
    #[arg(long, env = "ONETIMESHARE_SETTLING_TIME", default_value = "60s", value_parser = seconds)]
    pub settling_time: Duration,

    /// How long a share may wait for its link before it stalls, such as "168h": its author may no longer have access to the
    /// Secret. Any edit of its spec lets it go on.
    #[arg(long, env = "ONETIMESHARE_MAX_WAIT", default_value = "168h", value_parser = seconds)]
    pub max_wait: Duration,

    /// How long the ledger remembers the link of a deleted share after its end, such as "720h".
    #[arg(long, env = "ONETIMESHARE_LEDGER_RETENTION", default_value = "720h", value_parser = seconds)]
    pub ledger_retention: Duration,

    /// Let shares have values generated by the service and written to Secrets. Needs the right to write Secrets.
    #[arg(long, env = "ONETIMESHARE_ENABLE_GENERATE")]
    pub enable_generate: bool,

    /// Use only Secrets that carry the label onetimeshare.dev/shareable: "true". For clusters where one account, such as
    /// that of a GitOps controller, creates the shares of many people.
    #[arg(long, env = "ONETIMESHARE_REQUIRE_SHAREABLE_LABEL")]
    pub require_shareable_label: bool,

    /// Burn the links of missing shares even when very many are missing at once. Default: those missing at the start are
    /// kept, because a restore that went wrong looks the same, and later ones are burned after 10 minutes. The annotation
    /// onetimeshare.dev/release-missing on the ledger's namespace does the same for one occasion.
    #[arg(long, env = "ONETIMESHARE_ALLOW_MASS_BURN")]
    pub allow_mass_burn: bool,

    /// How often the health of a provider is checked, such as "60s".
    #[arg(long, env = "ONETIMESHARE_PROVIDER_CHECK_INTERVAL", default_value = "60s", value_parser = seconds)]
    pub provider_check_interval: Duration,

    /// The name of this instance in events and in the lease. Must differ between replicas.
    #[arg(long, env = "POD_NAME", default_value = "onetimeshare")]
    pub instance: String,

    /// Let one of several replicas work at a time. Without it all work, which is safe and costs requests.
    #[arg(long, env = "ONETIMESHARE_LEADER_ELECT", default_value_t = true, action = clap::ArgAction::Set)]
    pub leader_elect: bool,

    /// How long a standby waits before it takes over the lease, such as "15s", at least 3s. A leader that could not renew it
    /// for two thirds of this begins nothing new until it can.
    #[arg(long, env = "ONETIMESHARE_LEASE_DURATION", default_value = "15s", value_parser = seconds_from_3)]
    pub lease_duration: Duration,

    /// Where /livez, /readyz and /metrics are served. Port 0 takes a free one, which the log names.
    #[arg(long, env = "ONETIMESHARE_HTTP_ADDRESS", default_value = "0.0.0.0:8080")]
    pub http_address: SocketAddr,

    /// The form of the logs.
    #[arg(long, env = "ONETIMESHARE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,

    /// What is logged, such as "info" or "onetimeshare=debug,kube=warn". Lines of HTTP and TLS libraries, and of the client
    /// of the API server, are always off: they could quote links.
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

/// An empty name would mean all namespaces to the API server.
fn namespace(text: &str) -> Result<String, String> {
    let name = text.trim();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_label = name.len() <= 63
        && name.starts_with(plain)
        && name.ends_with(plain)
        && name.chars().all(|c| plain(c) || c == '-');
    if is_label {
        Ok(name.to_owned())
    } else {
        Err(format!("{name:?} cannot be the name of a namespace"))
    }
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

fn seconds_from_3(text: &str) -> Result<Duration, String> {
    at_least(text, Duration::from_secs(3))
}

fn seconds_from_2(text: &str) -> Result<Duration, String> {
    at_least(text, Duration::from_secs(2))
}

fn at_least(text: &str, least: Duration) -> Result<Duration, String> {
    seconds(text).and_then(|duration| {
        if duration < least {
            Err(format!("must be at least {}s", least.as_secs()))
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

    fn watched(args: &[&str]) -> Option<Vec<String>> {
        let all = ["onetimeshare", "controller"].iter().chain(args);
        match Cli::try_parse_from(all).ok()?.command {
            Command::Controller(args) => Some(args.watch_namespaces),
            Command::Ready { .. } | Command::Crds { .. } => None,
        }
    }

    #[test]
    fn namespaces_come_in_one_list_or_one_by_one() {
        let found = |args: &[&str]| watched(args).expect("a good command line");
        assert!(found(&[]).is_empty());
        assert_eq!(found(&["--watch-namespaces=a, b ,c-1"]), ["a", "b", "c-1"]);
        assert_eq!(
            found(&["--watch-namespaces=a,b", "--watch-namespaces", "0"]),
            ["a", "b", "0"]
        );
    }

    /// Above all, nothing that is left empty by mistake means all namespaces.
    #[test]
    fn what_cannot_be_a_namespace_is_refused() {
        let long = "a".repeat(64);
        for name in ["", " ", "a,,b", "a,", "*", "A", "a.b", "-a", "a-", "a b", &long] {
            let arg = format!("--watch-namespaces={name}");
            assert_eq!(watched(&[&arg]), None, "{arg}");
        }
    }

    #[test]
    fn a_shard_is_named_by_a_selector_and_none_means_all_shares() {
        let shard = |args: &[&str]| {
            let all = ["onetimeshare", "controller"].iter().chain(args);
            match Cli::try_parse_from(all).expect("a good command line").command {
                Command::Controller(args) => (args.watch_label_selector, args.shards),
                Command::Ready { .. } | Command::Crds { .. } => panic!("another command"),
            }
        };
        assert_eq!(shard(&[]), (Shard::All, 1));
        assert_eq!(shard(&["--watch-label-selector="]), (Shard::All, 1));
        let (default, count) = shard(&["--watch-label-selector=!onetimeshare.dev/shard", "--shards=3"]);
        assert!(default.is_part() && default.speaks_for_all() && count == 3);
        for wrong in [
            "--shards=0",
            "--watch-label-selector=a",
            "--watch-label-selector=a=ledger",
        ] {
            assert!(
                Cli::try_parse_from(["onetimeshare", "controller", wrong]).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn durations_are_checked() {
        assert!(Cli::try_parse_from(["onetimeshare", "controller", "--attempt-deadline", "1s"]).is_err());
        assert!(Cli::try_parse_from(["onetimeshare", "controller", "--attempt-deadline", "2s"]).is_ok());
        assert!(Cli::try_parse_from(["onetimeshare", "controller", "--request-timeout", "0s"]).is_err());
    }
}
