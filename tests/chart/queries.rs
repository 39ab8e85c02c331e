//! What the alerts and the dashboard ask Prometheus for is PromQL, and is what the operator tells.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, anyhow, ensure};
use promql_parser::label::MatchOp;
use promql_parser::parser::{self, Expr, LabelModifier, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};
use serde_json::Value;

use crate::helm::{of_kind, template};

/// Labels that are not the operator's: Prometheus adds them when it scrapes, and histograms have `le`.
const ADDED: [&str; 2] = ["namespace", "le"];

/// The queries of the alerts and of the dashboard, each with where it comes from.
fn queries() -> Result<Vec<(String, String)>> {
    let objects = template(&[
        "metrics.prometheusRule.enabled=true",
        "metrics.dashboard.enabled=true",
    ])?;
    let rule = of_kind(&objects, "PrometheusRule")
        .pop()
        .context("a PrometheusRule")?;
    let rules = rule["spec"]["groups"][0]["rules"].as_array().context("rules")?;
    let mut found = Vec::new();
    for rule in rules {
        let name = rule["alert"].as_str().context("an alert's name")?;
        found.push((name.to_owned(), text(&rule["expr"])?));
    }
    let map = of_kind(&objects, "ConfigMap").pop().context("a ConfigMap")?;
    let board: Value = serde_json::from_str(&text(&map["data"]["onetimeshare.json"])?)?;
    for panel in board["panels"].as_array().context("panels")? {
        let title = panel["title"].as_str().context("a title")?;
        for target in panel["targets"].as_array().into_iter().flatten() {
            // What Grafana puts in.
            let query = text(&target["expr"])?
                .replace("$__rate_interval", "5m")
                .replace("$__range", "24h")
                .replace("$namespace", ".*");
            ensure!(!query.contains('$'), "{title}: an unknown variable in {query}");
            found.push((title.to_owned(), query));
        }
    }
    Ok(found)
}

fn text(value: &Value) -> Result<String> {
    Ok(value
        .as_str()
        .with_context(|| format!("no text: {value}"))?
        .trim()
        .to_owned())
}

/// What a query selects, and by which labels it aggregates.
#[derive(Default)]
struct Asked {
    series: Vec<VectorSelector>,
    by: BTreeSet<String>,
}

impl ExprVisitor for Asked {
    type Error = anyhow::Error;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool> {
        match expr {
            Expr::VectorSelector(selector) => self.series.push(selector.clone()),
            Expr::MatrixSelector(matrix) => self.series.push(matrix.vs.clone()),
            Expr::Aggregate(aggregate) => match &aggregate.modifier {
                Some(LabelModifier::Include(labels) | LabelModifier::Exclude(labels)) => {
                    self.by.extend(labels.labels.iter().cloned());
                }
                None => {}
            },
            _ => {}
        }
        Ok(true)
    }
}

/// Metric names as Prometheus stores them, each with its labels and their values.
type Told = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

fn told(metrics: &str) -> Told {
    let mut told = Told::new();
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let series = line.rsplit_once(' ').map_or(line, |(series, _)| series);
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let known = told.entry(name.to_owned()).or_default();
        for label in labels
            .trim_end_matches('}')
            .split(',')
            .filter(|label| !label.is_empty())
        {
            let (label, value) = label.split_once('=').unwrap_or((label, ""));
            known
                .entry(label.to_owned())
                .or_default()
                .insert(value.trim_matches('"').to_owned());
        }
    }
    told
}

/// What a label can be that was not seen: docs/metrics.md, which another test compares with the operator.
fn documented(label: &str) -> Result<BTreeSet<String>> {
    let text = std::fs::read_to_string(harness::operator::repository().join("docs/metrics.md"))?;
    let row = format!("| `{label}` |");
    let line = text.lines().find_map(|line| line.strip_prefix(&row));
    // Every second part stands in backticks.
    let parts = line.unwrap_or_default().split('`').skip(1).step_by(2);
    Ok(parts.map(str::to_owned).collect())
}

/// Compares every query with what a running operator shows at /metrics.
pub fn answered(metrics: &str) -> Result<()> {
    let told = told(metrics);
    let queries = queries()?;
    ensure!(queries.len() > 20, "only {} queries were found", queries.len());
    for (name, query) in &queries {
        answerable(&told, query).with_context(|| format!("{name}: {query}"))?;
    }
    println!("{} queries of alerts and dashboard", queries.len());
    Ok(())
}

fn answerable(told: &Told, query: &str) -> Result<()> {
    let parsed = parser::parse(query).map_err(|error| anyhow!(error))?;
    let mut asked = Asked::default();
    walk_expr(&mut asked, &parsed)?;
    ensure!(!asked.series.is_empty(), "it asks for nothing");
    let mut labels: BTreeSet<&str> = ADDED.into();
    for selector in &asked.series {
        let name = selector.name.as_deref().context("a metric's name")?;
        let known = told.get(name).with_context(|| format!("there is no {name}"))?;
        labels.extend(known.keys().map(String::as_str));
        for matcher in &selector.matchers.matchers {
            if ADDED.contains(&matcher.name.as_str()) {
                continue;
            }
            let values = known
                .get(&matcher.name)
                .with_context(|| format!("{name} has no label {}", matcher.name))?;
            let wanted: Vec<&str> = match matcher.op {
                MatchOp::Equal | MatchOp::NotEqual => vec![&matcher.value],
                MatchOp::Re(_) | MatchOp::NotRe(_) => matcher.value.split('|').collect(),
            };
            let documented = documented(&matcher.name)?;
            let unknown = wanted
                .iter()
                .find(|value| !values.contains(**value) && !documented.contains(**value));
            ensure!(unknown.is_none(), "{} is never {unknown:?}", matcher.name);
        }
    }
    let unknown = asked.by.iter().find(|label| !labels.contains(label.as_str()));
    ensure!(unknown.is_none(), "nothing has the label {unknown:?}");
    Ok(())
}

/// A check that takes everything checks nothing.
pub fn mistakes() -> Result<()> {
    let told = told("onetimeshare_shares{state=\"Failed\"} 0\n# EOF\n");
    for (query, word) in [
        ("max(onetimeshare_share)", "onetimeshare_share"),
        ("max by (stat) (onetimeshare_shares)", "stat"),
        ("onetimeshare_shares{state=\"Fail\"}", "Fail"),
        ("onetimeshare_shares{states=\"Failed\"}", "states"),
        ("max(onetimeshare_shares", "unclosed"),
    ] {
        let error = answerable(&told, query)
            .err()
            .with_context(|| format!("{query} was taken"))?;
        ensure!(format!("{error:#}").contains(word), "{query}: {error:#}");
    }
    answerable(&told, "max by (state) (onetimeshare_shares{namespace=~\".*\"})")
}
