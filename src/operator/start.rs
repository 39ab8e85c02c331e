//! What an operator starts with. Data only.

use crate::config::ControllerArgs;
use crate::kubernetes::namespaces::Namespaces;
use crate::kubernetes::pulse::Pulse;
use crate::proxy::Proxies;
use crate::telemetry::{Metrics, Readiness};
use kube::Client;
use std::sync::Arc;

/// What an operator starts with.
pub(super) struct Start {
    /// The settings.
    pub(super) args: ControllerArgs,
    /// The namespaces that are worked on.
    pub(super) namespaces: Namespaces,
    pub(super) client: Client,
    /// The forward proxies that the environment names.
    pub(super) proxies: Proxies,
    /// The uid of the namespace `kube-system`: names this cluster.
    pub(super) cluster: String,
    /// The uid of the ledger's namespace: names this ledger.
    pub(super) ledger_uid: String,
    pub(super) metrics: Arc<Metrics>,
    pub(super) readiness: Readiness,
    pub(super) pulse: Pulse,
}
