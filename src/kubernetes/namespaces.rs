//! Which namespaces the operator works on, and of which of them it could not learn what is in them.

use super::{ApiError, bounded, is_gone};
use k8s_openapi::api::core::v1::Namespace;
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The namespaces that are worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Namespaces {
    /// Every namespace of the cluster.
    All,
    /// These. Nothing may be listed or watched in all namespaces at once.
    Listed(BTreeSet<String>),
}

impl Namespaces {
    /// Those that were named, each once; all when none was.
    #[must_use]
    pub fn new(named: &[String]) -> Self {
        if named.is_empty() {
            Self::All
        } else {
            Self::Listed(named.iter().cloned().collect())
        }
    }

    /// Whether a namespace is one of them.
    #[must_use]
    pub fn include(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Listed(listed) => listed.contains(namespace),
        }
    }

    /// These and another one.
    #[must_use]
    pub fn and(&self, namespace: &str) -> Self {
        let mut all = self.clone();
        if let Self::Listed(listed) = &mut all {
            listed.insert(namespace.to_owned());
        }
        all
    }

    /// A handle for a namespaced kind in each of them, or one for all.
    #[must_use]
    pub fn apis<K>(&self, client: &Client) -> Vec<Api<K>>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        match self {
            Self::All => vec![Api::all(client.clone())],
            Self::Listed(listed) => listed
                .iter()
                .map(|namespace| Api::namespaced(client.clone(), namespace))
                .collect(),
        }
    }
}

/// What a namespace is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is there.
    There,
    /// It is being deleted, and everything in it.
    Going,
    /// It certainly does not exist.
    Gone,
}

/// What a namespace is, from the API server.
///
/// # Errors
/// [`ApiError`] when that is not certain.
pub async fn standing(client: &Client, name: &str) -> Result<Standing, ApiError> {
    let api: Api<Namespace> = Api::all(client.clone());
    if is_gone(&api, name).await? {
        return Ok(Standing::Gone);
    }
    let namespace = bounded(api.get(name)).await?;
    Ok(match namespace.metadata.deletion_timestamp {
        Some(_) => Standing::Going,
        None => Standing::There,
    })
}

/// Namespaces whose first list was refused. Until it comes, nothing is known of what is in them, and so nothing in them
/// is missing.
#[derive(Clone, Debug, Default)]
pub struct Unlisted(Arc<Mutex<BTreeSet<String>>>);

impl Unlisted {
    /// Whether a namespace is one of them.
    #[must_use]
    pub fn contains(&self, namespace: &str) -> bool {
        self.lock().contains(namespace)
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        self.lock().iter().cloned().collect()
    }

    pub(super) fn insert(&self, namespace: &str) {
        self.lock().insert(namespace.to_owned());
    }

    /// What is in it is known now.
    pub fn remove(&self, namespace: &str) {
        self.lock().remove(namespace);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Namespaces {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        Namespaces::new(&names)
    }

    #[test]
    fn none_named_means_all() {
        assert_eq!(named(&[]), Namespaces::All);
        assert!(named(&[]).include("any"));
        assert_eq!(named(&[]).and("system"), Namespaces::All);
    }

    #[test]
    fn each_counts_once() {
        assert_eq!(named(&["b", "a", "b"]), named(&["a", "b"]));
        assert_eq!(named(&["a"]).and("a"), named(&["a"]));
        assert_eq!(named(&["a"]).and("system"), named(&["a", "system"]));
        let some = named(&["a", "b"]);
        assert!(some.include("a") && some.include("b") && !some.include("c") && !some.include(""));
    }
}
