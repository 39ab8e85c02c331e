//! From a share's `providerRef` to a client and an account: one connection pool per server, credentials held for up
//! to a minute, so that a burst of shares costs one read.

mod credentials;
mod namespaces;
mod trust;

use super::answers::Answers;
use super::clients::{ClientKey, Clients};
use super::gates::{Call, Gates, Kind};
use super::plan::Demand;
use super::problems::unauthorized;
use super::resolved::Resolved;
use super::settings::{Policy, ProviderId, Settings};
use crate::api::condition::Reason;
use crate::api::provider::{
    ClusterShareProvider, CredentialsRef, ProviderSpec, ProviderStatus, ShareProvider,
};
use crate::api::share::ProviderKind;
use crate::ledger::Route;
use crate::onetime::{Account, Client, ClientConfig};
use crate::problem::Problem;
use kube::runtime::reflector::{ObjectRef, Store};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

/// Every provider of the cluster.
pub struct Providers {
    kubernetes: kube::Client,
    cluster: Store<ClusterShareProvider>,
    namespaced: Store<ShareProvider>,
    policy: Policy,
    timeouts: Timeouts,
    clients: Clients,
    accounts: Mutex<HashMap<ProviderId, (Instant, CredentialsRef, Account)>>,
    refused: Mutex<HashMap<ProviderId, CredentialsRef>>,
    recheck: UnboundedSender<Demand>,
    gates: Arc<Gates>,
    answers: Answers,
}

/// How long one request may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// To connect.
    pub connect: Duration,
    /// From the first byte sent to the last one received.
    pub request: Duration,
}

impl Providers {
    /// Providers that are looked up in these caches. `recheck` reaches the health check.
    #[must_use]
    pub fn new(
        kubernetes: kube::Client,
        cluster: Store<ClusterShareProvider>,
        namespaced: Store<ShareProvider>,
        policy: Policy,
        timeouts: Timeouts,
        recheck: UnboundedSender<Demand>,
        gates: Arc<Gates>,
    ) -> Self {
        Self {
            kubernetes,
            cluster,
            namespaced,
            policy,
            timeouts,
            clients: Clients::default(),
            accounts: Mutex::default(),
            refused: Mutex::default(),
            recheck,
            gates,
            answers: Answers::default(),
        }
    }

    /// The operator's policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The spec of a provider. None when there is no such provider.
    #[must_use]
    pub fn spec(&self, id: &ProviderId) -> Option<ProviderSpec> {
        self.find(
            id,
            |found| found.spec.provider.clone(),
            |found| found.spec.provider.clone(),
        )
    }

    /// What a provider of either kind tells. None when there is no such provider.
    fn find<T>(
        &self,
        id: &ProviderId,
        of_cluster: impl FnOnce(&ClusterShareProvider) -> T,
        of_namespace: impl FnOnce(&ShareProvider) -> T,
    ) -> Option<T> {
        match &id.namespace {
            None => Some(of_cluster(&*self.of_cluster(&id.name)?)),
            Some(namespace) => Some(of_namespace(&*self.of_namespace(namespace, &id.name)?)),
        }
    }

    /// A provider of the cluster, as it is now.
    pub(super) fn of_cluster(&self, name: &str) -> Option<Arc<ClusterShareProvider>> {
        self.cluster.get(&ObjectRef::new(name))
    }

    /// A provider of a namespace, as it is now.
    pub(super) fn of_namespace(&self, namespace: &str, name: &str) -> Option<Arc<ShareProvider>> {
        self.namespaced.get(&ObjectRef::new(name).within(namespace))
    }

    /// Tells the kind and the status of every provider.
    pub fn each_status(&self, mut tell: impl FnMut(ProviderKind, Option<&ProviderStatus>)) {
        for provider in self.cluster.state() {
            tell(ProviderKind::ClusterShareProvider, provider.status.as_ref());
        }
        for provider in self.namespaced.state() {
            tell(ProviderKind::ShareProvider, provider.status.as_ref());
        }
    }

    /// A provider ready for use.
    ///
    /// # Errors
    /// A problem that names the provider and the remedy; also when the service refused its credentials and a health
    /// check has not accepted them since.
    pub async fn resolve(&self, id: &ProviderId) -> Result<Resolved, Problem> {
        let spec = self.spec(id).ok_or_else(|| {
            Problem::missing(
                Reason::ProviderNotFound,
                format!("{id} does not exist: create it, or correct spec.providerRef"),
            )
        })?;
        if let Some(reference) = &spec.credentials_secret_ref
            && lock(&self.refused).get(id) == Some(reference)
        {
            return Err(unauthorized(id, reference));
        }
        self.connect(id, spec).await
    }

    /// As [`Providers::resolve`], for the health check: reads the credentials anew and ignores an earlier refusal.
    ///
    /// # Errors
    /// A problem that names the provider and the remedy.
    pub async fn resolve_afresh(&self, id: &ProviderId, spec: ProviderSpec) -> Result<Resolved, Problem> {
        lock(&self.accounts).remove(id);
        self.connect(id, spec).await
    }

    async fn connect(&self, id: &ProviderId, spec: ProviderSpec) -> Result<Resolved, Problem> {
        let settings = Settings::check(id, &spec, &self.policy)?;
        let client = self.client(id, &settings, spec.ca_bundle.as_deref())?;
        let account = match &spec.credentials_secret_ref {
            None => Account::Anonymous,
            Some(reference) => {
                self.account(id, &settings.credentials_namespace, reference)
                    .await?
            }
        };
        Ok(Resolved {
            id: id.clone(),
            spec,
            settings,
            client,
            account,
        })
    }

    /// Remembers that the service refused the credentials, until [`Providers::accepted`].
    pub fn refused(&self, provider: &Resolved) {
        if let Some(reference) = &provider.spec.credentials_secret_ref {
            lock(&self.refused).insert(provider.id.clone(), reference.clone());
            lock(&self.accounts).remove(&provider.id);
        }
    }

    /// The gates.
    #[must_use]
    pub fn gates(&self) -> &Arc<Gates> {
        &self.gates
    }

    /// Begins a look at the list of an account.
    ///
    /// # Errors
    /// A problem while the server is left alone.
    pub async fn begin_list(&self, provider: &Resolved) -> Result<Call, Problem> {
        self.gates.begin(Kind::Look, provider.target()).await
    }

    /// Begins a call that needs no account, to where a share was sent.
    ///
    /// # Errors
    /// A problem while the server is left alone, or when the policy does not allow its host any more.
    pub async fn begin(&self, kind: Kind, route: &Route, namespace: &str) -> Result<Call, Problem> {
        let id = ProviderId::of(&route.provider, namespace);
        let settings = Settings::check(&id, &spec_of(route), &self.policy)?;
        let target = settings.target(&id, route.ca_bundle.as_deref(), None);
        self.gates.begin(kind, target).await
    }

    /// Has the health check look at a provider soon.
    pub fn recheck(&self, id: &ProviderId) {
        // Without a receiver the operator is shutting down.
        let _ = self.recheck.send(Demand::Changed(id.clone()));
    }

    /// A client for a share that was sent earlier, when its provider may be gone. The policy of today applies.
    ///
    /// # Errors
    /// A problem when the policy does not allow the host any more, or the route cannot be used.
    pub fn client_for_route(&self, route: &Route, namespace: &str) -> Result<Client, Problem> {
        let id = ProviderId::of(&route.provider, namespace);
        let settings = Settings::check(&id, &spec_of(route), &self.policy)?;
        self.client(&id, &settings, route.ca_bundle.as_deref())
    }

    /// Forgets all that is known of providers that were deleted.
    pub(super) fn forget_deleted(&self) {
        self.answers.keep_only(|id| self.exists(id));
        lock(&self.accounts).retain(|id, _| self.exists(id));
        lock(&self.refused).retain(|id, _| self.exists(id));
    }

    /// Forgets an earlier refusal. Tells whether there was one.
    pub fn accepted(&self, id: &ProviderId) -> bool {
        lock(&self.refused).remove(id).is_some()
    }

    /// The client for a server.
    fn client(
        &self,
        id: &ProviderId,
        settings: &Settings,
        ca_bundle: Option<&str>,
    ) -> Result<Client, Problem> {
        let config = || ClientConfig {
            endpoint: settings.endpoint.clone(),
            ca_bundle: ca_bundle.map(str::to_owned),
            addresses: settings.addresses,
            proxy: settings.proxy.clone(),
            connect_timeout: self.timeouts.connect,
            request_timeout: self.timeouts.request,
            user_agent: concat!("onetimeshare/", env!("CARGO_PKG_VERSION")).to_owned(),
        };
        let key = ClientKey::new(settings, ca_bundle);
        let made = self.clients.get(key, || Client::new(config()));
        made.map_err(|error| {
            Problem::administrator(
                Reason::ProviderInvalid,
                format!("{id} cannot be used: spec.caBundle: {error}"),
            )
        })
    }
}

/// The spec of a provider that leads where a share was sent.
fn spec_of(route: &Route) -> ProviderSpec {
    ProviderSpec {
        url: Some(route.endpoint.clone()),
        ca_bundle: route.ca_bundle.clone(),
        poll_interval: "1m".into(),
        ..ProviderSpec::default()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
