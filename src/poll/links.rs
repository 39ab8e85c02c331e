//! What became of the links of one server: the lists of its accounts, then single looks, those first that matter most, and
//! the ends that they tell.

use super::accounts::is_current;
use super::lists::{List, key, list};
use super::outcome::conclude;
use super::schedule::{Group, Links, Seen, Went, interval};
use super::shared::Shared;
use super::unit::{CONCURRENCY, Unit};
use crate::ledger::{Line, Link, LinkLine, Phase, Versioned};
use crate::onetime::{CallError, Client, MetadataKey};
use crate::share::context::Context;
use crate::share::decide::ends::Word;
use crate::share::effects::look::at_receipt;
use futures::StreamExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// So many looks of one round that fail one after the other, and the rest of the round is given up: whatever kept these
/// receipts from us would keep the others, one time-out after the other.
const PATIENCE: usize = 3;

/// Polls the groups of one server.
pub(super) async fn work(shared: &Shared, unit: &Unit, due: Vec<(Group, Links)>) {
    let begun: Vec<(Round, Vec<Pending>)> = futures::stream::iter(due)
        .map(|(group, links)| begin(shared, unit, group, links))
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await;
    let (rounds, pending): (Vec<Round>, Vec<Vec<Pending>>) = begun.into_iter().unzip();
    let mut looks: Vec<(&Round, Pending)> = rounds
        .iter()
        .zip(pending)
        .flat_map(|(round, links)| links.into_iter().map(move |link| (round, link)))
        .collect();
    looks.sort_by_key(|(_, pending)| pending.rank());
    let none_left = AtomicBool::new(false);
    futures::stream::iter(looks)
        .for_each_concurrent(CONCURRENCY, |(round, pending)| {
            look(shared, unit, round, pending, &none_left)
        })
        .await;
    if !unit.is_stopping() {
        for round in rounds {
            shared.schedule.ended(&round.group, round.went(), round.interval);
        }
    }
}

/// Whether the service is to be asked about this one link: its time is over by a clock, or its end is unknown.
pub(super) fn end_is_due(context: &Context, link: &LinkLine) -> bool {
    link.outcome_unknown || context.hearing.clocks(link).any_is_past(link.expires_at)
}

/// One round over the links of a group.
struct Round {
    group: Group,
    interval: Duration,
    /// How many looks in a row may fail.
    patience: usize,
    /// How many did.
    failed: AtomicUsize,
    any_failed: AtomicBool,
    left_out: AtomicBool,
}

impl Round {
    fn went(&self) -> Went {
        if self.any_failed.load(Ordering::SeqCst) {
            Went::Failed
        } else if self.left_out.load(Ordering::SeqCst) {
            Went::LeftOut
        } else {
            Went::Well
        }
    }

    fn is_given_up(&self) -> bool {
        self.failed.load(Ordering::SeqCst) >= self.patience
    }
}

/// A link that is to be looked at.
struct Pending {
    line: Arc<Line>,
    at_end: bool,
    last: Option<Duration>,
}

impl Pending {
    /// Those whose end is due come first, then those that were not looked at for longest.
    fn rank(&self) -> (bool, Option<Duration>) {
        (!self.at_end, self.last)
    }
}

/// Asks for the list of a group, writes down what it tells, and gives the links that are to be looked at one by one.
async fn begin(shared: &Shared, unit: &Unit, group: Group, links: Links) -> (Round, Vec<Pending>) {
    let context = &*shared.context;
    let interval = interval(context, &group.provider);
    let list = list(shared, unit, &group, &links).await;
    let first = links.first().and_then(|line| line.link());
    if let (List::All { now: Some(now), .. }, Some(link)) = (&list, first) {
        context.hearing.told_time(link, *now);
    }
    let list_failed = matches!(list, List::Failed);
    let mut pending = Vec::new();
    for line in links {
        if unit.is_stopping() {
            break;
        }
        let Some(link) = line.link() else { continue };
        let at_end = end_is_due(context, link);
        match list.word(link) {
            Some(word @ Word::Over(..)) => {
                if let Some((read, link)) = opened(&line) {
                    conclude(context, &read, &link, word).await;
                }
            }
            // That a list calls it living says enough before its end: v0.23 lists an expired link as new until somebody looks.
            Some(_) if !at_end => {}
            // Whatever kept the list from us would keep each single receipt from us.
            None if !at_end && matches!(list, List::Failed | List::NotNow) => {}
            _ if shared.schedule.may_look(&link.attempt, at_end, interval) => pending.push(Pending {
                last: shared.schedule.last_look(&link.attempt),
                line: Arc::clone(&line),
                at_end,
            }),
            _ => {}
        }
    }
    let round = Round {
        group,
        interval,
        patience: if list_failed { 1 } else { PATIENCE },
        failed: AtomicUsize::new(0),
        any_failed: AtomicBool::new(list_failed),
        left_out: AtomicBool::new(false),
    };
    (round, pending)
}

/// The entry of a line, with the link that it has.
fn opened(line: &Line) -> Option<(Versioned, Link)> {
    let read = line.open().ok()?;
    match read.entry.phase.clone() {
        Phase::Shared(link) => Some((read, link)),
        Phase::Idle | Phase::Intent(_) | Phase::Burning(_) | Phase::Finished(_) => None,
    }
}

/// Looks at one link, when it may be, and writes down what the service says. `none_left`: no look is free any more.
async fn look(shared: &Shared, unit: &Unit, round: &Round, pending: Pending, none_left: &AtomicBool) {
    let at_end = pending.at_end;
    let Some((read, link)) = opened(&pending.line) else {
        return;
    };
    let context = &*shared.context;
    let place = match round.is_given_up() {
        true => None,
        false => unit.place().await,
    };
    if unit.is_stopping() || !is_current(context, &read) {
        return;
    }
    // Those that look at the same time may have failed meanwhile.
    let Some(_place) = place.filter(|_| !round.is_given_up()) else {
        round.any_failed.store(true, Ordering::SeqCst);
        // Whatever kept the others from us would keep this one. It is asked first in the next round: those that failed wait
        // then. One failure of a server that was never asked before says nothing yet, and a limit nothing at all.
        let fails = round.is_given_up() || unit.is_left_alone();
        let word = match fails && !unit.is_limited() {
            true => Word::Failed,
            false => Word::NotAsked,
        };
        return conclude(context, &read, &link, &word).await;
    };
    // One without a key cannot be asked for, and costs nothing.
    let keyless = link.metadata_key.is_none();
    let takes = || unit.server().is_some_and(|server| shared.budget.take(server));
    if !keyless && (none_left.load(Ordering::SeqCst) || !takes()) {
        none_left.store(true, Ordering::SeqCst);
        round.left_out.store(true, Ordering::SeqCst);
        return conclude(context, &read, &link, &Word::NotAsked).await;
    }
    let Some((word, seen)) = unit.unless_stopped(ask(context, unit, &read, &link)).await else {
        return;
    };
    match seen {
        // Which says nothing of the others.
        Seen::Failed if keyless => {}
        Seen::Failed => {
            round.failed.fetch_add(1, Ordering::SeqCst);
            round.any_failed.store(true, Ordering::SeqCst);
        }
        Seen::Answered(_) => round.failed.store(0, Ordering::SeqCst),
    }
    shared.schedule.looked(&link, at_end, seen, round.interval);
    conclude(context, &read, &link, &word).await;
}

/// Asks about one link. The metadata key is enough for that.
async fn ask(context: &Context, unit: &Unit, read: &Versioned, link: &Link) -> (Word, Seen) {
    let client: Option<Client> = context
        .providers
        .client_for_route(&link.route, &read.entry.owner.namespace)
        .ok();
    let (Ok(key), Some(client)) = (MetadataKey::parse(key(link)), client) else {
        return (Word::Failed, Seen::Failed);
    };
    let answer = step!("state", at_receipt(context, &client, link, &key));
    unit.heard(answer.as_ref().err());
    match answer {
        Ok(receipt) => {
            let left = receipt.secret_ttl_seconds.map(Duration::from_secs);
            (Word::of_receipt(&receipt), Seen::Answered(left))
        }
        Err(CallError::Gone) => (Word::Gone, Seen::Answered(None)),
        Err(error) => {
            tracing::debug!(%error, "the state of a link could not be asked for");
            (Word::Failed, Seen::Failed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::fixtures::{entry, line, link};

    #[test]
    fn ends_come_first_and_then_what_waited_longest() {
        let pending = |at_end, last: Option<u64>| Pending {
            line: line(entry(Phase::Shared(link()))),
            at_end,
            last: last.map(Duration::from_secs),
        };
        let mut all = [
            pending(false, Some(7)),
            pending(true, Some(9)),
            pending(false, None),
            pending(true, Some(3)),
            pending(false, Some(5)),
        ];
        all.sort_by_key(Pending::rank);
        let order = all.map(|pending| (pending.at_end, pending.last.map(|last| last.as_secs())));
        assert_eq!(
            order,
            [
                (true, Some(3)),
                (true, Some(9)),
                (false, None),
                (false, Some(5)),
                (false, Some(7))
            ]
        );
    }
}
