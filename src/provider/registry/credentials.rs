//! The credentials of providers: read when they are needed, held for up to a minute, so that a burst of shares costs one
//! read.

use super::{Providers, lock};
use crate::api::condition::Reason;
use crate::api::provider::{CredentialsRef, Provider};
use crate::kubernetes::secret::{Fetched, SecretName, is_shareable, unlabelled};
use crate::onetime::Account;
use crate::problem::Problem;
use crate::provider::ProviderId;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::reflector::Store;
use kube::{Api, ResourceExt};
use secrecy::SecretString;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// How long credentials are held in memory.
const CREDENTIALS_HELD: Duration = Duration::from_secs(60);

impl Providers {
    /// Has the health check look soon at the providers whose credentials are in one of these Secrets.
    pub fn recheck_credentials(&self, changed: &HashSet<SecretName>) {
        for (id, name) in credentials(&self.cluster).chain(credentials(&self.namespaced)) {
            let namespace = id.credentials_namespace(&self.policy).to_owned();
            if changed.contains(&SecretName { namespace, name }) {
                self.recheck(&id);
            }
        }
    }

    pub(super) async fn account(
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

    /// Has the credentials of a provider read anew when it is resolved next, unless that was done a moment ago: they may
    /// have been rotated during a wait.
    pub fn renew_account(&self, id: &ProviderId, fresh_for: Duration) {
        let mut accounts = lock(&self.accounts);
        if accounts
            .get(id)
            .is_some_and(|(read_at, ..)| read_at.elapsed() > fresh_for)
        {
            accounts.remove(id);
        }
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
