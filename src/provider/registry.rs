//! From a share's `providerRef` to a client and an account: one connection pool per server, credentials held for up
//! to a minute, so that a burst of shares costs one read.

use super::limits::{Limits, Permit};
use super::settings::{Policy, ProviderId, Settings};
use crate::api::condition::Reason;
use crate::api::provider::{ClusterShareProvider, CredentialsRef, Provider, ProviderSpec, ShareProvider};
use crate::api::share::ProviderKind;
use crate::kubernetes::bounded;
use crate::onetime::{Account, Client, ClientConfig};
use crate::share::ledger::Route;
use crate::share::problem::Problem;
use crate::share::source::{Fetched, is_shareable, unlabelled};
use crate::share::wake::SecretName;
use crate::telemetry::Stock;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::core::{Selector, SelectorExt};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, ResourceExt};
use secrecy::SecretString;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

/// How long credentials are held in memory.
const CREDENTIALS_HELD: Duration = Duration::from_secs(60);

/// A provider that can be used now.
pub struct Resolved {
    /// Which provider.
    pub id: ProviderId,
    /// What its spec says.
    pub spec: ProviderSpec,
    /// Its spec, checked.
    pub settings: Settings,
    /// The client for its server.
    pub client: Client,
    /// The account, or anonymous.
    pub account: Account,
}

impl Resolved {
    /// The account's name; None when anonymous.
    #[must_use]
    pub fn account_name(&self) -> Option<&str> {
        match &self.account {
            Account::Anonymous => None,
            Account::Basic { username, .. } => Some(username),
        }
    }

    /// Where a share goes, in the form that the ledger keeps.
    #[must_use]
    pub fn route(&self, share_domain: Option<String>) -> Route {
        Route {
            provider: crate::api::share::ProviderRef {
                kind: self.id.kind(),
                name: self.id.name.clone(),
            },
            endpoint: self.settings.endpoint.base().to_string(),
            ca_bundle: self.spec.ca_bundle.clone(),
            account: self.account_name().map(str::to_owned),
            share_domain,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct ClientKey {
    endpoint: String,
    ca_bundle: Option<String>,
    restricted: bool,
}

/// Every provider of the cluster.
pub struct Providers {
    kubernetes: kube::Client,
    cluster: Store<ClusterShareProvider>,
    namespaced: Store<ShareProvider>,
    policy: Policy,
    connect_timeout: Duration,
    request_timeout: Duration,
    clients: Mutex<HashMap<ClientKey, Client>>,
    accounts: Mutex<HashMap<ProviderId, (Instant, CredentialsRef, Account)>>,
    refused: Mutex<HashMap<ProviderId, CredentialsRef>>,
    recheck: UnboundedSender<ProviderId>,
    limits: Limits,
}

impl Providers {
    /// Providers that are looked up in these caches. Timeouts are those of one request; `recheck` reaches the health check.
    #[must_use]
    pub fn new(
        kubernetes: kube::Client,
        cluster: Store<ClusterShareProvider>,
        namespaced: Store<ShareProvider>,
        policy: Policy,
        connect_timeout: Duration,
        request_timeout: Duration,
        recheck: UnboundedSender<ProviderId>,
    ) -> Self {
        Self {
            kubernetes,
            cluster,
            namespaced,
            policy,
            connect_timeout,
            request_timeout,
            clients: Mutex::default(),
            accounts: Mutex::default(),
            refused: Mutex::default(),
            recheck,
            limits: Limits::default(),
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
        match &id.namespace {
            None => self
                .cluster
                .get(&ObjectRef::new(&id.name))
                .map(|found| found.spec.provider.clone()),
            Some(namespace) => self
                .namespaced
                .get(&ObjectRef::new(&id.name).within(namespace))
                .map(|found| found.spec.provider.clone()),
        }
    }

    /// Counts the providers by what their statuses say.
    pub fn count(&self, stock: &mut Stock) {
        for provider in self.cluster.state() {
            stock.provider(ProviderKind::ClusterShareProvider, provider.status.as_ref());
        }
        for provider in self.namespaced.state() {
            stock.provider(ProviderKind::ShareProvider, provider.status.as_ref());
        }
    }

    /// A provider ready for use.
    ///
    /// # Errors
    /// A problem that names the provider and the cure; also when the service refused its credentials and a health
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

    /// Whether a provider serves the shares of a namespace. Costs a read of the namespace where there is a selector.
    ///
    /// # Errors
    /// A problem when it does not, or that cannot be found out.
    pub async fn admits(&self, id: &ProviderId, namespace: &str) -> Result<(), Problem> {
        if id.namespace.is_some() {
            return Ok(());
        }
        let Some(selector) = self
            .cluster
            .get(&ObjectRef::new(&id.name))
            .and_then(|found| found.spec.namespace_selector.clone())
        else {
            return Ok(());
        };
        let selector = Selector::try_from(selector).map_err(|_| {
            Problem::administrator(
                Reason::ProviderInvalid,
                format!(
                    "{id} cannot be used: spec.namespaceSelector cannot be read: see its operators and values"
                ),
            )
        })?;
        let api: Api<Namespace> = Api::all(self.kubernetes.clone());
        let found = bounded(api.get_metadata(namespace)).await.map_err(|error| {
            Problem::passing(
                Reason::ApiUnavailable,
                format!("the labels of namespace {namespace:?} could not be read: {error}"),
            )
        })?;
        if selector.matches(found.labels()) {
            return Ok(());
        }
        Err(Problem::administrator(
            Reason::NamespaceNotAllowed,
            format!(
                "{id} does not serve namespace {namespace:?}: have the namespace labelled as spec.namespaceSelector of the provider asks, or use another provider in spec.providerRef"
            ),
        ))
    }

    /// As [`Providers::resolve`], for the health check: reads the credentials anew and ignores an earlier refusal.
    ///
    /// # Errors
    /// A problem that names the provider and the cure.
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

    /// Waits until one more request may be sent through a provider.
    ///
    /// # Errors
    /// A problem while the provider is left alone, after a rate limit or too many failures.
    pub async fn enter(&self, provider: &Resolved) -> Result<Permit, Problem> {
        self.limits.enter(provider).await
    }

    /// Has the health check look at a provider soon.
    pub fn recheck(&self, id: &ProviderId) {
        // Without a receiver the operator is shutting down.
        let _ = self.recheck.send(id.clone());
    }

    /// Has the health check look soon at the providers whose credentials are in one of these Secrets.
    pub fn recheck_credentials(&self, changed: &HashSet<SecretName>) {
        for (id, name) in credentials(&self.cluster).chain(credentials(&self.namespaced)) {
            let namespace = id.credentials_namespace(&self.policy).to_owned();
            if changed.contains(&SecretName { namespace, name }) {
                self.recheck(&id);
            }
        }
    }

    /// A client for a share that was sent earlier, when its provider may be gone. The policy of today applies.
    ///
    /// # Errors
    /// A problem when the policy does not allow the host any more, or the route cannot be used.
    pub fn client_for_route(&self, route: &Route, namespace: &str) -> Result<Client, Problem> {
        let id = ProviderId::of(&route.provider, namespace);
        let spec = ProviderSpec {
            url: Some(route.endpoint.clone()),
            ca_bundle: route.ca_bundle.clone(),
            poll_interval: "1m".into(),
            ..ProviderSpec::default()
        };
        let settings = Settings::check(&id, &spec, &self.policy)?;
        self.client(&id, &settings, route.ca_bundle.as_deref())
    }

    /// Forgets an earlier refusal. Tells whether there was one.
    pub fn accepted(&self, id: &ProviderId) -> bool {
        lock(&self.refused).remove(id).is_some()
    }

    /// The client for a server, made once per server, authorities and address policy.
    fn client(
        &self,
        id: &ProviderId,
        settings: &Settings,
        ca_bundle: Option<&str>,
    ) -> Result<Client, Problem> {
        let key = ClientKey {
            endpoint: settings.endpoint.base().to_string(),
            ca_bundle: ca_bundle.map(str::to_owned),
            restricted: matches!(settings.addresses, crate::onetime::AddressPolicy::PublicOnly),
        };
        let mut clients = lock(&self.clients);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = Client::new(ClientConfig {
            endpoint: settings.endpoint.clone(),
            ca_bundle: key.ca_bundle.clone(),
            addresses: settings.addresses,
            connect_timeout: self.connect_timeout,
            request_timeout: self.request_timeout,
            user_agent: concat!("onetimeshare/", env!("CARGO_PKG_VERSION")).to_owned(),
        })
        .map_err(|error| {
            Problem::administrator(
                Reason::ProviderInvalid,
                format!("{id} cannot be used: spec.caBundle: {error}"),
            )
        })?;
        clients.insert(key, client.clone());
        Ok(client)
    }

    async fn account(
        &self,
        id: &ProviderId,
        namespace: &str,
        reference: &CredentialsRef,
    ) -> Result<Account, Problem> {
        if let Some((read_at, read, account)) = lock(&self.accounts).get(id)
            && read_at.elapsed() < CREDENTIALS_HELD
            && read == reference
        {
            return Ok(account.clone());
        }
        let api: Api<Secret> = Api::namespaced(self.kubernetes.clone(), namespace);
        let secret = Fetched::get(&api, &reference.name, Reason::CredentialsNotFound)
            .await
            .map_err(|problem| Problem {
                message: format!(
                    "credentials of {id} in namespace {namespace:?}: {}",
                    problem.message
                ),
                ..problem
            })?;
        // Whoever writes a ShareProvider chooses the Secret and the server that it is sent to.
        if id.namespace.is_some() && self.policy.labelled_only && !is_shareable(&secret.0) {
            return Err(unlabelled(
                &reference.name,
                "without which this operator uses no Secret of a namespace: label it if it may be sent to the server",
            ));
        }
        let field = |key: &str| credential(&secret.0, id, &reference.name, key);
        let account = Account::Basic {
            username: field(&reference.username_key)?,
            token: SecretString::from(field(&reference.token_key)?),
        };
        lock(&self.accounts).insert(id.clone(), (Instant::now(), reference.clone(), account.clone()));
        Ok(account)
    }

    /// Drops credentials that were held long enough.
    pub fn forget_old_credentials(&self) {
        lock(&self.accounts).retain(|_, (read_at, ..)| read_at.elapsed() < CREDENTIALS_HELD);
    }
}

/// The providers that have credentials, with the names of their Secrets.
fn credentials<K>(providers: &Store<K>) -> impl Iterator<Item = (ProviderId, String)>
where
    K: Provider + Clone + 'static,
{
    providers.state().into_iter().filter_map(|provider| {
        let reference = provider.settings().credentials_secret_ref.as_ref()?;
        let id = ProviderId {
            namespace: provider.namespace(),
            name: provider.name_any(),
        };
        Some((id, reference.name.clone()))
    })
}

/// The service refuses the credentials.
#[must_use]
pub fn unauthorized(id: &ProviderId, reference: &CredentialsRef) -> Problem {
    Problem::administrator(
        Reason::Unauthorized,
        format!(
            "the service refuses the credentials of {id}: correct the keys {:?} and {:?} of Secret {:?}, and see that they belong to this server or region",
            reference.username_key, reference.token_key, reference.name
        ),
    )
}

/// A trailing line break is what `kubectl create secret --from-file` leaves, and never part of a credential.
fn credential(secret: &Secret, id: &ProviderId, name: &str, key: &str) -> Result<String, Problem> {
    let problem = |what: &str| {
        Problem::missing(
            Reason::CredentialsNotFound,
            format!("credentials of {id}: key {key:?} of Secret {name:?} {what}"),
        )
    };
    let bytes = secret
        .data
        .as_ref()
        .and_then(|data| data.get(key))
        .ok_or_else(|| problem("is missing: add it"))?;
    let text = std::str::from_utf8(&bytes.0).map_err(|_| problem("is not valid UTF-8: correct it"))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(problem("is empty: give it a value")),
        text => Ok(text.to_owned()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
