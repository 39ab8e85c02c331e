//! Resolving names: every address of every connect is held against the policy.
//!
//! Owns: the check of resolved addresses. A host that is an address itself is never resolved; `connections` checks it.
//! Must not: know proxies.

use super::address::AddressPolicy;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::SocketAddr;

/// Why a name gives no address to connect to; says nothing of the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ResolveError {
    /// The name was not resolved.
    #[error("the host name could not be resolved")]
    NameNotFound,
    /// The policy allows none of the addresses.
    #[error("no address of the host is allowed")]
    Denied,
}

/// Resolves names with the system's resolver, and lets only allowed addresses through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resolver(pub(super) AddressPolicy);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0;
        Box::pin(async move { Ok(resolve(name.as_str(), policy).await?) })
    }
}

async fn resolve(name: &str, policy: AddressPolicy) -> Result<Addrs, ResolveError> {
    // The caller puts the port in.
    let found = tokio::net::lookup_host((name, 0)).await;
    let found: Vec<SocketAddr> = found.map_err(|_| ResolveError::NameNotFound)?.collect();
    if found.is_empty() {
        return Err(ResolveError::NameNotFound);
    }
    let allowed: Vec<SocketAddr> = found
        .into_iter()
        .filter(|address| policy.allows(address.ip()))
        .collect();
    if allowed.is_empty() {
        return Err(ResolveError::Denied);
    }
    Ok(Box::new(allowed.into_iter()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_address_is_held_against_the_policy() {
        let all = resolve("localhost", AddressPolicy::Any).await.expect("addresses");
        assert!(all.count() > 0);
        let public = resolve("localhost", AddressPolicy::PublicOnly).await;
        assert_eq!(public.err(), Some(ResolveError::Denied));
        let unknown = resolve("name.invalid", AddressPolicy::Any).await;
        assert_eq!(unknown.err(), Some(ResolveError::NameNotFound));
    }
}
