//! From Secrets and ConfigMaps to what is sent: reads them once, when needed, and keeps nothing.
//!
//! Owns who may be read: types that are never shared, and the label by which an owner agrees. What is taken from
//! what was read is in `value`, and pure.

#[cfg(test)]
mod tests;

use super::recipient::parse_recipient;
use super::request::{Recipient, Request};
use super::value::{passphrase_of, value_of};
use crate::api::condition::Reason;
use crate::api::share::{ConfigMapKeyRef, RefreshPolicy, SecretKeyRef, SecretSource};
use crate::kubernetes::bounded;
use crate::kubernetes::secret::{Fetched, is_shareable, missing, unlabelled, unreadable};
use crate::problem::Problem;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client};
use secrecy::SecretString;

/// What the shares of a namespace can name.
pub struct Sources<'a> {
    /// The API server.
    pub client: &'a Client,
    /// The share's namespace: nothing of another is ever read.
    pub namespace: &'a str,
    /// Whether every Secret needs the label [`SHAREABLE`](crate::kubernetes::secret::SHAREABLE).
    pub labelled_only: bool,
}

impl Sources<'_> {
    /// Reads the value to share. `max_bytes` is the largest that is taken.
    ///
    /// # Errors
    /// A problem that names the Secret and the key.
    pub async fn value(
        &self,
        source: &SecretSource,
        max_bytes: u64,
        refresh: RefreshPolicy,
    ) -> Result<SecretString, Problem> {
        let secret = self.secret(&source.name, Reason::SecretNotFound).await?;
        // OnChange goes on sharing after the author lost access, so the Secret's owner must have agreed.
        if refresh == RefreshPolicy::OnChange && !is_shareable(&secret.0) {
            return Err(unlabelled(
                &source.name,
                "which spec.refreshPolicy OnChange needs: label it, or set the policy to Once",
            ));
        }
        value_of(&secret.0, source, max_bytes)
    }

    /// Reads the passphrase of a request, if it has one.
    ///
    /// # Errors
    /// A problem that names the Secret and the key.
    pub async fn passphrase(&self, request: &Request) -> Result<Option<SecretString>, Problem> {
        let Some(reference) = &request.passphrase else {
            return Ok(None);
        };
        let secret = self.secret(&reference.name, Reason::PassphraseNotFound).await?;
        passphrase_of(&secret.0, reference).map(Some)
    }

    /// The recipient's address, read from where the request says.
    ///
    /// # Errors
    /// A problem that names the object and the key, and never the address.
    pub async fn recipient(&self, request: &Request) -> Result<Option<String>, Problem> {
        match &request.recipient {
            None => Ok(None),
            Some(Recipient::Address(address)) => Ok(Some(address.clone())),
            Some(Recipient::SecretKey(reference)) => self.address_in_secret(reference).await.map(Some),
            Some(Recipient::ConfigMapKey(reference)) => self.address_in_config_map(reference).await.map(Some),
        }
    }

    async fn address_in_secret(&self, SecretKeyRef { name, key }: &SecretKeyRef) -> Result<String, Problem> {
        let secret = self.secret(name, Reason::RecipientNotFound).await?;
        let data = secret.0.data.as_ref();
        let found = data.and_then(|data| data.get(key));
        let text = found.map(|bytes| String::from_utf8_lossy(&bytes.0));
        address(
            text.as_deref(),
            &format!("Secret {name:?}"),
            key,
            "spec.recipientFrom.secretKeyRef",
        )
    }

    async fn address_in_config_map(
        &self,
        ConfigMapKeyRef { name, key }: &ConfigMapKeyRef,
    ) -> Result<String, Problem> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), self.namespace);
        let object = format!("ConfigMap {name:?}");
        let found = bounded(api.get_opt(name))
            .await
            .map_err(|error| unreadable(&object, "configmaps", &error))?;
        let Some(map) = found else {
            return Err(missing(Reason::RecipientNotFound, &object));
        };
        let text = map.data.as_ref().and_then(|data| data.get(key));
        address(
            text.map(String::as_str),
            &object,
            key,
            "spec.recipientFrom.configMapKeyRef",
        )
    }

    async fn secret(&self, name: &str, absent: Reason) -> Result<Fetched, Problem> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), self.namespace);
        let secret = Fetched::get(&api, name, absent).await?;
        refuse_type(&secret.0, name)?;
        if self.labelled_only && !is_shareable(&secret.0) {
            return Err(unlabelled(
                name,
                "without which this operator uses no Secret: label it if it may be shared",
            ));
        }
        Ok(secret)
    }
}

/// Takes an address from a key. A line break at the end is what `kubectl create --from-file` leaves.
fn address(text: Option<&str>, object: &str, key: &str, field: &str) -> Result<String, Problem> {
    let text = text.ok_or_else(|| {
        Problem::missing(
            Reason::RecipientNotFound,
            format!("{object} has no key {key:?}: add it, or correct {field}.key"),
        )
    })?;
    parse_recipient(text.trim_end_matches(['\r', '\n'])).map_err(|problem| Problem {
        message: format!("key {key:?} of {object}: {}", problem.message),
        ..problem
    })
}

/// Types that hold the cluster's own credentials, or the operator's.
const REFUSED_TYPES: [&str; 3] = [
    "kubernetes.io/service-account-token",
    "bootstrap.kubernetes.io/token",
    "onetimeshare.dev/ledger",
];

fn refuse_type(secret: &Secret, name: &str) -> Result<(), Problem> {
    match secret.type_.as_deref() {
        Some(type_) if REFUSED_TYPES.contains(&type_) => Err(Problem::edit(
            Reason::SecretTypeRefused,
            format!(
                "Secret {name:?} has the type {type_}, which is never shared: copy what you want to share into a Secret of type Opaque"
            ),
        )),
        _ => Ok(()),
    }
}
