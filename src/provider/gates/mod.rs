//! Gates: how much each service is asked at once and a minute, who is next, and when it is left alone.
//!
//! A creation takes a place at its provider's gate, or leaves its worker and is called when it is its turn. Looks and
//! burns have places of their own, so that they never wait behind creations.

mod calls;
mod pauses;
mod shared;
mod state;
mod target;
mod tickets;

pub use calls::Call;
pub use state::{Check, Lane, Standing, Version};
pub use target::{Kind, Target};

use super::resolved::Resolved;
use super::settings::ProviderId;
use crate::api::condition::Reason;
use crate::clock::Clock;
use crate::ledger::Owner;
use crate::onetime::{CreateError, Why};
use crate::problem::Problem;
use calls::Calls;
use pauses::Outcome;
use shared::Shared;
use state::{Ask, Grant, State, Tells, Wait};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

/// How often what is no more is looked for among those that wait.
const TIDY: Duration = Duration::from_secs(60);

/// The gates of all providers.
pub struct Gates {
    shared: Arc<Shared>,
    calls: Calls,
    /// Something changed that a gate may open by.
    changed: Notify,
    check: OnceLock<Box<Check>>,
    /// How many operators share a provider's `requestsPerMinute`.
    shards: u32,
    call: UnboundedSender<Owner>,
}

/// A share waits for its turn. It is triggered when it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    /// What to tell; None while the wait is too short for that.
    pub problem: Option<Problem>,
    /// Whether this was not told before.
    pub is_news: bool,
    /// For how long it has waited.
    pub waited: Duration,
    /// When to ask again whether there is something to tell, where there is nothing yet.
    pub tells_in: Duration,
}

/// The right to send one request. One that is dropped unused gives its turn back.
pub struct Permit {
    gates: Arc<Gates>,
    grant: Option<Grant>,
    outcome: Mutex<Option<Outcome>>,
}

impl Gates {
    /// No gate yet. This is one of so many operators that share a provider's `requestsPerMinute`. `call` triggers a share
    /// whose turn it is.
    #[must_use]
    pub fn new(clock: Clock, shards: u32, call: UnboundedSender<Owner>) -> Self {
        Self {
            shared: Arc::new(Shared::new(clock)),
            calls: Calls::default(),
            changed: Notify::new(),
            check: OnceLock::new(),
            shards,
            call,
        }
    }

    /// Calls those whose turn comes with time. Runs for ever.
    pub async fn run(&self, check: Box<Check>) {
        let check = self.check.get_or_init(|| check);
        let mut tidied = self.shared.now();
        loop {
            let changed = self.changed.notified();
            let now = self.shared.now();
            let next = self.with(|state| {
                if now.saturating_sub(tidied) >= TIDY {
                    tidied = now;
                    state.tidy(now, check);
                }
                state.tick(now, check)
            });
            self.calls.tidy();
            let wait = next.map_or(TIDY, |next| next.saturating_sub(self.shared.now()).min(TIDY));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = changed => {}
            }
        }
    }

    /// Takes a place to send with, or waits in line. `mails` says whether the link is mailed, and attempts of one `lane`
    /// go one at a time.
    ///
    /// # Errors
    /// [`Waits`]; nothing more is needed but to come back when called.
    pub fn enter(
        self: &Arc<Self>,
        provider: &Resolved,
        owner: &Owner,
        version: Version,
        mails: bool,
        lane: Option<Lane>,
    ) -> Result<Permit, Waits> {
        let limits = &provider.spec;
        let size = usize::try_from(limits.max_concurrent_requests).unwrap_or(1);
        let ask = Ask {
            owner: owner.clone(),
            version,
            provider: provider.id.clone(),
            size: size.max(1),
            interval: limits
                .requests_per_minute
                .and_then(|rate| interval(rate, self.shards)),
            target: provider.target(),
            mails,
            lane,
        };
        let now = self.shared.now();
        let entered = self.with(|state| state.enter(ask, now, self.check()));
        match entered {
            Ok(grant) => Ok(Permit {
                gates: Arc::clone(self),
                grant: Some(grant),
                outcome: Mutex::default(),
            }),
            Err(wait) => {
                self.changed.notify_one();
                Err(Waits::new(&provider.id, wait))
            }
        }
    }

    /// A share does not want to send any more.
    pub fn leave(&self, owner: &Owner) {
        let now = self.shared.now();
        self.with(|state| {
            if state.leave(owner, now) {
                state.call(now, self.check());
            }
        });
    }

    /// How a share waits that asked before with this uid and generation. None when it must ask.
    #[must_use]
    pub fn still_waits(&self, owner: &Owner, version: &Version) -> Option<Waits> {
        let now = self.shared.now();
        let (provider, wait) = self.shared.lock().still_waits(owner, version, now)?;
        Some(Waits::new(&provider, wait))
    }

    /// Whether it is a share's turn, so that it comes before others.
    #[must_use]
    pub fn is_called(&self, owner: &Owner) -> bool {
        self.called_after(owner).is_some()
    }

    /// For how long a share whose turn it is has waited for that.
    #[must_use]
    pub fn called_after(&self, owner: &Owner) -> Option<Duration> {
        let now = self.shared.now();
        self.shared.lock().called_after(owner, now)
    }

    /// How many shares wait for their turn.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.lock().waiting()
    }

    /// Begins a look or a burn. Waits for a place among those of the same kind at the same server, which never are
    /// many: this must not hold up anybody else.
    ///
    /// # Errors
    /// A problem while the server is left alone.
    pub async fn begin(&self, kind: Kind, target: Target) -> Result<Call, Problem> {
        Call::begin(Arc::clone(&self.shared), &self.calls, kind, target).await
    }

    /// Something changed that may let somebody go.
    pub fn look_again(&self) {
        self.changed.notify_one();
    }

    fn check(&self) -> &Check {
        match self.check.get() {
            Some(check) => check,
            None => &|_, _| Standing::Ready,
        }
    }

    /// Works on the state, and triggers those that were called.
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.shared.lock();
        let done = work(&mut state);
        for owner in state.to_call.drain(..) {
            // Without a receiver the operator is shutting down.
            let _ = self.call.send(owner);
        }
        done
    }
}

/// The time between two requests of one of so many operators that together make so many a minute. It grows with their number,
/// so that the smallest part is a request now and then, and never none.
fn interval(per_minute: i64, shards: u32) -> Option<Duration> {
    let rate = u32::try_from(per_minute).ok().filter(|rate| *rate > 0)?;
    Some(Duration::from_secs(60) * shards.max(1) / rate)
}

impl Waits {
    fn new(id: &ProviderId, wait: Wait) -> Self {
        let Wait {
            waited,
            position,
            closed,
            tells,
        } = wait;
        let number = format!("number {position} in the queue");
        let problem = match closed {
            Some(closed) => closed.problem(&id.to_string(), &format!(" ({number})")),
            None => Problem::passing(
                Reason::InProgress,
                format!("this share waits for its turn at {id}: {number}; it follows automatically"),
            ),
        };
        Self {
            problem: Some(problem).filter(|_| !matches!(tells, Tells::NotYet(_))),
            is_news: tells == Tells::First,
            waited,
            tells_in: match tells {
                Tells::NotYet(time) => time,
                Tells::First | Tells::Again => Duration::ZERO,
            },
        }
    }
}

impl Permit {
    /// Learns from how the request went.
    pub fn finish(&self, error: Option<&CreateError>) {
        let outcome = match error {
            None => Outcome::Answered,
            Some(CreateError::RateLimited { retry_after_seconds }) => Outcome::Limited(*retry_after_seconds),
            Some(CreateError::NotSent(_) | CreateError::UnknownOutcome(Why::Timeout | Why::ServerFault)) => {
                Outcome::Failed
            }
            Some(CreateError::UnknownOutcome(_)) => Outcome::Other,
            Some(CreateError::Refused(_) | CreateError::Unauthorized) => Outcome::Answered,
        };
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let outcome = self
            .outcome
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(grant) = self.grant.take() {
            let gates = &self.gates;
            let now = gates.shared.now();
            gates.with(|state| {
                state.release(grant, outcome, now);
                state.call(now, gates.check());
            });
            // A pause that begins has an end to wait for.
            gates.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_share_a_rate_and_each_keeps_a_part_of_it() {
        let seconds = |rate, shards| interval(rate, shards).map(|interval| interval.as_secs_f64());
        assert_eq!(seconds(120, 1), Some(0.5));
        assert_eq!(seconds(120, 3), Some(1.5));
        assert_eq!(seconds(1, 4), Some(240.0), "a request in four minutes, not none");
        assert_eq!(seconds(60, 0), Some(1.0));
        assert_eq!((seconds(0, 2), seconds(-1, 2)), (None, None));
    }
}
