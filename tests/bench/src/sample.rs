//! The figures of all rounds: PURE.

use std::fmt::Display;

use serde::Serialize;

use crate::about::About;
use crate::statistics::{Spread, spread};

/// One figure of one round.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sample {
    /// What is measured, such as `throughput, plain`.
    pub(crate) case: String,
    /// How many shares.
    pub(crate) size: usize,
    /// Who is measured.
    pub(crate) contender: String,
    /// The round, from 1.
    pub(crate) round: usize,
    /// Such as `shares/s`.
    pub(crate) figure: String,
    pub(crate) value: f64,
}

/// A figure over all rounds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) case: String,
    pub(crate) size: usize,
    pub(crate) contender: String,
    pub(crate) figure: String,
    pub(crate) rounds: usize,
    #[serde(flatten)]
    pub(crate) spread: Spread,
}

/// A run that did not come to its end.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Failure {
    pub(crate) run: String,
    pub(crate) error: String,
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) about: About,
    pub(crate) samples: Vec<Sample>,
    pub(crate) failures: Vec<Failure>,
}

/// Takes the figures of one run.
pub(crate) struct Recorder<'r> {
    results: &'r mut Results,
    case: String,
    size: usize,
    contender: String,
    round: usize,
}

impl Results {
    pub(crate) fn new(about: About) -> Self {
        Self {
            about,
            samples: Vec::new(),
            failures: Vec::new(),
        }
    }

    pub(crate) fn fail(&mut self, run: &impl Display, error: &anyhow::Error) {
        self.failures.push(Failure {
            run: run.to_string(),
            error: format!("{error:#}"),
        });
    }

    pub(crate) fn recorder(
        &mut self,
        case: &str,
        size: usize,
        contender: &str,
        round: usize,
    ) -> Recorder<'_> {
        Recorder {
            results: self,
            case: case.to_owned(),
            size,
            contender: contender.to_owned(),
            round,
        }
    }

    /// Each figure over the rounds, in the order in which they were first measured.
    pub(crate) fn summaries(&self) -> Vec<Summary> {
        let mut groups: Vec<(&Sample, Vec<f64>)> = Vec::new();
        for sample in &self.samples {
            let same = |first: &Sample| {
                (&first.case, first.size, &first.contender, &first.figure)
                    == (&sample.case, sample.size, &sample.contender, &sample.figure)
            };
            match groups.iter_mut().find(|(first, _)| same(first)) {
                Some((_, values)) => values.push(sample.value),
                None => groups.push((sample, vec![sample.value])),
            }
        }
        let summary = |(first, values): (&Sample, Vec<f64>)| {
            Some(Summary {
                case: first.case.clone(),
                size: first.size,
                contender: first.contender.clone(),
                figure: first.figure.clone(),
                rounds: values.len(),
                spread: spread(&values)?,
            })
        };
        groups.into_iter().filter_map(summary).collect()
    }
}

impl Recorder<'_> {
    /// Records a figure and shows it.
    pub(crate) fn take(&mut self, figure: &str, value: f64) {
        println!("      {figure}: {}", shown(value));
        self.results.samples.push(Sample {
            case: self.case.clone(),
            size: self.size,
            contender: self.contender.clone(),
            round: self.round,
            figure: figure.to_owned(),
            value,
        });
    }

    /// A count.
    pub(crate) fn count(&mut self, figure: &str, count: usize) {
        #[allow(clippy::cast_precision_loss, reason = "far below what a float holds exactly")]
        self.take(figure, count as f64);
    }

    /// A count that is a promise: more than none is a failure of the bench.
    pub(crate) fn none(&mut self, figure: &str, count: usize) {
        self.count(figure, count);
        if count > 0 {
            self.results.failures.push(Failure {
                run: format!(
                    "{}, {} shares: {}, round {}",
                    self.case, self.size, self.contender, self.round
                ),
                error: format!("{figure}: {count}, and there must be none"),
            });
        }
    }

    /// The same run under the name of another case or with another number of shares.
    pub(crate) fn as_case(&mut self, case: &str, size: usize) {
        case.clone_into(&mut self.case);
        self.size = size;
    }
}

/// A number with as many digits as say something.
pub(crate) fn shown(value: f64) -> String {
    let digits = match value.abs() {
        0.0 => 0,
        large if large >= 100.0 => 0,
        middle if middle >= 10.0 => 1,
        small if small >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_of_one_figure_come_together() {
        let mut results = Results::new(About::default());
        for (round, value) in [(1, 3.0), (2, 1.0), (3, 2.0)] {
            let mut raw = results.recorder("throughput", 10, "raw", round);
            raw.take("shares/s", value);
            raw.take("ms of CPU a share", 0.5);
            results
                .recorder("throughput", 20, "raw", round)
                .take("shares/s", 9.0);
        }
        let summaries = results.summaries();
        assert_eq!(summaries.len(), 3);
        let first = &summaries[0];
        assert_eq!((first.size, first.rounds), (10, 3));
        assert_eq!(
            (first.spread.min, first.spread.median, first.spread.max),
            (1.0, 2.0, 3.0)
        );
        assert_eq!((summaries[2].size, summaries[2].spread.median), (20, 9.0));
    }

    #[test]
    fn a_broken_promise_is_a_failure() {
        let mut results = Results::new(About::default());
        let mut record = results.recorder("settled", 10, "onetimeshare", 2);
        record.none("restart: POSTs", 0);
        record.none("restart: ledger writes", 3);
        assert_eq!(results.samples.len(), 2);
        let [failure] = &results.failures[..] else {
            panic!("one failure: {:?}", results.failures);
        };
        assert!(failure.error.contains("ledger writes: 3"), "{}", failure.error);
        assert!(
            failure.run.contains("10 shares: onetimeshare, round 2"),
            "{}",
            failure.run
        );
    }

    #[test]
    fn numbers_have_the_digits_that_say_something() {
        let shown = [1234.6, 100.0, 12.34, 1.234, 0.1234, 0.0].map(super::shown);
        assert_eq!(shown, ["1235", "100", "12.3", "1.23", "0.123", "0"]);
    }
}
