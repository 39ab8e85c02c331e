//! One Secret, read when it is needed: who agreed to its use, and the problems of reading it.

use super::{ApiError, bounded};
use crate::api::condition::Reason;
use crate::problem::Problem;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The label by which the owner of a Secret agrees that it is shared.
pub const SHAREABLE: &str = "onetimeshare.dev/shareable";

/// A Secret by its name. Nothing else of it is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SecretName {
    /// The namespace.
    pub namespace: String,
    /// The name in it.
    pub name: String,
}

/// Whether a Secret's owner agreed to its being shared.
pub fn is_shareable(secret: &Secret) -> bool {
    secret
        .labels()
        .get(SHAREABLE)
        .is_some_and(|value| value == "true")
}

/// The label is missing. `remedy` continues the message after a comma.
pub fn unlabelled(name: &str, remedy: &str) -> Problem {
    Problem::edit(
        Reason::SecretNotShareable,
        format!("Secret {name:?} lacks the label {SHAREABLE}: \"true\", {remedy}"),
    )
}

/// A Secret that is wiped when dropped.
pub struct Fetched(pub Secret);

impl Fetched {
    /// Reads a Secret. `absent` is the reason when it does not exist.
    ///
    /// # Errors
    /// A problem that names the Secret.
    pub async fn get(api: &Api<Secret>, name: &str, absent: Reason) -> Result<Self, Problem> {
        let object = format!("Secret {name:?}");
        match bounded(api.get_opt(name)).await {
            Ok(Some(secret)) => Ok(Self(secret)),
            Ok(None) => Err(missing(absent, &object)),
            Err(error) => Err(unreadable(&object, "secrets", &error)),
        }
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        for value in self.0.data.iter_mut().flat_map(BTreeMap::values_mut) {
            drop(Zeroizing::new(std::mem::take(&mut value.0)));
        }
    }
}

/// The object does not exist in this namespace.
pub fn missing(reason: Reason, object: &str) -> Problem {
    Problem::missing(
        reason,
        format!("{object} does not exist in this namespace: create it"),
    )
}

/// The object could not be read. `resource` is the plural that a role must grant.
pub fn unreadable(object: &str, resource: &str, error: &ApiError) -> Problem {
    if error.is_forbidden() {
        Problem::administrator(
            Reason::SecretForbidden,
            format!(
                "the operator may not read {object}: its administrator must grant get on {resource} in this namespace"
            ),
        )
    } else {
        Problem::passing(
            Reason::ApiUnavailable,
            format!("{object} could not be read: {error}"),
        )
    }
}
