//! What became of the links: one list call per account covers all its links, anonymous ones are looked at one by one.
//!
//! Also burns the links of missing shares and of superseded attempts. Records all of it in the ledger and never writes a
//! status: the statuses follow from there.

mod accounts;
mod claims;
mod links;
mod mass;
mod missing;
mod on_hold;
mod orphans;
mod schedule;
mod superseded;

use crate::api::share::OneTimeShare;
use crate::ledger::{Burning, Link, Phase, Versioned};
use crate::share::context::Context;
use crate::telemetry::Inventory;
use accounts::Looks;
use claims::Claims;
use futures::StreamExt;
use kube::runtime::reflector::Store;
use on_hold::OnHold;
use orphans::Orphans;
use schedule::{Schedule, groups, interval};
use std::sync::Arc;
use std::time::Duration;
use superseded::Superseded;

/// How often the poll looks whether something is due. Costs no request, but reads every entry: less often when there
/// are many.
fn pause(entries: usize) -> Duration {
    Duration::from_secs((entries as u64 / 500).clamp(1, 10))
}

/// How many servers are asked at once.
const CONCURRENCY: usize = 8;

/// Runs forever.
pub async fn run(context: Arc<Context>, shares: Store<OneTimeShare>) {
    if !crate::kubernetes::filled(&shares).await {
        return;
    }
    let schedule = Schedule::new(context.hearing.clock().clone());
    let mut orphans = Orphans::default();
    let mut superseded = Superseded::default();
    let mut on_hold = OnHold::default();
    let mut claims = Claims::default();
    loop {
        context.providers.forget_old_credentials();
        // Costs a request only after the watch of shares broke off.
        context.definition.current().await;
        let entries = context.ledger.all();
        let pause = pause(entries.len());
        context.metrics.inventory(&inventory(&context, &shares, &entries));
        orphans.poll(&context, &shares, &entries).await;
        let mut looks = Looks::default();
        superseded.poll(&context, &shares, &entries, &mut looks).await;
        on_hold.poll(&context, &shares, &entries, &mut looks).await;
        claims.poll(&context).await;
        // One that is just being written is forgotten too, and then only waited for longer.
        let unresolved = entries.iter().flat_map(|read| read.entry.unresolved());
        context
            .sightings
            .keep_only(&unresolved.map(|attempt| attempt.nonce.as_str()).collect());
        let shares = shares.state();
        let namespaces = shares
            .iter()
            .filter_map(|share| share.metadata.namespace.as_deref());
        context.occupancy.keep_only(&namespaces.collect());
        context
            .hearing
            .keep_only(entries.iter().filter_map(|read| unfinished(&read.entry.phase)));
        let due = schedule.due(
            groups(entries),
            |provider| interval(&context, provider),
            |link| links::end_is_due(&context, link),
        );
        let (context, schedule) = (&context, &schedule);
        // One server that does not answer must not keep others from being asked.
        futures::stream::iter(due)
            .for_each_concurrent(CONCURRENCY, |(group, due)| async move {
                links::poll(context, schedule, &group, due).await;
            })
            .await;
        tokio::time::sleep(pause).await;
    }
}

/// The link whose end is not known yet.
fn unfinished(phase: &Phase) -> Option<&Link> {
    match phase {
        Phase::Shared(link) | Phase::Burning(Burning { link, .. }) => Some(link),
        Phase::Idle | Phase::Intent(_) | Phase::Finished(_) => None,
    }
}

/// What there is, for the metrics. Costs no request.
fn inventory(context: &Context, shares: &Store<OneTimeShare>, entries: &[Versioned]) -> Inventory {
    let mut inventory = Inventory::default();
    shares.state().iter().for_each(|share| inventory.share(share));
    entries.iter().for_each(|read| inventory.entry(&read.entry));
    context
        .providers
        .each_status(|kind, status| inventory.provider(kind, status));
    inventory
}
