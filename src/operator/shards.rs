//! Whether an operator works on each shard that the ledger names. The default shard asks, and tells an administrator; it
//! never acts on another shard's entries.

use super::start::Start;
use crate::clock::Clock;
use crate::kubernetes::{ApiError, bounded, pages};
use crate::shard::{LABEL, lease_of};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ListParams, PartialObjectMeta};
use kube::{Api, Client};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(120);

/// A shard whose lease nobody has renewed for so long has no operator.
const SILENT: Duration = Duration::from_secs(600);

/// Looks until `stop` is cancelled, where this is the default shard of several.
pub(super) async fn run(start: &Start, stop: &CancellationToken) {
    let shard = &start.args.watch_label_selector;
    if !(shard.is_part() && shard.speaks_for_all()) {
        return;
    }
    let mut shards = Shards::new(Clock::boot());
    let work = async {
        loop {
            match shards.look(start).await {
                Ok(found) => {
                    start.metrics.without_shard(found.values().sum());
                    shards.tell(found);
                }
                Err(error) => {
                    tracing::warn!(%error, "whether each shard has an operator cannot be read; will retry");
                }
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = stop.cancelled() => {}
    }
}

/// A lease as somebody renewed it: no two renewals are alike. None while nobody holds it.
type Renewal = Option<String>;

/// What was seen of the other shards' leases.
struct Shards {
    clock: Clock,
    /// The last renewal of each, and when it was first seen.
    seen: BTreeMap<String, (Renewal, Duration)>,
    /// What was told last.
    told: BTreeMap<String, usize>,
}

impl Shards {
    fn new(clock: Clock) -> Self {
        Self {
            clock,
            seen: BTreeMap::new(),
            told: BTreeMap::new(),
        }
    }

    /// How many entries the shards without an operator have.
    async fn look(&mut self, start: &Start) -> Result<BTreeMap<String, usize>, ApiError> {
        let entries = entries(&start.client, &start.args.ledger_namespace).await?;
        let leases = Api::namespaced(start.client.clone(), &start.args.namespace);
        let mut renewals = BTreeMap::new();
        for shard in entries.keys() {
            renewals.insert(shard.clone(), renewal(&leases, shard).await?);
        }
        Ok(self.without_operator(entries, &renewals))
    }

    /// Those of which nobody has renewed the lease for long enough, by our own clock.
    fn without_operator(
        &mut self,
        mut entries: BTreeMap<String, usize>,
        renewals: &BTreeMap<String, Renewal>,
    ) -> BTreeMap<String, usize> {
        let now = self.clock.now();
        self.seen.retain(|shard, _| renewals.contains_key(shard));
        for (shard, renewal) in renewals {
            let seen = self.seen.entry(shard.clone()).or_insert((renewal.clone(), now));
            if seen.0 != *renewal {
                *seen = (renewal.clone(), now);
            }
        }
        let is_silent = |shard: &str| {
            let since = self.seen.get(shard).map_or(now, |(_, since)| *since);
            now.saturating_sub(since) >= SILENT
        };
        entries.retain(|shard, _| is_silent(shard));
        entries
    }

    /// Tells an administrator, when there is something new.
    fn tell(&mut self, found: BTreeMap<String, usize>) {
        for (shard, entries) in found.iter().filter(|(shard, _)| !self.told.contains_key(*shard)) {
            tracing::error!(
                shard,
                entries,
                "no operator has held the lease of this shard for ten minutes: nobody looks at its links or burns them; start its operator, or give its shares and entries to another shard"
            );
        }
        self.told = found;
    }
}

/// How many entries carry the name of each shard. This reads only their metadata.
async fn entries(client: &Client, ledger: &str) -> Result<BTreeMap<String, usize>, ApiError> {
    let api: Api<PartialObjectMeta<Secret>> = Api::namespaced(client.clone(), ledger);
    let mut found = BTreeMap::<String, usize>::new();
    pages::for_each(&api, ListParams::default().labels(LABEL), |entry| {
        let shard = entry.metadata.labels.and_then(|mut labels| labels.remove(LABEL));
        if let Some(shard) = shard {
            *found.entry(shard).or_default() += 1;
        }
    })
    .await?;
    Ok(found)
}

async fn renewal(leases: &Api<Lease>, shard: &str) -> Result<Renewal, ApiError> {
    let spec = bounded(leases.get_opt(&lease_of(shard)))
        .await?
        .and_then(|lease| lease.spec);
    Ok(spec.and_then(|spec| {
        let holder = spec.holder_identity.filter(|holder| !holder.is_empty())?;
        Some(format!("{holder} {:?}", spec.renew_time))
    }))
}

#[cfg(test)]
mod tests;
