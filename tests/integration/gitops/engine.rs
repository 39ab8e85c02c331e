//! Asks the engines of Argo CD and Flux, which the Go module `tests/gitops` holds, about live objects.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::OnceCell;

/// The built program.
pub struct Engine(&'static Path);

static BUILT: OnceCell<PathBuf> = OnceCell::const_new();

/// What Argo CD and Flux make of one object.
#[derive(Debug, Deserialize)]
pub struct Verdict {
    pub health: Outcome,
    pub kstatus: Outcome,
    pub actions: Option<BTreeMap<String, Action>>,
}

#[derive(Debug, Deserialize)]
pub struct Outcome {
    pub status: String,
    pub message: String,
}

/// An action, as discovery offers it and as it runs.
#[derive(Debug, Deserialize)]
pub struct Action {
    pub enabled: bool,
    pub patch: Option<Value>,
    pub error: Option<String>,
}

impl Verdict {
    pub fn action(&self, name: &str) -> Result<&Action> {
        self.actions
            .as_ref()
            .and_then(|actions| actions.get(name))
            .with_context(|| format!("no action {name}"))
    }

    /// The names of the actions that are offered. Whoever runs another one all the same must be refused: the button is
    /// grey, but the command line runs it.
    pub fn offered(&self) -> Result<Vec<&str>> {
        let mut offered = Vec::new();
        for (name, action) in self.actions.iter().flatten() {
            ensure!(
                action.enabled == action.patch.is_some() && action.enabled == action.error.is_none(),
                "{name} is offered and refuses, or the other way round: {action:?}"
            );
            if action.enabled {
                offered.push(name.as_str());
            }
        }
        Ok(offered)
    }
}

impl Engine {
    /// Builds it, once for all tests. Go keeps what it compiled, so that only the very first time takes long.
    pub async fn build() -> Result<Self> {
        Ok(Self(BUILT.get_or_try_init(go_build).await?))
    }

    /// What is made of each object.
    pub async fn judge(&self, objects: &[Value]) -> Result<Vec<Verdict>> {
        let mut program = Command::new(self.0)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("gitops/argocd"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("tests/gitops")?;
        let mut input = program.stdin.take().context("its input")?;
        let text: String = objects.iter().map(|object| format!("{object}\n")).collect();
        // Beside the reading: it answers object by object, and either pipe may fill up.
        let fed = async move { input.write_all(text.as_bytes()).await };
        let (fed, output) = tokio::join!(fed, program.wait_with_output());
        let output = output?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        fed.context("feeding it")?;
        let lines = std::str::from_utf8(&output.stdout)?.lines();
        let verdicts: Vec<Verdict> = lines.map(serde_json::from_str).collect::<Result<_, _>>()?;
        ensure!(
            verdicts.len() == objects.len(),
            "{} verdicts on {} objects",
            verdicts.len(),
            objects.len()
        );
        Ok(verdicts)
    }

    /// What is made of one object.
    pub async fn judge_one(&self, object: &Value) -> Result<Verdict> {
        let verdicts = self.judge(std::slice::from_ref(object)).await?;
        verdicts.into_iter().next().ok_or_else(|| anyhow!("no verdict"))
    }
}

async fn go_build() -> Result<PathBuf> {
    let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gitops");
    let mut go = Command::new("go");
    go.args(["build", "-mod=readonly", "-trimpath", "-o"])
        .arg(&output)
        .arg(".")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gitops"))
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off");
    let built = match go.output().await {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "tests/gitops has to be built, and there is no `go` here: install Go 1.26 or newer, e.g. apt-get install golang-go"
        ),
        built => built.context("go build")?,
    };
    let said = String::from_utf8_lossy(&built.stderr);
    ensure!(built.status.success(), "go build in tests/gitops: {said}");
    Ok(output)
}
