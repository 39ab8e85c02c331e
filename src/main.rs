//! The operator's binary: parses the command line, starts logging, runs.

use clap::Parser;
use onetimeshare::config::{Cli, Command, ControllerArgs};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Controller(args) => controller(*args).await,
        Command::Crds => print_crds(),
    }
}

async fn controller(args: ControllerArgs) -> anyhow::Result<()> {
    onetimeshare::telemetry::init_logs(args.log_format, &args.log)?;
    #[cfg(feature = "failpoints")]
    let _armed = onetimeshare::failpoint::arm()?;
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
fn print_crds() -> anyhow::Result<()> {
    for crd in onetimeshare::api::crds() {
        print!("---\n{}", serde_yaml_ng::to_string(&crd)?);
    }
    Ok(())
}
