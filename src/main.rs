//! The operator's binary: parses the command line, starts logging, runs.

use anyhow::Context as _;
use clap::Parser;
use onetimeshare::config::{Cli, Command, ControllerArgs};
use std::path::Path;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Controller(args) => controller(*args).await,
        Command::Ready { url } => onetimeshare::ready::ask(&url).await,
        Command::Crds { dir } => crds(dir.as_deref()),
    }
}

async fn controller(args: ControllerArgs) -> anyhow::Result<()> {
    onetimeshare::telemetry::init_logs(args.log_format, &args.log)?;
    #[cfg(feature = "failpoints")]
    let _armed = onetimeshare::failpoint::arm()?;
    #[cfg(feature = "mutants")]
    onetimeshare::mutant::arm();
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        tracing::info!("stopping: what was begun is brought to its end");
        stopped.cancel();
    });
    onetimeshare::operator::run(args, stop).await
}

#[allow(clippy::print_stdout, reason = "printing is what the command is for")]
fn crds(dir: Option<&Path>) -> anyhow::Result<()> {
    for (file, yaml) in onetimeshare::api::manifests()? {
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
