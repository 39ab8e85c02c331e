//! The test control plane by hand: `build` fills the cache and prints the folder with the programs, `run`
//! starts one, prints the path of its kubeconfig file and keeps it until a signal.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use harness::control_plane::{ControlPlane, Options, locate};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    match act().await {
        Ok(()) => ExitCode::SUCCESS,
        // One readable line: returned from main it would carry a backtrace, and it mostly names a cure.
        Err(error) => {
            eprintln!("control-plane: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn act() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("build") => {
            let folder = tokio::task::spawn_blocking(locate).await.context("building")??;
            print(&folder.display().to_string())
        }
        Some("run") => run().await,
        _ => bail!("usage: control-plane build|run"),
    }
}

async fn run() -> Result<()> {
    // Before the start, so that a signal during it ends the servers too.
    let mut interrupt = signal(SignalKind::interrupt()).context("watching for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("watching for SIGTERM")?;
    let running = async {
        let control_plane = ControlPlane::start(Options::default()).await?;
        print(&control_plane.kubeconfig().display().to_string())?;
        std::future::pending::<Result<()>>().await
    };
    tokio::select! {
        result = Box::pin(running) => result,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

fn print(line: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").context("printing")
}
