//! What is measured, at which sizes, in which order: PURE.

use std::fmt;
use std::time::Duration;

use crate::contender::Contender;
use crate::options::Question;

/// One question at one size, for some contenders.
#[derive(Clone, Debug)]
struct Round {
    question: Question,
    /// How many shares. Of [`Question::Settled`] the last one is the size at which everything else is measured.
    sizes: Vec<usize>,
    contenders: Vec<Contender>,
    rounds: usize,
}

/// One run of one contender.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) question: Question,
    pub(crate) sizes: Vec<usize>,
    pub(crate) contender: Contender,
    pub(crate) round: usize,
}

/// Everything that is measured.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    rounds: Vec<Round>,
    /// How many single shares are timed while nothing else happens.
    pub(crate) singles: usize,
    /// How long nothing happens before memory is read.
    pub(crate) rest: Duration,
    /// For how long an idle operator is watched.
    pub(crate) idle: Duration,
    /// For how long the operator is watched after a restart.
    pub(crate) after_restart: Duration,
    /// How many polls are measured.
    pub(crate) polls: usize,
    /// How many links are burned.
    pub(crate) burns: usize,
    /// Up to this size every request to the API server is logged and counted.
    pub(crate) audited: usize,
}

const TUNED: [Contender; 4] = [
    Contender::Raw,
    Contender::Operator,
    Contender::ControllerRuntime,
    Contender::Kopf,
];
const ALL: [Contender; 7] = [
    Contender::Raw,
    Contender::Operator,
    Contender::OperatorTuned,
    Contender::ControllerRuntime,
    Contender::ControllerRuntimeDefault,
    Contender::Kopf,
    Contender::KopfDefault,
];

fn round(question: Question, sizes: &[usize], contenders: &[Contender], rounds: usize) -> Round {
    Round {
        question,
        sizes: sizes.to_vec(),
        contenders: contenders.to_vec(),
        rounds,
    }
}

impl Plan {
    /// Under five minutes on two cores.
    pub(crate) fn short() -> Self {
        Self {
            rounds: vec![
                round(Question::Plain, &[1000], &TUNED, 1),
                round(Question::Mailed, &[1000], &TUNED[..2], 1),
                round(Question::Latency, &[1000], &TUNED, 1),
                round(Question::Settled, &[1000, 2000], &[Contender::Operator], 1),
            ],
            singles: 30,
            rest: Duration::from_secs(8),
            idle: Duration::from_secs(30),
            after_restart: Duration::from_secs(12),
            polls: 3,
            burns: 500,
            audited: 10_000,
        }
    }

    /// Under ninety minutes on two cores.
    pub(crate) fn full() -> Self {
        Self {
            rounds: vec![
                round(Question::Start, &[100], &[Contender::Operator], 5),
                round(Question::Plain, &[1000], &ALL, 3),
                round(Question::Mailed, &[1000], &TUNED, 3),
                round(Question::Latency, &[1000], &TUNED, 3),
                round(Question::Plain, &[5000], &TUNED, 3),
                round(Question::Settled, &[1000, 10_000], &[Contender::Operator], 2),
                round(
                    Question::Settled,
                    &[1000, 10_000],
                    &[Contender::ControllerRuntime, Contender::Kopf],
                    1,
                ),
                round(Question::Settled, &[50_000], &[Contender::Operator], 1),
            ],
            singles: 200,
            rest: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            after_restart: Duration::from_secs(30),
            polls: 5,
            burns: 5000,
            audited: 10_000,
        }
    }

    /// Other rounds, and no more shares than this.
    pub(crate) fn limit(&mut self, rounds: Option<usize>, at_most: Option<usize>) {
        for round in &mut self.rounds {
            round.rounds = rounds.unwrap_or(round.rounds);
            if let Some(most) = at_most {
                round.sizes = round.sizes.iter().map(|size| *size.min(&most)).collect();
                round.sizes.dedup();
            }
        }
        if let Some(most) = at_most {
            self.singles = self.singles.min(most);
            self.burns = self.burns.min(most.div_ceil(2));
        }
    }

    pub(crate) fn keep(&mut self, wanted: impl Fn(Question) -> bool) {
        self.rounds.retain(|round| wanted(round.question));
    }

    pub(crate) fn keep_contenders(&mut self, wanted: impl Fn(Contender) -> bool) {
        for round in &mut self.rounds {
            round.contenders.retain(|contender| wanted(*contender));
        }
    }

    /// All runs. In each round every contender has its turn, so that a machine that gets slower is slow for all.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for part in &self.rounds {
            for round in 1..=part.rounds {
                steps.extend(part.contenders.iter().map(|contender| Step {
                    question: part.question,
                    sizes: part.sizes.clone(),
                    contender: *contender,
                    round,
                }));
            }
        }
        steps
    }
}

impl Step {
    /// The largest number of shares of this run.
    pub(crate) fn size(&self) -> usize {
        self.sizes.iter().copied().max().unwrap_or_default()
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.question {
            Question::Plain => "throughput, plain",
            Question::Mailed => "throughput, with recipients",
            Question::Latency => "latency",
            Question::Start => "start",
            Question::Settled => "settled shares",
        };
        let (size, who, round) = (self.size(), self.contender.name(), self.round);
        write!(f, "{what}, {size} shares: {who}, round {round}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contenders_take_turns() {
        let mut plan = Plan::full();
        plan.keep(|question| question == Question::Mailed);
        let order: Vec<_> = plan
            .steps()
            .iter()
            .map(|step| (step.round, step.contender))
            .collect();
        let round = |number| TUNED.map(move |contender| (number, contender));
        assert_eq!(order, [round(1), round(2), round(3)].concat());
    }

    #[test]
    fn a_trial_is_small_everywhere() {
        let mut plan = Plan::full();
        plan.limit(Some(1), Some(100));
        assert!(
            plan.steps()
                .iter()
                .all(|step| step.sizes == [100] && step.round == 1)
        );
        assert_eq!((plan.singles, plan.burns), (100, 50));
    }
}
