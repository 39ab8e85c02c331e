//! What became of the links: one list call per account covers all its links, anonymous ones are looked at one by one.
//!
//! Only writes the ledger; the statuses follow from there.

mod claims;
mod missing;
mod superseded;

use crate::api::share::OneTimeShare;
use crate::backoff;
use crate::clock::Deadline;
use crate::ledger::{Ending, Entry, LedgerError, Link, Phase, Retry, Versioned};
use crate::onetime::{Account, CallError, Client, MetadataKey, Recent, State};
use crate::provider::ProviderId;
use crate::share::context::Context;
use crate::telemetry::Stock;
use claims::Claims;
use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use kube::runtime::reflector::Store;
use missing::Missing;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// How many servers are asked at once.
const CONCURRENCY: usize = 8;

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
    looks: Mutex<HashMap<String, Instant>>,
}

impl Schedule {
    /// The groups whose time has come, and when it comes again.
    fn due(&mut self, context: &Context, groups: BTreeMap<Group, Links>) -> Vec<(Group, Links)> {
        self.groups.retain(|group, _| groups.contains_key(group));
        let attempts: HashSet<&String> = groups
            .values()
            .flatten()
            .map(|(_, share)| &share.attempt)
            .collect();
        self.looks().retain(|attempt, _| attempts.contains(attempt));
        let now = Instant::now();
        let mut due = Vec::new();
        for (group, links) in groups {
            let interval = interval(context, &group.provider);
            let time = self.groups.entry(group.clone()).or_insert(now + interval);
            if *time <= now {
                *time = now + backoff::spread(interval, &group.endpoint);
                due.push((group, links));
            }
        }
        due
    }

    /// Whether it is time to look at one link, and when it is again: seldom while nothing happens, and often once its
    /// time is over.
    fn may_look(&self, share: &Link, interval: Duration) -> bool {
        let now = Instant::now();
        let mut looks = self.looks();
        let over = share.facts.expires_at <= Timestamp::now();
        // Rounds and looks are spread apart by up to a quarter: a look that would only just miss this round is made in it.
        let soon = now + interval / 4;
        if looks.get(&share.attempt).is_some_and(|due| *due > soon && !over) {
            return false;
        }
        let age =
            Duration::try_from(share.facts.created_at.duration_until(Timestamp::now())).unwrap_or_default();
        let next = (age / 10).clamp(interval, interval.max(Duration::from_secs(900)));
        looks.insert(share.attempt.clone(), now + backoff::spread(next, &share.attempt));
        true
    }

    fn looks(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs forever.
pub async fn run(context: Arc<Context>, shares: Store<OneTimeShare>) {
    if !crate::kubernetes::filled(&shares).await {
        return;
    }
    let mut schedule = Schedule::default();
    let mut missing = Missing::default();
    let mut superseded = Superseded::default();
    let mut claims = Claims::default();
    loop {
        context.providers.forget_old_credentials();
        let entries = context.ledger.all();
        let pause = pause(entries.len());
        context.metrics.stock(&stock(&context, &shares, &entries));
        missing.sweep(&context, &shares, &entries).await;
        superseded.sweep(&context, &entries).await;
        claims.sweep(&context).await;
        // One that is just being written is forgotten too, and then only waited for longer.
        let unresolved = entries.iter().flat_map(|read| read.entry.unresolved());
        context
            .attempts
            .keep_only(&unresolved.map(|attempt| attempt.nonce.as_str()).collect());
        let due = schedule.due(&context, groups(entries));
        let (context, schedule) = (&context, &schedule);
        // One server that does not answer must not keep others from being asked.
        futures::stream::iter(due)
            .for_each_concurrent(CONCURRENCY, |(group, links)| async move {
                sweep(context, schedule, &group, links).await;
            })
            .await;
        tokio::time::sleep(pause).await;
    }
}

/// What there is, for the metrics. Costs no request.
fn stock(context: &Context, shares: &Store<OneTimeShare>, entries: &[Versioned]) -> Stock {
    let mut stock = Stock::default();
    shares.state().iter().for_each(|share| stock.share(share));
    entries.iter().for_each(|read| stock.entry(&read.entry));
    context.providers.count(&mut stock);
    stock
}

type Links = Vec<(Versioned, Link)>;

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

async fn sweep(context: &Context, schedule: &Schedule, group: &Group, links: Links) {
    let interval = interval(context, &group.provider);
    let list = list(context, group).await;
    for (read, share) in links {
        let now = Timestamp::now();
        let listed = match &list {
            List::All(receipts) => receipts.get(key(&share)).cloned(),
            List::Failed | List::None => None,
        };
        let told = match listed {
            // v0.23 lists an expired link as new until somebody looks at it.
            Some(told) if told.0.is_final() || share.facts.expires_at > now => Some(told),
            // Whatever kept the list from us would keep each single receipt from us, one time-out after the other.
            None if matches!(list, List::Failed) => None,
            _ if schedule.may_look(&share, interval) => look(context, &read, &share).await,
            _ => None,
        };
        if let Some((how, at)) = judge(&share, told.as_ref(), now) {
            finish(context, &read, &share, how, at).await;
        }
    }
}

type Told = (State, Option<Timestamp>);

/// How a link's life ended, if it did: PURE. A state that only says that somebody looked says nothing.
fn judge(share: &Link, told: Option<&Told>, now: Timestamp) -> Option<(Ending, Timestamp)> {
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

/// What an account's list tells.
enum List {
    /// Every receipt by its key.
    All(HashMap<String, Told>),
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

fn key(share: &Link) -> &str {
    share
        .metadata_key
        .as_ref()
        .map(|key| key.expose())
        .unwrap_or_default()
}

/// Looks at one link. The metadata key is enough for that.
async fn look(context: &Context, read: &Versioned, share: &Link) -> Option<Told> {
    let key = MetadataKey::parse(key(share)).ok()?;
    let client: Client = context
        .providers
        .client_for_route(&share.route, &read.entry.owner.namespace)
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

async fn finish(context: &Context, read: &Versioned, share: &Link, how: Ending, at: Timestamp) {
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
