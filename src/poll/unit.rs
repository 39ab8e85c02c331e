//! What one task of the poll goes by: how many calls it may have under way, when it goes on, and when it begins nothing more.

use super::server::{Job, Kind, Server};
use crate::onetime::CallError;
use crate::provider::breaker::{Breakers, Heard};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

/// So many calls of one kind one server gets at once, when it answers.
pub(super) const CONCURRENCY: usize = 8;

/// One task.
pub(super) struct Unit {
    job: Job,
    breakers: Arc<Breakers<Job>>,
    stop: CancellationToken,
    places: Semaphore,
    /// Whether the server answered the last time. Until it does it gets one call at a time.
    proven: AtomicBool,
    /// Whether the one call of a server that is not proven failed, or none may be made.
    failed: AtomicBool,
}

impl Unit {
    pub(super) fn new(job: Job, breakers: Arc<Breakers<Job>>, stop: CancellationToken) -> Self {
        let proven = job.server.is_none() || breakers.is_proven(&job);
        Self {
            places: Semaphore::new(if proven { CONCURRENCY } else { 1 }),
            proven: AtomicBool::new(proven),
            failed: AtomicBool::new(false),
            job,
            breakers,
            stop,
        }
    }

    /// The server that is asked, if one is.
    pub(super) fn server(&self) -> Option<&Server> {
        self.job.server.as_ref()
    }

    pub(super) fn is_proven(&self) -> bool {
        self.proven.load(Ordering::SeqCst)
    }

    /// Whether the operator ends: nothing new begins.
    pub(super) fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Whether the server is left alone because it takes no more calls for now.
    pub(super) fn is_limited(&self) -> bool {
        self.breakers.is_limited(&self.job)
    }

    /// Whether the server is left alone.
    pub(super) fn is_left_alone(&self) -> bool {
        self.breakers.is_open(&self.job)
    }

    /// Whether another call may begin. Not after the server was found to fail: it is left alone, or the next task tries it
    /// with one call.
    pub(super) fn goes_on(&self) -> bool {
        !self.is_stopping() && !self.failed.load(Ordering::SeqCst) && !self.is_left_alone()
    }

    /// Waits until one more call may begin. None when none may any more.
    pub(super) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        let place = self.any_place().await?;
        self.goes_on().then_some(place)
    }

    /// The same for a list beside the looks of this task.
    pub(super) async fn place_for_list(&self) -> Option<SemaphorePermit<'_>> {
        let place = self.any_place().await?;
        (!self.breakers.is_open(&self.lists())).then_some(place)
    }

    async fn any_place(&self) -> Option<SemaphorePermit<'_>> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            place = self.places.acquire() => place.ok(),
        }
    }

    /// What the lists beside the looks of this task are counted as.
    fn lists(&self) -> Job {
        Job {
            kind: Kind::Lists,
            ..self.job.clone()
        }
    }

    /// Gives up a call without effects when the operator ends. None then.
    pub(super) async fn unless_stopped<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            done = call => Some(done),
        }
    }

    /// Begins no other call: the server may not be asked now.
    pub(super) fn give_up(&self) {
        self.failed.store(true, Ordering::SeqCst);
    }

    /// Learns from how a call went.
    pub(super) fn heard(&self, error: Option<&CallError>) {
        let heard = Heard::of(error);
        match heard {
            Heard::Answered => self.answers(),
            Heard::Failed | Heard::Limited(_) if self.is_proven() => {}
            Heard::Failed | Heard::Limited(_) => self.give_up(),
        }
        self.note(&self.job, heard);
    }

    /// The same for a list beside the looks of this task. One that fails says nothing of single looks, and a limit holds for
    /// both.
    pub(super) fn heard_of_list(&self, error: Option<&CallError>) {
        let heard = Heard::of(error);
        match heard {
            Heard::Answered => self.answers(),
            Heard::Failed => {}
            Heard::Limited(_) => self.note(&self.job, heard),
        }
        self.note(&self.lists(), heard);
    }

    fn answers(&self) {
        if !self.proven.swap(true, Ordering::SeqCst) {
            self.places.add_permits(CONCURRENCY - 1);
        }
    }

    fn note(&self, job: &Job, heard: Heard) {
        if let (Some(pause), Some(server)) = (self.breakers.note(job, heard), &job.server) {
            let (pause, endpoint, namespace) = (pause.as_secs(), &server.endpoint, &server.namespace);
            let (work, limited) = (job.kind.label(), matches!(heard, Heard::Limited(_)));
            tracing::warn!(
                endpoint,
                namespace,
                work,
                limited,
                pause,
                "a server limits the operator's requests, or failed several times in a row; this work is paused for so many seconds"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    struct Fixture {
        breakers: Arc<Breakers<Job>>,
        stop: CancellationToken,
        job: Job,
    }

    impl Fixture {
        fn new() -> Self {
            let server = Server {
                namespace: None,
                endpoint: "https://secrets.example.com".into(),
            };
            Self {
                breakers: Arc::new(Breakers::new(Clock::by_hand())),
                stop: CancellationToken::new(),
                job: Job::at(server, Kind::Links),
            }
        }

        fn unit(&self) -> Unit {
            Unit::new(self.job.clone(), Arc::clone(&self.breakers), self.stop.clone())
        }
    }

    fn free(unit: &Unit) -> usize {
        unit.places.available_permits()
    }

    #[tokio::test]
    async fn one_call_at_a_time_until_the_server_answers() {
        let fixture = Fixture::new();
        let unit = fixture.unit();
        assert_eq!(free(&unit), 1);
        drop(unit.place().await.expect("a place"));
        unit.heard(None);
        unit.heard(Some(&CallError::Gone));
        assert_eq!(free(&unit), CONCURRENCY);
        assert_eq!(free(&fixture.unit()), CONCURRENCY, "remembered");
        unit.heard(Some(&CallError::Timeout));
        assert!(unit.goes_on(), "one failure of a server that answered");
        assert_eq!(free(&fixture.unit()), 1);
    }

    #[tokio::test]
    async fn the_one_call_that_fails_is_the_last() {
        let fixture = Fixture::new();
        let mut calls = 0;
        for _ in 0..20 {
            let unit = fixture.unit();
            while let Some(_place) = unit.place().await {
                calls += 1;
                unit.heard(Some(&CallError::Timeout));
            }
        }
        assert_eq!(calls, 5, "then it is left alone");
    }

    /// A service may fail at its lists only.
    #[tokio::test]
    async fn lists_that_fail_do_not_keep_looks_from_being_made() {
        let fixture = Fixture::new();
        let mut lists = 0;
        for _ in 0..20 {
            let unit = fixture.unit();
            if let Some(_place) = unit.place_for_list().await {
                lists += 1;
                unit.heard_of_list(Some(&CallError::Timeout));
            }
            drop(unit.place().await.expect("a look"));
            unit.heard(None);
        }
        assert_eq!(lists, 5, "then they are left alone");
        let limited = CallError::RateLimited {
            retry_after_seconds: None,
        };
        let unit = fixture.unit();
        unit.heard_of_list(Some(&limited));
        assert!(unit.place().await.is_none() && unit.is_limited());
    }

    #[tokio::test]
    async fn nothing_begins_after_the_end_began() {
        let fixture = Fixture::new();
        let unit = fixture.unit();
        let begun = unit.place().await.expect("a place");
        let waits = unit.place();
        let ends = async { fixture.stop.cancel() };
        let (place, ()) = tokio::join!(waits, ends);
        assert!(place.is_none(), "it waited for a place");
        drop(begun);
        assert!(unit.place().await.is_none());
        let hangs = std::future::pending::<()>();
        assert_eq!(unit.unless_stopped(hangs).await, None);
    }
}
