//! Candidates compete for one lease. A ticker moves the clock by hand along with tokio's paused time.

mod keep;
mod release;
mod server;
mod takeover;

use super::*;
use server::{ApiServer, Connection, Reply};
use std::sync::{Arc, Mutex};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The lease duration of every candidate, unless a test says otherwise.
const DURATION: Duration = Duration::from_secs(15);

/// How far the clock by hand may lag behind tokio's time.
const TICK: Duration = Duration::from_millis(50);

/// What the tests allow when they compare times: a few ticks.
const TOLERANCE: Duration = Duration::from_millis(200);

/// Runs a test on paused time. Unlike `tokio::test`, it has no I/O driver: at each jump of the time,
/// the driver's system calls would take a hundred times longer than the test itself.
fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(test);
}

/// A server, and the clock of all candidates.
struct Fixture {
    server: ApiServer,
    clock: Clock,
    ticker: JoinHandle<()>,
}

impl Fixture {
    /// When all tasks wait, tokio's paused time jumps to the next timer, and the ticker moves the clock.
    fn new() -> Self {
        let clock = Clock::by_hand();
        let ticked = clock.clone();
        let ticker = tokio::spawn(async move {
            let mut last = Instant::now();
            loop {
                tokio::time::sleep(TICK).await;
                let now = Instant::now();
                ticked.advance(now - last);
                last = now;
            }
        });
        Self {
            server: ApiServer::new(clock.clone()),
            clock,
            ticker,
        }
    }

    /// A lease of this identity, and its connection to the server.
    fn lease(&self, identity: &str, duration: Duration) -> (Lease, Connection) {
        let connection = Connection::new(&self.server);
        let lease = Lease::new(
            connection.client(),
            "default",
            "the-lease",
            identity.to_owned(),
            duration,
        )
        .with_clock(self.clock.clone());
        (lease, connection)
    }

    /// A candidate with the usual duration.
    fn candidate(&self, identity: &str) -> Candidate {
        self.candidate_with(identity, DURATION)
    }

    fn candidate_with(&self, identity: &str, duration: Duration) -> Candidate {
        let (mut lease, connection) = self.lease(identity, duration);
        let (history, stop) = (Arc::<Mutex<History>>::default(), CancellationToken::new());
        let term = lease.term();
        let (clock, written, stopped) = (self.clock.clone(), Arc::clone(&history), stop.clone());
        let task = tokio::spawn(async move {
            lease.acquire(|_| {}).await;
            written.lock().unwrap().began = Some(clock.now());
            let held = |held: bool| {
                let mut history = written.lock().unwrap();
                history.ended = (!held).then(|| clock.now());
                history.pauses += usize::from(!held);
            };
            tokio::select! {
                () = lease.keep(held) => {
                    let mut history = written.lock().unwrap();
                    history.lost = true;
                    history.ended.get_or_insert(clock.now());
                }
                () = stopped.cancelled() => lease.release().await,
            }
        });
        Candidate {
            connection,
            history,
            term,
            stop,
            task,
        }
    }

    /// A candidate that already leads.
    async fn leader(&self, identity: &str) -> Candidate {
        let leader = self.candidate(identity);
        leader.wait_until_it_leads().await;
        leader
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.ticker.abort();
    }
}

/// When a candidate began to lead, and when `keep` told it that it does not any more.
#[derive(Clone, Copy, Default)]
struct History {
    began: Option<Duration>,
    ended: Option<Duration>,
    /// How often it was told to begin nothing for a while.
    pauses: usize,
    /// Whether it was told that another one has the lease.
    lost: bool,
}

/// A replica that acquires the lease, keeps it, and releases it when it is stopped.
struct Candidate {
    connection: Connection,
    history: Arc<Mutex<History>>,
    term: Term,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Candidate {
    fn began(&self) -> Option<Duration> {
        self.history.lock().unwrap().began
    }

    fn ended(&self) -> Option<Duration> {
        self.history.lock().unwrap().ended
    }

    fn pauses(&self) -> usize {
        self.history.lock().unwrap().pauses
    }

    fn lost(&self) -> bool {
        self.history.lock().unwrap().lost
    }

    /// Whether it may begin anything.
    fn leads(&self) -> bool {
        let told = self.began().is_some() && self.ended().is_none();
        told && self.term.is_on()
    }

    /// Returns the time at which it began to lead, at most an hour from now.
    async fn wait_until_it_leads(&self) -> Duration {
        for _ in 0..3_600_000 / TICK.as_millis() {
            if let Some(began) = self.began() {
                return began;
            }
            tokio::time::sleep(TICK).await;
        }
        panic!("it never leads");
    }

    /// Ends it without a release.
    fn vanish(&self) {
        self.task.abort();
    }

    /// Ends it with a release.
    async fn stop(&mut self) {
        self.stop.cancel();
        (&mut self.task).await.expect("an orderly end");
    }
}

impl Drop for Candidate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// The lease as this holder would write it.
fn record(holder: &str, seconds: i32, renewed: &str) -> serde_json::Value {
    serde_json::json!({"spec": {
        "holderIdentity": holder,
        "leaseDurationSeconds": seconds,
        "acquireTime": renewed,
        "renewTime": renewed,
    }})
}
