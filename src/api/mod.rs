//! The resources of `onetimeshare.dev/v1alpha1`. Their doc comments are what `kubectl explain` prints.
//!
//! Owns the shape of what users write and read. Must not decide or do anything.

pub mod condition;
pub mod duration;
pub mod provider;
pub mod share;

pub use provider::{ClusterShareProvider, ProviderSpec, ShareProvider, ShareProviderSpec};
pub use share::{OneTimeShare, OneTimeShareSpec, OneTimeShareStatus};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;

/// The API group of every resource, label and annotation of this project.
pub const GROUP: &str = "onetimeshare.dev";

/// The annotation by which a user has a share's link burned: its value is the share's `status.attempt`, so that a
/// wish is about one link and never about the next one.
pub const BURN: &str = "onetimeshare.dev/burn";

/// The custom resource definitions, in the order in which they should be installed.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    [
        // Where every operator is one of a single namespace, nobody writes its status: it must not look awaited.
        ClusterShareProvider::crd(),
        unobserved(ShareProvider::crd()),
        unobserved(OneTimeShare::crd()),
    ]
    .into_iter()
    .map(unwrapped)
    .collect()
}

/// A new resource begins with a status that speaks of no generation. kstatus takes one without a status for done, so that
/// Flux and `helm --wait` would go on before the operator has seen it.
fn unobserved(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    schemas(&mut crd)
        .filter_map(|schema| schema.properties.as_mut()?.get_mut("status"))
        .for_each(|status| status.default = Some(JSON(serde_json::json!({ "observedGeneration": -1 }))));
    crd
}

fn schemas(crd: &mut CustomResourceDefinition) -> impl Iterator<Item = &mut JSONSchemaProps> {
    let versions = crd.spec.versions.iter_mut();
    versions.filter_map(|version| version.schema.as_mut()?.open_api_v3_schema.as_mut())
}

/// Doc comments are wrapped for this source; `kubectl explain` wraps by itself.
fn unwrapped(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    schemas(&mut crd).for_each(unwrap_lines);
    crd
}

fn unwrap_lines(schema: &mut JSONSchemaProps) {
    if let Some(description) = &mut schema.description {
        *description = description
            .split("\n\n")
            .map(|text| text.replace('\n', " "))
            .collect::<Vec<_>>()
            .join("\n\n");
    }
    schema
        .properties
        .iter_mut()
        .flat_map(std::collections::BTreeMap::values_mut)
        .for_each(unwrap_lines);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        unwrap_lines(items);
    }
}

/// The custom resource definitions as YAML documents, each with the name of its file.
///
/// # Errors
/// When a definition cannot be written as YAML, which would be a bug.
pub fn manifests() -> Result<Vec<(String, String)>, serde_yaml_ng::Error> {
    crds()
        .iter()
        .map(|crd| {
            let file = format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural);
            Ok((file, format!("---\n{}", serde_yaml_ng::to_string(crd)?)))
        })
        .collect()
}
