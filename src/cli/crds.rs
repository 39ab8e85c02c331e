//! `onetimeshare crds`: prints the custom resource definitions, or writes them into a folder.

use anyhow::Context as _;
use std::path::Path;

/// Prints all definitions, or writes one file for each into a folder.
///
/// # Errors
/// When a file cannot be written.
#[allow(clippy::print_stdout, reason = "printing is what the command is for")]
pub fn write(dir: Option<&Path>) -> anyhow::Result<()> {
    for (file, yaml) in crate::api::manifests()? {
        match dir {
            None => print!("{yaml}"),
            Some(dir) => {
                let path = dir.join(file);
                std::fs::write(&path, yaml).with_context(|| format!("writing {}", path.display()))?;
            }
        }
    }
    Ok(())
}
