//! The wall clock of one operator, to be stepped while it runs: a small library is preloaded into it. Nothing else of the
//! machine notices.
//!
//! The library's source is `shim/clock.rs`; it is compiled when it is first needed, and kept by its content.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::operator::Launch;

const SOURCE: &str = include_str!("../shim/clock.rs");

/// A wall clock that runs with the machine's, so many seconds off. An operator that started with it goes back to the
/// machine's time when it is dropped.
pub struct NodeClock {
    library: PathBuf,
    /// The offset. It stays open: what replaced the file would not reach those who mapped it.
    file: NamedTempFile,
}

impl NodeClock {
    /// A clock without an offset. `cache`: where the compiled library is kept.
    ///
    /// # Errors
    /// When the library cannot be compiled, or the file not made.
    pub fn new(cache: &Path) -> Result<Self> {
        let clock = Self {
            library: library(cache)?,
            file: NamedTempFile::new().context("a file for the clock")?,
        };
        clock.set(0)?;
        Ok(clock)
    }

    /// Lets the operators that are started with this run by this clock.
    pub fn install(&self, launch: &mut Launch) {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        launch.env.extend([
            ("LD_PRELOAD".to_owned(), text(&self.library)),
            ("ONETIMESHARE_CLOCK_FILE".to_owned(), text(self.file.path())),
        ]);
    }

    /// Steps the clock: so many seconds before (negative) or after the machine's.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set(&self, offset_seconds: i64) -> Result<()> {
        let bytes = offset_seconds.to_ne_bytes();
        let file: &File = self.file.as_file();
        file.write_all_at(&bytes, 0).context("stepping the clock")
    }
}

impl Drop for NodeClock {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.set(0);
    }
}

/// A day in seconds.
pub const DAY: i64 = 86_400;

fn library(cache: &Path) -> Result<PathBuf> {
    let digest = Sha256::digest(SOURCE.as_bytes());
    let name: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let library = cache.join(format!("libnodeclock-{name}.so"));
    if library.exists() {
        return Ok(library);
    }
    std::fs::create_dir_all(cache)?;
    // Compiled beside it and renamed: another test may be doing the same.
    let folder = tempfile::tempdir_in(cache)?;
    let (source, made) = (folder.path().join("clock.rs"), folder.path().join("clock.so"));
    std::fs::write(&source, SOURCE)?;
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = std::process::Command::new(rustc)
        .args(["--edition", "2024", "--crate-type", "cdylib", "-O", "-o"])
        .arg(&made)
        .arg(&source)
        .output()
        .context("starting rustc")?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "compiling the clock: {text}");
    std::fs::rename(&made, &library)?;
    Ok(library)
}
