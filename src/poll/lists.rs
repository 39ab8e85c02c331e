//! The list of an account's receipts: what it says of the links of a group. One that is very large is asked for seldom.

use super::schedule::{Group, Links};
use super::shared::Shared;
use super::unit::Unit;
use crate::clock::Deadline;
use crate::ledger::{KeyHash, Link, LinkLine};
use crate::onetime::{CallError, Flaw, Recent};
use crate::share::decide::ends::Word;
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};

/// What an account's list tells.
pub(super) enum List {
    /// What it says of the group's receipts, by the hashes of their keys, and what time it is at the service.
    All {
        receipts: HashMap<KeyHash, Word>,
        now: Option<Timestamp>,
    },
    /// It could not be had just now.
    Failed,
    /// It is so large that it is asked for seldom.
    NotNow,
    /// There is none: the links are anonymous, or their provider is another by now.
    None,
}

impl List {
    /// What it says of a link.
    pub(super) fn word(&self, link: &LinkLine) -> Option<&Word> {
        match self {
            Self::All { receipts, .. } => receipts.get(&link.key_hash?),
            Self::Failed | Self::NotNow | Self::None => None,
        }
    }
}

/// The account's list, when the provider still is what the links were sent through.
pub(super) async fn list(shared: &Shared, unit: &Unit, group: &Group, links: &Links) -> List {
    let context = &*shared.context;
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
    if !shared.schedule.may_list(group) {
        return List::NotNow;
    }
    let Some(_place) = unit.place_for_list().await else {
        return List::Failed;
    };
    let deadline = Deadline::after(context.options.request_timeout);
    let request = context.metrics.service_request("recent");
    let began = context.hearing.clock().now();
    let call = async { step!("list", provider.client.recent(&provider.account, deadline)) };
    let Some(answer) = unit.unless_stopped(call).await else {
        return List::Failed;
    };
    request.ended(CallError::label(answer.as_ref().err()));
    unit.heard_of_list(answer.as_ref().err());
    let size = match &answer {
        Ok(recent) => Some(recent.bytes),
        Err(CallError::Malformed(Flaw::TooLarge)) => None,
        Err(_) => Some(0),
    };
    let took = context.hearing.clock().now().saturating_sub(began);
    if let Some(pause) = shared.schedule.listed(group, size, took) {
        let pause = pause.as_secs();
        tracing::info!(provider = %group.provider, pause, "an account's list of receipts is very large; it is not asked for again for so many seconds");
    }
    match answer {
        Ok(recent) => List::All {
            receipts: of_links(&recent, links),
            now: recent.now,
        },
        Err(error) => {
            tracing::warn!(%error, provider = %group.provider, "the state of links could not be asked for");
            List::Failed
        }
    }
}

/// What a list says of these links, by the hashes of their keys. The rest of it is not kept: it may be long.
fn of_links(recent: &Recent, links: &Links) -> HashMap<KeyHash, Word> {
    let keys: HashSet<KeyHash> = links.iter().filter_map(|line| line.key_hash()).collect();
    recent
        .receipts
        .iter()
        .filter_map(|receipt| Some((KeyHash::of(receipt.metadata_key.expose())?, receipt)))
        .filter(|(key, _)| keys.contains(key))
        .map(|(key, receipt)| (key, Word::of_listed(receipt)))
        .collect()
}

/// A link's metadata key, or nothing.
pub(super) fn key(link: &Link) -> &str {
    link.metadata_key
        .as_ref()
        .map(|key| key.expose())
        .unwrap_or_default()
}
