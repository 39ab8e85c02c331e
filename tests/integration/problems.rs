//! What keeps a share from its link: each problem is told with its reason and its cure, and heals by itself once cured.
//!
//! The problems are data: the modules below hold the tables and register them. This module checks one.

mod service;
mod sources;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::cluster;
use harness::onetime::{Config, OnetimeServer, Version};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::{Value, json};

use crate::env::Env;
use crate::scope::{Scope, is_ready_now, merged};

/// One problem of the share `app`.
pub struct Case {
    name: &'static str,
    version: Version,
    config: fn(&mut Config),
    setup: Vec<Act>,
    spec: Value,
    reason: &'static str,
    heals: Heals,
    /// What the message must contain. `{scope}` stands for the name of the scope.
    words: &'static [&'static str],
    cure: Vec<Act>,
    within: Duration,
}

/// Who cures it: that decides how the status shows it.
#[derive(Clone, Copy, PartialEq)]
pub enum Heals {
    /// A person must act: Ready=False, Stalled, Failed.
    ByPerson,
    /// It may be on its way: Ready=Unknown, Reconciling, Pending.
    ByItself,
}

/// Something that a user, an administrator or the service does.
pub enum Act {
    /// The Secret `app` with one key.
    App,
    /// A Secret with these texts.
    Texts(&'static str, Value),
    /// A ConfigMap with these texts.
    Map(&'static str, Value),
    /// A Secret with one key `value`, made from a canary.
    Bytes(&'static str, fn(&str) -> Vec<u8>),
    /// A Secret of another type.
    Typed(&'static str, Value),
    /// A provider without an account, with these settings.
    Anonymous(Value),
    /// A provider with the account, with these settings.
    Account(Value),
    /// The credentials, right or wrong.
    Credentials(Option<&'static str>),
    /// A second provider, named like the scope plus this suffix.
    Another(&'static str),
    /// The share's spec.
    Spec(Value),
    /// Something at the service.
    Service(fn(&OnetimeServer)),
    /// The service's port is closed, and its connections are gone.
    GoDown,
    /// The service is back.
    ComeUp,
}

impl Case {
    fn new(name: &'static str, reason: &'static str, heals: Heals, words: &'static [&'static str]) -> Self {
        Self {
            name,
            version: Version::V0_26,
            config: |_| {},
            setup: Vec::new(),
            spec: json!({}),
            reason,
            heals,
            words,
            cure: Vec::new(),
            within: HEALS_WITHIN,
        }
    }

    fn at(mut self, version: Version, config: fn(&mut Config)) -> Self {
        self.version = version;
        self.config = config;
        self
    }

    fn setup(mut self, acts: impl IntoIterator<Item = Act>) -> Self {
        self.setup.extend(acts);
        self
    }

    fn spec(mut self, spec: Value) -> Self {
        self.spec = spec;
        self
    }

    fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    fn cure(mut self, acts: impl IntoIterator<Item = Act>) -> Self {
        self.cure.extend(acts);
        self
    }
}

impl Act {
    async fn perform(self, scope: &Scope<'_>) -> Result<()> {
        let metadata = |name: &str| json!({"name": name, "namespace": scope.name});
        match self {
            Self::App => scope.secret("app").await.map(drop),
            Self::Texts(name, texts) => scope.secret_with(name, texts).await,
            Self::Map(name, texts) => {
                let object = json!({
                    "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(name), "data": texts,
                });
                cluster::apply_one(&scope.env.client, object).await.map(drop)
            }
            Self::Bytes(name, make) => {
                let data = json!({"value": ByteString(make(&scope.env.canary("value")))});
                scope
                    .secret_object(json!({"metadata": metadata(name), "data": data}))
                    .await
            }
            Self::Typed(name, rest) => {
                let mut object = merged(json!({"metadata": metadata(name)}), rest);
                object["metadata"]["annotations"] = json!({"kubernetes.io/service-account.name": "default"});
                let account =
                    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata("default")});
                cluster::apply_one(&scope.env.client, account).await?;
                scope.secret_object(object).await
            }
            Self::Anonymous(spec) => scope.provider(spec).await,
            Self::Account(spec) => scope.provider(merged(scope.account_spec(), spec)).await,
            Self::Credentials(None) => scope.credentials(&scope.token).await,
            Self::Credentials(Some(token)) => scope.credentials(token).await,
            Self::Another(suffix) => {
                scope
                    .named_provider(&format!("{}{suffix}", scope.name), json!({}))
                    .await
            }
            Self::Spec(spec) => scope.share("app", spec).await.map(drop),
            Self::Service(act) => {
                act(&scope.service);
                Ok(())
            }
            Self::GoDown => {
                scope.service.stop_listening().await?;
                scope.service.drop_connections();
                Ok(())
            }
            Self::ComeUp => scope.service.start_listening().await,
        }
    }
}

/// A young share is looked at again within 15 s, a provider that cannot be used too; and the machine may be loaded.
const HEALS_WITHIN: Duration = Duration::from_secs(15 + 15 + 10);

async fn run(env: &Env, case: Case) -> Result<()> {
    let mut config = Config::new(case.version);
    (case.config)(&mut config);
    let scope = Scope::open(env, &format!("problem-{}", case.name.replace('_', "-")), config).await?;
    for act in case.setup {
        act.perform(&scope).await?;
    }
    scope.share("app", case.spec).await?;
    let ready = match case.heals {
        Heals::ByPerson => "False",
        Heals::ByItself => "Unknown",
    };
    let shown = |share: &Value| cluster::is(share, "Ready", ready, case.reason);
    let what = format!("Ready={ready} with reason {}", case.reason);
    let share = scope.wait("app", &what, shown).await?;
    let words = case.words.iter().map(|word| word.replace("{scope}", &scope.name));
    check_problem(&share, case.reason, case.heals, words)?;
    let note = scope.event("app", "Warning", case.reason).await?;
    ensure!(
        Some(note.as_str()) == message(&share, "Ready"),
        "the event says the same: {note:?}"
    );
    ensure!(scope.service.journal().shares.is_empty(), "there is no link yet");

    for act in case.cure {
        act.perform(&scope).await?;
    }
    let healed = Box::pin(cluster::wait_for(
        &scope.shares,
        "app",
        "ready after the cure",
        case.within,
        is_ready_now,
    ));
    check_healed(&scope, &healed.await?).await
}

fn message<'a>(share: &'a Value, type_: &str) -> Option<&'a str> {
    cluster::condition(share, type_)?["message"].as_str()
}

fn check_problem(
    share: &Value,
    reason: &str,
    heals: Heals,
    words: impl Iterator<Item = String>,
) -> Result<()> {
    let status = &share["status"];
    let ready = message(share, "Ready").context("a message")?;
    for word in words {
        ensure!(
            ready.contains(&word),
            "the message does not contain {word:?}: {ready:?}"
        );
    }
    let (present, absent, state) = match heals {
        Heals::ByPerson => ("Stalled", "Reconciling", "Failed"),
        Heals::ByItself => ("Reconciling", "Stalled", "Pending"),
    };
    ensure!(
        cluster::is(share, present, "True", reason),
        "{present} is not True/{reason}: {status:#}"
    );
    ensure!(
        message(share, present) == Some(ready),
        "{present} says something else: {status:#}"
    );
    ensure!(
        cluster::condition(share, absent).is_none(),
        "{absent} is there: {status:#}"
    );
    ensure!(status["state"] == state, "the state is not {state}: {status:#}");
    ensure!(
        status["observedGeneration"] == share["metadata"]["generation"],
        "{status:#}"
    );
    for field in ["link", "secretKey", "expiresAt", "requestHash"] {
        ensure!(
            status[field].is_null(),
            "there is a {field} without a link: {status:#}"
        );
    }
    Ok(())
}

async fn check_healed(scope: &Scope<'_>, share: &Value) -> Result<()> {
    for type_ in ["Stalled", "Reconciling"] {
        ensure!(
            cluster::condition(share, type_).is_none(),
            "{type_} stays: {:#}",
            share["status"]
        );
    }
    ensure!(share["status"]["state"] == "Shared", "{:#}", share["status"]);
    let journal = scope.service.journal();
    ensure!(
        journal.shares.len() == 1,
        "{} links for one share",
        journal.shares.len()
    );
    let source = &share["spec"]["secretRef"];
    let secrets: Api<Secret> = Api::namespaced(scope.env.client.clone(), &scope.name);
    let data = secrets
        .get(source["name"].as_str().context("a name")?)
        .await?
        .data
        .unwrap_or_default();
    let value = match (source["template"].as_str(), source["key"].as_str()) {
        (Some(template), _) => Some(filled(template, &data)),
        (None, Some(key)) => data.get(key).map(|value| value.0.clone()),
        (None, None) => data.values().next().map(|value| value.0.clone()),
    };
    ensure!(
        value.as_ref() == Some(&journal.shares[0].value),
        "the value was changed on the way"
    );
    Ok(())
}

/// What a template of nothing but keys makes: written apart from the operator's engine.
fn filled(template: &str, data: &BTreeMap<String, ByteString>) -> Vec<u8> {
    let fill = |text: String, (key, value): (&String, &ByteString)| {
        text.replace(&format!("{{{{ {key} }}}}"), &String::from_utf8_lossy(&value.0))
    };
    data.iter().fold(template.to_owned(), fill).into_bytes()
}
