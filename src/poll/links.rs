//! What became of the links of one account or server: the list, single looks, and the end that they tell.

use super::schedule::{Group, Links, Schedule, interval};
use crate::clock::Deadline;
use crate::ledger::{Ending, Entry, LedgerError, Link, Phase, Retry, Versioned};
use crate::onetime::{Account, CallError, Client, MetadataKey, Recent, State};
use crate::share::context::Context;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;

/// How long after the granted end a link counts as expired when the service does not say so.
const CLOCK_GRACE: SignedDuration = SignedDuration::from_secs(60);

pub(super) async fn poll(context: &Context, schedule: &Schedule, group: &Group, links: Links) {
    let interval = interval(context, &group.provider);
    let list = list(context, group).await;
    for (read, share) in links {
        let now = Timestamp::now();
        let listed = match &list {
            List::All(receipts) => receipts.get(key(&share)).cloned(),
            List::Failed | List::None => None,
        };
        let observed = match listed {
            // v0.23 lists an expired link as new until somebody looks at it.
            Some(observed) if observed.0.is_final() || share.facts.expires_at > now => Some(observed),
            // Whatever kept the list from us would keep each single receipt from us, one time-out after the other.
            None if matches!(list, List::Failed) => None,
            _ if schedule.may_look(&share, interval) => look(context, &read, &share).await,
            _ => None,
        };
        if let Some((how, at)) = judge(&share, observed.as_ref(), now) {
            finish(context, &read, &share, how, at).await;
        }
    }
}

type Observed = (State, Option<Timestamp>);

/// How a link's life ended, if it did: PURE. A state that only says that somebody looked says nothing.
fn judge(link: &Link, observed: Option<&Observed>, now: Timestamp) -> Option<(Ending, Timestamp)> {
    match observed {
        Some((State::Received, at)) => Some((Ending::Received, at.unwrap_or(now))),
        Some((State::Burned, at)) => Some((Ending::Burned, at.unwrap_or(now))),
        Some((State::Expired, _)) => Some((Ending::Expired, link.facts.expires_at)),
        _ => {
            let by_clock = link
                .facts
                .expires_at
                .checked_add(CLOCK_GRACE)
                .unwrap_or(Timestamp::MAX);
            (now >= by_clock).then_some((Ending::Expired, link.facts.expires_at))
        }
    }
}

/// What an account's list tells.
enum List {
    /// Every receipt by its key.
    All(HashMap<String, Observed>),
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
        Ok(recent) => List::All(by_key(&recent)),
        Err(error) => {
            tracing::warn!(%error, provider = %group.provider, "the state of links could not be asked for");
            List::Failed
        }
    }
}

fn by_key(recent: &Recent) -> HashMap<String, Observed> {
    recent
        .receipts
        .iter()
        .map(|receipt| {
            let at = receipt.received_at.or(receipt.burned_at).or(receipt.updated_at);
            (
                receipt.metadata_key.expose().to_owned(),
                (receipt.state.clone(), at),
            )
        })
        .collect()
}

fn key(link: &Link) -> &str {
    link.metadata_key
        .as_ref()
        .map(|key| key.expose())
        .unwrap_or_default()
}

/// Looks at one link. The metadata key is enough for that.
async fn look(context: &Context, read: &Versioned, link: &Link) -> Option<Observed> {
    let key = MetadataKey::parse(key(link)).ok()?;
    let client: Client = context
        .providers
        .client_for_route(&link.route, &read.entry.owner.namespace)
        .ok()?;
    let deadline = Deadline::after(context.options.request_timeout);
    let request = context.metrics.service_request("look");
    let answer = step!("state", client.receipt(&Account::Anonymous, &key, deadline));
    request.ended(CallError::label(answer.as_ref().err()));
    match answer {
        Ok(receipt) => Some((receipt.state, receipt.received_at.or(receipt.updated_at))),
        Err(CallError::Gone) => None,
        Err(error) => {
            tracing::debug!(%error, "the state of a link could not be asked for");
            None
        }
    }
}

async fn finish(context: &Context, read: &Versioned, link: &Link, how: Ending, at: Timestamp) {
    let entry = Entry {
        phase: Phase::Finished(link.finish(how, at, None)),
        retry: Retry::default(),
        ..read.entry.clone()
    };
    match step!("finish", context.ledger.replace(read, entry)) {
        // Somebody else wrote the entry; the next round sees what it is now.
        Ok(_) | Err(LedgerError::Conflict) => {}
        Err(error) => {
            tracing::warn!(%error, "the end of a link could not be written to the ledger; trying again");
        }
    }
}
