//! Looks and burns under way: so many of a kind at once for the providers of one namespace at one server.

use super::pauses::{Closed, Outcome, Probe};
use super::shared::Shared;
use super::target::{Kind, Target};
use crate::onetime::{CallError, Unavailable};
use crate::problem::Problem;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many calls of a kind at once. A server that answers is never kept waiting by it, and one that does not answer
/// costs no more.
const AT_ONCE: usize = 16;

type Places = HashMap<(String, Option<String>, Kind), Arc<Semaphore>>;

/// The places of all servers.
#[derive(Default)]
pub(super) struct Calls(Mutex<Places>);

impl Calls {
    fn place(&self, target: &Target, kind: Kind) -> Arc<Semaphore> {
        let key = (target.server.clone(), target.namespace.clone(), kind);
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            places
                .entry(key)
                .or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))),
        )
    }

    /// Forgets those that nobody uses.
    pub(super) fn tidy(&self) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|_, place| Arc::strong_count(place) > 1);
    }
}

/// A look or a burn under way.
pub struct Call {
    shared: Arc<Shared>,
    kind: Kind,
    target: Target,
    probe: Probe,
    learned: bool,
    _place: OwnedSemaphorePermit,
}

impl Call {
    pub(super) async fn begin(
        shared: Arc<Shared>,
        calls: &Calls,
        kind: Kind,
        target: Target,
    ) -> Result<Self, Problem> {
        let check = || {
            let closed = shared.lock().pauses.check(&target, kind, shared.now());
            closed.map_err(|closed| closed.problem("this provider", ""))
        };
        check()?;
        let place = calls.place(&target, kind).acquire_owned().await;
        let place = place.map_err(|_| Closed::Tried.problem("this provider", ""))?;
        // Those that waited behind one that failed must not all try themselves.
        check()?;
        let probe = shared.lock().pauses.begin(&target, kind, shared.now());
        Ok(Self {
            shared,
            kind,
            target,
            probe,
            learned: false,
            _place: place,
        })
    }

    /// Learns from how the call went.
    pub fn ended(mut self, error: Option<&CallError>) {
        let outcome = error.map_or(Outcome::Answered, outcome);
        self.learned = true;
        let now = self.shared.now();
        let pauses = &mut self.shared.lock().pauses;
        pauses.learn(&self.target, self.kind, self.probe, outcome, now);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.learned {
            let pauses = &mut self.shared.lock().pauses;
            pauses.give_back(&self.target, self.kind, self.probe);
        }
    }
}

fn outcome(error: &CallError) -> Outcome {
    match error {
        CallError::RateLimited { retry_after_seconds } => Outcome::Limited(*retry_after_seconds),
        CallError::Timeout
        | CallError::Unavailable(
            Unavailable::Transport(_) | Unavailable::ConnectionLost | Unavailable::ServerFault,
        ) => Outcome::Failed,
        CallError::Unavailable(_) | CallError::Malformed(_) => Outcome::Other,
        CallError::Unauthorized | CallError::Gone | CallError::WrongPassphrase | CallError::Refused(_) => {
            Outcome::Answered
        }
    }
}
