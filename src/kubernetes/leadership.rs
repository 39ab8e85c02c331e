//! Whether this process may begin anything: it holds the lease by its own clock, and nobody told it to stop.
//!
//! A flag would not do. A process that was frozen for a minute goes on with the flag that it had, before any task can
//! change it; so every question compares the clock with the last renewal.

use crate::clock::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long the lease counts as held: until two thirds of its duration after the last renewal began, which is before a
/// standby can take it.
#[derive(Clone, Debug)]
pub struct Term {
    clock: Clock,
    /// Nanoseconds on that clock; 0 while the lease is not held.
    until: Arc<AtomicU64>,
}

impl Term {
    /// The lease is not held yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            until: Arc::default(),
        }
    }

    /// Whether the lease is held now.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.left() > Duration::ZERO
    }

    /// How long it is still held without a renewal.
    #[must_use]
    pub fn left(&self) -> Duration {
        Duration::from_nanos(self.until.load(Ordering::SeqCst)).saturating_sub(self.clock.now())
    }

    /// The lease is held until this time, on the clock of the term.
    pub(super) fn lasts_until(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.until.store(nanos, Ordering::SeqCst);
    }

    /// The lease is not held any more.
    pub(super) fn end(&self) {
        self.until.store(0, Ordering::SeqCst);
    }
}

/// The right to begin something: an intent, a burn. What was begun may end without it.
#[derive(Clone, Debug)]
pub struct Leadership {
    /// None without election: every replica works.
    term: Option<Term>,
    stop: CancellationToken,
}

impl Leadership {
    /// While the lease is held, until `stop` is cancelled.
    #[must_use]
    pub fn elected(term: Term, stop: CancellationToken) -> Self {
        Self {
            term: Some(term),
            stop,
        }
    }

    /// Until `stop` is cancelled.
    #[must_use]
    pub fn unelected(stop: CancellationToken) -> Self {
        Self { term: None, stop }
    }

    /// Whether something may begin at this moment.
    #[must_use]
    pub fn may_begin(&self) -> bool {
        !self.stop.is_cancelled() && self.term.as_ref().is_none_or(Term::is_on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM: Duration = Duration::from_secs(10);

    #[test]
    fn nothing_begins_before_the_first_term_nor_after_it() {
        let (clock, stop) = (Clock::by_hand(), CancellationToken::new());
        let term = Term::new(clock.clone());
        let leadership = Leadership::elected(term.clone(), stop);
        assert!(!leadership.may_begin());
        term.lasts_until(clock.now() + TERM);
        assert!(leadership.may_begin());
        // Nobody says so: the process may have been frozen.
        clock.advance(TERM);
        assert!(!leadership.may_begin());
        term.lasts_until(clock.now() + TERM);
        assert!(leadership.may_begin(), "the lease was renewed");
        term.end();
        assert!(!leadership.may_begin());
    }

    #[test]
    fn nothing_begins_after_the_stop() {
        let (clock, stop) = (Clock::by_hand(), CancellationToken::new());
        let term = Term::new(clock.clone());
        term.lasts_until(clock.now() + TERM);
        let both = [
            Leadership::elected(term, stop.clone()),
            Leadership::unelected(stop.clone()),
        ];
        assert!(both.iter().all(Leadership::may_begin));
        stop.cancel();
        assert!(!both.iter().any(Leadership::may_begin));
    }
}
