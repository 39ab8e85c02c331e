//! A share as the cache holds it: packed, with what is asked of all shares beside it. There may be very many of them.
//!
//! Left out is what the operator never uses: who manages which field, and the annotations of others, among them the whole
//! object that `kubectl apply` applied last.

use crate::api::GROUP;
use crate::api::share::{OneTimeShare, OneTimeShareSpec, OneTimeShareStatus, ProviderRef, ShareState};
use crate::packed::{Packed, Unreadable};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Resource;
use kube::api::ObjectMeta;
use kube::core::NamespaceResourceScope;
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The JSON that most shares have much in common with.
const SAMPLE: &str = include_str!("cached/sample.json");

/// A share in the cache. [`CachedShare::open`] gives it whole.
#[derive(Clone, Debug)]
pub struct CachedShare {
    /// Namespace, name and version, without which a watch does not go on. Nothing else.
    key: ObjectMeta,
    provider: ProviderRef,
    state: Option<ShareState>,
    secrets: Box<[Box<str>]>,
    body: Packed,
}

impl CachedShare {
    fn new(object: &Object) -> Result<Self, Unreadable> {
        let secrets: Box<[Box<str>]> = secrets_of(&object.spec).map(Box::from).collect();
        Ok(Self {
            key: ObjectMeta {
                name: object.metadata.name.clone(),
                namespace: object.metadata.namespace.clone(),
                resource_version: object.metadata.resource_version.clone(),
                ..ObjectMeta::default()
            },
            provider: object.spec.provider_ref.clone(),
            state: object.status.as_ref().and_then(|status| status.state),
            secrets,
            body: Packed::pack(object, SAMPLE)?,
        })
    }

    /// The share as the API server told it, without what the operator never uses.
    ///
    /// # Errors
    /// [`Unreadable`], which would be a mistake in this program.
    pub fn open(&self) -> Result<OneTimeShare, Unreadable> {
        let Object {
            metadata,
            spec,
            status,
        } = self.body.unpack(SAMPLE)?;
        Ok(OneTimeShare {
            metadata: metadata.into(),
            spec,
            status,
        })
    }

    /// The provider that it names.
    #[must_use]
    pub fn provider(&self) -> &ProviderRef {
        &self.provider
    }

    /// The state that its status tells.
    #[must_use]
    pub fn state(&self) -> Option<ShareState> {
        self.state
    }

    /// Every Secret that it names. They are all in its namespace.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(Box::as_ref)
    }
}

impl<'de> Deserialize<'de> for CachedShare {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&Object::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The cache, the controller and the watch need no more of it than its key.
impl Resource for CachedShare {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        OneTimeShare::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        OneTimeShare::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        OneTimeShare::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        OneTimeShare::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.key
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.key
    }
}

/// What is kept of a share. Everything else is skipped before it takes memory.
#[derive(Serialize, Deserialize)]
struct Object {
    metadata: Metadata,
    spec: OneTimeShareSpec,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<OneTimeShareStatus>,
}

/// The operator uses the times of creation and deletion, and never labels, owners and finalizers.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resource_version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    generation: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    creation_timestamp: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deletion_timestamp: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    annotations: Annotations,
}

impl From<Metadata> for ObjectMeta {
    fn from(metadata: Metadata) -> Self {
        Self {
            name: metadata.name,
            namespace: metadata.namespace,
            uid: metadata.uid,
            resource_version: metadata.resource_version,
            generation: metadata.generation,
            creation_timestamp: metadata.creation_timestamp.map(Time),
            deletion_timestamp: metadata.deletion_timestamp.map(Time),
            annotations: Some(metadata.annotations.0).filter(|own| !own.is_empty()),
            ..Self::default()
        }
    }
}

/// The annotations of this project.
#[derive(Default, Serialize)]
struct Annotations(BTreeMap<String, String>);

impl Annotations {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let all: Option<BTreeMap<String, String>> = Option::deserialize(deserializer)?;
        let mut own = all.unwrap_or_default();
        own.retain(|name, _| name.split('/').next() == Some(GROUP));
        Ok(Self(own))
    }
}

/// Every Secret that a spec names.
fn secrets_of(spec: &OneTimeShareSpec) -> impl Iterator<Item = &str> {
    [
        spec.secret_ref.as_ref().map(|source| &source.name),
        spec.passphrase_secret_ref.as_ref().map(|key| &key.name),
        spec.recipient_from
            .as_ref()
            .and_then(|from| from.secret_key_ref.as_ref())
            .map(|key| &key.name),
        spec.generate
            .as_ref()
            .map(|generate| &generate.target_secret_ref.name),
    ]
    .into_iter()
    .flatten()
    .map(String::as_str)
}

#[cfg(test)]
mod tests;
