//! Runs an exploration, prints its size, and tells a violation as a story.

use super::model::{Event, OperatorModel};
use super::state::State;
use super::truth::at_rest;
use stateright::{Checker, HasDiscoveries, Model};
use std::time::{Duration, Instant};

/// An exploration that takes longer is stopped, and its test fails.
const LIMIT: Duration = Duration::from_secs(600);

/// Explores everything within the bounds. The violations that were found, each with its story.
pub fn explore(name: &str, model: &OperatorModel) -> Vec<(&'static str, String)> {
    let begin = Instant::now();
    let checker = model
        .clone()
        .checker()
        .threads(2)
        .timeout(LIMIT)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    println!(
        "{name}: {} unique states, {} transitions, depth {}, {:.1?}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        begin.elapsed()
    );
    assert!(begin.elapsed() < LIMIT, "{name}: not finished in time");
    let found = checker.discoveries().into_iter();
    found
        .map(|(property, path)| (property, story(model, &path.into_vec())))
        .collect()
}

/// Explores, and fails with the story of the first violation.
pub fn holds(name: &str, model: &OperatorModel) {
    if let Some((property, story)) = explore(name, model).first() {
        panic!("{name}: violated: {property}\n{story}");
    }
}

fn story(model: &OperatorModel, path: &[(State, Option<Event>)]) -> String {
    let mut told = String::new();
    let mut before: Vec<String> = Vec::new();
    for (number, (state, event)) in path.iter().enumerate() {
        let lines = describe(state);
        for line in lines.iter().filter(|line| !before.contains(line)) {
            told.push_str(&format!("        {line}\n"));
        }
        before = lines;
        if let Some(event) = event {
            told.push_str(&format!("{:3}. {}\n", number + 1, headline(state, event)));
        }
    }
    if let Some((last, _)) = path.last()
        && let Err(what) = at_rest(model, last)
    {
        told.push_str(&format!("     at rest: {what}\n"));
    }
    told
}

/// The two operators change places in the tidy form of a state: their names tell them apart.
fn headline(state: &State, event: &Event) -> String {
    let of = match event {
        Event::Reconcile { operator, .. }
        | Event::Orphan { operator, .. }
        | Event::Seek { operator, .. }
        | Event::Poll { operator, .. }
        | Event::PollInSilence { operator, .. }
        | Event::BurnInSilence { operator, .. }
        | Event::Heal { operator, .. }
        | Event::Step { operator, .. }
        | Event::Post { operator, .. }
        | Event::BadLook { operator, .. }
        | Event::Crash { operator }
        | Event::LedgerLags { operator }
        | Event::LedgerCatchesUp { operator }
        | Event::SharesLag { operator }
        | Event::SharesCatchUp { operator }
        | Event::SettlingPasses { operator, .. } => *operator,
        _ => return format!("{event:?}"),
    };
    let operator = &state.operators[of];
    let step = match event {
        Event::Step { slot, .. } | Event::Post { slot, .. } => {
            operator.tasks[*slot].map(|task| format!("{:?}", task.pc))
        }
        _ => None,
    };
    let step = step.map(|step| step.split(['(', ' ']).next().unwrap_or_default().to_owned());
    format!("{}: {event:?} {}", operator.tag.0, step.unwrap_or_default())
}

fn describe(state: &State) -> Vec<String> {
    let mut lines = Vec::new();
    for (number, share) in state.shares.iter().enumerate() {
        if let Some(share) = share {
            lines.push(format!(
                "share {number}: uid {} generation {} spec {}",
                share.uid, share.generation, share.spec
            ));
            lines.push(format!("share {number} status: {:?}", share.status));
        }
    }
    for (number, held) in state.ledger.iter().enumerate() {
        lines.push(match held {
            Some(held) => format!("entry {number}: {:?}", held.entry),
            None => format!("entry {number}: none"),
        });
    }
    for (number, receipt) in state.receipts.iter().enumerate() {
        lines.extend(receipt.map(|receipt| format!("receipt {number}: {receipt:?}")));
    }
    for operator in &state.operators {
        for task in operator.tasks.iter().flatten() {
            lines.push(format!(
                "{} on share {} will: {:?}",
                operator.tag.0, task.share, task.pc
            ));
        }
    }
    lines
}
