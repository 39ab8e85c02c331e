//! Secrets and shares, created many at a time.

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{Api, DynamicObject, PostParams};
use serde_json::{Value, json};

use crate::observer::resource;
use crate::stage::{TENANTS, tenant};

/// How many requests are under way at a time.
const AT_ONCE: usize = 16;

/// Shares, or a part of them, which are numbered through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// Every share has a recipient of its own.
    pub(crate) mailed: bool,
}

/// Where a share of a load is, its name, and its spec.
fn share(number: usize, mailed: bool) -> (String, String, Value) {
    let mut spec = json!({"secretRef": {"name": secret_of(number)}});
    if mailed {
        spec["recipient"] = json!(recipient(number));
    }
    (tenant(number), format!("share-{number:06}"), spec)
}

/// A Secret is shared by the shares of one thousand numbers in its namespace.
fn secret_of(number: usize) -> String {
    format!("value-{:03}", number / 1000)
}

/// People of one company. The first two letters and the first one of the domain are what the service shows of an
/// address; who has them in common is mailed one after the other. Here 26 x 26 pairs are spread evenly.
fn recipient(number: usize) -> String {
    let letter = |number: usize| char::from(b'a' + u8::try_from(number % 26).unwrap_or_default());
    format!("{}{}.{number}@example.com", letter(number), letter(number / 26))
}

impl Load {
    pub(crate) fn plain(from: usize, to: usize) -> Self {
        let mailed = false;
        Self { from, to, mailed }
    }

    /// Creates the Secrets and then the shares, spread over all tenants.
    pub(crate) async fn create(&self, client: &Client) -> Result<()> {
        let blocks = (self.from / 1000)..=(self.to.saturating_sub(1) / 1000);
        for number in blocks.flat_map(|block| (0..TENANTS).map(move |tenant| block * 1000 + tenant)) {
            secret(client, &tenant(number), &secret_of(number)).await?;
        }
        stream::iter(self.from..self.to)
            .map(|number| {
                let (namespace, name, spec) = share(number, self.mailed);
                async move { one(client, &namespace, &name, &spec).await }
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }
}

/// Creates a share.
pub(crate) async fn one(client: &Client, namespace: &str, name: &str, spec: &Value) -> Result<()> {
    let object = json!({
        "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare", "metadata": {"name": name}, "spec": spec,
    });
    let object: DynamicObject = serde_json::from_value(object)?;
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource());
    let created = api.create(&PostParams::default(), &object).await;
    created.map(drop).with_context(|| format!("creating {name}"))
}

/// Creates a Secret, if there is none.
pub(crate) async fn secret(client: &Client, namespace: &str, name: &str) -> Result<()> {
    let object: Secret = serde_json::from_value(json!({
        "metadata": {"name": name}, "stringData": {"password": format!("the value of {name}")},
    }))?;
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    match api.create(&PostParams::default(), &object).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        created => created.map(drop).context("creating a Secret"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_share_has_its_own_name_and_recipient() {
        let all: Vec<_> = (0..2000).map(|number| share(number, true)).collect();
        let names: BTreeSet<_> = all.iter().map(|(namespace, name, _)| (namespace, name)).collect();
        let recipients: BTreeSet<_> = all
            .iter()
            .map(|(_, _, spec)| spec["recipient"].to_string())
            .collect();
        assert_eq!((names.len(), recipients.len()), (2000, 2000));
        let begins: BTreeSet<_> = recipients.iter().map(|recipient| &recipient[..3]).collect();
        assert_eq!(begins.len(), 26 * 26);
    }

    #[test]
    fn the_secret_of_every_share_is_created() {
        let load = Load::plain(500, 2500);
        let blocks = (load.from / 1000)..=((load.to - 1) / 1000);
        let created: BTreeSet<String> = blocks.map(|block| secret_of(block * 1000)).collect();
        let needed: BTreeSet<String> = (load.from..load.to).map(secret_of).collect();
        assert_eq!(created, needed);
    }
}
