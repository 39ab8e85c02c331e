//! One file for each question.

mod burn;
mod idle;
mod latency;
mod restart;
mod settled;
mod start;
mod throughput;

use anyhow::Result;

use crate::options::{Question, Run};
use crate::plan::{Plan, Step};
use crate::sample::Results;

/// Measures one contender once.
///
/// # Errors
/// When anything does not come to its end in time. What was measured before stays in the results.
pub(crate) async fn run(run: &Run, plan: &Plan, step: &Step, results: &mut Results) -> Result<()> {
    match step.question {
        Question::Plain => Box::pin(throughput::run(run, step, false, results)).await,
        Question::Mailed => Box::pin(throughput::run(run, step, true, results)).await,
        Question::Latency => Box::pin(latency::run(run, plan, step, results)).await,
        Question::Start => Box::pin(start::run(run, plan, step, results)).await,
        Question::Settled => Box::pin(settled::run(run, plan, step, results)).await,
    }
}
