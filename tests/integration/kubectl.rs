//! What a person sees who uses kubectl: columns, explanations, waits and selectors.

use anyhow::{Context as _, Result, bail, ensure};
use harness::onetime::Version;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use serde_json::{Value, json};

use crate::env::Env;
use crate::registry::integration_test;
use crate::scope::{PATIENCE, Scope};

/// Runs kubectl and returns what it prints.
fn kubectl(env: &Env, args: &[&str]) -> Result<String> {
    let output = env.plane.kubectl()?.args(args).output().context("kubectl")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "kubectl {}: {said}", args.join(" "));
    Ok(String::from_utf8(output.stdout)?)
}

integration_test!(kubectl_reads_well);
async fn kubectl_reads_well(env: &Env) -> Result<()> {
    let scope = Scope::with_account(env, "kubectl", Version::V0_26).await?;
    let here = |args: &[&str]| kubectl(env, &[&["--namespace", "kubectl"], args].concat());
    scope.secret("alice").await?;
    scope
        .share("alice", json!({"recipient": "amy@example.com", "ttl": "1h"}))
        .await?;
    scope.share("bob", json!({})).await?;

    here(&[
        "wait",
        "onetimeshare/alice",
        "--for=condition=Ready",
        "--timeout=60s",
    ])?;
    scope.event("bob", "Warning", "SecretNotFound").await?;
    let share = scope.ready("alice").await?;
    let (link, expires) = (text(&share, "link")?, text(&share, "expiresAt")?);

    let rows = table(&here(&["get", "ots"])?);
    ensure!(
        rows[0] == ["NAME", "STATE", "READY", "RECIPIENT", "EXPIRES", "AGE"],
        "{rows:?}"
    );
    ensure!(
        rows[1][..5] == ["alice", "Shared", "True", "am***@e***.com", expires],
        "{rows:?}"
    );
    ensure!(rows[2][..3] == ["bob", "Pending", "Unknown"], "{rows:?}");
    ensure!(rows.len() == 3, "{rows:?}");

    let rows = table(&here(&["get", "onetimeshares", "--output=wide"])?);
    ensure!(rows[0][6..] == ["REASON", "LINK"], "{rows:?}");
    ensure!(rows[1][6..] == ["Shared", link], "{rows:?}");
    ensure!(rows[2].contains(&"SecretNotFound".to_owned()), "{rows:?}");

    for (state, name) in [("Shared", "alice"), ("Pending", "bob")] {
        let selector = format!("--field-selector=status.state={state}");
        let found = here(&["get", "ots", &selector, "--output=name"])?;
        ensure!(
            found.trim() == format!("onetimeshare.onetimeshare.dev/{name}"),
            "{found:?}"
        );
    }
    let category = here(&["get", "onetimesecret", "--output=name"])?;
    ensure!(
        category.contains("/alice") && category.contains("clustershareprovider"),
        "{category:?}"
    );

    let described = here(&["describe", "ots", "bob"])?;
    for word in [
        "Warning",
        "SecretNotFound",
        "Secret \"bob\" does not exist in this namespace: create it",
    ] {
        ensure!(described.contains(word), "{described}");
    }

    let provider = table(&kubectl(env, &["get", "clustershareprovider", "kubectl"])?);
    ensure!(
        provider[0] == ["NAME", "ENDPOINT", "READY", "REASON", "AGE"],
        "{provider:?}"
    );
    ensure!(
        provider[1][2..4] == ["True", "CredentialsAccepted"],
        "{provider:?}"
    );

    ensure!(
        scope.service.open(text(&share, "secretKey")?, None).is_some(),
        "the link opens"
    );
    here(&["wait", "ots/alice", "--for=condition=Received", "--timeout=60s"])?;
    here(&["wait", "ots/alice", "--for=condition=Finished", "--timeout=1s"])?;
    here(&[
        "wait",
        "ots/alice",
        "--for=jsonpath={.status.state}=Received",
        "--timeout=1s",
    ])
    .map(drop)
}

fn text<'a>(share: &'a Value, field: &str) -> Result<&'a str> {
    share["status"][field]
        .as_str()
        .with_context(|| format!("status.{field}"))
}

fn table(text: &str) -> Vec<Vec<String>> {
    text.lines()
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

integration_test!(kubectl_explains_every_field);
async fn kubectl_explains_every_field(env: &Env) -> Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(env.client.clone());
    for (plural, kind) in [
        ("onetimeshares", "onetimeshare"),
        ("shareproviders", "shareprovider"),
        ("clustershareproviders", "clustershareprovider"),
    ] {
        let crd = serde_json::to_value(api.get(&format!("{plural}.onetimeshare.dev")).await?)?;
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        ensure!(described(schema), "{kind} itself has no description");
        let mut objects = Vec::new();
        for part in ["spec", "status"] {
            walk(
                &schema["properties"][part],
                &format!("{kind}.{part}"),
                &mut objects,
            )?;
        }
        ensure!(objects.len() >= 3, "{objects:?}");
        for (path, fields) in objects {
            let said = explained(env, &path).await?;
            ensure!(!said.contains("<no description>"), "{said}");
            for field in fields {
                ensure!(
                    said.contains(&format!("  {field}\t<")),
                    "{field} is missing in: {said}"
                );
            }
        }
    }
    Ok(())
}

/// The API server publishes what it serves some seconds after it serves it.
async fn explained(env: &Env, path: &str) -> Result<String> {
    let published = async {
        loop {
            match kubectl(env, &["explain", path]) {
                Err(error) if error.to_string().contains("couldn't find resource") => {
                    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
                }
                said => return said,
            }
        }
    };
    tokio::time::timeout(PATIENCE, published)
        .await
        .with_context(|| format!("kubectl explain {path}"))?
}

fn described(schema: &Value) -> bool {
    schema["description"].as_str().is_some_and(|text| text.len() > 10)
}

/// Every field below `path` must be described. Collects the objects with the names of their fields.
fn walk(schema: &Value, path: &str, objects: &mut Vec<(String, Vec<String>)>) -> Result<()> {
    if !described(schema) {
        bail!("{path} has no description");
    }
    let object = if schema["type"] == "array" {
        &schema["items"]
    } else {
        schema
    };
    let Some(fields) = object["properties"].as_object() else {
        return Ok(());
    };
    objects.push((path.to_owned(), fields.keys().cloned().collect()));
    for (name, field) in fields {
        walk(field, &format!("{path}.{name}"), objects)?;
    }
    Ok(())
}
