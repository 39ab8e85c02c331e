//! What became of the links of one account or server: the list, single looks, and the end that they tell.

use super::schedule::{Group, Links, Schedule, Seen, interval};
use crate::clock::Deadline;
use crate::ledger::{Ending, Entry, LedgerError, Link, Phase, Retry, Versioned};
use crate::onetime::{CallError, Client, MetadataKey, Recent};
use crate::share::context::Context;
use crate::share::decide::ends::{Verdict, Word, is_past_its_ttl, judge};
use crate::share::effects::look::at_receipt;
use jiff::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

/// So many looks of one round that fail one after the other, and the rest of the round is given up: whatever kept these
/// receipts from us would keep the others, one time-out after the other.
const PATIENCE: usize = 3;

pub(super) async fn poll(context: &Context, schedule: &Schedule, group: &Group, links: Links) {
    let interval = interval(context, &group.provider);
    let list = list(context, group).await;
    if let (List::All { now: Some(now), .. }, Some((_, link))) = (&list, links.first()) {
        context.hearing.told_time(link, *now);
    }
    let list_failed = matches!(list, List::Failed);
    let mut round = Round {
        context,
        schedule,
        interval,
        list,
        failed: 0,
        any_failed: list_failed,
    };
    for (read, link) in links {
        let word = round.ask(&read, &link).await;
        match &word {
            Word::Failed => context.hearing.failed(&link),
            Word::Over(..) | Word::Lives | Word::Gone => context.hearing.answered(&link),
            Word::NotAsked => {}
        }
        match judge(&link.facts, &word, &context.hearing.clocks(&link)) {
            Verdict::Ended(how, at) => finish(context, &read, &link, how, at).await,
            Verdict::Lives => mark(context, &read, &link, false).await,
            Verdict::Unknown => mark(context, &read, &link, true).await,
            Verdict::Open => {}
        }
    }
    schedule.ended(group, round.any_failed, interval);
}

/// Whether the service is to be asked about this one link: its time is over by a clock, or its end is unknown.
pub(super) fn end_is_due(context: &Context, link: &Link) -> bool {
    link.outcome_unknown || is_past_its_ttl(&link.facts, &context.hearing.clocks(link))
}

/// One round over the links of a group.
struct Round<'a> {
    context: &'a Context,
    schedule: &'a Schedule,
    interval: Duration,
    list: List,
    /// How many looks in a row failed.
    failed: usize,
    any_failed: bool,
}

impl Round<'_> {
    /// What the service says of one link.
    async fn ask(&mut self, read: &Versioned, link: &Link) -> Word {
        let at_end = end_is_due(self.context, link);
        let listed = match &self.list {
            List::All { receipts, .. } => receipts.get(key(link)),
            List::Failed | List::None => None,
        };
        match listed {
            Some(word @ Word::Over(..)) => return word.clone(),
            // That a list calls it living says enough before its end: v0.23 lists an expired link as new until somebody looks.
            Some(_) if !at_end => return Word::NotAsked,
            // Whatever kept the list from us would keep each single receipt from us.
            None if !at_end && matches!(self.list, List::Failed) => return Word::NotAsked,
            _ => {}
        }
        if !self.schedule.may_look(link, at_end, self.interval) {
            return Word::NotAsked;
        }
        if self.failed >= self.patience() {
            // It is asked first in the next round: those that failed wait then.
            return Word::Failed;
        }
        let (word, seen) = look(self.context, read, link).await;
        match seen {
            // One without a key cannot be asked for, which says nothing of the others.
            Seen::Failed if link.metadata_key.is_none() => {}
            Seen::Failed => {
                self.failed += 1;
                self.any_failed = true;
            }
            Seen::Answered(_) => self.failed = 0,
        }
        self.schedule.looked(link, at_end, seen, self.interval);
        word
    }

    fn patience(&self) -> usize {
        if matches!(self.list, List::Failed) {
            1
        } else {
            PATIENCE
        }
    }
}

/// What an account's list tells.
enum List {
    /// What it says of every receipt, by its key, and what time it is at the service.
    All {
        receipts: HashMap<String, Word>,
        now: Option<Timestamp>,
    },
    /// It could not be had just now.
    Failed,
    /// There is none: the links are anonymous, or their provider is another by now.
    None,
}

/// The account's list, when the provider still is what the links were sent through.
async fn list(context: &Context, group: &Group) -> List {
    if group.account.is_none() {
        return List::None;
    }
    let Ok(provider) = context.providers.resolve(&group.provider).await else {
        return List::None;
    };
    let same = provider.account_name() == group.account.as_deref()
        && provider.settings.endpoint.base().as_str() == group.endpoint;
    if !same {
        return List::None;
    }
    let deadline = Deadline::after(context.options.request_timeout);
    let request = context.metrics.service_request("recent");
    let answer = step!("list", provider.client.recent(&provider.account, deadline));
    request.ended(CallError::label(answer.as_ref().err()));
    match answer {
        Ok(recent) => List::All {
            receipts: by_key(&recent),
            now: recent.now,
        },
        Err(error) => {
            tracing::warn!(%error, provider = %group.provider, "the state of links could not be asked for");
            List::Failed
        }
    }
}

fn by_key(recent: &Recent) -> HashMap<String, Word> {
    let word = |receipt| Word::of_listed(receipt);
    recent
        .receipts
        .iter()
        .map(|receipt| (receipt.metadata_key.expose().to_owned(), word(receipt)))
        .collect()
}

fn key(link: &Link) -> &str {
    link.metadata_key
        .as_ref()
        .map(|key| key.expose())
        .unwrap_or_default()
}

/// Looks at one link. The metadata key is enough for that.
async fn look(context: &Context, read: &Versioned, link: &Link) -> (Word, Seen) {
    let client: Option<Client> = context
        .providers
        .client_for_route(&link.route, &read.entry.owner.namespace)
        .ok();
    let (Ok(key), Some(client)) = (MetadataKey::parse(key(link)), client) else {
        return (Word::Failed, Seen::Failed);
    };
    match step!("state", at_receipt(context, &client, link, &key)) {
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
