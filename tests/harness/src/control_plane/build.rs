//! The build of the Go module `tests/control-plane`: finds out whether this machine's Go can do it, runs it,
//! shows that it goes on. Knows nothing of the cache.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};

use super::binaries::{POLL_INTERVAL, PROGRESS_INTERVAL, say};
use super::process::tail;

/// Part of the cache key: change it when the flags below change.
pub(super) const RECIPE: &str = "1: CGO_ENABLED=0 -mod=readonly -trimpath -s -w, versions";

/// Builds the module in `source` into the file `output`. What Go says goes to `log`.
pub(super) fn build(source: &Path, output: &Path, log: &Path) -> Result<()> {
    let module = fs::read_to_string(source.join("go.mod")).context("reading go.mod")?;
    require_go(
        source,
        word_after(&module, "go").context("go.mod names no Go version")?,
    )?;
    let kubernetes =
        word_after(&module, "k8s.io/kubernetes").context("go.mod does not require k8s.io/kubernetes")?;
    say(&format!(
        "building Kubernetes {kubernetes} and etcd, once: about 8 minutes on two cores, log {}",
        log.display()
    ));

    let begin = Instant::now();
    let file = File::create(log).with_context(|| format!("creating {}", log.display()))?;
    let mut go = go(source)
        .args([
            "build",
            "-mod=readonly",
            "-trimpath",
            "-ldflags",
            &linker_flags(kubernetes),
            "-o",
        ])
        .arg(output)
        .arg(".")
        .stdin(Stdio::null())
        .stdout(file.try_clone().context("sharing the log file")?)
        .stderr(file)
        .spawn()
        .context("starting go build")?;
    let mut said = begin;
    let status = loop {
        if let Some(status) = go.try_wait().context("waiting for go build")? {
            break status;
        }
        std::thread::sleep(POLL_INTERVAL);
        if said.elapsed() >= PROGRESS_INTERVAL {
            said = Instant::now();
            say(&format!("building for {} s", begin.elapsed().as_secs()));
        }
    };
    if !status.success() {
        bail!(
            "building the test control plane: go build ended with {status}:\n{}",
            tail(log)
        );
    }
    say(&format!("built in {} s", begin.elapsed().as_secs()));
    Ok(())
}

fn go(source: &Path) -> Command {
    let mut command = Command::new("go");
    command
        .current_dir(source)
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off");
    command
}

/// Without its version the API server takes itself for v0.0.0 and refuses to emulate any other.
fn linker_flags(kubernetes: &str) -> String {
    let mut parts = kubernetes.trim_start_matches('v').split('.');
    let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let mut flags = "-s -w".to_owned();
    for package in ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"] {
        for (name, value) in [
            ("gitVersion", kubernetes),
            ("gitMajor", major),
            ("gitMinor", minor),
            ("gitCommit", "unknown"),
            ("gitTreeState", "clean"),
        ] {
            flags.push_str(&format!(" -X {package}.{name}={value}"));
        }
    }
    flags
}

fn require_go(source: &Path, needed: &str) -> Result<()> {
    let cure = format!(
        "install Go {} or newer, e.g. apt-get install golang-go, or set KUBEBUILDER_ASSETS or \
         USE_EXISTING_CLUSTER=true",
        needed.trim_end_matches(".0"),
    );
    let output = match go(source).args(["env", "GOVERSION"]).output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("the test control plane has to be built, and there is no `go` here: {cure}");
        }
        Err(error) => return Err(anyhow!(error).context("running `go env GOVERSION`")),
    };
    // A Go that knows of toolchains refuses here by itself when it is older than go.mod asks and may not
    // fetch one.
    if !output.status.success() {
        bail!(
            "the test control plane has to be built: {cure}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let found = String::from_utf8_lossy(&output.stdout);
    let found = found.trim();
    match (release(found.trim_start_matches("go")), release(needed)) {
        (Some(found_release), Some(needed_release)) if found_release < needed_release => {
            bail!("the test control plane has to be built, and {found} is too old: {cure}");
        }
        // An unreleased Go has no number: let it try.
        _ => Ok(()),
    }
}

fn release(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The word after `name` on the first line of go.mod that begins with `name`.
fn word_after<'a>(module: &'a str, name: &str) -> Option<&'a str> {
    module.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some(name)).then(|| words.next()).flatten()
    })
}
