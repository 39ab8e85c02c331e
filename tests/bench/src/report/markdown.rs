//! The tables: PURE.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::plots::Plot;
use crate::about::About;
use crate::sample::{Results, Summary, shown};

/// Figures that the raw loop sets the ceiling of.
const CEILING: &str = "shares/s";
const RAW: &str = "raw";

const READING: &str = "\
**raw** makes the requests of the operator for each share and nothing else: what this machine's control plane gives \
at most. **onetimeshare** is the operator as it is installed; **-tuned** has as many workers as the others. \
**controller-runtime** and **kopf** are plain controllers without ledger and without an Event for each link (2 \
requests to the API server a share where the operator has 5): tuned, and with the defaults of their libraries. The \
control plane, the fake service, the bench and who is measured share the machine.
";

pub(super) fn markdown(results: &Results, summaries: &[Summary], plots: &[Plot]) -> String {
    let mut text = format!("# Bench\n\n{}\n{READING}", about(&results.about));
    for failure in &results.failures {
        // Writing into a String cannot fail.
        let _ = write!(text, "\n**Failed**: {}: {}\n", failure.run, failure.error);
    }
    let mut cases: Vec<&str> = Vec::new();
    for summary in summaries {
        if !cases.contains(&&*summary.case) {
            cases.push(&summary.case);
        }
    }
    for case in cases {
        let of_case: Vec<&Summary> = summaries.iter().filter(|summary| summary.case == case).collect();
        let _ = write!(text, "\n## {}\n", headline(case));
        let sizes: BTreeSet<usize> = of_case.iter().map(|summary| summary.size).collect();
        for size in sizes {
            let of_size: Vec<&Summary> = of_case
                .iter()
                .copied()
                .filter(|summary| summary.size == size)
                .collect();
            let _ = write!(text, "\n{size} shares:\n\n{}", table(&of_size));
        }
        for plot in plots.iter().filter(|plot| plot.case == case) {
            let _ = write!(text, "\n![{}]({})\n", plot.title, plot.file);
        }
    }
    text
}

fn about(about: &About) -> String {
    let rows = [
        ("Command", format!("`{}`", about.command)),
        ("Commit", about.commit.clone()),
        ("Date", about.date.clone()),
        (
            "Machine",
            format!(
                "{} cores ({}), {:.0} GiB, Linux {}, load {:.1} at the start",
                about.cores, about.processor, about.memory_gib, about.kernel, about.load
            ),
        ),
        ("Operator", about.operator.clone()),
        ("Bench and raw loop", format!("{} build", about.bench_profile)),
        ("Tuned", format!("{} shares at once", about.workers)),
    ];
    let rows: String = rows
        .iter()
        .map(|(name, value)| format!("| {name} | {value} |\n"))
        .collect();
    format!("| | |\n|---|---|\n{rows}")
}

/// The figures of one case and size. Where the raw loop was measured, a column compares with it.
fn table(summaries: &[&Summary]) -> String {
    let ceiling = |figure: &str| {
        let is_it =
            |summary: &&&Summary| summary.contender == RAW && summary.figure == figure && figure == CEILING;
        summaries.iter().find(is_it).map(|summary| summary.spread.median)
    };
    let mut text =
        "| figure | contender | median | min | max | rounds | of raw |\n|---|---|--:|--:|--:|--:|--:|\n"
            .to_owned();
    let mut figures: Vec<&str> = Vec::new();
    for summary in summaries {
        if !figures.contains(&&*summary.figure) {
            figures.push(&summary.figure);
        }
    }
    let rows = figures
        .iter()
        .flat_map(|figure| summaries.iter().filter(move |summary| summary.figure == *figure));
    for summary in rows {
        let spread = summary.spread;
        let of_raw = ceiling(&summary.figure)
            .filter(|ceiling| *ceiling > 0.0)
            .map_or_else(String::new, |ceiling| {
                format!("{:.0} %", spread.median / ceiling * 100.0)
            });
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {of_raw} |",
            summary.figure,
            summary.contender,
            shown(spread.median),
            shown(spread.min),
            shown(spread.max),
            summary.rounds,
        );
    }
    text
}

fn headline(case: &str) -> String {
    let mut letters = case.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_compared_with_the_raw_loop() {
        let mut results = Results::new(About::default());
        for (contender, value) in [("raw", 200.0), ("onetimeshare", 150.0)] {
            let mut record = results.recorder("throughput, plain", 1000, contender, 1);
            record.take("shares/s", value);
            record.take("MiB at most", 9.0);
        }
        results.fail(&"kopf", &anyhow::anyhow!("no link"));
        let summaries = results.summaries();
        let text = markdown(&results, &summaries, &super::super::plots::plots(&summaries));
        assert!(
            text.contains("| shares/s | onetimeshare | 150 | 150 | 150 | 1 | 75 % |"),
            "{text}"
        );
        assert!(
            text.contains("| MiB at most | onetimeshare | 9.00 | 9.00 | 9.00 | 1 |  |"),
            "{text}"
        );
        assert!(text.contains("## Throughput, plain\n\n1000 shares:\n"), "{text}");
        assert!(
            text.contains("](throughput-plain-1000-shares-shares-s.svg)"),
            "{text}"
        );
        assert!(text.contains("**Failed**: kopf: no link"), "{text}");
    }
}
