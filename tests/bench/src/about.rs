//! What was measured where: commit, machine, build, command.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::options::Run;

/// Enough to repeat the measurement, and to know what it may be compared with.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct About {
    /// When it began.
    pub(crate) date: String,
    /// The commit that is checked out, with `+` when files differ from it.
    pub(crate) commit: String,
    /// The exact command.
    pub(crate) command: String,
    /// Processors that this process may use.
    pub(crate) cores: usize,
    pub(crate) processor: String,
    pub(crate) kernel: String,
    pub(crate) memory_gib: f64,
    /// The load average of the last minute before the first run.
    pub(crate) load: f64,
    /// How the operator was built.
    pub(crate) operator: String,
    /// How the bench itself was built: the raw loop is a part of it.
    pub(crate) bench_profile: String,
    /// How many shares the tuned contenders work on at once.
    pub(crate) workers: usize,
}

pub(crate) fn about(run: &Run) -> Result<About> {
    let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_default();
        line.split_once(':').unwrap_or_default().1.trim().to_owned()
    };
    let kibibytes: f64 = field(&file("/proc/meminfo"), "MemTotal")
        .trim_end_matches("kB")
        .trim()
        .parse()
        .unwrap_or_default();
    let load = file("/proc/loadavg");
    let args: Vec<String> = std::env::args().collect();
    Ok(About {
        date: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
        commit: commit()?,
        command: run.command.clone().unwrap_or_else(|| args.join(" ")),
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        processor: field(&file("/proc/cpuinfo"), "model name"),
        kernel: file("/proc/sys/kernel/osrelease").trim().to_owned(),
        memory_gib: kibibytes / 1024.0 / 1024.0,
        load: load
            .split(' ')
            .next()
            .and_then(|load| load.parse().ok())
            .unwrap_or_default(),
        operator: operator(&run.operator)?,
        bench_profile: if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        }
        .to_owned(),
        workers: run.workers,
    })
}

fn commit() -> Result<String> {
    let git = |args: &[&str]| -> Result<String> {
        let output = Command::new("git").args(args).output().context("starting git")?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let dirty = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    let head = git(&["rev-parse", "--short=12", "HEAD"])?;
    Ok(format!("{head}{}", if dirty { "+" } else { "" }))
}

/// Version, size and C library: musl and glibc differ in memory and speed.
fn operator(binary: &Path) -> Result<String> {
    let shown = || binary.display().to_string();
    let output = Command::new(binary)
        .arg("--version")
        .output()
        .with_context(shown)?;
    let content = std::fs::read(binary).with_context(shown)?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(described(&version, &content, binary))
}

fn described(version: &str, content: &[u8], binary: &Path) -> String {
    let has = |text: &[u8]| content.windows(text.len()).any(|window| window == text);
    let library = if has(b"ld-linux") { "glibc" } else { "static" };
    let folders: Vec<_> = binary.iter().map(|part| part.to_string_lossy()).collect();
    let profile = folders.iter().rev().nth(1).map_or("?", |folder| folder.as_ref());
    #[allow(clippy::cast_precision_loss, reason = "a file of some megabytes")]
    let megabytes = content.len() as f64 / 1e6;
    format!("{version}, {profile} build, {library}, {megabytes:.1} MB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_described() {
        let path = Path::new("target/release/onetimeshare");
        let found = described("onetimeshare 1.0", b"..ld-linux-x86-64.so.2..", path);
        assert_eq!(found, "onetimeshare 1.0, release build, glibc, 0.0 MB");
        assert!(described("onetimeshare 1.0", b"....", path).contains("static"));
    }
}
