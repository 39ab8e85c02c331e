//! What is printed: a line for every plan that failed, with the command that replays it, and a table in the end.

use crate::plan::{Fault, Plan};
use crate::run::Verdict;
use crate::scenario::Scenario;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[derive(Clone, Copy, Default)]
struct Cell {
    plans: usize,
    held: usize,
    violations: usize,
}

/// One result: its name, its place in the table, and how it went.
pub struct Line {
    pub name: String,
    pub row: &'static str,
    pub column: &'static str,
    pub verdict: Verdict,
}

/// The results so far.
pub struct Report {
    seed: u64,
    results: Vec<Line>,
}

impl Report {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            results: Vec::new(),
        }
    }

    pub fn add(&mut self, line: Line, verbose: bool) {
        let Line { name, verdict, .. } = &line;
        if !verdict.violations.is_empty() {
            println!(
                "FAIL {name}: {}\n     replay: cargo test --features failpoints --test chaos -- --seed {} --plan {name}",
                verdict.violations.join("; "),
                self.seed
            );
        } else if verbose {
            let how = if verdict.held { "held" } else { "ok" };
            println!("{how:<4} {name} [{:.1} s]", verdict.time.as_secs_f64());
        }
        self.results.push(line);
    }

    /// Prints the table. True when nothing failed.
    pub fn end(&self, time: Duration) -> bool {
        let mut table = BTreeMap::<&str, BTreeMap<&str, Cell>>::new();
        let mut classes = BTreeSet::new();
        for Line {
            row, column, verdict, ..
        } in &self.results
        {
            classes.insert(*column);
            let cell = table.entry(row).or_default().entry(column).or_default();
            cell.plans += 1;
            cell.held += usize::from(verdict.held);
            cell.violations += usize::from(!verdict.violations.is_empty());
        }
        println!("\nplans by operation and fault (h: held for a person, !: violations)");
        print!("{:<22}", "");
        classes.iter().for_each(|class| print!("{class:>10}"));
        println!();
        for (operation, row) in &table {
            print!("{operation:<22}");
            for class in &classes {
                print!("{:>10}", row.get(class).map(show).unwrap_or_default());
            }
            println!();
        }
        let failed = self.failed();
        let held = self.results.iter().filter(|line| line.verdict.held).count();
        let passed = self.results.len() - failed;
        println!(
            "\nseed {}, {} plans in {:.0} s, {held} held for a person",
            self.seed,
            self.results.len(),
            time.as_secs_f64()
        );
        println!("{passed} passed, {failed} failed");
        failed == 0
    }

    fn failed(&self) -> usize {
        let bad = |line: &&Line| !line.verdict.violations.is_empty();
        self.results.iter().filter(bad).count()
    }
}

fn show(cell: &Cell) -> String {
    let mut text = cell.plans.to_string();
    if cell.held > 0 {
        text.push_str(&format!(" h{}", cell.held));
    }
    if cell.violations > 0 {
        text.push_str(&format!(" !{}", cell.violations));
    }
    text
}

/// One line for each plan, for `--list`.
pub fn list(plans: &[Plan], scenarios: &[&Scenario]) {
    for plan in plans {
        println!("{}", plan.name());
    }
    for scenario in scenarios {
        println!("{}", scenario.name);
    }
    let crashes = plans.iter().filter(|plan| matches!(plan.fault, Fault::Crash(..)));
    println!("{} plans, {} of them crashes", plans.len(), crashes.count());
}
