//! The names of the metrics, and what they say of themselves.

use super::{Counters, Metrics, OUTSIDE, burn_label};
use crate::ledger::BurnReason;
use crate::ledger::transition::Mail;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Unit;

impl Metrics {
    /// A counter that appears with its first event has no rate for it: what can be named ahead starts at zero.
    pub(super) fn start_at_zero(&self) {
        for mail in Mail::ALL {
            let _ = self.mails_requested.get_or_create(&[("result", mail.label())]);
        }
        for cause in BurnReason::ALL.map(burn_label).into_iter().chain([OUTSIDE]) {
            let _ = self.links_burned.get_or_create(&[("cause", cause)]);
        }
        for result in ["adopt", "send_again", "look_again", "hold"] {
            let _ = self.resolutions.get_or_create(&[("result", result)]);
        }
        for result in ["ready", "not_ready", "error"] {
            let _ = self.provider_checks.get_or_create(&[("result", result)]);
        }
        for result in ["ok", "error"] {
            let _ = self.reconciles.get_or_create(&[("result", result)]);
        }
    }

    pub(super) fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        let mut counts = |name: &str, help: &str, counter: &Counter| {
            registry.register(name, help, counter.clone());
        };
        counts(
            "links_created",
            "Links that were created and are in the ledger, adopted ones included",
            &self.links_created,
        );
        counts("links_received", "Links that were opened", &self.links_received);
        counts(
            "links_expired_unread",
            "Links that expired before anybody opened them",
            &self.links_expired_unread,
        );
        let mut counts = |name: &str, help: &str, counters: &Counters<1>| {
            registry.register(name, help, counters.clone());
        };
        counts(
            "mails_requested",
            "Links that the service was asked to mail, by what it said",
            &self.mails_requested,
        );
        counts(
            "links_burned",
            "Links that were burned before anybody opened them, by cause",
            &self.links_burned,
        );
        counts(
            "resolutions",
            "Decisions about lost answers by result",
            &self.resolutions,
        );
        counts(
            "share_changes",
            "Changes of shares' statuses that users were told of, by reason",
            &self.share_changes,
        );
        counts(
            "provider_changes",
            "Changes of providers' readiness that users were told of, by reason",
            &self.provider_changes,
        );
        counts(
            "provider_checks",
            "Health checks of providers by result",
            &self.provider_checks,
        );
        counts("reconciles", "Reconciles of shares by result", &self.reconciles);
        registry.register(
            "service_requests",
            "Requests to Onetime Secret by operation and outcome",
            self.requests.clone(),
        );
        let mut times = |name: &str, help: &str, histogram: &Histogram| {
            registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
        };
        times(
            "time_to_link",
            "From a request to its link in the share's status",
            &self.time_to_link,
        );
        times(
            "time_to_received",
            "From the creation of a link to its opening",
            &self.time_to_received,
        );
        times(
            "reconcile_duration",
            "How long reconciles of shares took",
            &self.reconcile_duration,
        );
        times(
            "provider_check_duration",
            "How long health checks of providers took",
            &self.provider_check_duration,
        );
        registry.register_with_unit(
            "service_request_duration",
            "How long requests to Onetime Secret took, by operation",
            Unit::Seconds,
            self.request_duration.clone(),
        );
        registry.register(
            "quarantined_links",
            "Links that are not burned because too many shares were missing at once, and nobody saw them deleted",
            self.quarantined.clone(),
        );
        registry.register(
            "ledger_entries_without_shard",
            "Ledger entries of shards whose lease nobody has held for ten minutes, as the default shard sees them",
            self.without_shard.clone(),
        );
        registry.register(
            "shares_waiting",
            "Shares that wait for their turn to be sent",
            self.waiting.clone(),
        );
        registry.register(
            "older_definition_links",
            "Links that are not burned because their shares went with an earlier custom resource definition",
            self.older_definition.clone(),
        );
        registry.register(
            "leader",
            "Whether this replica works (1) or waits for its turn (0)",
            self.leader.clone(),
        );
        registry.register(
            "build",
            "The version of the operator",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        self.inventory.register(registry);
        self
    }
}
