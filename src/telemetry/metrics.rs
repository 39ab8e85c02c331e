//! The metrics: which there are, and how each is counted. Label values are words from fixed lists: never a name,
//! namespace, key or address. `docs/metrics.md` lists them all, and a test compares the two.

mod register;

use super::inventory::{self, Inventory};
use super::labels::Labels;
use crate::api::condition::Reason;
use crate::ledger::transition::{Transition, transitions};
use crate::ledger::{BurnReason, Entry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

type Counters<const N: usize> = Family<Labels<N>, Counter>;
type Histograms<const N: usize> = Family<Labels<N>, Histogram, fn() -> Histogram>;

const MINUTE: f64 = 60.0;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;

/// Why links are burned, beside [`BurnReason`]: by somebody else, who has the metadata key or the account.
const OUTSIDE: &str = "outside";

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    links_created: Counter,
    mails_requested: Counters<1>,
    links_received: Counter,
    links_expired_unread: Counter,
    links_burned: Counters<1>,
    time_to_link: Histogram,
    time_to_received: Histogram,
    requests: Counters<2>,
    request_duration: Histograms<1>,
    resolutions: Counters<1>,
    share_changes: Counters<1>,
    provider_changes: Counters<1>,
    provider_checks: Counters<1>,
    provider_check_duration: Histogram,
    reconciles: Counters<1>,
    reconcile_duration: Histogram,
    quarantined: Gauge,
    without_shard: Gauge,
    waiting: Gauge,
    older_definition: Gauge,
    leader: Gauge,
    inventory: inventory::Gauges,
    /// The attempts whose links this process has made and not shown yet.
    unshown: Mutex<HashSet<String>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("onetimeshare"),
            links_created: Counter::default(),
            mails_requested: Counters::default(),
            links_received: Counter::default(),
            links_expired_unread: Counter::default(),
            links_burned: Counters::default(),
            time_to_link: Histogram::new([
                0.25,
                0.5,
                1.0,
                2.5,
                5.0,
                10.0,
                30.0,
                MINUTE,
                5.0 * MINUTE,
                15.0 * MINUTE,
                HOUR,
                DAY,
            ]),
            time_to_received: Histogram::new([
                MINUTE,
                5.0 * MINUTE,
                15.0 * MINUTE,
                HOUR,
                4.0 * HOUR,
                12.0 * HOUR,
                DAY,
                2.0 * DAY,
                4.0 * DAY,
                7.0 * DAY,
                14.0 * DAY,
                30.0 * DAY,
            ]),
            requests: Counters::default(),
            request_duration: Histograms::new_with_constructor(|| {
                Histogram::new([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0])
            }),
            resolutions: Counters::default(),
            share_changes: Counters::default(),
            provider_changes: Counters::default(),
            provider_checks: Counters::default(),
            provider_check_duration: Histogram::new([
                0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0,
            ]),
            reconciles: Counters::default(),
            reconcile_duration: Histogram::new([0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]),
            quarantined: Gauge::default(),
            without_shard: Gauge::default(),
            waiting: Gauge::default(),
            older_definition: Gauge::default(),
            leader: Gauge::default(),
            inventory: inventory::Gauges::default(),
            unshown: Mutex::default(),
        };
        metrics.start_at_zero();
        metrics.registered()
    }
}

impl Metrics {
    /// Counts what a write that the ledger took says of a link.
    pub fn written(&self, before: Option<&Entry>, after: &Entry) {
        for transition in transitions(before, after) {
            self.count(transition);
        }
    }

    fn count(&self, transition: Transition) {
        match transition {
            Transition::Created { attempt, mail } => {
                self.links_created.inc();
                if let Some(mail) = mail {
                    self.mails_requested
                        .get_or_create(&[("result", mail.label())])
                        .inc();
                }
                self.unshown().insert(attempt);
            }
            Transition::Received(after) => {
                self.links_received.inc();
                self.time_to_received.observe(after.as_secs_f64());
            }
            Transition::Expired => {
                self.links_expired_unread.inc();
            }
            Transition::Burned(why) => {
                let cause = why.map_or(OUTSIDE, burn_label);
                self.links_burned.get_or_create(&[("cause", cause)]).inc();
            }
            Transition::Over { attempt } => {
                self.unshown().remove(&attempt);
            }
        }
    }

    /// Notes that the status shows the link of an attempt. Counts the first time of those that this process made: a
    /// status that was lost and written again says nothing about how long somebody waited.
    pub fn shown(&self, attempt: &str, waited: impl FnOnce() -> Duration) {
        if self.unshown().remove(attempt) {
            self.time_to_link.observe(waited().as_secs_f64());
        }
    }

    fn unshown(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.unshown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a request to the service.
    pub fn service_request(&self, operation: &'static str) -> ServiceRequest<'_> {
        ServiceRequest {
            metrics: self,
            operation,
            began: Instant::now(),
        }
    }

    /// Counts a change of a share that users were told of.
    pub fn notice(&self, reason: Reason) {
        self.share_changes
            .get_or_create(&[("reason", reason.as_str())])
            .inc();
    }

    /// Counts a change of a provider that users were told of.
    pub fn provider_notice(&self, reason: Reason) {
        self.provider_changes
            .get_or_create(&[("reason", reason.as_str())])
            .inc();
    }

    /// Counts a check of a provider. `result` is one of `ready`, `not_ready` and `error`.
    pub fn provider_check(&self, result: &'static str, took: Duration) {
        self.provider_checks.get_or_create(&[("result", result)]).inc();
        self.provider_check_duration.observe(took.as_secs_f64());
    }

    /// Counts a decision about a lost answer.
    pub fn resolution(&self, result: &'static str) {
        self.resolutions.get_or_create(&[("result", result)]).inc();
    }

    /// How many shares wait for their turn to be sent.
    pub fn waiting(&self, shares: usize) {
        self.waiting.set(inventory::number(shares));
    }

    /// How many links are not burned because too many shares are missing from a list.
    pub fn quarantined(&self, links: usize) {
        self.quarantined.set(inventory::number(links));
    }

    /// How many ledger entries belong to shards that no operator works on.
    pub fn without_shard(&self, entries: usize) {
        self.without_shard.set(inventory::number(entries));
    }

    /// How many links are not burned because their shares went with an earlier custom resource definition.
    pub fn of_older_definition(&self, links: usize) {
        self.older_definition.set(inventory::number(links));
    }

    /// Counts a reconcile.
    pub fn reconcile(&self, ok: bool, took: Duration) {
        let result = if ok { "ok" } else { "error" };
        self.reconciles.get_or_create(&[("result", result)]).inc();
        self.reconcile_duration.observe(took.as_secs_f64());
    }

    /// From now on this replica works, or does not. What only the leader can know is not told by any other.
    pub fn leading(&self, leads: bool) {
        self.leader.set(i64::from(leads));
        self.inventory.publish(leads);
        if !leads {
            self.quarantined.set(0);
            self.without_shard.set(0);
            self.waiting.set(0);
            self.older_definition.set(0);
        }
    }

    /// What there is now. Without effect while this replica does not lead.
    pub fn inventory(&self, inventory: &Inventory) {
        self.inventory.set(inventory);
    }

    pub(super) fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// A request to the service that is under way.
pub struct ServiceRequest<'m> {
    metrics: &'m Metrics,
    operation: &'static str,
    began: Instant,
}

impl ServiceRequest<'_> {
    /// Counts it, with how it went.
    pub fn ended(self, outcome: &'static str) {
        let Self {
            metrics,
            operation,
            began,
        } = self;
        metrics
            .requests
            .get_or_create(&[("operation", operation), ("outcome", outcome)])
            .inc();
        metrics
            .request_duration
            .get_or_create(&[("operation", operation)])
            .observe(began.elapsed().as_secs_f64());
    }
}

fn burn_label(why: BurnReason) -> &'static str {
    match why {
        BurnReason::Replaced => "replaced",
        BurnReason::Deleted => "deleted",
        BurnReason::ValueLost => "value_lost",
        BurnReason::MailedElsewhere => "mailed_elsewhere",
        BurnReason::Asked => "asked",
    }
}

#[cfg(test)]
mod tests;
