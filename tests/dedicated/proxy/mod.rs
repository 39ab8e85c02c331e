//! A forward proxy between the operator and everything else. Made-up names lead somewhere only there.

pub mod api_server;
pub mod service;

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harness::proxy::Proxy;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use serde_json::json;

use crate::fixture::Fixture;

/// The name of the API server, which only the proxy knows.
const API: &str = "kubernetes.test:6443";

const USER: &str = "operator";
/// May be nowhere. Percent-encoded it is another text.
const PASSWORD: &str = "c4n4ry p@ss/w0rd";

/// A proxy with a password, and the fixture of an operator that may use it.
struct Behind {
    fixture: Fixture,
    proxy: Proxy,
    /// Its URL, with the password.
    url: String,
    /// What the operators that were stopped have logged.
    logs: String,
}

impl Behind {
    async fn start() -> Result<Self> {
        let mut fixture = Fixture::start(false).await?;
        let proxy = Proxy::start_with_password(USER, PASSWORD).await?;
        proxy.map(API, fixture.api_server()?);
        // All that any library has to say.
        fixture.launch.args.push("--log=trace".into());
        let url = String::from(proxy.url()?);
        ensure!(
            no_password_in("itself", &url).is_err(),
            "the search finds nothing"
        );
        Ok(Self {
            url,
            fixture,
            proxy,
            logs: String::new(),
        })
    }

    /// The API server is known by the name that only the proxy knows. `own`: the cluster names the proxy itself.
    fn hide_the_api_server(&mut self, own: bool) -> Result<()> {
        let mut fields = json!({"server": format!("https://{API}"), "tls-server-name": "kubernetes"});
        if own {
            fields["proxy-url"] = self.url.clone().into();
        }
        self.fixture.launch.kubeconfig = self.fixture.kubeconfig_with(&fields)?;
        Ok(())
    }

    fn set_env(&mut self, variables: &[(&str, &str)]) {
        let own = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.fixture.launch.env = own.collect();
    }

    async fn stop_operator(&mut self) -> Result<()> {
        self.logs += &self.fixture.operator()?.log();
        self.fixture.stop_operator().await
    }

    /// The password is in nothing that the running operator, or one before it, has shown.
    async fn no_password_was_shown(&self) -> Result<()> {
        let operator = self.fixture.operator()?;
        let mut shown = vec![
            ("logs", format!("{}{}", self.logs, operator.log())),
            ("metrics", operator.metrics().await?),
        ];
        for (group, version, kind) in [
            ("events.k8s.io", "v1", "Event"),
            ("onetimeshare.dev", "v1alpha1", "OneTimeShare"),
            ("onetimeshare.dev", "v1alpha1", "ShareProvider"),
            ("onetimeshare.dev", "v1alpha1", "ClusterShareProvider"),
            ("", "v1", "Secret"),
        ] {
            shown.push((kind, self.list(group, version, kind).await?));
        }
        for (place, text) in shown {
            no_password_in(place, &text)?;
        }
        Ok(())
    }

    async fn list(&self, group: &str, version: &str, kind: &str) -> Result<String> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> = Api::all_with(self.fixture.client.clone(), &resource);
        let items = api.list(&ListParams::default()).await?.items;
        // What the tests themselves applied names no proxy either.
        Ok(serde_json::to_string(&items)?)
    }

    /// How often the proxy was asked for a target, and that it always knew who asked.
    fn asked(&self, target: &str) -> Result<usize> {
        let credentials = format!("{USER}:{PASSWORD}");
        for asked in self.proxy.journal() {
            // A client may wait for 407 before it names itself.
            let known = asked.credentials.as_ref() == Some(&credentials) || asked.answered.is_some();
            ensure!(known, "{asked:?}");
        }
        Ok(self.proxy.count(target))
    }
}

fn no_password_in(place: &str, text: &str) -> Result<()> {
    let basic = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    for form in [
        PASSWORD,
        "c4n4ry",
        "w0rd",
        basic.trim_end_matches('='),
        &STANDARD.encode(PASSWORD)[..12],
    ] {
        let line = text.lines().find(|line| line.contains(form));
        ensure!(line.is_none(), "{place}: {}", line.unwrap_or_default());
    }
    Ok(())
}
