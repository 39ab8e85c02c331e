//! The chaos runner: tries every operation of a user with every fault, against a real API server, the
//! real operator and the fake server, and checks the promises against what those recorded.
//!
//! `cargo test --features failpoints --test chaos -- --help` tells the options. The environment variable
//! `ONETIMESHARE_CHAOS` says how much: `quick` (the default), `full` or `off`.
#![allow(missing_docs, reason = "a program, not a library")]
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

#[macro_use]
mod scenario;

mod api_faults;
mod catalog;
mod crowd;
mod ends;
mod faults;
mod history;
mod judge;
mod ledgers;
#[cfg(feature = "mutants")]
mod mutants;
mod objects;
mod open_world;
mod plan;
mod report;
mod run;
mod scope;
mod settle;
mod shards;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use futures::{FutureExt as _, StreamExt as _};
use harness::cluster;
use harness::control_plane::{ControlPlane, Options};
use plan::Plan;
use report::{Line, Report};
use scenario::Scenario;
use scope::Fixture;
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
    /// The operator to try, instead of the one that was built with this: a mutant, for instance.
    #[arg(long)]
    operator: Option<PathBuf>,
    /// Show that every deliberate mistake is noticed; needs the feature `mutants`.
    #[arg(long)]
    mutants: bool,
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

/// What a run does.
struct Program {
    plans: Vec<Plan>,
    scenarios: Vec<&'static Scenario>,
    /// How many shares a scenario has whose number matters.
    many: usize,
}

async fn chaos(args: Args) -> Result<bool> {
    let how_much = std::env::var("ONETIMESHARE_CHAOS").unwrap_or_else(|_| "quick".to_owned());
    let full = args.full || how_much == "full";
    if args.mutants && !cfg!(feature = "mutants") {
        bail!("--mutants needs the feature mutants: see `make mutants`");
    }
    let program = match how_much.as_str() {
        _ if args.mutants => program(args.seed, false),
        "off" => {
            println!("ONETIMESHARE_CHAOS=off: nothing is tried");
            return Ok(true);
        }
        "quick" | "full" if args.plan.is_some() || args.filter.is_some() => choose(&args)?,
        "quick" | "full" => program(args.seed, full),
        other => bail!("ONETIMESHARE_CHAOS is {other}, not quick, full or off"),
    };
    if args.list {
        report::list(&program.plans, &program.scenarios);
        return Ok(true);
    }
    let mut plane = ControlPlane::start(Options {
        audit: false,
        controller_manager: false,
    })
    .await?;
    let fixture = fixture(&plane, &args).await?;
    #[cfg(feature = "mutants")]
    if args.mutants {
        let caught = Box::pin(mutants::all(&fixture, args.filter.as_deref(), args.jobs)).await;
        plane.stop().await?;
        return caught;
    }
    let passed = Box::pin(all(&fixture, &mut plane, program, &args)).await;
    plane.stop().await?;
    Ok(passed)
}

fn program(seed: u64, full: bool) -> Program {
    if full {
        Program {
            plans: catalog::all(seed),
            scenarios: Scenario::all(),
            many: 200,
        }
    } else {
        Program {
            plans: catalog::quick(seed),
            scenarios: Scenario::all(),
            many: 20,
        }
    }
}

fn choose(args: &Args) -> Result<Program> {
    let wanted = |name: String| {
        args.plan.as_ref().is_none_or(|wanted| &name == wanted)
            && args.filter.as_ref().is_none_or(|part| name.contains(part))
    };
    let mut program = program(args.seed, true);
    program.plans.retain(|plan| wanted(plan.name()));
    if program.plans.is_empty() {
        program
            .plans
            .extend(args.plan.as_deref().and_then(catalog::named));
    }
    program
        .scenarios
        .retain(|scenario| wanted(scenario.name.to_owned()));
    if program.plans.is_empty() && program.scenarios.is_empty() {
        bail!("no plan of seed {} has that name", args.seed);
    }
    Ok(program)
}

async fn fixture(plane: &ControlPlane, args: &Args) -> Result<Fixture> {
    let client = plane.client().await?;
    let built = || PathBuf::from(env!("CARGO_BIN_EXE_onetimeshare"));
    let binary = args.operator.clone().unwrap_or_else(built);
    let crds = std::process::Command::new(&binary)
        .arg("crds")
        .output()
        .context("onetimeshare crds")?;
    cluster::install_crds(&client, &String::from_utf8(crds.stdout)?).await?;
    Ok(Fixture {
        client,
        kubeconfig: plane.kubeconfig().to_path_buf(),
        binary,
        scopes: Default::default(),
        mutant: None,
    })
}

/// Runs the plans, several at a time. True when none failed.
async fn all(fixture: &Fixture, plane: &mut ControlPlane, program: Program, args: &Args) -> bool {
    let start = Instant::now();
    let Program {
        plans,
        scenarios,
        many,
    } = program;
    println!(
        "{} plans and {} scenarios, seed {}, {} at a time",
        plans.len(),
        scenarios.len(),
        args.seed,
        args.jobs
    );
    let mut report = Report::new(args.seed);
    let side_by_side = scenarios.iter().filter(|scenario| !scenario.is_alone());
    let crowds = side_by_side.map(|scenario| {
        let work = async move { line_of(scenario, scenario.play(fixture, many).await) };
        work.boxed()
    });
    let plans = plans.into_iter().map(|plan| {
        let work = async move {
            let verdict = Box::pin(run::run(fixture, &plan)).await;
            Line {
                name: plan.name(),
                row: plan.operation.name(),
                column: plan.fault.class(),
                verdict,
            }
        };
        work.boxed()
    });
    let mut runs = futures::stream::iter(crowds.chain(plans)).buffer_unordered(args.jobs.max(1));
    while let Some(line) = runs.next().await {
        report.add(line, args.verbose);
    }
    for scenario in scenarios.iter().filter(|scenario| scenario.is_alone()) {
        let verdict = scenario.play_alone(fixture, many, plane).await;
        report.add(line_of(scenario, verdict), args.verbose);
    }
    report.end(start.elapsed())
}

fn line_of(scenario: &Scenario, verdict: run::Verdict) -> Line {
    Line {
        name: scenario.name.to_owned(),
        row: "scenario",
        column: scenario.column,
        verdict,
    }
}
