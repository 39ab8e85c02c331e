//! The chaos runner: every operation of a user, with everything that can go wrong, against a real API server, the real
//! operator and the stand-in, and the promises held against what those saw.
//!
//! `cargo test --features failpoints --test chaos -- --help` tells the options. The environment variable
//! `ONETIMESHARE_CHAOS` says how much: `quick` (the default), `full` or `off`.
#![allow(missing_docs, reason = "a program, not a library")]
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

mod catalog;
mod faults;
mod field;
mod history;
mod judge;
mod objects;
mod plan;
mod report;
mod run;
mod settle;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use field::World;
use futures::StreamExt as _;
use harness::cluster;
use harness::control_plane::{ControlPlane, Options};
use plan::Plan;
use report::Report;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

#[derive(Parser)]
struct Args {
    /// Only plans whose name contains this.
    filter: Option<String>,
    /// Decides about servers, accounts and passphrases, and which plans a quick run takes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only the plan of this name.
    #[arg(long)]
    plan: Option<String>,
    /// How many plans run at the same time.
    #[arg(long, default_value_t = 12)]
    jobs: usize,
    /// Every plan, as with ONETIMESHARE_CHAOS=full.
    #[arg(long)]
    full: bool,
    /// Only say which plans there are.
    #[arg(long)]
    list: bool,
    /// A line for the plans that pass, too.
    #[arg(long, short)]
    verbose: bool,
    /// Taken from cargo test and of no meaning here.
    #[arg(long, hide = true)]
    nocapture: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match chaos(Args::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn chaos(args: Args) -> Result<bool> {
    let how_much = std::env::var("ONETIMESHARE_CHAOS").unwrap_or_else(|_| "quick".to_owned());
    let plans = match how_much.as_str() {
        "off" => {
            println!("ONETIMESHARE_CHAOS=off: nothing is tried");
            return Ok(true);
        }
        _ if args.plan.is_some() || args.filter.is_some() => choose(&args)?,
        "full" => catalog::all(args.seed),
        "quick" if args.full => catalog::all(args.seed),
        "quick" => catalog::quick(args.seed),
        other => bail!("ONETIMESHARE_CHAOS is {other}, not quick, full or off"),
    };
    if args.list {
        report::list(&plans);
        return Ok(true);
    }
    let plane = ControlPlane::start(Options {
        audit: false,
        controller_manager: false,
    })
    .await?;
    let world = world(&plane).await?;
    let passed = all(&world, plans, &args).await;
    plane.stop().await?;
    Ok(passed)
}

fn choose(args: &Args) -> Result<Vec<Plan>> {
    let wanted = |plan: &Plan| {
        let name = plan.name();
        args.plan.as_ref().is_none_or(|wanted| &name == wanted)
            && args.filter.as_ref().is_none_or(|part| name.contains(part))
    };
    let plans: Vec<Plan> = catalog::all(args.seed).into_iter().filter(wanted).collect();
    if plans.is_empty() {
        bail!("no plan of seed {} has that name", args.seed);
    }
    Ok(plans)
}

async fn world(plane: &ControlPlane) -> Result<World> {
    let client = plane.client().await?;
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_onetimeshare"));
    let crds = std::process::Command::new(&binary)
        .arg("crds")
        .output()
        .context("onetimeshare crds")?;
    cluster::install_crds(&client, &String::from_utf8(crds.stdout)?).await?;
    Ok(World {
        client,
        kubeconfig: plane.kubeconfig().to_path_buf(),
        binary,
        fields: Default::default(),
    })
}

/// Runs the plans, several at a time. True when none failed.
async fn all(world: &World, plans: Vec<Plan>, args: &Args) -> bool {
    let start = Instant::now();
    println!(
        "{} plans, seed {}, {} at a time",
        plans.len(),
        args.seed,
        args.jobs
    );
    let mut report = Report::new(args.seed);
    let runs = futures::stream::iter(plans).map(|plan| async move {
        let verdict = Box::pin(run::run(world, &plan)).await;
        (plan, verdict)
    });
    let mut runs = std::pin::pin!(runs.buffer_unordered(args.jobs.max(1)));
    while let Some((plan, verdict)) = runs.next().await {
        report.add(plan, verdict, args.verbose);
    }
    report.end(start.elapsed())
}
