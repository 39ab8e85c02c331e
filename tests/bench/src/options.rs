//! The command line.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::contender::Contender;
use crate::plan::Plan;

/// Measures the operator against a raw loop and two plain controllers.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure, and write a report.
    Run(Box<Run>),
    /// Be the raw loop. The bench starts it as a process of its own, so that it is measured like the others.
    #[command(hide = true)]
    Raw(Raw),
}

/// What is asked, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Question {
    /// How many plain shares a second.
    Plain,
    /// How many shares with a recipient a second.
    Mailed,
    /// How long a single share takes, alone and beside another tenant's burst.
    Latency,
    /// How soon the operator works, and its memory with few shares. Only with --full.
    Start,
    /// Memory with settled shares; restart, idle cost, polls and burns.
    Settled,
}

#[derive(Args, Debug)]
pub(crate) struct Run {
    /// The operator's binary: a release build.
    #[arg(long)]
    pub(crate) operator: PathBuf,
    /// The Go peer's binary. Without it that peer is left out.
    #[arg(long)]
    pub(crate) controller_runtime: Option<PathBuf>,
    /// A Python with what the kopf peer needs. Without it that peer is left out.
    #[arg(long)]
    pub(crate) kopf: Option<PathBuf>,
    /// The large sizes, and more rounds.
    #[arg(long)]
    pub(crate) full: bool,
    /// How often everything is measured. Default: 1; with --full as the plan says.
    #[arg(long)]
    pub(crate) rounds: Option<usize>,
    /// Only these questions.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<Question>,
    /// Only these contenders.
    #[arg(long, value_delimiter = ',')]
    pub(crate) contenders: Vec<Contender>,
    /// No more shares than this, to try something quickly.
    #[arg(long)]
    pub(crate) at_most: Option<usize>,
    /// How many shares the tuned contenders work on at once.
    #[arg(long, default_value_t = 32)]
    pub(crate) workers: usize,
    /// Where the report and the logs of the contenders go.
    #[arg(long, default_value = "target/bench")]
    pub(crate) out: PathBuf,
    /// The command that a person gave, for the report.
    #[arg(long)]
    pub(crate) command: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Raw {
    /// How many shares it works on at once.
    #[arg(long)]
    pub(crate) workers: usize,
}

impl Run {
    /// What is measured, in which order.
    ///
    /// # Errors
    /// When nothing is left.
    pub(crate) fn plan(&self) -> Result<Plan> {
        let mut plan = if self.full { Plan::full() } else { Plan::short() };
        plan.limit(self.rounds, self.at_most);
        plan.keep(|question| self.only.is_empty() || self.only.contains(&question));
        plan.keep_contenders(|contender| self.takes_part(contender));
        ensure!(!plan.steps().is_empty(), "there is nothing to measure");
        Ok(plan)
    }

    fn takes_part(&self, contender: Contender) -> bool {
        let exists = match contender {
            Contender::ControllerRuntime | Contender::ControllerRuntimeDefault => {
                self.controller_runtime.is_some()
            }
            Contender::Kopf | Contender::KopfDefault => self.kopf.is_some(),
            Contender::Raw | Contender::Operator | Contender::OperatorTuned => true,
        };
        exists && (self.contenders.is_empty() || self.contenders.contains(&contender))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn run(args: &[&str]) -> Run {
        let all = ["bench", "run", "--operator=o"].iter().chain(args);
        match Options::try_parse_from(all).expect("a good command line").command {
            Command::Run(run) => *run,
            Command::Raw(_) => panic!("another command"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_peer_that_is_missing_is_left_out() {
        let names = |args: &[&str]| -> Vec<Contender> {
            let plan = run(args).plan().expect("a plan");
            plan.steps().iter().map(|step| step.contender).collect()
        };
        assert!(!names(&[]).contains(&Contender::Kopf));
        assert!(names(&["--kopf=python"]).contains(&Contender::Kopf));
        let only = names(&["--kopf=python", "--contenders=kopf"]);
        assert!(only.iter().all(|contender| *contender == Contender::Kopf) && !only.is_empty());
    }

    #[test]
    fn nothing_to_measure_is_an_error() {
        assert!(run(&["--only=settled", "--contenders=raw"]).plan().is_err());
    }
}
