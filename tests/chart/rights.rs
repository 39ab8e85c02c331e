//! What the roles of the chart let the operator do.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::helm::{LEDGER, RELEASE, SYSTEM, of_kind, template};

/// One verb on one resource, in one namespace or (`*`) everywhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    pub namespace: String,
    pub resource: String,
    pub verb: String,
}

/// The rights of the operator's service account.
pub fn of_the_operator(objects: &[Value]) -> Result<BTreeSet<Right>> {
    let mut rights = BTreeSet::new();
    let bindings = of_kind(objects, "RoleBinding")
        .into_iter()
        .chain(of_kind(objects, "ClusterRoleBinding"));
    for binding in bindings {
        let subjects = binding["subjects"].as_array().context("subjects")?;
        ensure!(
            subjects.len() == 1 && subjects[0]["name"] == RELEASE && subjects[0]["namespace"] == SYSTEM,
            "bound to somebody else: {binding:#}"
        );
        let kind = binding["roleRef"]["kind"].as_str().context("a kind")?;
        let namespace = &binding["metadata"]["namespace"];
        let role = of_kind(objects, kind)
            .into_iter()
            .find(|role| {
                role["metadata"]["name"] == binding["roleRef"]["name"]
                    && role["metadata"]["namespace"] == *namespace
            })
            .context("the role of a binding")?;
        for rule in role["rules"].as_array().context("rules")? {
            for resource in words(&rule["resources"])? {
                for verb in words(&rule["verbs"])? {
                    ensure!(resource != "*" && verb != "*", "{rule:#}");
                    rights.insert(Right {
                        namespace: namespace.as_str().unwrap_or("*").to_owned(),
                        resource: resource.to_owned(),
                        verb: verb.to_owned(),
                    });
                }
            }
        }
    }
    Ok(rights)
}

fn words(list: &Value) -> Result<Vec<&str>> {
    Ok(list
        .as_array()
        .context("a list")?
        .iter()
        .filter_map(Value::as_str)
        .collect())
}

fn on_secrets(values: &[&str], namespace: &str) -> Result<Vec<String>> {
    let rights = of_the_operator(&template(values)?)?;
    Ok(rights
        .into_iter()
        .filter(|right| right.resource == "secrets" && right.namespace == namespace)
        .map(|right| right.verb)
        .collect())
}

pub fn as_promised() -> Result<()> {
    let (everywhere, team, both) = ("*", "watchNamespaces={team}", "watchNamespaces={team,shop}");
    let (generate, watch) = ("generate.enabled=true", "watchSecrets=true");
    let none: &[&str] = &[];
    for (values, namespace, verbs) in [
        (none, everywhere, &["get"] as &[&str]),
        (none, SYSTEM, none),
        (
            none,
            LEDGER,
            &["create", "delete", "get", "list", "update", "watch"],
        ),
        (&[generate], everywhere, &["create", "get", "update"]),
        (&[watch], everywhere, &["get", "list", "watch"]),
        (&[team], everywhere, none),
        (&[team], "team", &["get"]),
        (&[team], SYSTEM, &["get"]),
        (
            &[team],
            LEDGER,
            &["create", "delete", "get", "list", "update", "watch"],
        ),
        (&[team, generate], "team", &["create", "get", "update"]),
        (&[team, generate], SYSTEM, &["get"]),
        (&[team, watch], "team", &["get", "list", "watch"]),
        (&[team, watch], SYSTEM, &["get", "list", "watch"]),
        (&[both], everywhere, none),
        (&[both], "team", &["get"]),
        (&[both], "shop", &["get"]),
        (&[both], SYSTEM, &["get"]),
        (
            &[both, watch, generate],
            "team",
            &["create", "get", "list", "update", "watch"],
        ),
        (
            &[both, watch, generate],
            "shop",
            &["create", "get", "list", "update", "watch"],
        ),
    ] {
        let found = on_secrets(values, namespace)?;
        ensure!(
            found == verbs,
            "{values:?} in {namespace}: {found:?}, not {verbs:?}"
        );
    }
    in_listed_namespaces(&["team"])?;
    in_listed_namespaces(&["team", "shop"])?;
    people_have_no_status()
}

/// The same in each, and nothing everywhere that would tell of others.
fn in_listed_namespaces(namespaces: &[&str]) -> Result<()> {
    let value = format!("watchNamespaces={{{}}}", namespaces.join(","));
    let objects = template(&[&value])?;
    let rights = of_the_operator(&objects)?;
    let within = |namespace: &str| -> Vec<String> {
        let there = rights.iter().filter(|right| right.namespace == namespace);
        there
            .map(|right| format!("{} {}", right.verb, right.resource))
            .collect()
    };
    let wanted = [
        "list clustershareproviders",
        "watch clustershareproviders",
        "get customresourcedefinitions",
        "get namespaces",
    ];
    ensure!(
        within("*") == wanted,
        "with {value} everywhere: {:?}",
        within("*")
    );
    let everywhere: BTreeSet<_> = of_the_operator(&template(&[])?)?
        .into_iter()
        .filter(|right| right.namespace == "*")
        .map(|right| format!("{} {}", right.verb, right.resource))
        .filter(|right| !wanted.contains(&right.as_str()) && right != "patch clustershareproviders/status")
        .collect();
    for namespace in namespaces {
        let found: BTreeSet<_> = within(namespace).into_iter().collect();
        ensure!(found == everywhere, "with {value} in {namespace}: {found:?}");
    }
    let found: BTreeSet<_> = rights.iter().map(|right| right.namespace.as_str()).collect();
    let places = [namespaces, &["*", SYSTEM, LEDGER]].concat();
    ensure!(found == places.into_iter().collect(), "with {value}: {found:?}");

    let roles = of_kind(&objects, "ClusterRole");
    let rules = roles.iter().filter_map(|role| role["rules"].as_array()).flatten();
    let named: Vec<_> = rules
        .filter(|rule| rule["resources"] == serde_json::json!(["namespaces"]))
        .map(|rule| rule["resourceNames"].clone())
        .collect();
    let wanted = serde_json::json!([&["kube-system", LEDGER], namespaces].concat());
    ensure!(
        named == [wanted],
        "with {value} these namespaces are read: {named:?}"
    );
    Ok(())
}

fn people_have_no_status() -> Result<()> {
    let objects = template(&[])?;
    let mut seen = 0;
    for role in of_kind(&objects, "ClusterRole") {
        let to = |whom: &str| {
            role["metadata"]["labels"]
                .get(format!("rbac.authorization.k8s.io/aggregate-to-{whom}"))
                .is_some()
        };
        ensure!(!to("view"), "{role:#}");
        if !to("edit") && !to("admin") {
            continue;
        }
        seen += 1;
        for rule in role["rules"].as_array().context("rules")? {
            for resource in words(&rule["resources"])? {
                ensure!(!resource.contains('/'), "{rule:#}");
                let writes = words(&rule["verbs"])?.contains(&"create");
                ensure!(
                    !(to("edit") && resource == "shareproviders" && writes),
                    "{rule:#}"
                );
            }
        }
    }
    ensure!(seen == 2, "{seen} roles for people");
    Ok(())
}
