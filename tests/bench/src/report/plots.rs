//! Which figures are plotted: PURE.

use super::svg::{Bar, chart};
use crate::sample::Summary;

/// A plot as a file of its own.
pub(super) struct Plot {
    pub(super) case: String,
    pub(super) title: String,
    pub(super) file: String,
    pub(super) svg: String,
}

/// Figures with a plot for each case and size that has them, and whether the scale is logarithmic.
const BY_CONTENDER: [(&str, bool); 6] = [
    ("shares/s", false),
    ("ms of CPU a share", false),
    ("ms alone, p50", true),
    ("ms alone, p99", true),
    ("ms beside a burst, p50", true),
    ("ms beside a burst, p99", true),
];
/// Figures with one plot for all sizes.
const BY_SIZE: [&str; 1] = ["MiB resident"];

pub(super) fn plots(summaries: &[Summary]) -> Vec<Plot> {
    let mut plots = Vec::new();
    for summary in summaries {
        let of_case = |other: &&Summary| other.case == summary.case && other.figure == summary.figure;
        let all: Vec<&Summary> = summaries.iter().filter(of_case).collect();
        if BY_SIZE.contains(&&*summary.figure) {
            let title = format!("{}: {}", summary.case, summary.figure);
            let label = |of: &Summary| format!("{}, {}", of.contender, of.size);
            add(&mut plots, &summary.case, &title, false, all.into_iter(), label);
        } else if let Some((_, logarithmic)) =
            BY_CONTENDER.iter().find(|(figure, _)| *figure == summary.figure)
        {
            let title = format!("{}, {} shares: {}", summary.case, summary.size, summary.figure);
            let same = all.into_iter().filter(|other| other.size == summary.size);
            add(&mut plots, &summary.case, &title, *logarithmic, same, |of| {
                of.contender.clone()
            });
        }
    }
    plots
}

fn add<'s>(
    plots: &mut Vec<Plot>,
    case: &str,
    title: &str,
    logarithmic: bool,
    summaries: impl Iterator<Item = &'s Summary>,
    label: impl Fn(&Summary) -> String,
) {
    if plots.iter().any(|plot| plot.title == title) {
        return;
    }
    let bars: Vec<Bar> = summaries
        .map(|summary| Bar {
            label: label(summary),
            spread: summary.spread,
        })
        .collect();
    let scale = if logarithmic { " (logarithmic)" } else { "" };
    plots.push(Plot {
        case: case.to_owned(),
        title: title.to_owned(),
        file: format!("{}.svg", file_name(title)),
        svg: chart(&format!("{title}{scale}"), &bars, logarithmic),
    });
}

/// Letters, numbers and single hyphens.
fn file_name(title: &str) -> String {
    let words = title.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<String> = words
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::spread;

    fn summary(case: &str, size: usize, contender: &str, figure: &str) -> Summary {
        Summary {
            case: case.into(),
            size,
            contender: contender.into(),
            figure: figure.into(),
            rounds: 1,
            spread: spread(&[1.0]).expect("a value"),
        }
    }

    #[test]
    fn one_plot_for_each_size_and_one_for_all_memory() {
        let summaries = [
            summary("throughput", 10, "raw", "shares/s"),
            summary("throughput", 10, "kopf", "shares/s"),
            summary("throughput", 20, "raw", "shares/s"),
            summary("settled", 0, "kopf", "MiB resident"),
            summary("settled", 10, "kopf", "MiB resident"),
            summary("settled", 10, "kopf", "not plotted"),
        ];
        let plots = plots(&summaries);
        let files: Vec<&str> = plots.iter().map(|plot| &*plot.file).collect();
        let wanted = [
            "throughput-10-shares-shares-s.svg",
            "throughput-20-shares-shares-s.svg",
            "settled-mib-resident.svg",
        ];
        assert_eq!(files, wanted);
        assert!(plots[0].svg.contains(">raw<") && plots[0].svg.contains(">kopf<"));
        assert!(plots[2].svg.contains(">kopf, 0<") && plots[2].svg.contains(">kopf, 10<"));
    }
}
