//! Which namespaces a ClusterShareProvider serves.

use super::Providers;
use crate::api::condition::Reason;
use crate::kubernetes::bounded;
use crate::problem::Problem;
use crate::provider::ProviderId;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::{Selector, SelectorExt};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};

impl Providers {
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
}
