//! That tasks neither pile up nor wait for each other, and how they end.

use super::super::server::Server;
use super::*;
use crate::clock::Clock;
use crate::onetime::CallError;
use std::sync::atomic::{AtomicUsize, Ordering};

const GRACE: Duration = Duration::from_secs(20);

struct Fixture {
    breakers: Arc<Breakers<Job>>,
    stop: CancellationToken,
    crew: Crew,
    /// How many tasks have a place.
    at_work: Arc<AtomicUsize>,
}

impl Fixture {
    fn new() -> Self {
        let breakers = Arc::new(Breakers::new(Clock::by_hand()));
        let stop = CancellationToken::new();
        Self {
            crew: Crew::new(Arc::clone(&breakers), stop.clone()),
            at_work: Arc::default(),
            breakers,
            stop,
        }
    }

    /// Begins a job that hangs until the end.
    fn hang(&mut self, job: Job) {
        let at_work = Arc::clone(&self.at_work);
        self.crew.begin(job, async move |unit: Arc<Unit>| {
            at_work.fetch_add(1, Ordering::SeqCst);
            unit.unless_stopped(std::future::pending::<()>()).await;
        });
    }

    async fn at_work(&self) -> usize {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        self.at_work.load(Ordering::SeqCst)
    }
}

fn job(namespace: Option<&str>, number: usize, kind: Kind) -> Job {
    let server = Server {
        namespace: namespace.map(str::to_owned),
        endpoint: format!("https://{number}.example.com"),
    };
    Job::at(server, kind)
}

#[tokio::test]
async fn one_task_for_each_server_and_kind() {
    let mut fixture = Fixture::new();
    let first = job(None, 1, Kind::Links);
    assert!(fixture.crew.is_free(&first));
    fixture.hang(first.clone());
    fixture.crew.tidy(|_| true);
    assert!(!fixture.crew.is_free(&first));
    for other in [
        job(None, 1, Kind::Burns),
        job(None, 2, Kind::Links),
        job(Some("team"), 1, Kind::Links),
    ] {
        assert!(fixture.crew.is_free(&other), "{other:?}");
    }
    let quick = job(None, 3, Kind::Links);
    fixture.crew.begin(quick.clone(), async |_| {});
    assert!(!fixture.crew.is_free(&quick));
    fixture.at_work().await;
    fixture.crew.tidy(|_| true);
    assert!(fixture.crew.is_free(&quick), "it ended");
    assert_eq!(fixture.crew.running.len(), 1);
}

#[tokio::test]
async fn servers_that_hang_take_nobodys_place() {
    let mut fixture = Fixture::new();
    for number in 0..100 {
        fixture.hang(job(Some("hostile"), number, Kind::Burns));
    }
    assert_eq!(fixture.at_work().await, UNPROVEN_OF_NAMESPACE);
    for number in 0..100 {
        fixture.hang(job(None, number, Kind::Burns));
    }
    assert_eq!(fixture.at_work().await, UNPROVEN);
    let proven = job(Some("team"), 1, Kind::Burns);
    Unit::new(
        proven.clone(),
        Arc::clone(&fixture.breakers),
        fixture.stop.clone(),
    )
    .heard(None);
    fixture.hang(proven);
    fixture.hang(job(Some("team"), 1, Kind::Links));
    assert_eq!(fixture.at_work().await, UNPROVEN + 2);
    fixture.stop.cancel();
    fixture.at_work().await;
    fixture.crew.tidy(|_| true);
    let Crew {
        running,
        busy,
        namespaces,
        ..
    } = &fixture.crew;
    assert!(running.is_empty() && busy.is_empty() && namespaces.is_empty());
}

#[tokio::test]
async fn a_server_that_is_left_alone_gets_no_task() {
    let mut fixture = Fixture::new();
    let fails = job(None, 1, Kind::Lost);
    for _ in 0..5 {
        Unit::new(fails.clone(), Arc::clone(&fixture.breakers), fixture.stop.clone())
            .heard(Some(&CallError::Timeout));
    }
    assert!(!fixture.crew.is_free(&fails));
    assert!(
        fixture.crew.is_free(&job(None, 1, Kind::Burns)),
        "burns are apart"
    );
    fixture.crew.tidy(|_| false);
    assert!(fixture.crew.is_free(&fails), "it is forgotten");
}

#[tokio::test(start_paused = true)]
async fn what_was_begun_ends_before_the_end() {
    let mut fixture = Fixture::new();
    let done = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&done);
    fixture
        .crew
        .begin(job(None, 1, Kind::Burns), async move |unit: Arc<Unit>| {
            while let Some(_place) = unit.place().await {
                tokio::time::sleep(Duration::from_secs(10)).await;
                counts.fetch_add(1, Ordering::SeqCst);
            }
        });
    fixture.hang(job(None, 2, Kind::Links));
    fixture.at_work().await;
    fixture.stop.cancel();
    let begin = tokio::time::Instant::now();
    fixture.crew.end(GRACE).await;
    assert_eq!(done.load(Ordering::SeqCst), 1, "the one under way, and no other");
    assert_eq!(begin.elapsed(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn the_end_is_not_waited_for_longer_than_the_grace() {
    let mut fixture = Fixture::new();
    fixture
        .crew
        .begin(job(None, 1, Kind::Burns), async |_| std::future::pending().await);
    fixture.at_work().await;
    fixture.stop.cancel();
    let begin = tokio::time::Instant::now();
    fixture.crew.end(GRACE).await;
    assert_eq!(begin.elapsed(), GRACE);
}
