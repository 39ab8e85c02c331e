//! The report: `report.json` with every figure of every round, `report.md` with tables and the plots beside it.

mod markdown;
mod plots;
mod svg;

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::sample::Results;

/// Removes the report of an earlier bench. Its plots may be of other sizes.
///
/// # Errors
/// When a file cannot be removed.
pub(crate) fn clear(folder: &Path) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry.context("reading the folder of the report")?.path();
        let is_plot = path.extension().is_some_and(|extension| extension == "svg");
        if is_plot || path.file_stem().is_some_and(|stem| stem == "report") {
            std::fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}

/// Writes everything anew.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn write(folder: &Path, results: &Results) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    };
    let summaries = results.summaries();
    let json = json!({
        "about": results.about, "failures": results.failures, "summary": summaries, "rounds": results.samples,
    });
    file("report.json", &(serde_json::to_string_pretty(&json)? + "\n"))?;
    let plots = plots::plots(&summaries);
    for plot in &plots {
        file(&plot.file, &plot.svg)?;
    }
    file("report.md", &markdown::markdown(results, &summaries, &plots))
}
