//! Services that only the proxy reaches: https through a tunnel, http in absolute form, for providers of both kinds.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::onetime::{Config, Journal, OnetimeServer, State, Version};
use harness::proxy::Mode;
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

use super::Behind;
use crate::scope::{PATIENCE, in_state};

/// The services, by the name that only the proxy knows.
const SAFE: &str = "onetime.test:443";
const PLAIN: &str = "onetime.test:80";

const TEAM: &str = "team";

/// The flag of the operator.
const ALLOW: &str = "--allow-proxy-for-namespaced-providers";

struct Services {
    safe: OnetimeServer,
    plain: OnetimeServer,
}

pub async fn run() -> Result<()> {
    let mut behind = Behind::start().await?;
    let services = Services {
        safe: OnetimeServer::start(Config::new(Version::V0_26).tls()).await?,
        plain: OnetimeServer::start(Config::new(Version::V0_26)).await?,
    };
    behind.proxy.map(SAFE, services.safe.address());
    behind.proxy.map(PLAIN, services.plain.address());
    behind.hide_the_api_server(true)?;
    // Not --allow-private-addresses: the proxy itself is on loopback, and that must be no obstacle.
    behind.fixture.launch.args = [
        "--allowed-provider-hosts=onetime.test",
        "--allow-http",
        "--leader-elect=false",
        "--provider-check-interval=1s",
        "--log=trace",
    ]
    .map(String::from)
    .into();
    let url = behind.url.clone();
    behind.set_env(&[("HTTPS_PROXY", &url), ("HTTP_PROXY", &url)]);
    behind.fixture.start_operator(&[]).await?;

    end_to_end(&behind, &services).await?;
    tenants_connect_directly(&behind, &services).await?;
    tenants_are_proxied_when_allowed(&mut behind, &services).await?;
    what_the_proxy_does_wrong_is_told(&mut behind).await?;
    no_proxy_exempts(&mut behind).await?;
    behind.fixture.end().await
}

/// A link is made through each kind of proxying, and burned when the provider is gone.
async fn end_to_end(behind: &Behind, services: &Services) -> Result<()> {
    cluster::namespace(&behind.fixture.client, TEAM).await?;
    let value = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "value", "namespace": TEAM},
        "stringData": {"value": "a value"},
    });
    cluster::apply_one(&behind.fixture.client, value).await?;
    let ca = services.safe.ca_pem().context("an authority")?;
    behind
        .provider(
            None,
            "safe",
            json!({"url": "https://onetime.test", "caBundle": ca}),
        )
        .await?;
    behind
        .provider(None, "plain", json!({"url": "http://onetime.test"}))
        .await?;
    for name in ["safe", "plain"] {
        behind.share(name, "ClusterShareProvider", name).await?;
        behind.wait_for_share(name).await?;
    }
    ensure!(services.safe.journal().shares.len() == 1, "one link over https");
    ensure!(services.plain.journal().shares.len() == 1, "one link over http");
    let journal = behind.proxy.journal();
    let methods = |target: &str| -> Vec<String> {
        let of_target = journal.iter().filter(|asked| asked.target == target);
        of_target.map(|asked| asked.method.clone()).collect()
    };
    let (safe, plain) = (methods(SAFE), methods(PLAIN));
    ensure!(
        !safe.is_empty() && safe.iter().all(|method| method == "CONNECT"),
        "{safe:?}"
    );
    ensure!(plain.iter().any(|method| method == "POST"), "{plain:?}");
    ensure!(
        behind.asked(SAFE)? == safe.len(),
        "every request names the operator"
    );

    behind.api(None).delete("safe", &DeleteParams::default()).await?;
    let shares = cluster::shares(&behind.fixture.client, TEAM);
    shares.delete("safe", &DeleteParams::default()).await?;
    let burned = |journal: &Journal| in_state(journal, State::Burned) == 1;
    services.safe.wait_for("a burned link", PATIENCE, burned).await?;
    behind.no_password_was_shown().await
}

/// A proxy would resolve the name, and nobody would have checked the address.
async fn tenants_connect_directly(behind: &Behind, services: &Services) -> Result<()> {
    let ca = services.safe.ca_pem().context("an authority")?;
    let before = services.safe.requests().len();
    behind
        .provider(
            Some(TEAM),
            "tenant",
            json!({"url": "https://onetime.test", "caBundle": ca}),
        )
        .await?;
    behind
        .wait_for_provider(Some(TEAM), "tenant", "could not be resolved")
        .await?;
    ensure!(services.safe.requests().len() == before, "the service was asked");
    Ok(())
}

async fn tenants_are_proxied_when_allowed(behind: &mut Behind, services: &Services) -> Result<()> {
    behind.stop_operator().await?;
    behind.fixture.start_operator(&[ALLOW]).await?;
    behind.share("tenant", "ShareProvider", "tenant").await?;
    behind.wait_for_share("tenant").await?;
    ensure!(services.safe.journal().shares.len() == 2, "the tenant has a link");
    // Only the proxy's own address is exempt from the check: one that the tenant names is not.
    let port = services.safe.address().port();
    behind
        .proxy
        .map(&format!("10.0.0.1:{port}"), services.safe.address());
    behind.stop_operator().await?;
    behind
        .fixture
        .start_operator(&[ALLOW, "--allowed-provider-hosts=10.0.0.1"])
        .await?;
    let url = format!("http://10.0.0.1:{port}");
    behind
        .provider(Some(TEAM), "private", json!({"url": url}))
        .await?;
    behind
        .wait_for_provider(Some(TEAM), "private", "not allowed")
        .await?;
    ensure!(
        behind.asked(&format!("10.0.0.1:{port}"))? == 0,
        "the proxy was asked"
    );
    behind.no_password_was_shown().await
}

async fn what_the_proxy_does_wrong_is_told(behind: &mut Behind) -> Result<()> {
    let ca_less = json!({"url": "https://onetime.test"});
    behind.provider(None, "safe", ca_less).await?;
    // The API server is behind the same proxy, so the operator must not need it meanwhile.
    behind.stop_operator().await?;
    behind.fixture.launch.kubeconfig = behind.fixture.kubeconfig_with(&json!({}))?;
    for (mode, words) in [
        (Mode::Page(407), "(407)"),
        (Mode::Page(502), "answered with an error page"),
    ] {
        behind.proxy.set_mode(mode);
        behind.fixture.start_operator(&[]).await?;
        behind.wait_for_provider(None, "safe", words).await?;
        behind.no_password_was_shown().await?;
        behind.stop_operator().await?;
    }
    behind.proxy.stop_listening().await?;
    behind.fixture.start_operator(&[]).await?;
    behind
        .wait_for_provider(None, "safe", "proxy cannot be reached")
        .await?;
    behind.proxy.start_listening()?;
    behind.proxy.set_mode(Mode::Forward);
    // It passes without the operator being started again.
    behind.wait_for_provider(None, "safe", "certificate").await?;
    behind.no_password_was_shown().await
}

async fn no_proxy_exempts(behind: &mut Behind) -> Result<()> {
    behind.stop_operator().await?;
    let url = behind.url.clone();
    behind.set_env(&[
        ("HTTPS_PROXY", &url),
        ("HTTP_PROXY", &url),
        ("NO_PROXY", "onetime.test"),
    ]);
    let before = (behind.asked(SAFE)?, behind.asked(PLAIN)?);
    behind.fixture.start_operator(&[]).await?;
    for name in ["safe", "plain"] {
        behind
            .wait_for_provider(None, name, "could not be resolved")
            .await?;
    }
    let after = (behind.asked(SAFE)?, behind.asked(PLAIN)?);
    ensure!(after == before, "NO_PROXY names the host: {before:?} {after:?}");
    behind.no_password_was_shown().await
}

impl Behind {
    fn api(&self, namespace: Option<&str>) -> Api<DynamicObject> {
        let client = self.fixture.client.clone();
        let kind = |kind| ApiResource::from_gvk(&GroupVersionKind::gvk("onetimeshare.dev", "v1alpha1", kind));
        match namespace {
            None => Api::all_with(client, &kind("ClusterShareProvider")),
            Some(namespace) => Api::namespaced_with(client, namespace, &kind("ShareProvider")),
        }
    }

    async fn provider(&self, namespace: Option<&str>, name: &str, mut spec: Value) -> Result<()> {
        spec["pollInterval"] = json!("1s");
        let kind = if namespace.is_some() {
            "ShareProvider"
        } else {
            "ClusterShareProvider"
        };
        let mut object = json!({
            "apiVersion": "onetimeshare.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec,
        });
        if let Some(namespace) = namespace {
            object["metadata"]["namespace"] = json!(namespace);
        }
        cluster::apply_one(&self.fixture.client, object).await.map(drop)
    }

    /// Waits until a provider is not ready for a reason with these words.
    async fn wait_for_provider(&self, namespace: Option<&str>, name: &str, words: &str) -> Result<()> {
        let told = |object: &Value| {
            let ready = cluster::condition(object, "Ready");
            ready.is_some_and(|ready| {
                let message = ready["message"].as_str().unwrap_or_default();
                ready["status"] == "False" && message.contains(words)
            })
        };
        let patience = PATIENCE + Duration::from_secs(30);
        Box::pin(cluster::wait_for(
            &self.api(namespace),
            name,
            words,
            patience,
            told,
        ))
        .await
        .map(drop)
    }

    async fn share(&self, name: &str, kind: &str, provider: &str) -> Result<()> {
        let object = json!({
            "apiVersion": "onetimeshare.dev/v1alpha1", "kind": "OneTimeShare",
            "metadata": {"name": name, "namespace": TEAM},
            "spec": {"secretRef": {"name": "value"}, "providerRef": {"kind": kind, "name": provider}},
        });
        cluster::apply_one(&self.fixture.client, object).await.map(drop)
    }

    async fn wait_for_share(&self, name: &str) -> Result<()> {
        let shares = cluster::shares(&self.fixture.client, TEAM);
        Box::pin(cluster::wait_for(
            &shares,
            name,
            "ready",
            PATIENCE,
            cluster::is_ready,
        ))
        .await
        .map(drop)
    }
}
