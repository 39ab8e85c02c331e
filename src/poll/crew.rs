//! The tasks of the poll: at most one for each server and kind, so that nothing queues up without a bound and no server
//! waits for another one.
//!
//! How many work at once is bounded for each kind. Servers that answered the last time have places of their own, and each
//! namespace gets a part of them: one with very many servers that hang takes nobody's place.

use super::server::{Job, Kind};
use super::unit::Unit;
use crate::provider::breaker::Breakers;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// So many servers that answered the last time are asked at once, for each kind.
const PROVEN: usize = 32;

/// So many others, each with one call at a time.
const UNPROVEN: usize = 64;

/// So many of the former for each namespace with providers of its own.
const PROVEN_OF_NAMESPACE: usize = 8;

/// So many of the others.
const UNPROVEN_OF_NAMESPACE: usize = 4;

/// The tasks that run.
pub(super) struct Crew {
    breakers: Arc<Breakers<Job>>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    running: HashMap<Id, Job>,
    busy: HashSet<Job>,
    proven: HashMap<Kind, Arc<Semaphore>>,
    unproven: HashMap<Kind, Arc<Semaphore>>,
    /// By kind, whether the servers are proven, and namespace.
    namespaces: HashMap<(Kind, bool, String), Arc<Semaphore>>,
}

impl Crew {
    pub(super) fn new(breakers: Arc<Breakers<Job>>, stop: CancellationToken) -> Self {
        let places = |size| {
            Kind::ALL
                .into_iter()
                .map(|kind| (kind, Arc::new(Semaphore::new(size))))
                .collect()
        };
        Self {
            breakers,
            stop,
            tasks: JoinSet::new(),
            running: HashMap::new(),
            busy: HashSet::new(),
            proven: places(PROVEN),
            unproven: places(UNPROVEN),
            namespaces: HashMap::new(),
        }
    }

    /// Forgets the tasks that ended, and all servers but those of the jobs that there may be.
    pub(super) fn tidy(&mut self, is_needed: impl Fn(&Job) -> bool) {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.ended(&ended);
        }
        self.breakers.keep_only(is_needed);
        self.namespaces.retain(|_, places| Arc::strong_count(places) > 1);
    }

    /// Whether a job may begin: the last one of its kind and server has ended, and the server is not left alone. Links are told
    /// apart by their task, which asks for nothing then: their lists and looks fail apart.
    pub(super) fn is_free(&self, job: &Job) -> bool {
        let left_alone = job.kind != Kind::Links && self.breakers.is_open(job);
        !self.stop.is_cancelled() && !self.busy.contains(job) && !left_alone
    }

    /// Begins a job, as soon as there is a place for it. Ask [`Crew::is_free`] before.
    pub(super) fn begin<F>(&mut self, job: Job, work: impl FnOnce(Arc<Unit>) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send,
    {
        let places = self.places(&job);
        let (breakers, stop) = (Arc::clone(&self.breakers), self.stop.clone());
        let task_job = job.clone();
        let task = async move {
            let places = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                places = all(places) => places,
            };
            // Only now: others may have heard of the server while this one waited.
            let unit = Arc::new(Unit::new(task_job, breakers, stop));
            work(unit).await;
            drop(places);
        };
        let id = self.tasks.spawn(task).id();
        self.busy.insert(job.clone());
        self.running.insert(id, job);
    }

    /// Waits until what was begun has ended, at most for so long.
    pub(super) async fn end(mut self, grace: Duration) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, all).await.is_err() {
            tracing::warn!("requests of the poll did not end in time; the next leader goes on with them");
            self.tasks.shutdown().await;
        }
    }

    /// What a job waits for: a place of its namespace, and then one of all, so that it takes none while it waits for its
    /// namespace.
    fn places(&mut self, job: &Job) -> Vec<Arc<Semaphore>> {
        let Some(server) = &job.server else {
            return Vec::new();
        };
        let proven = self.breakers.is_proven(job);
        let (of_all, most) = match proven {
            true => (&self.proven, PROVEN_OF_NAMESPACE),
            false => (&self.unproven, UNPROVEN_OF_NAMESPACE),
        };
        let of_namespace = server.namespace.clone().map(|name| {
            let places = self.namespaces.entry((job.kind, proven, name));
            Arc::clone(places.or_insert_with(|| Arc::new(Semaphore::new(most))))
        });
        of_namespace
            .into_iter()
            .chain(of_all.get(&job.kind).cloned())
            .collect()
    }

    fn ended(&mut self, ended: &Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => *id,
            Err(error) => {
                tracing::error!(%error, "a task of the poll ended unexpectedly; it begins again");
                error.id()
            }
        };
        if let Some(job) = self.running.remove(&id) {
            self.busy.remove(&job);
        }
    }
}

/// One place of each.
async fn all(places: Vec<Arc<Semaphore>>) -> Vec<OwnedSemaphorePermit> {
    let mut taken = Vec::new();
    for place in places {
        taken.extend(place.acquire_owned().await.ok());
    }
    taken
}

#[cfg(test)]
mod tests;
