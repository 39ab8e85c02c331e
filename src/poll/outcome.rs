//! Writing down what became of a link: its end, or that nobody can tell.

use crate::ledger::{Ending, Entry, LedgerError, Link, Phase, Retry, Versioned};
use crate::share::context::Context;
use crate::share::decide::ends::{Verdict, Word, judge};
use jiff::Timestamp;

/// Writes down what follows from a word about a link.
pub(super) async fn conclude(context: &Context, read: &Versioned, link: &Link, word: &Word) {
    match word {
        Word::Failed => context.hearing.failed(link),
        Word::Over(..) | Word::Lives | Word::Gone => context.hearing.answered(link),
        Word::NotAsked => {}
    }
    match judge(&link.facts, word, &context.hearing.clocks(link)) {
        Verdict::Ended(how, at) => finish(context, read, link, how, at).await,
        Verdict::Lives => mark(context, read, link, false).await,
        Verdict::Unknown => mark(context, read, link, true).await,
        Verdict::Open => {}
    }
}

/// Writes whether a link's end is unknown, where the entry says otherwise. Its keys stay: it may live and be burned yet.
async fn mark(context: &Context, read: &Versioned, link: &Link, outcome_unknown: bool) {
    if link.outcome_unknown != outcome_unknown {
        let link = Link {
            outcome_unknown,
            ..link.clone()
        };
        write(context, read, Phase::Shared(link), read.entry.retry.clone()).await;
    }
}

async fn finish(context: &Context, read: &Versioned, link: &Link, how: Ending, at: Timestamp) {
    let finished = Phase::Finished(link.finish(how, at, None));
    write(context, read, finished, Retry::default()).await;
}

async fn write(context: &Context, read: &Versioned, phase: Phase, retry: Retry) {
    let entry = Entry {
        phase,
        retry,
        ..read.entry.clone()
    };
    match step!("finish", context.ledger.replace(read, entry)) {
        // Somebody else wrote the entry; the next round sees what it is now.
        Ok(_) | Err(LedgerError::Conflict) => {}
        Err(error) => {
            tracing::warn!(%error, "what became of a link could not be written to the ledger; trying again");
        }
    }
}
