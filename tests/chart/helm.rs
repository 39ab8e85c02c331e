//! Runs helm.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize as _;
use serde_json::Value;

pub const CHART: &str = "charts/onetimeshare";
pub const RELEASE: &str = "onetimeshare";
/// The namespace of the release.
pub const SYSTEM: &str = "onetimeshare-system";
pub const LEDGER: &str = "onetimeshare-ledger";

/// The one on the `PATH`, or the one that `make helm` got.
fn program() -> Result<&'static Path> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let find = || {
        let output = Command::new("python3")
            .args([".ci/helm.py", "--no-download"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .map_err(|error| format!("python3: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
    };
    FOUND
        .get_or_init(find)
        .as_deref()
        .map_err(|error| anyhow::anyhow!("{error}"))
}

/// Runs helm without a cluster and returns what it prints.
pub fn run(args: &[&str]) -> Result<String> {
    // A kubeconfig of the person's own must not matter.
    run_with(Path::new("/dev/null"), args)
}

/// Runs helm on a cluster.
pub fn run_with(kubeconfig: &Path, args: &[&str]) -> Result<String> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("helm");
    let output = Command::new(program()?)
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("KUBECONFIG", kubeconfig)
        .env("HELM_CACHE_HOME", home.join("cache"))
        .env("HELM_CONFIG_HOME", home.join("config"))
        .env("HELM_DATA_HOME", home.join("data"))
        .output()
        .context("helm")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stdout);
        bail!("helm {}: {told}{said}", args.join(" "));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The objects that the chart makes with these values.
pub fn template(values: &[&str]) -> Result<Vec<Value>> {
    let set: Vec<String> = values.iter().map(|value| format!("--set={value}")).collect();
    let mut args = vec!["template", RELEASE, CHART, "--namespace", SYSTEM];
    args.extend(set.iter().map(String::as_str));
    objects(&args)
}

/// The objects that `helm template` makes with these arguments.
pub fn objects(args: &[&str]) -> Result<Vec<Value>> {
    let text = run(args)?;
    let mut objects = Vec::new();
    for document in serde_yaml_ng::Deserializer::from_str(&text) {
        let object = Value::deserialize(document)?;
        if !object.is_null() {
            ensure!(object["metadata"]["name"].is_string(), "no name: {object:#}");
            objects.push(object);
        }
    }
    Ok(objects)
}

/// The objects of a kind.
pub fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}
