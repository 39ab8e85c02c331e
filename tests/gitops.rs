//! The patch for Argo CD's ConfigMap holds exactly the Lua files beside it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "functions of tests, outside of #[test]"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("gitops/argocd")
}

/// The scripts as files: `onetimeshare.dev/KIND/health.lua` and the others.
fn files(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "lua") {
            let name = path.strip_prefix(self::folder()).expect("a file of ours");
            let text = std::fs::read_to_string(&path).expect("text");
            found.insert(name.to_string_lossy().into_owned(), text);
        }
    }
}

/// The scripts of the ConfigMap, under the names of the files.
fn configured() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(folder().join("argocd-cm.yaml")).expect("argocd-cm.yaml");
    let patch: Value = serde_yaml_ng::from_str(&text).expect("YAML");
    let mut found = BTreeMap::new();
    for (key, value) in patch["data"].as_object().expect("data") {
        let value = value.as_str().expect("text");
        let rest = key.strip_prefix("resource.customizations.").expect("a key");
        let (what, kind) = rest.split_once('.').expect("health or actions, and the kind");
        let folder = kind.replace('_', "/");
        match what {
            "health" => {
                found.insert(format!("{folder}/health.lua"), value.to_owned());
            }
            "actions" => {
                let actions: Value = serde_yaml_ng::from_str(value).expect("YAML in YAML");
                let mut add = |name: String, script: &Value| {
                    found.insert(
                        format!("{folder}/actions/{name}"),
                        script.as_str().expect("a script").to_owned(),
                    );
                };
                add("discovery.lua".into(), &actions["discovery.lua"]);
                for definition in actions["definitions"].as_array().expect("definitions") {
                    let name = definition["name"].as_str().expect("a name");
                    add(format!("{name}/action.lua"), &definition["action.lua"]);
                }
            }
            _ => panic!("{key} is neither a health check nor actions"),
        }
    }
    found
}

#[test]
fn configmap_is_in_sync() {
    let mut wanted = BTreeMap::new();
    files(&folder(), &mut wanted);
    assert!(
        wanted.len() >= 6,
        "three health checks, discovery, and two actions"
    );
    assert!(
        configured() == wanted,
        "gitops/argocd/argocd-cm.yaml is stale: run `make argocd-cm`"
    );
}

/// Argo CD finds scripts by group and kind.
#[test]
fn every_kind_has_a_health_check() {
    for crd in onetimeshare::api::crds() {
        let script = folder()
            .join(&crd.spec.group)
            .join(&crd.spec.names.kind)
            .join("health.lua");
        assert!(script.is_file(), "{} is missing", script.display());
    }
}
