//! The operator's binary: parses the command line, starts logging, runs.

use clap::Parser;
use onetimeshare::cli;
use onetimeshare::config::{Cli, Command, ControllerArgs};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Quicker than musl's, and what is not used any more goes back to the system.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Controller(args) => controller(*args).await,
        Command::Ready { url } => cli::ready::ask(&url).await,
        Command::Crds { dir } => cli::crds::write(dir.as_deref()),
    }
}

async fn controller(args: ControllerArgs) -> anyhow::Result<()> {
    onetimeshare::telemetry::init_logs(args.log_format, &args.log)?;
    anyhow::ensure!(
        std::env::var_os("ONETIMESHARE_CONCURRENCY").is_none(),
        "ONETIMESHARE_CONCURRENCY was renamed: set ONETIMESHARE_MAX_CONCURRENT_RECONCILES"
    );
    #[cfg(feature = "failpoints")]
    let _armed = onetimeshare::failpoint::arm()?;
    #[cfg(feature = "mutants")]
    onetimeshare::mutant::arm();
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let mut signals = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        next(&mut signals).await;
        tracing::info!("shutting down; finishing in-flight work");
        stopped.cancel();
        next(&mut signals).await;
        tracing::warn!(
            "a second signal: ending at once; what is in flight is found out about by the next leader"
        );
        std::process::exit(1);
    });
    onetimeshare::operator::run(args, stop).await
}

/// Waits for SIGTERM or SIGINT.
async fn next((terminate, interrupt): &mut (Signal, Signal)) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
