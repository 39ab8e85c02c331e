//! How much a provider is asked at once and a minute, and when it is left alone: after a rate limit, or while it fails.
//!
//! A pause belongs to the provider, not to a share: one answer spares all others their requests.

use super::resolved::Resolved;
use super::settings::ProviderId;
use crate::api::condition::Reason;
use crate::backoff;
use crate::onetime::{CreateError, Why};
use crate::problem::Problem;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// No pause after a rate limit is longer, whatever the service asks for.
const LONGEST_LIMIT: Duration = Duration::from_secs(3600);

/// So many failures in a row open the circuit.
const FAILURES: u32 = 5;

/// For so long, after which one request tries again.
const CIRCUIT_PAUSE: Duration = Duration::from_secs(30);

/// The gates of all providers.
#[derive(Default)]
pub(super) struct Limits(Mutex<HashMap<ProviderId, Arc<Gate>>>);

struct Gate {
    size: usize,
    places: Arc<Semaphore>,
    state: Mutex<State>,
    /// Tells those that wait for a turn that one became free.
    given_back: Notify,
}

#[derive(Default)]
struct State {
    pause: Option<(Instant, Reason)>,
    failures: u32,
    /// How many rate limits followed each other, each after the pause of the last.
    limits: u32,
    /// When the next request may be sent, where a rate is set.
    next: Option<Instant>,
}

/// The right to send one request. One that is dropped unused gives its turn back.
pub struct Permit {
    gate: Arc<Gate>,
    /// Until when it keeps others from sending, where a rate is set.
    turn: Option<Instant>,
    used: AtomicBool,
    _place: OwnedSemaphorePermit,
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(turn) = self.turn.filter(|_| !self.used.load(Ordering::Relaxed)) {
            self.gate.give_back(turn);
        }
    }
}

impl Limits {
    /// Waits for a place.
    ///
    /// # Errors
    /// A problem while the provider is left alone.
    pub(super) async fn enter(&self, provider: &Resolved) -> Result<Permit, Problem> {
        let size = usize::try_from(provider.spec.max_concurrent_requests)
            .unwrap_or(1)
            .max(1);
        let gate = self.gate(&provider.id, size);
        gate.check(&provider.id)?;
        let place = Arc::clone(&gate.places).acquire_owned().await;
        let place =
            place.map_err(|_| Problem::passing(Reason::Unavailable, "the operator is shutting down"))?;
        // Those that waited behind a request that failed must not all try themselves.
        gate.check(&provider.id)?;
        let turn = gate.turn(provider.spec.requests_per_minute).await;
        Ok(Permit {
            gate,
            turn,
            used: AtomicBool::new(false),
            _place: place,
        })
    }

    fn gate(&self, id: &ProviderId, size: usize) -> Arc<Gate> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || {
            Arc::new(Gate {
                size,
                places: Arc::new(Semaphore::new(size)),
                state: Mutex::default(),
                given_back: Notify::new(),
            })
        };
        let gate = gates.entry(id.clone()).or_insert_with(fresh);
        if gate.size != size {
            *gate = fresh();
        }
        Arc::clone(gate)
    }
}

impl Gate {
    fn check(&self, id: &ProviderId) -> Result<(), Problem> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.pause {
            Some((until, reason)) if until > Instant::now() => Err(match reason {
                Reason::RateLimited => Problem::passing(
                    reason,
                    format!("the service limits the rate of {id}; the operator will retry automatically"),
                ),
                _ => Problem::passing(
                    reason,
                    format!(
                        "the service of {id} failed several times in a row; the operator will retry automatically"
                    ),
                ),
            }),
            Some(_) => {
                state.pause = None;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Waits for a turn at so many a minute, and takes it. It is taken when it is used, not before: what waits can change
    /// its mind. Tells until when it keeps others from sending.
    async fn turn(&self, per_minute: Option<i64>) -> Option<Instant> {
        let per_minute = per_minute
            .and_then(|rate| u32::try_from(rate).ok())
            .filter(|rate| *rate > 0);
        let step = Duration::from_secs(60) / per_minute?;
        loop {
            let given_back = self.given_back.notified();
            let free = match self.try_turn(step) {
                Ok(until) => return Some(until),
                Err(free) => free,
            };
            tokio::select! {
                () = tokio::time::sleep_until(free) => {}
                () = given_back => {}
            }
        }
    }

    /// Takes the turn when it is free; else tells when it will be.
    fn try_turn(&self, step: Duration) -> Result<Instant, Instant> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match state.next {
            Some(next) if next > now => Err(next),
            _ => {
                state.next = Some(now + step);
                Ok(now + step)
            }
        }
    }

    /// A turn was not used. It was free when it was taken, so it is free again, unless another one was taken since.
    fn give_back(&self, turn: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.next == Some(turn) {
            state.next = Some(Instant::now());
            self.given_back.notify_waiters();
        }
    }

    fn pause(state: &mut State, pause: Duration, reason: Reason) {
        let until = Instant::now() + pause;
        state.pause = Some(
            state
                .pause
                .filter(|(before, _)| *before > until)
                .unwrap_or((until, reason)),
        );
    }
}

impl Permit {
    /// Learns from how the request went.
    pub fn finish(&self, error: Option<&CreateError>) {
        self.used.store(true, Ordering::Relaxed);
        let mut state = self.gate.state.lock().unwrap_or_else(PoisonError::into_inner);
        match error {
            Some(CreateError::RateLimited { retry_after_seconds }) => {
                // Those that were under way when the limit was met are one and the same.
                let pauses = state.pause.is_some_and(|(until, _)| until > Instant::now());
                if !pauses || state.limits == 0 {
                    state.limits = state.limits.saturating_add(1);
                }
                let asked = Duration::from_secs(retry_after_seconds.unwrap_or_default());
                // A service that asks for less than it needs would be asked again and again.
                let pause = backoff::provider_pause(state.limits)
                    .max(asked)
                    .min(LONGEST_LIMIT);
                Gate::pause(&mut state, pause, Reason::RateLimited);
            }
            Some(CreateError::NotSent(_) | CreateError::UnknownOutcome(Why::Timeout | Why::ServerFault)) => {
                state.failures = state.failures.saturating_add(1);
                if state.failures >= FAILURES {
                    // One short of opening again: when the pause is over, one failure is enough.
                    state.failures = FAILURES - 1;
                    Gate::pause(&mut state, CIRCUIT_PAUSE, Reason::Unavailable);
                }
            }
            Some(CreateError::UnknownOutcome(_)) => state.failures = 0,
            _ => {
                state.failures = 0;
                state.limits = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permit(gate: &Arc<Gate>) -> Permit {
        let place = Arc::clone(&gate.places).try_acquire_owned().expect("a place");
        Permit {
            gate: Arc::clone(gate),
            turn: gate.state.lock().expect("no panic").next,
            used: AtomicBool::new(false),
            _place: place,
        }
    }

    fn gate() -> Arc<Gate> {
        Arc::new(Gate {
            size: 2,
            places: Arc::new(Semaphore::new(2)),
            state: Mutex::default(),
            given_back: Notify::new(),
        })
    }

    fn id() -> ProviderId {
        ProviderId {
            namespace: None,
            name: "p".into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_limit_pauses_the_provider() {
        let gate = gate();
        permit(&gate).finish(Some(&CreateError::RateLimited {
            retry_after_seconds: None,
        }));
        assert_eq!(gate.check(&id()).expect_err("paused").reason, Reason::RateLimited);
        tokio::time::advance(Duration::from_secs(11)).await;
        assert!(gate.check(&id()).is_ok());
    }

    /// `Retry-After: 0` was sent by a real proxy: 43 POSTs a second.
    #[tokio::test(start_paused = true)]
    async fn limits_in_a_row_pause_longer_whatever_they_ask_for() {
        let limited = |retry_after_seconds| CreateError::RateLimited { retry_after_seconds };
        let gate = gate();
        let lasts = async |gate: &Gate, seconds: u64| {
            tokio::time::advance(Duration::from_millis(seconds * 1000 - 1)).await;
            assert!(gate.check(&id()).is_err(), "{seconds} s are not over");
            tokio::time::advance(Duration::from_millis(2)).await;
            assert!(gate.check(&id()).is_ok(), "{seconds} s are over");
        };
        for (asked, seconds) in [
            (Some(0), 10),
            (Some(0), 30),
            (Some(90), 90),
            (None, 120),
            (Some(u64::MAX), 3600),
        ] {
            let (first, second) = (permit(&gate), permit(&gate));
            first.finish(Some(&limited(asked)));
            second.finish(Some(&limited(asked)));
            lasts(&gate, seconds).await;
        }
        permit(&gate).finish(None);
        permit(&gate).finish(Some(&limited(Some(0))));
        lasts(&gate, 10).await;
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_the_circuit() {
        let gate = gate();
        let fail = || permit(&gate).finish(Some(&CreateError::UnknownOutcome(Why::Timeout)));
        for _ in 1..FAILURES {
            fail();
            assert!(gate.check(&id()).is_ok());
        }
        permit(&gate).finish(None);
        for _ in 1..FAILURES {
            fail();
        }
        assert!(gate.check(&id()).is_ok(), "a success in between counts");
        fail();
        assert_eq!(gate.check(&id()).expect_err("open").reason, Reason::Unavailable);
        tokio::time::advance(CIRCUIT_PAUSE + Duration::from_secs(1)).await;
        assert!(gate.check(&id()).is_ok(), "one may try");
        fail();
        assert!(gate.check(&id()).is_err(), "and one failure opens it again");
    }

    #[tokio::test(start_paused = true)]
    async fn turns_are_spread_over_a_minute() {
        let gate = gate();
        let begin = Instant::now();
        for turn in 0..3 {
            gate.turn(Some(60)).await;
            assert_eq!(begin.elapsed(), Duration::from_secs(turn));
        }
        gate.turn(None).await;
        assert_eq!(begin.elapsed(), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_is_not_used_is_for_the_next() {
        let gate = gate();
        let begin = Instant::now();
        gate.turn(Some(1)).await;
        drop(permit(&gate));
        gate.turn(Some(1)).await;
        assert_eq!(begin.elapsed(), Duration::ZERO);
        permit(&gate).finish(None);
        let waits = gate.turn(Some(1));
        let gives_back = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            drop(permit(&gate));
        };
        tokio::join!(waits, gives_back);
        assert_eq!(begin.elapsed(), Duration::from_secs(3), "one that waits is told");
    }
}
