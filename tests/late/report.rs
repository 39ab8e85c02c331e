//! The figures of all cases as a table, and whether they are what they must be.

use crate::cases::{Case, Expected};
use crate::place::Ground;
use crate::run::Outcome;
use anyhow::Result;
use std::fmt::Write as _;
use std::time::Duration;

/// The line that says where the figures come from.
pub fn head(ground: Ground) -> Result<String> {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let ground = match ground {
        Ground::Namespaces => "network namespaces joined by veth",
        Ground::Loopback => "loopback",
    };
    Ok(format!("late: {ground}, Linux {}", kernel.trim()))
}

/// Prints the table, and says whether every case is what it must be.
pub fn tell(cases: &[Case], results: &[Result<Outcome>]) -> bool {
    println!("| Case | POSTs | Sender ended | Buffer empty | Whole POSTs | Arrived | Late from | Late |");
    println!("|---|---|---|---|---|---|---|---|");
    let mut wrong = String::new();
    for (case, result) in cases.iter().zip(results) {
        let name = case.name();
        match result {
            Ok(outcome) => {
                let late = late(case, outcome);
                println!("{}", row(case, outcome, late));
                let wanted = match case.expected {
                    Expected::NoneLate if late > 0 => "none may be late",
                    Expected::SomeLate if late == 0 => "some must be late, else the case shows nothing",
                    Expected::AllInTime if late > 0 || outcome.arrived.len() < case.connections => {
                        "all must arrive in time: the sender lives"
                    }
                    _ => continue,
                };
                let whole = outcome.arrived.len();
                let _ = writeln!(wrong, "late: {name}: {whole} whole POSTs, {late} late: {wanted}");
            }
            Err(error) => {
                let _ = writeln!(wrong, "late: {name}: {error:#}");
            }
        }
    }
    print!("{wrong}");
    println!("late: {} cases, {} wrong", cases.len(), wrong.lines().count());
    wrong.is_empty()
}

fn late(case: &Case, outcome: &Outcome) -> usize {
    let after = case.late_after();
    outcome.arrived.iter().filter(|at| **at > after).count()
}

fn row(case: &Case, outcome: &Outcome, late: usize) -> String {
    let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
    let (first, last) = (outcome.arrived.iter().min(), outcome.arrived.iter().max());
    let arrived = match (first, last) {
        (Some(first), Some(last)) if seconds(*first) != seconds(*last) => {
            format!("{:.1} to {}", first.as_secs_f64(), seconds(*last))
        }
        (_, Some(last)) => seconds(*last),
        _ => "-".to_owned(),
    };
    format!(
        "| {}{} | {} | {} | {} | {} | {arrived} | {} | {late} |",
        case.name(),
        if outcome.reader_instead {
            " (slow reader instead)"
        } else {
            ""
        },
        case.connections,
        seconds(outcome.ended),
        outcome.emptied.map_or_else(|| "-".to_owned(), seconds),
        outcome.arrived.len(),
        seconds(case.late_after()),
    )
}
