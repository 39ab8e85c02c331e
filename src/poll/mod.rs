//! What became of the links: one list call per account covers all its links, anonymous ones are looked at one by one.
//!
//! Also burns the links of missing shares and of superseded attempts. Records all of it in the ledger and never writes a
//! status: the statuses follow from there.
//!
//! A round finds out what is due and asks no server. Each server and kind of work has a task of its own (`crew`): none waits
//! for another server, and no burn for a list.

mod accounts;
mod budget;
mod claims;
mod crew;
mod follow_up;
mod links;
mod lists;
mod lost;
mod mass;
mod missing;
mod on_hold;
mod orphans;
mod outcome;
mod schedule;
mod server;
mod shared;
mod superseded;
mod unit;

use crate::ledger::{Line, Versioned};
use crate::provider::breaker::Breakers;
use crate::share::CachedShare;
use crate::share::context::Context;
use crate::telemetry::Inventory;
use budget::Budget;
use claims::Claims;
use crew::Crew;
use kube::Resource;
use kube::runtime::reflector::Store;
use lost::Lost;
use orphans::Orphans;
use schedule::{Group, Links, Schedule, groups, interval};
use server::{Job, Kind, Server};
use shared::Shared;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the poll looks whether something is due. Costs no request, but a look at the line of every entry: less often
/// when there are many.
fn pause(entries: usize) -> Duration {
    Duration::from_secs((entries as u64 / 1000).clamp(1, 10))
}

/// How much longer than one request to the service what was begun may take at the end: its outcome is written then.
const TO_RECORD: Duration = Duration::from_secs(5);

/// Runs until `stop` is cancelled and what was begun has ended: from then on nothing begins, and a call that burns is waited
/// for with its record.
pub async fn run(context: Arc<Context>, shares: Store<CachedShare>, stop: CancellationToken) {
    let grace = context.options.request_timeout.saturating_add(TO_RECORD);
    let mut poll = Poll::new(context, shares, stop.clone());
    tokio::select! {
        biased;
        // A round only reads.
        () = stop.cancelled() => {}
        () = poll.rounds() => {}
    }
    poll.crew.end(grace).await;
}

struct Poll {
    shared: Arc<Shared>,
    orphans: Orphans,
    claims: Claims,
    crew: Crew,
}

impl Poll {
    fn new(context: Arc<Context>, shares: Store<CachedShare>, stop: CancellationToken) -> Self {
        let clock = context.hearing.clock().clone();
        let shared = Shared {
            context,
            shares,
            schedule: Schedule::new(clock.clone()),
            budget: Budget::new(clock.clone()),
            lost: Lost::default(),
            follow_up: Arc::default(),
        };
        Self {
            orphans: Orphans::new(Arc::clone(&shared.follow_up)),
            claims: Claims::default(),
            crew: Crew::new(Arc::new(Breakers::new(clock)), stop),
            shared: Arc::new(shared),
        }
    }

    /// One round after the other. Ends only when the watch of shares did before its cache was filled.
    async fn rounds(&mut self) {
        if !crate::kubernetes::filled(&self.shared.shares).await {
            return;
        }
        loop {
            let pause = self.round().await;
            tokio::time::sleep(pause).await;
        }
    }

    /// Finds out what is due and hands it over. Gives the pause before the next round.
    async fn round(&mut self) -> Duration {
        let shared = Arc::clone(&self.shared);
        let context = &*shared.context;
        context.providers.forget_old_credentials();
        context.looks.tidy();
        // Costs a request only after the watch of shares broke off.
        context.definition.current().await;
        let lines = context.ledger.lines();
        let pause = pause(lines.len());
        context
            .metrics
            .inventory(&inventory(context, &shared.shares, &lines));
        let unresolved = unresolved(&lines);
        self.tidy(&lines, &unresolved);
        for (job, due) in self.orphans.due(context, &shared.shares, &lines).await {
            self.hand_over(job, async move |shared, unit| {
                shared.follow_up.work(&shared.context, &unit, due).await;
            });
        }
        for (job, due) in shared.lost.due(context, &unresolved) {
            self.hand_over(job, async move |shared, unit| {
                let Shared {
                    context,
                    shares,
                    lost,
                    ..
                } = &*shared;
                lost.work(context, shares, &unit, due).await;
            });
        }
        if self.claims.are_due() {
            self.hand_over(Job::claims(), async |shared, _| {
                claims::forget(&shared.context).await;
            });
        }
        for (job, due) in self.links(&lines) {
            self.hand_over(job, async move |shared, unit| {
                links::work(&shared, &unit, due).await;
            });
        }
        pause
    }

    /// The groups of links whose time has come, by server. Those of a server that is busy or left alone stay due.
    fn links(&self, lines: &[Arc<Line>]) -> BTreeMap<Job, Vec<(Group, Links)>> {
        let context = &*self.shared.context;
        let job = |group: &Group| Job::at(Server::of_group(group), Kind::Links);
        let due = self.shared.schedule.due(
            groups(lines),
            |provider| interval(context, provider),
            |link| links::end_is_due(context, link),
            |group| self.crew.is_free(&job(group)),
        );
        let mut by_server = BTreeMap::<Job, Vec<(Group, Links)>>::new();
        for (group, links) in due {
            by_server.entry(job(&group)).or_default().push((group, links));
        }
        by_server
    }

    /// Begins a job, unless its last one is under way or its server is left alone: the next round sees it again.
    fn hand_over<F>(
        &mut self,
        job: Job,
        work: impl FnOnce(Arc<Shared>, Arc<unit::Unit>) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send,
    {
        if self.crew.is_free(&job) {
            let shared = Arc::clone(&self.shared);
            self.crew.begin(job, move |unit| work(shared, unit));
        }
    }

    /// Forgets what is there no more.
    fn tidy(&mut self, lines: &[Arc<Line>], unresolved: &[Versioned]) {
        let Shared {
            context,
            shares,
            budget,
            ..
        } = &*self.shared;
        let mut servers = Server::of_links(lines);
        servers.extend(unresolved.iter().flat_map(Server::of_attempts));
        self.crew
            .tidy(|job| job.server.as_ref().is_none_or(|server| servers.contains(server)));
        budget.tidy();
        // One that is just being written is forgotten too, and then only waited for longer.
        let unresolved = unresolved.iter().flat_map(|read| read.entry.unresolved());
        context
            .sightings
            .keep_only(&unresolved.map(|attempt| attempt.nonce.as_str()).collect());
        let shares = shares.state();
        let namespaces = shares
            .iter()
            .filter_map(|share| share.meta().namespace.as_deref());
        context.occupancy.keep_only(&namespaces.collect());
        context
            .hearing
            .keep_only(lines.iter().filter_map(|line| line.link()));
    }
}

/// The entries that hold attempts without an outcome. They are few, and only they are opened.
fn unresolved(lines: &[Arc<Line>]) -> Vec<Versioned> {
    let unresolved = lines.iter().filter(|line| line.is_unresolved());
    unresolved.filter_map(|line| line.open().ok()).collect()
}

/// What there is, for the metrics. Costs no request.
fn inventory(context: &Context, shares: &Store<CachedShare>, lines: &[Arc<Line>]) -> Inventory {
    let mut inventory = Inventory::default();
    let states = shares.state().into_iter().map(|share| share.state());
    states.for_each(|state| inventory.share(state));
    lines.iter().for_each(|line| inventory.entry(line.stage()));
    context
        .providers
        .each_status(|kind, status| inventory.provider(kind, status));
    inventory
}
