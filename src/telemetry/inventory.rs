//! What there is at one moment, counted: shares, ledger entries, providers. Only the leader knows, and only it tells.

use super::labels::Labels;
use crate::api::condition::{READY, Reason};
use crate::api::provider::ProviderStatus;
use crate::api::share::{ProviderKind, ShareState};
use crate::ledger::Stage;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

const STATES: [ShareState; 6] = [
    ShareState::Pending,
    ShareState::Shared,
    ShareState::Received,
    ShareState::Burned,
    ShareState::Expired,
    ShareState::Failed,
];
const PHASES: [&str; 6] = ["Idle", "Intent", "Held", "Shared", "Burning", "Finished"];
const KINDS: [ProviderKind; 2] = [ProviderKind::ClusterShareProvider, ProviderKind::ShareProvider];
/// Why providers are not ready: these words are always there, the others while a provider has them.
const USUAL: [Reason; 7] = [
    Reason::ProviderInvalid,
    Reason::CredentialsNotFound,
    Reason::SecretForbidden,
    Reason::SecretNotShareable,
    Reason::Unauthorized,
    Reason::Unavailable,
    Reason::ApiUnavailable,
];
const READINESS: [&str; 3] = ["True", "False", "Unknown"];

type Count<const N: usize> = BTreeMap<Labels<N>, usize>;

/// What there is, counted by words from fixed lists. What there is none of counts zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    shares: Count<1>,
    entries: Count<1>,
    providers: Count<2>,
    not_ready: Count<1>,
}

impl Default for Inventory {
    fn default() -> Self {
        let providers = KINDS
            .iter()
            .flat_map(|kind| READINESS.map(|ready| provider(*kind, ready)));
        Self {
            shares: STATES
                .iter()
                .map(|state| ([("state", state.as_str())], 0))
                .collect(),
            entries: PHASES.iter().map(|phase| ([("phase", *phase)], 0)).collect(),
            providers: providers.map(|labels| (labels, 0)).collect(),
            not_ready: USUAL
                .iter()
                .map(|reason| ([("reason", reason.as_str())], 0))
                .collect(),
        }
    }
}

impl Inventory {
    /// Counts a share by the state that its status tells. One that has no status yet is pending.
    pub fn share(&mut self, state: Option<ShareState>) {
        let state = state.unwrap_or(ShareState::Pending).as_str();
        *self.shares.entry([("state", state)]).or_default() += 1;
    }

    /// Counts a ledger entry. An attempt about which a person must decide is told apart.
    pub fn entry(&mut self, stage: &Stage) {
        let phase = match stage {
            Stage::Idle { .. } => "Idle",
            Stage::Intent { on_hold: true, .. } => "Held",
            Stage::Intent { .. } => "Intent",
            Stage::Shared(_) => "Shared",
            Stage::Burning(_) => "Burning",
            Stage::Finished { .. } => "Finished",
        };
        *self.entries.entry([("phase", phase)]).or_default() += 1;
    }

    /// Counts a provider by its condition Ready.
    pub fn provider(&mut self, kind: ProviderKind, status: Option<&ProviderStatus>) {
        let condition = status.and_then(|status| status.conditions.iter().find(|c| c.type_ == READY));
        if let Some(condition) = condition.filter(|condition| condition.status == "False")
            && let Some(reason) = Reason::ALL
                .iter()
                .find(|reason| reason.as_str() == condition.reason)
        {
            *self.not_ready.entry([("reason", reason.as_str())]).or_default() += 1;
        }
        let ready = condition.map_or("Unknown", |ready| match ready.status.as_str() {
            "True" => "True",
            "False" => "False",
            _ => "Unknown",
        });
        *self.providers.entry(provider(kind, ready)).or_default() += 1;
    }
}

fn provider(kind: ProviderKind, ready: &'static str) -> Labels<2> {
    [("kind", kind.as_str()), ("ready", ready)]
}

/// The gauges. They are there only while they are published: a replica that waits would repeat what was.
#[derive(Default)]
pub(super) struct Gauges {
    published: Mutex<bool>,
    shares: Family<Labels<1>, Gauge>,
    entries: Family<Labels<1>, Gauge>,
    providers: Family<Labels<2>, Gauge>,
    not_ready: Family<Labels<1>, Gauge>,
}

impl Gauges {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "shares",
            "Shares by state, as the leader sees them",
            self.shares.clone(),
        );
        registry.register(
            "ledger_entries",
            "Ledger entries by phase, as the leader sees them",
            self.entries.clone(),
        );
        registry.register(
            "providers",
            "Providers by kind and by their condition Ready, as the leader sees them",
            self.providers.clone(),
        );
        registry.register(
            "providers_not_ready",
            "Providers that are not ready by reason, as the leader sees them",
            self.not_ready.clone(),
        );
    }

    pub(super) fn publish(&self, publish: bool) {
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        *published = publish;
        if !publish {
            self.shares.clear();
            self.entries.clear();
            self.providers.clear();
            self.not_ready.clear();
        }
    }

    pub(super) fn set(&self, inventory: &Inventory) {
        // Held until the end: who stops leading meanwhile clears afterwards.
        let published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        if *published {
            set(&self.shares, &inventory.shares);
            set(&self.entries, &inventory.entries);
            set(&self.providers, &inventory.providers);
            for reason in Reason::ALL.iter().map(|reason| [("reason", reason.as_str())]) {
                if !inventory.not_ready.contains_key(&reason) {
                    self.not_ready.remove(&reason);
                }
            }
            set(&self.not_ready, &inventory.not_ready);
        }
    }
}

fn set<const N: usize>(gauges: &Family<Labels<N>, Gauge>, counts: &Count<N>) {
    for (labels, count) in counts {
        gauges.get_or_create(labels).set(number(*count));
    }
}

pub(super) fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
