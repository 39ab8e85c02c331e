//! What a share is tried with, as a hash: whether something changed since it was refused. Reads metadata alone.

use super::request::{Recipient, Request, Source};
use crate::api::share::OneTimeShare;
use crate::kubernetes::bounded;
use crate::ledger::short_hash;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// The hash of the share, its provider, and the versions of the objects that it names. None when one of them could not be
/// asked for: nothing is known then.
pub async fn versions(
    client: &Client,
    share: &OneTimeShare,
    request: &Request,
    provider: Option<String>,
) -> Option<String> {
    let meta = &share.metadata;
    let namespace = meta.namespace.as_deref()?;
    let mut parts = vec![
        format!("{:?} {:?}", meta.uid, meta.generation),
        provider.unwrap_or_default(),
    ];
    for name in secrets(request) {
        parts.push(version::<Secret>(client, namespace, name).await?);
    }
    if let Some(Recipient::ConfigMapKey(reference)) = &request.recipient {
        parts.push(version::<ConfigMap>(client, namespace, &reference.name).await?);
    }
    Some(short_hash(&parts.iter().map(String::as_str).collect::<Vec<_>>()))
}

/// The Secrets that a request is made from. Not the one that it makes.
fn secrets(request: &Request) -> impl Iterator<Item = &str> {
    let source = match &request.source {
        Source::Secret(source) => Some(&source.name),
        Source::Generate(_) => None,
    };
    let recipient = match &request.recipient {
        Some(Recipient::SecretKey(reference)) => Some(&reference.name),
        Some(Recipient::Address(_) | Recipient::ConfigMapKey(_)) | None => None,
    };
    let passphrase = request.passphrase.as_ref().map(|reference| &reference.name);
    [source, passphrase, recipient]
        .into_iter()
        .flatten()
        .map(String::as_str)
}

async fn version<K>(client: &Client, namespace: &str, name: &str) -> Option<String>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let found = bounded(api.get_metadata_opt(name)).await.ok()?;
    let meta = found.map(|found| found.metadata);
    Some(meta.map_or_else(String::new, |meta| {
        format!("{:?} {:?}", meta.uid, meta.resource_version)
    }))
}
