//! The metrics tell a share's life, each part of it once; and what is documented is what is there.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail, ensure};
use harness::cluster;
use harness::onetime::{Journal, State, Version};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use onetimeshare::api::condition::Reason;
use serde_json::{Value, json};

use crate::env::Env;
use crate::registry::{Phase, integration_test};
use crate::scope::{PATIENCE, Scope, is_ready_now, merged};

integration_test!(metrics_tell_a_life, Phase::LookBack(2));
async fn metrics_tell_a_life(env: &Env) -> Result<()> {
    let before = Metrics::now(env).await?;
    let scope = Scope::with_account(env, "metrics", Version::V0_26).await?;
    life(&scope).await?;
    let total = all_shares(env).await?;
    let operator = env.operator.lock().await;
    let counted = |text: &str| Metrics::parse(text).is_ok_and(|now| now.sum("onetimeshare_shares") == total);
    let text = operator
        .wait_for_metrics("every share", PATIENCE, counted)
        .await?;
    drop(operator);
    let after = Metrics::parse(&text)?;
    for (series, more) in [
        ("onetimeshare_links_created_total", 3),
        ("onetimeshare_mails_requested_total{result=\"accepted\"}", 2),
        ("onetimeshare_links_received_total", 1),
        ("onetimeshare_links_burned_total{cause=\"replaced\"}", 1),
        ("onetimeshare_links_burned_total{cause=\"outside\"}", 1),
        ("onetimeshare_time_to_link_seconds_count", 3),
        ("onetimeshare_time_to_received_seconds_count", 1),
        (
            "onetimeshare_service_requests_total{operation=\"share\",outcome=\"ok\"}",
            3,
        ),
    ] {
        let grown = after.value(series) - before.value(series);
        ensure!(grown == f64::from(more), "{series} grew by {grown}, not {more}");
    }
    // Shares that other tests left behind may be tried again meanwhile, and refused.
    let timed = "onetimeshare_service_request_duration_seconds_count{operation=\"share\"}";
    ensure!(after.value(timed) >= before.value(timed) + 3.0, "{timed}");
    ensure!(after.value("onetimeshare_leader") == 1.0, "it leads");
    let ready = "onetimeshare_providers{kind=\"ClusterShareProvider\",ready=\"True\"}";
    ensure!(after.value(ready) >= 1.0, "there is a provider that is ready");
    documented(&after)
}

/// Two mailed links and one that is not: one is opened, one replaced, one burned by somebody else.
async fn life(scope: &Scope<'_>) -> Result<()> {
    let spec = json!({"recipient": "dave@example.com"});
    scope.secret("mailed").await?;
    scope.share("mailed", spec.clone()).await?;
    let first = scope.ready("mailed").await?;
    let again = merged(spec, json!({"requestID": "again"}));
    scope.share("mailed", again.clone()).await?;
    let link = first["status"]["link"].clone();
    let other = |share: &Value| is_ready_now(share) && share["status"]["link"] != link;
    let second = scope.wait("mailed", "ready with another link", other).await?;
    let key = second["status"]["secretKey"].as_str().context("a key")?;
    ensure!(scope.service.open(key, None).is_some());
    let received = |share: &Value| cluster::is(share, "Received", "True", "Received");
    scope.wait("mailed", "received", received).await?;

    scope.secret("handed").await?;
    scope.share("handed", json!({})).await?;
    let handed = scope.ready("handed").await?;
    // A status that was lost is written again; nobody has waited for that link a second time.
    let lost =
        json!({"link": null, "secretKey": null, "attempt": null, "requestHash": null, "conditions": null});
    crate::ledger::set_status(scope, "handed", lost).await?;
    let link = handed["status"]["link"].clone();
    let back = |share: &Value| is_ready_now(share) && share["status"]["link"] == link;
    scope.wait("handed", "shown as before", back).await?;
    let key = handed["status"]["secretKey"].as_str().context("a key")?;
    let journal = scope.service.journal();
    let receipt = &journal.by_secret(key).context("a share")?.metadata_key;
    let path = format!("/api/v1/private/{receipt}/burn");
    let (status, _) = harness::http::request(scope.service.address(), "POST", &path).await?;
    ensure!(status == 200, "burning was answered with {status}");
    let burned = |share: &Value| cluster::is(share, "Received", "False", "Burned");
    scope.wait("handed", "burned", burned).await?;

    // What has ended is looked at again, and not counted again.
    for suspend in [true, false] {
        let same = merged(again.clone(), json!({"suspend": suspend}));
        scope.share("mailed", same).await?;
        scope.ready("mailed").await?;
    }
    let over = |journal: &Journal| journal.shares.iter().all(|share| share.state != State::New);
    ensure!(over(&scope.service.journal()), "every link is over");
    Ok(())
}

async fn all_shares(env: &Env) -> Result<f64> {
    let kind = GroupVersionKind::gvk("onetimeshare.dev", "v1alpha1", "OneTimeShare");
    let all: Api<DynamicObject> = Api::all_with(env.client.clone(), &ApiResource::from_gvk(&kind));
    let count = all.list(&ListParams::default()).await?.items.len();
    Ok(f64::from(u32::try_from(count)?))
}

/// What /metrics says.
struct Metrics {
    /// By name as Prometheus stores it: type, HELP, names of labels.
    families: BTreeMap<String, Family>,
    series: BTreeMap<String, f64>,
}

#[derive(Debug, Default, PartialEq)]
struct Family {
    kind: String,
    help: String,
    /// Names of labels with their values.
    labels: BTreeMap<String, BTreeSet<String>>,
}

impl Metrics {
    async fn now(env: &Env) -> Result<Self> {
        Self::parse(&env.operator.lock().await.metrics().await?)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut metrics = Self {
            families: BTreeMap::new(),
            series: BTreeMap::new(),
        };
        let mut helps = BTreeMap::new();
        let mut current = String::new();
        for line in text.lines() {
            let words: Vec<&str> = line.splitn(4, ' ').collect();
            match words.as_slice() {
                ["#", "HELP", name, help] => {
                    helps.insert((*name).to_owned(), (*help).to_owned());
                }
                ["#", "TYPE", name, kind] => {
                    let suffix = match *kind {
                        "counter" => "_total",
                        "info" => "_info",
                        _ => "",
                    };
                    current = format!("{name}{suffix}");
                    let family = Family {
                        kind: (*kind).to_owned(),
                        help: helps.remove(*name).unwrap_or_default(),
                        labels: BTreeMap::new(),
                    };
                    metrics.families.insert(current.clone(), family);
                }
                ["#", ..] => {}
                _ => {
                    let (series, value) = line.rsplit_once(' ').context("a value")?;
                    metrics.series.insert(series.to_owned(), value.parse()?);
                    let family = metrics.families.get_mut(&current).context("a type")?;
                    for (name, value) in labels(series)? {
                        family.labels.entry(name).or_default().insert(value);
                    }
                }
            }
        }
        Ok(metrics)
    }

    /// A series that is not there has not happened.
    fn value(&self, series: &str) -> f64 {
        self.series.get(series).copied().unwrap_or_default()
    }

    fn sum(&self, name: &str) -> f64 {
        let start = format!("{name}{{");
        let of = self
            .series
            .iter()
            .filter(|(series, _)| series.starts_with(&start));
        of.map(|(_, value)| value).sum()
    }
}

fn labels(series: &str) -> Result<Vec<(String, String)>> {
    let Some((_, labels)) = series.split_once('{') else {
        return Ok(Vec::new());
    };
    let labels = labels.strip_suffix('}').context("the end of labels")?;
    // No value has a comma: such a one is no word, and is found below.
    let pairs = labels.split(',').map(|pair| {
        let (name, value) = pair.split_once('=').context("a label")?;
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        Ok((name.to_owned(), value.context("a value in quotes")?.to_owned()))
    });
    pairs.collect()
}

/// The documentation names what there is and nothing else, and every label has one of the values that it lists.
fn documented(found: &Metrics) -> Result<()> {
    let text = std::fs::read_to_string(harness::operator::repository().join("docs/metrics.md"))?;
    let (metrics, values) = read(&text)?;
    let names = |all: &mut dyn Iterator<Item = &String>| all.cloned().collect::<BTreeSet<_>>();
    let (told, there) = (names(&mut metrics.keys()), names(&mut found.families.keys()));
    let missing: Vec<_> = told.symmetric_difference(&there).collect();
    ensure!(
        missing.is_empty(),
        "documented or shown, but not both: {missing:?}"
    );
    for (name, family) in &found.families {
        ensure!(family.help.len() > 10, "{name} has no HELP");
        let (kind, labels) = &metrics[name];
        ensure!(kind == &family.kind, "{name} is a {}, not a {kind}", family.kind);
        let mut there = names(&mut family.labels.keys());
        if family.kind == "histogram" {
            ensure!(there.remove("le"), "{name} has buckets");
        }
        ensure!(
            &there == labels,
            "{name} has the labels {there:?}, not {labels:?}"
        );
        for (label, found) in &family.labels {
            for value in found {
                ensure!(
                    is_listed(&values, label, value),
                    "{name} has {label}={value:?}, which is not documented"
                );
            }
        }
    }
    Ok(())
}

fn is_listed(values: &BTreeMap<String, BTreeSet<String>>, label: &str, value: &str) -> bool {
    match label {
        "le" => value.parse::<f64>().is_ok(),
        "reason" => Reason::ALL.iter().any(|reason| reason.as_str() == value),
        "version" => value == env!("CARGO_PKG_VERSION"),
        label => values.get(label).is_some_and(|values| values.contains(value)),
    }
}

type Documented = (
    BTreeMap<String, (String, BTreeSet<String>)>,
    BTreeMap<String, BTreeSet<String>>,
);

/// The metrics with type and labels, and the values of labels.
fn read(text: &str) -> Result<Documented> {
    let (mut metrics, mut values) = (BTreeMap::new(), BTreeMap::new());
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let name = quoted(cells[0]).pop_first().context("a name")?;
        match cells.as_slice() {
            [_, kind, labels, meaning] => {
                ensure!(!meaning.is_empty(), "{name} has no meaning");
                metrics.insert(name, ((*kind).to_owned(), quoted(labels)));
            }
            [_, list] => {
                values.insert(name, quoted(list));
            }
            _ => bail!("a row of neither table: {line}"),
        }
    }
    Ok((metrics, values))
}

fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
