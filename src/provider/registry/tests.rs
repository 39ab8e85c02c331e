//! What is remembered of providers, and for how long.

use super::*;
use crate::clock::Clock;
use crate::proxy::Proxies;
use kube::runtime::reflector::{self, store::Writer};
use kube::runtime::watcher::Event;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

struct Registry {
    providers: Providers,
    cluster: Writer<ClusterShareProvider>,
    demands: UnboundedReceiver<Demand>,
}

impl Registry {
    fn new() -> Self {
        let config = kube::Config::new("http://127.0.0.1:1".parse().expect("a url"));
        let kubernetes = kube::Client::try_from(config).expect("a client");
        let (cluster_store, cluster) = reflector::store();
        let (namespaced, _) = reflector::store();
        let (recheck, demands) = unbounded_channel();
        let policy = Policy {
            allowed_hosts: Vec::new(),
            allow_http: false,
            allow_private_addresses: false,
            proxies: Proxies::default(),
            allow_proxy_for_namespaced_providers: false,
            operator_namespace: "system".into(),
            labelled_only: false,
        };
        let second = Duration::from_secs(1);
        let providers = Providers::new(
            kubernetes,
            cluster_store,
            namespaced,
            policy,
            Timeouts {
                connect: second,
                request: second,
            },
            recheck,
            Arc::new(Gates::new(Clock::boot(), 1, unbounded_channel().0)),
        );
        Self {
            providers,
            cluster,
            demands,
        }
    }

    /// There are exactly these providers now.
    fn are(&mut self, names: &[String]) {
        self.cluster.apply_watcher_event(&Event::Init);
        for name in names {
            let object = serde_json::json!({
                "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "ClusterShareProvider",
                "metadata": {"name": name}, "spec": {"region": "eu"},
            });
            let provider = serde_json::from_value(object).expect("a provider");
            self.cluster.apply_watcher_event(&Event::InitApply(provider));
        }
        self.cluster.apply_watcher_event(&Event::InitDone);
    }
}

fn id(name: &str) -> ProviderId {
    ProviderId {
        namespace: None,
        name: name.to_owned(),
    }
}

#[tokio::test]
async fn only_the_first_share_that_waits_demands_a_check() {
    let mut registry = Registry::new();
    registry.are(&["eu".to_owned()]);
    let provider = registry.providers.resolve(&id("eu")).await.expect("it exists");
    let mut waits = |providers: &Providers| {
        for _ in 0..3 {
            assert!(providers.has_answered(&provider).is_err());
        }
        let mut demands = Vec::new();
        while let Ok(demand) = registry.demands.try_recv() {
            demands.push(demand);
        }
        demands
    };
    let providers = &registry.providers;
    assert_eq!(waits(providers), [Demand::Awaited(id("eu"))]);
    assert_eq!(waits(providers), [], "it is still the same outage");
    providers.answered(&provider);
    assert!(providers.has_answered(&provider).is_ok());
    providers.doubted(&provider);
    assert_eq!(waits(providers), [Demand::Awaited(id("eu"))]);
}

#[tokio::test]
async fn nothing_is_kept_of_providers_that_were_deleted() {
    let mut registry = Registry::new();
    let names: Vec<_> = (0..1000).map(|number| number.to_string()).collect();
    registry.are(&names);
    let reference: CredentialsRef =
        serde_json::from_value(serde_json::json!({"name": "account", "usernameKey": "u", "tokenKey": "t"}))
            .expect("a reference");
    let away = Problem::passing(Reason::Unavailable, "away");
    for name in &names {
        let mut provider = registry.providers.resolve(&id(name)).await.expect("it exists");
        let account = (Instant::now(), reference.clone(), Account::Anonymous);
        lock(&registry.providers.accounts).insert(id(name), account);
        registry.providers.unhealthy(&id(name), &away);
        provider.spec.credentials_secret_ref = Some(reference.clone());
        registry.providers.refused(&provider);
    }
    registry.are(&names[..1]);
    registry.providers.forget_deleted();
    let Providers {
        accounts,
        refused,
        answers,
        ..
    } = &registry.providers;
    assert!(lock(accounts).len() <= 1);
    assert_eq!(lock(refused).len(), 1);
    assert_eq!(answers.len(), 1);
}
