//! Objects in the cluster: apply YAML as a user would, and wait for what becomes of it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, TypeMeta};
use kube::runtime::wait::{await_condition, conditions};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use serde::Deserialize as _;
use serde_json::Value;

/// Applies every document of a YAML text, in order.
///
/// # Errors
/// When a document cannot be read or the API server refuses it: the message is the API server's.
pub async fn apply(client: &Client, yaml: &str) -> Result<()> {
    for document in serde_yaml_ng::Deserializer::from_str(yaml) {
        let value = Value::deserialize(document)?;
        if !value.is_null() {
            apply_one(client, value).await?;
        }
    }
    Ok(())
}

/// Applies one object.
///
/// # Errors
/// As [`apply`].
pub async fn apply_one(client: &Client, value: Value) -> Result<DynamicObject> {
    let object: DynamicObject = serde_json::from_value(value)?;
    let types = object
        .types
        .clone()
        .context("the object has no apiVersion and kind")?;
    let api = api(client, &types, object.namespace().as_deref())?;
    let name = object.name_any();
    let params = PatchParams::apply("tests").force();
    api.patch(&name, &params, &Patch::Apply(&object))
        .await
        .with_context(|| format!("applying {} {name}", types.kind))
}

/// An API handle for a kind by its name.
fn api(client: &Client, types: &TypeMeta, namespace: Option<&str>) -> Result<Api<DynamicObject>> {
    let kind = GroupVersionKind::try_from(types).context("the apiVersion and kind")?;
    let resource = ApiResource::from_gvk(&kind);
    Ok(match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    })
}

/// A handle for the shares of a namespace.
#[must_use]
pub fn shares(client: &Client, namespace: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("onetimeshare.dev", "v1alpha1", "OneTimeShare");
    Api::namespaced_with(client.clone(), namespace, &ApiResource::from_gvk(&kind))
}

/// Applies custom resource definitions and waits until their kinds are served.
///
/// # Errors
/// When they are not within 30 seconds.
pub async fn install_crds(client: &Client, yaml: &str) -> Result<()> {
    apply(client, yaml).await?;
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for name in names(yaml)? {
        let established = await_condition(api.clone(), &name, conditions::is_crd_established());
        tokio::time::timeout(Duration::from_secs(30), established)
            .await
            .with_context(|| format!("{name} is not established"))??;
    }
    Ok(())
}

fn names(yaml: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for document in serde_yaml_ng::Deserializer::from_str(yaml) {
        let value = Value::deserialize(document)?;
        names.extend(value["metadata"]["name"].as_str().map(str::to_owned));
    }
    Ok(names)
}

/// Creates a namespace, if there is none.
///
/// # Errors
/// When the API server refuses it.
pub async fn namespace(client: &Client, name: &str) -> Result<()> {
    let namespace = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    apply_one(client, namespace).await.map(drop)
}

/// Waits, by a watch, for an object to fulfil a condition.
///
/// # Errors
/// When it does not within the time: the message shows the object's status as it is then.
pub async fn wait_for(
    api: &Api<DynamicObject>,
    name: &str,
    what: &str,
    timeout: Duration,
    condition: impl Fn(&Value) -> bool,
) -> Result<Value> {
    let mut last = Value::Null;
    let watch = async {
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let mut changes = watcher(api.clone(), config)
            .default_backoff()
            .applied_objects()
            .boxed();
        while let Ok(change) = changes.try_next().await {
            let Some(object) = change else { break };
            last = serde_json::to_value(&object).unwrap_or_default();
            if condition(&last) {
                return true;
            }
        }
        false
    };
    match tokio::time::timeout(timeout, watch).await {
        Ok(true) => Ok(last),
        _ => bail!(
            "{name}: not {what} within {timeout:?}; its status is {:#}",
            last["status"]
        ),
    }
}

/// Waits, by one watch, until so many objects fulfil a condition at the same time.
///
/// # Errors
/// When they do not within the time: the message says how many do, and shows one that does not.
pub async fn wait_for_many(
    api: &Api<DynamicObject>,
    count: usize,
    what: &str,
    timeout: Duration,
    condition: impl Fn(&Value) -> bool,
) -> Result<()> {
    let mut seen = BTreeMap::new();
    let mut laggard = Value::Null;
    let watch = async {
        let mut changes = watcher(api.clone(), watcher::Config::default())
            .default_backoff()
            .applied_objects()
            .boxed();
        while let Ok(Some(object)) = changes.try_next().await {
            let name = object.name_any();
            let object = serde_json::to_value(&object).unwrap_or_default();
            let fulfils = condition(&object);
            if !fulfils {
                laggard = object;
            }
            seen.insert(name, fulfils);
            if seen.values().filter(|fulfils| **fulfils).count() >= count {
                return true;
            }
        }
        false
    };
    match tokio::time::timeout(timeout, watch).await {
        Ok(true) => Ok(()),
        _ => bail!(
            "{} of {count} are {what} after {timeout:?}; one that was not: {laggard:#}",
            seen.values().filter(|fulfils| **fulfils).count()
        ),
    }
}

/// The status of a condition of an object, such as `True`.
#[must_use]
pub fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    object["status"]["conditions"]
        .as_array()?
        .iter()
        .find(|condition| condition["type"] == type_)
}

/// Whether a condition has this status and reason.
#[must_use]
pub fn is(object: &Value, type_: &str, status: &str, reason: &str) -> bool {
    condition(object, type_)
        .is_some_and(|condition| condition["status"] == status && condition["reason"] == reason)
}

/// Whether an object is ready.
#[must_use]
pub fn is_ready(object: &Value) -> bool {
    condition(object, "Ready").is_some_and(|ready| ready["status"] == "True")
}
