//! What became of the links: one list call per account covers all its links, anonymous ones are looked at one by one.
//!
//! Only writes the ledger; the statuses follow from there.

mod missing;
mod superseded;

use crate::api::share::OneTimeShare;
use crate::onetime::{Account, CallError, Client, Deadline, MetadataKey, Recent, State};
use crate::provider::ProviderId;
use crate::share::backoff;
use crate::share::burn::call_label;
use crate::share::context::Context;
use crate::share::ledger::{Ending, Entry, LedgerError, Phase, Retry, Share, Versioned};
use jiff::{SignedDuration, Timestamp};
use kube::runtime::reflector::Store;
use missing::Missing;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use superseded::Superseded;
use tokio::time::Instant;

/// How often the sweep looks whether something is due. Costs no request, but reads every entry: less often when there
/// are many.
fn pause(entries: usize) -> Duration {
    Duration::from_secs((entries as u64 / 500).clamp(1, 10))
}

/// How long after the granted end a link counts as expired when the service does not say so.
const CLOCK_GRACE: SignedDuration = SignedDuration::from_secs(60);

/// The interval for providers that are gone.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);

/// Links that one list call covers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Group {
    provider: ProviderId,
    endpoint: String,
    account: Option<String>,
}

/// When what is due next.
#[derive(Default)]
struct Schedule {
    groups: HashMap<Group, Instant>,
    looks: HashMap<String, Instant>,
}

/// Runs forever.
pub async fn run(context: Arc<Context>, shares: Store<OneTimeShare>) {
    if !crate::kubernetes::filled(&shares).await {
        return;
    }
    let mut schedule = Schedule::default();
    let mut missing = Missing::default();
    let mut superseded = Superseded::default();
    loop {
        context.providers.forget_old_credentials();
        let entries = context.ledger.all();
        let pause = pause(entries.len());
        missing.sweep(&context, &shares, &entries).await;
        superseded.sweep(&context, &entries).await;
        // One that is just being written is forgotten too, and then only waited for longer.
        let unresolved = entries.iter().flat_map(|read| read.entry.unresolved());
        context
            .attempts
            .keep_only(&unresolved.map(|attempt| attempt.nonce.as_str()).collect());
        let groups = groups(entries);
        schedule.groups.retain(|group, _| groups.contains_key(group));
        let attempts: HashSet<&String> = groups
            .values()
            .flatten()
            .map(|(_, share)| &share.attempt)
            .collect();
        schedule.looks.retain(|attempt, _| attempts.contains(&attempt));
        for (group, links) in groups {
            sweep(&context, &mut schedule, &group, links).await;
        }
        tokio::time::sleep(pause).await;
    }
}

type Links = Vec<(Versioned, Share)>;

fn groups(entries: Vec<Versioned>) -> BTreeMap<Group, Links> {
    let mut groups = BTreeMap::<Group, Links>::new();
    for read in entries {
        let Phase::Shared(share) = &read.entry.phase else {
            continue;
        };
        let share = share.clone();
        let group = Group {
            provider: ProviderId::of(&share.route.provider, &read.entry.owner.namespace),
            endpoint: share.route.endpoint.clone(),
            account: share.route.account.clone(),
        };
        groups.entry(group).or_default().push((read, share));
    }
    groups
}

async fn sweep(context: &Context, schedule: &mut Schedule, group: &Group, links: Links) {
    let now = Instant::now();
    let interval = interval(context, &group.provider);
    let due = *schedule.groups.entry(group.clone()).or_insert(now + interval);
    if due > now {
        return;
    }
    schedule
        .groups
        .insert(group.clone(), now + backoff::spread(interval, &group.endpoint));
    let list = match list(context, group).await {
        Some(recent) => by_key(&recent),
        None => HashMap::new(),
    };
    for (read, share) in links {
        let told = match list.get(key(&share)) {
            // v0.23 lists an expired link as new until somebody looks at it.
            Some(told) if told.0.is_final() || share.facts.expires_at > Timestamp::now() => {
                Some(told.clone())
            }
            _ => look(context, schedule, &read, &share, interval).await,
        };
        if let Some((how, at)) = judge(&share, told.as_ref(), Timestamp::now()) {
            finish(context, &read, &share, how, at).await;
        }
    }
}

type Told = (State, Option<Timestamp>);

/// How a link's life ended, if it did: PURE. A state that only says that somebody looked says nothing.
fn judge(share: &Share, told: Option<&Told>, now: Timestamp) -> Option<(Ending, Timestamp)> {
    match told {
        Some((State::Received, at)) => Some((Ending::Received, at.unwrap_or(now))),
        Some((State::Burned, at)) => Some((Ending::Burned, at.unwrap_or(now))),
        Some((State::Expired, _)) => Some((Ending::Expired, share.facts.expires_at)),
        _ => {
            let by_clock = share
                .facts
                .expires_at
                .checked_add(CLOCK_GRACE)
                .unwrap_or(Timestamp::MAX);
            (now >= by_clock).then_some((Ending::Expired, share.facts.expires_at))
        }
    }
}

fn interval(context: &Context, id: &ProviderId) -> Duration {
    let spec = context.providers.spec(id);
    spec.and_then(|spec| crate::api::duration::parse(&spec.poll_interval).ok())
        .filter(|interval| !interval.is_zero())
        .unwrap_or(DEFAULT_INTERVAL)
}

/// The account's list, when the provider still is what the links were sent through.
async fn list(context: &Context, group: &Group) -> Option<Recent> {
    group.account.as_ref()?;
    let provider = context.providers.resolve(&group.provider).await.ok()?;
    if provider.account_name() != group.account.as_deref()
        || provider.settings.endpoint.base().as_str() != group.endpoint
    {
        return None;
    }
    let deadline = Deadline::after(context.options.request_timeout);
    let answer = step!("list", provider.client.recent(&provider.account, deadline));
    context
        .metrics
        .service_request("recent", call_label(answer.as_ref().err()));
    answer.map_err(|error| tracing::warn!(%error, provider = %group.provider, "the state of links could not be asked for")).ok()
}

fn by_key(recent: &Recent) -> HashMap<String, Told> {
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

fn key(share: &Share) -> &str {
    share
        .metadata_key
        .as_ref()
        .map(|key| key.expose())
        .unwrap_or_default()
}

/// Looks at one link, if that is due: seldom while nothing happens, and once its time is over.
async fn look(
    context: &Context,
    schedule: &mut Schedule,
    read: &Versioned,
    share: &Share,
    interval: Duration,
) -> Option<Told> {
    let now = Instant::now();
    let over = share.facts.expires_at <= Timestamp::now();
    let due = *schedule.looks.entry(share.attempt.clone()).or_insert(now);
    if due > now && !over {
        return None;
    }
    let age = Duration::try_from(share.facts.created_at.duration_until(Timestamp::now())).unwrap_or_default();
    let next = (age / 10).clamp(interval, interval.max(Duration::from_secs(900)));
    schedule
        .looks
        .insert(share.attempt.clone(), now + backoff::spread(next, &share.attempt));
    let key = MetadataKey::parse(key(share)).ok()?;
    let client: Client = context
        .providers
        .client_for_route(&share.route, &read.entry.owner.namespace)
        .ok()?;
    let deadline = Deadline::after(context.options.request_timeout);
    let answer = step!("state", client.receipt(&Account::Anonymous, &key, deadline));
    context
        .metrics
        .service_request("look", call_label(answer.as_ref().err()));
    match answer {
        Ok(receipt) => Some((receipt.state, receipt.received_at.or(receipt.updated_at))),
        Err(CallError::Gone) => None,
        Err(error) => {
            tracing::debug!(%error, "the state of a link could not be asked for");
            None
        }
    }
}

async fn finish(context: &Context, read: &Versioned, share: &Share, how: Ending, at: Timestamp) {
    let entry = Entry {
        phase: Phase::Finished(share.finish(how, at, None)),
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
