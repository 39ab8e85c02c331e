//! A provider's spec checked against the operator's policy: PURE.
//!
//! Owns the rule that a tenant's provider cannot steer the operator at arbitrary hosts.

use super::gates::Target;
use crate::api::condition::Reason;
use crate::api::duration;
use crate::api::provider::{ProviderSpec, Region};
use crate::api::share::{ProviderKind, ProviderRef};
use crate::onetime::{AddressPolicy, Endpoint, Region as OnetimeRegion};
use crate::problem::Problem;
use crate::proxy::{Proxies, ProxyUrl};
use std::fmt;
use std::time::Duration;

/// Which provider. The namespace is that of a `ShareProvider`, and None for a `ClusterShareProvider`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProviderId {
    /// The namespace of a `ShareProvider`.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl ProviderId {
    /// The provider that a reference means in a namespace.
    #[must_use]
    pub fn of(reference: &ProviderRef, namespace: &str) -> Self {
        let namespace = match reference.kind {
            ProviderKind::ClusterShareProvider => None,
            ProviderKind::ShareProvider => Some(namespace.to_owned()),
        };
        Self {
            namespace,
            name: reference.name.clone(),
        }
    }

    /// Where the credentials of this provider are.
    #[must_use]
    pub fn credentials_namespace<'a>(&'a self, policy: &'a Policy) -> &'a str {
        self.namespace.as_deref().unwrap_or(&policy.operator_namespace)
    }

    /// The kind of the resource.
    #[must_use]
    pub fn kind(&self) -> ProviderKind {
        match self.namespace {
            None => ProviderKind::ClusterShareProvider,
            Some(_) => ProviderKind::ShareProvider,
        }
    }
}

impl fmt::Display for ProviderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.kind().as_str(), self.name)
    }
}

/// What the operator's administrator allows.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Hosts that a `ShareProvider` may name: exact names, or `*.example.com` for any name below.
    pub allowed_hosts: Vec<String>,
    /// Whether http is allowed beyond loopback.
    pub allow_http: bool,
    /// Whether a `ShareProvider`'s host may have a private or loopback address.
    pub allow_private_addresses: bool,
    /// The forward proxies of the operator's environment.
    pub proxies: Proxies,
    /// Whether a `ShareProvider` uses them too. A proxy resolves names, so nobody checks the addresses.
    pub allow_proxy_for_namespaced_providers: bool,
    /// Where the credentials of a `ClusterShareProvider` are.
    pub operator_namespace: String,
    /// Whether the credentials of a `ShareProvider` need the label [`crate::kubernetes::secret::SHAREABLE`].
    pub labelled_only: bool,
}

/// A provider's spec that can be used.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server.
    pub endpoint: Endpoint,
    /// Which addresses may be connected to.
    pub addresses: AddressPolicy,
    /// The proxy to connect through.
    pub proxy: Option<ProxyUrl>,
    /// How often to ask for the state of links.
    pub poll_interval: Duration,
    /// The namespace of the credentials.
    pub credentials_namespace: String,
    /// The largest value in bytes that is sent.
    pub max_secret_bytes: u64,
}

impl Settings {
    /// Whom calls with an account reach. They are counted apart wherever another server may answer them.
    pub(super) fn target(&self, id: &ProviderId, ca_bundle: Option<&str>, account: Option<&str>) -> Target {
        let way = [
            self.endpoint.base().as_str(),
            ca_bundle.unwrap_or_default(),
            if matches!(self.addresses, AddressPolicy::PublicOnly) {
                "public"
            } else {
                "any"
            },
            if self.proxy.is_some() { "proxy" } else { "direct" },
        ];
        Target::new(&way, account, id.namespace.as_deref())
    }

    /// Checks a spec.
    ///
    /// # Errors
    /// A problem that names the field.
    pub fn check(id: &ProviderId, spec: &ProviderSpec, policy: &Policy) -> Result<Self, Problem> {
        let endpoint = endpoint(id, spec, policy)?;
        let poll_interval = duration::parse(&spec.poll_interval)
            .ok()
            .filter(|interval| !interval.is_zero())
            .ok_or_else(|| {
                invalid(
                    id,
                    "spec.pollInterval must be a duration of at least 1s such as \"1m\"",
                )
            })?;
        let restricted = id.namespace.is_some() && !policy.allow_private_addresses;
        let may_use_proxy = id.namespace.is_none() || policy.allow_proxy_for_namespaced_providers;
        Ok(Self {
            proxy: policy
                .proxies
                .for_url(endpoint.base())
                .filter(|_| may_use_proxy)
                .cloned(),
            endpoint,
            addresses: if restricted {
                AddressPolicy::PublicOnly
            } else {
                AddressPolicy::Any
            },
            poll_interval,
            credentials_namespace: id.credentials_namespace(policy).to_owned(),
            max_secret_bytes: u64::try_from(spec.max_secret_bytes).unwrap_or(0),
        })
    }
}

fn endpoint(id: &ProviderId, spec: &ProviderSpec, policy: &Policy) -> Result<Endpoint, Problem> {
    match (spec.region, &spec.url) {
        (Some(region), None) => Ok(Endpoint::region(match region {
            Region::Us => OnetimeRegion::Us,
            Region::Eu => OnetimeRegion::Eu,
            Region::Ca => OnetimeRegion::Ca,
            Region::Nz => OnetimeRegion::Nz,
            Region::Uk => OnetimeRegion::Uk,
        })),
        (None, Some(url)) => {
            let endpoint = Endpoint::parse(url, policy.allow_http)
                .map_err(|error| invalid(id, &format!("spec.url cannot be used: {error}")))?;
            if id.namespace.is_some() && !host_allowed(&endpoint, &policy.allowed_hosts) {
                return Err(invalid(
                    id,
                    "spec.url is on a host that is not allowed for a ShareProvider: the operator's administrator can add it to --allowed-provider-hosts, or make a ClusterShareProvider",
                ));
            }
            Ok(endpoint)
        }
        _ => Err(invalid(id, "set exactly one of spec.region and spec.url")),
    }
}

fn host_allowed(endpoint: &Endpoint, allowed: &[String]) -> bool {
    let Some(host) = endpoint.base().host_str() else {
        return false;
    };
    allowed.iter().any(|pattern| match pattern.strip_prefix("*.") {
        Some(domain) => host
            .strip_suffix(domain)
            .is_some_and(|rest| rest.ends_with('.') && rest.len() > 1),
        None => host == pattern,
    })
}

fn invalid(id: &ProviderId, what: &str) -> Problem {
    Problem::administrator(Reason::ProviderInvalid, format!("{id} cannot be used: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policy {
            allowed_hosts: vec!["*.onetimesecret.com".into(), "secrets.example.com".into()],
            allow_http: false,
            allow_private_addresses: false,
            proxies: Proxies::default(),
            allow_proxy_for_namespaced_providers: false,
            operator_namespace: "system".into(),
            labelled_only: false,
        }
    }

    fn spec(json: serde_json::Value) -> ProviderSpec {
        serde_json::from_value(json).expect("a spec")
    }

    fn check(namespace: Option<&str>, url: &str) -> Result<Settings, Problem> {
        let id = ProviderId {
            namespace: namespace.map(str::to_owned),
            name: "p".into(),
        };
        Settings::check(&id, &spec(serde_json::json!({ "url": url })), &policy())
    }

    #[test]
    fn tenants_reach_only_allowed_hosts() {
        for good in [
            "https://eu.onetimesecret.com",
            "https://a.b.onetimesecret.com",
            "https://secrets.example.com:8443",
        ] {
            assert!(check(Some("team"), good).is_ok(), "{good}");
        }
        for bad in [
            "https://onetimesecret.com",
            "https://evilonetimesecret.com",
            "https://eu.onetimesecret.com.evil.example",
            "https://x.secrets.example.com",
            "https://10.0.0.1",
        ] {
            let problem = check(Some("team"), bad).expect_err(bad);
            assert_eq!(problem.reason, Reason::ProviderInvalid);
            assert!(
                check(None, bad).is_ok(),
                "the administrator's own provider may: {bad}"
            );
        }
        assert!(
            check(None, "http://secrets.example.com").is_err(),
            "http only for loopback"
        );
    }

    #[test]
    fn tenants_reach_only_public_addresses() {
        let tenant = check(Some("team"), "https://eu.onetimesecret.com").expect("allowed");
        assert!(matches!(tenant.addresses, AddressPolicy::PublicOnly));
        let cluster = check(None, "https://eu.onetimesecret.com").expect("allowed");
        assert!(matches!(cluster.addresses, AddressPolicy::Any));
    }

    #[test]
    fn tenants_use_a_proxy_only_when_allowed() {
        let variables = [
            ("HTTPS_PROXY", "http://proxy:3128"),
            ("NO_PROXY", "ca.onetimesecret.com"),
        ];
        let proxies = Proxies::from_env(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name)?;
            Some(found.1.to_owned())
        });
        let proxies = proxies.expect("good variables");
        for (namespace, allowed, url, proxied) in [
            (None, false, "https://eu.onetimesecret.com", true),
            (None, false, "https://ca.onetimesecret.com", false),
            (None, false, "http://localhost:7143", false),
            (Some("team"), false, "https://eu.onetimesecret.com", false),
            (Some("team"), true, "https://eu.onetimesecret.com", true),
            (Some("team"), true, "https://ca.onetimesecret.com", false),
        ] {
            let id = ProviderId {
                namespace: namespace.map(str::to_owned),
                name: "p".into(),
            };
            let policy = Policy {
                proxies: proxies.clone(),
                allow_proxy_for_namespaced_providers: allowed,
                ..policy()
            };
            let found =
                Settings::check(&id, &spec(serde_json::json!({ "url": url })), &policy).expect("valid");
            assert_eq!(found.proxy.is_some(), proxied, "{namespace:?} {allowed} {url}");
            let restricted = matches!(found.addresses, AddressPolicy::PublicOnly);
            assert_eq!(
                restricted,
                namespace.is_some(),
                "a proxy opens no address to a direct connection"
            );
        }
    }

    #[test]
    fn region_and_url_exclude_each_other() {
        let id = ProviderId {
            namespace: None,
            name: "p".into(),
        };
        for json in [
            serde_json::json!({}),
            serde_json::json!({"region": "eu", "url": "https://x.example"}),
        ] {
            assert!(Settings::check(&id, &spec(json), &policy()).is_err());
        }
        let eu = Settings::check(&id, &spec(serde_json::json!({"region": "eu"})), &policy()).expect("valid");
        assert_eq!(eu.endpoint.host(), "eu.onetimesecret.com");
        assert_eq!(eu.poll_interval, Duration::from_secs(60));
    }
}
