//! Where the programs of the control plane come from: a folder that the caller names, or the cache, which is
//! filled by one build of `tests/control-plane`. Owns the cache folder and its lock; starts no server.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::build;

/// The programs that the one binary holds; each gets a link of its name, as in a folder for
/// `KUBEBUILDER_ASSETS`.
const PROGRAMS: [&str; 4] = ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"];

/// The files of the Go module that decide what the build gives.
const SOURCES: [&str; 3] = ["go.mod", "go.sum", "main.go"];

/// How often a long wait says that it still goes on.
pub(super) const PROGRESS_INTERVAL: Duration = Duration::from_secs(15);

/// How often a wait looks again.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The folder with `etcd` and `kube-apiserver` (and mostly `kube-controller-manager` and `kubectl`): the one
/// that `KUBEBUILDER_ASSETS` names, else the cache, built first if need be. Blocks for as long as the build
/// takes.
///
/// # Errors
/// When the named folder lacks a program, or the build is not possible.
pub fn locate() -> Result<PathBuf> {
    match std::env::var_os("KUBEBUILDER_ASSETS") {
        Some(folder) if !folder.is_empty() => {
            let folder = PathBuf::from(folder);
            for program in ["etcd", "kube-apiserver"] {
                if !folder.join(program).is_file() {
                    bail!(
                        "KUBEBUILDER_ASSETS is {}, which has no {program}",
                        folder.display()
                    );
                }
            }
            Ok(folder)
        }
        _ => cached(),
    }
}

/// Writes a line for the person who waits. Not `eprintln!`: the test runner would hold that back until the
/// test ends.
pub(super) fn say(line: &str) {
    let mut stderr = std::io::stderr().lock();
    // Nobody reads it: no reason to fail.
    writeln!(stderr, "control-plane: {line}").ok();
}

fn cached() -> Result<PathBuf> {
    let source = source_folder();
    let key = cache_key(&source)?;
    let parent = cache_folder()?.join("control-plane");
    let finished = parent.join(&key);
    if finished.is_dir() {
        return Ok(finished);
    }
    fs::create_dir_all(&parent).with_context(|| format!("creating {}", parent.display()))?;
    let _lock = lock(&parent.join(format!("{key}.lock")))?;
    // Another process may have built it while this one waited for the lock.
    if finished.is_dir() {
        return Ok(finished);
    }
    // Built aside and renamed: a folder of the final name is always whole. The lock makes the name ours.
    let partial = parent.join(format!("{key}.partial"));
    if partial.exists() {
        fs::remove_dir_all(&partial).with_context(|| format!("removing {}", partial.display()))?;
    }
    fs::create_dir(&partial).with_context(|| format!("creating {}", partial.display()))?;
    build::build(
        &source,
        &partial.join("control-plane"),
        &parent.join(format!("{key}.log")),
    )?;
    for program in PROGRAMS {
        std::os::unix::fs::symlink("control-plane", partial.join(program))
            .with_context(|| format!("linking {program}"))?;
    }
    fs::rename(&partial, &finished).with_context(|| format!("renaming to {}", finished.display()))?;
    Ok(finished)
}

fn source_folder() -> PathBuf {
    std::env::var_os("ONETIMESHARE_CONTROL_PLANE_SOURCE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../control-plane"),
        PathBuf::from,
    )
}

fn cache_key(source: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(build::RECIPE);
    for name in SOURCES {
        let path = source.join(name);
        let text = fs::read(&path).with_context(|| {
            format!(
                "reading {}: set ONETIMESHARE_CONTROL_PLANE_SOURCE to the folder of the Go module",
                path.display()
            )
        })?;
        hash.update(name);
        hash.update(text.len().to_be_bytes());
        hash.update(&text);
    }
    Ok(hash
        .finalize()
        .iter()
        .take(10)
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn cache_folder() -> Result<PathBuf> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let base = set("ONETIMESHARE_CACHE")
        .or_else(|| set("XDG_CACHE_HOME"))
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .context("set ONETIMESHARE_CACHE: there is no HOME to keep the built control plane in")?;
    Ok(base.join("onetimeshare"))
}

/// Waits for the lock that lets one process at a time build. The lock ends with the returned file, or its
/// process.
fn lock(path: &Path) -> Result<File> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .with_context(|| format!("opening {}", path.display()))?;
    let begin = Instant::now();
    let mut said = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(POLL_INTERVAL),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking {}", path.display()));
            }
        }
        if said.elapsed() >= PROGRESS_INTERVAL {
            said = Instant::now();
            say(&format!(
                "another process is building it; waiting for {} s",
                begin.elapsed().as_secs()
            ));
        }
    }
}
