//! The clients of all servers: one for each server, authorities, address policy and proxy, and no more than so many. The
//! least recently used go; one that is in use lives on with whoever uses it.

use super::settings::Settings;
use crate::onetime::{AddressPolicy, Client};
use crate::proxy::ProxyUrl;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How many are kept. One takes 17 to 25 kB, with the largest bundle of authorities 95 kB (measured, without connections),
/// so all of them take 24 MB at most. A client that went is made anew in milliseconds, and connects anew.
const MOST: usize = 256;

/// Stands for a bundle of authorities, which may be long.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct BundleHash([u8; 32]);

impl BundleHash {
    pub(super) fn of(bundle: &str) -> Self {
        Self(Sha256::digest(bundle).into())
    }
}

/// What a client is for: two providers that agree in it share their connections.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct ClientKey {
    endpoint: String,
    ca_bundle: Option<BundleHash>,
    restricted: bool,
    proxy: Option<ProxyUrl>,
}

impl ClientKey {
    pub(super) fn new(settings: &Settings, ca_bundle: Option<&str>) -> Self {
        Self {
            endpoint: settings.endpoint.base().to_string(),
            ca_bundle: ca_bundle.map(BundleHash::of),
            restricted: matches!(settings.addresses, AddressPolicy::PublicOnly),
            proxy: settings.proxy.clone(),
        }
    }
}

/// The clients that are kept.
#[derive(Default)]
pub(super) struct Clients(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// Each with when it was used last, counted in uses.
    clients: HashMap<ClientKey, (u64, Client)>,
    uses: u64,
}

impl Clients {
    /// The client that is kept, or a new one.
    ///
    /// # Errors
    /// Those of `make`.
    pub(super) fn get<E>(
        &self,
        key: ClientKey,
        make: impl FnOnce() -> Result<Client, E>,
    ) -> Result<Client, E> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.uses += 1;
        let now = kept.uses;
        if let Some((used, client)) = kept.clients.get_mut(&key) {
            *used = now;
            return Ok(client.clone());
        }
        let client = make()?;
        if kept.clients.len() >= MOST {
            let oldest = kept.clients.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                kept.clients.remove(&oldest);
            }
        }
        kept.clients.insert(key, (now, client.clone()));
        Ok(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::provider::ProviderSpec;
    use crate::onetime::{ClientBuildError, ClientConfig};
    use crate::provider::{Policy, ProviderId};
    use crate::proxy::Proxies;
    use std::time::Duration;

    fn settings(proxies: Proxies) -> Settings {
        let id = ProviderId {
            namespace: None,
            name: "p".into(),
        };
        let spec = ProviderSpec {
            url: Some("https://secrets.example.com".into()),
            poll_interval: "1m".into(),
            ..ProviderSpec::default()
        };
        let policy = Policy {
            allowed_hosts: Vec::new(),
            allow_http: false,
            allow_private_addresses: false,
            proxies,
            allow_proxy_for_namespaced_providers: false,
            operator_namespace: "system".into(),
            labelled_only: false,
        };
        Settings::check(&id, &spec, &policy).expect("valid")
    }

    fn make(settings: &Settings, ca_bundle: Option<&str>) -> Result<Client, ClientBuildError> {
        Client::new(ClientConfig {
            endpoint: settings.endpoint.clone(),
            ca_bundle: ca_bundle.map(str::to_owned),
            addresses: settings.addresses,
            proxy: None,
            connect_timeout: Duration::from_secs(1),
            request_timeout: Duration::from_secs(1),
            user_agent: "test".into(),
        })
    }

    #[test]
    fn a_client_is_not_shared_between_a_proxy_and_a_direct_connection() {
        let key = |proxy: &str| {
            let proxies = Proxies::from_env(|name| (name == "HTTPS_PROXY").then(|| proxy.to_owned()));
            ClientKey::new(&settings(proxies.expect("a good variable")), None)
        };
        let keys = [
            "",
            "http://proxy:3128",
            "http://proxy:3129",
            "http://me:word@proxy:3128",
        ]
        .map(key);
        assert_eq!(
            keys.iter().collect::<std::collections::HashSet<_>>().len(),
            keys.len()
        );
    }

    #[test]
    fn edits_of_a_bundle_keep_only_so_many_clients() {
        let (clients, settings) = (Clients::default(), settings(Proxies::default()));
        let mut made = 0;
        let mut get = |bundle: &str| {
            let key = ClientKey::new(&settings, Some(bundle));
            let client = clients.get(key, || {
                made += 1;
                // What a bundle says plays no role here.
                make(&settings, None)
            });
            client.expect("a client");
            made
        };
        get("in use");
        for edit in 0..2000 {
            get(&format!("edit {edit}"));
            get("in use");
        }
        assert_eq!(get("in use"), 2001, "what is used stays");
        assert_eq!(get("edit 1999"), 2001);
        assert_eq!(get("edit 0"), 2002, "the least recently used are gone");
        let kept = clients.0.lock().expect("unpoisoned");
        assert_eq!(kept.clients.len(), MOST);
    }

    #[test]
    fn a_client_that_cannot_be_made_takes_no_place() {
        let (clients, settings) = (Clients::default(), settings(Proxies::default()));
        let key = || ClientKey::new(&settings, Some("nonsense"));
        assert!(clients.get(key(), || make(&settings, Some("nonsense"))).is_err());
        assert!(clients.0.lock().expect("unpoisoned").clients.is_empty());
    }
}
