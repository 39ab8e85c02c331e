//! What the operator costs, against the least that anybody could do and against two plain controllers.
//!
//! Every run has a new control plane, a new fake Onetime Secret server and a new process of one contender, so no run
//! finds what an earlier one left. The contenders take turns.
//!
//! ```text
//! options, plan   what is measured, at which sizes     cases      one file for each question
//! contender, raw  who is measured                      statistics PURE: percentiles, least, median, most
//! stage, load     control plane, objects               sample     PURE: the figures of all rounds
//! observer        when a share came and had its link   report     PURE: JSON, Markdown, plots
//! process         what the kernel says of a process    about      commit and machine
//! ```
#![allow(clippy::print_stdout, reason = "printing is what a bench is for")]

mod about;
mod cases;
mod contender;
mod load;
mod observer;
mod options;
mod plan;
mod process;
mod raw;
mod report;
mod sample;
mod stage;
mod statistics;

use std::time::Instant;

use anyhow::{Result, bail};
use clap::Parser as _;

use options::{Command, Options, Run};
use sample::Results;

/// Runs what the command line says.
///
/// # Errors
/// When a run did not come to its end. What the others measured is written all the same.
pub async fn main() -> Result<()> {
    match Options::parse().command {
        Command::Raw(settings) => raw::run(&settings).await,
        Command::Run(run) => Box::pin(measure(&run)).await,
    }
}

async fn measure(run: &Run) -> Result<()> {
    let plan = run.plan()?;
    let mut results = Results::new(about::about(run)?);
    let steps = plan.steps();
    report::clear(&run.out)?;
    let begin = Instant::now();
    for (number, step) in steps.iter().enumerate() {
        let since = Instant::now();
        println!("[{}/{}] {step}", number + 1, steps.len());
        match Box::pin(cases::run(run, &plan, step, &mut results)).await {
            Ok(()) => println!("      {:.0} s", since.elapsed().as_secs_f64()),
            Err(error) => {
                println!(
                    "      failed after {:.0} s: {error:#}",
                    since.elapsed().as_secs_f64()
                );
                results.fail(step, &error);
            }
        }
        // After every step: what was measured outlives an interruption.
        report::write(&run.out, &results)?;
    }
    println!(
        "{} s; see {}",
        begin.elapsed().as_secs(),
        run.out.join("report.md").display()
    );
    match results.failures.len() {
        0 => Ok(()),
        failed => bail!("{failed} failures: see the report"),
    }
}
