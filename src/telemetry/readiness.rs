//! What /readyz says, and why.

use crate::kubernetes::pulse::Pulse;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the operator does.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Activity {
    /// Nothing was read yet.
    Starting,
    /// It waits for the lease, and can read it.
    Standby,
    /// It waits for the lease, and may not read or take it. The text says why.
    NoLease(String),
    /// It works, or does so once these caches are filled.
    Working(BTreeSet<&'static str>),
}

/// Whether the operator works, or waits for its turn.
#[derive(Clone, Debug)]
pub struct Readiness {
    activity: Arc<Mutex<Activity>>,
    pulse: Pulse,
}

impl Readiness {
    /// Of an operator that starts, and whose watches tell this pulse.
    #[must_use]
    pub fn new(pulse: Pulse) -> Self {
        Self {
            activity: Arc::new(Mutex::new(Activity::Starting)),
            pulse,
        }
    }

    /// It waits for the lease, and could read it.
    pub fn stands_by(&self) {
        *self.lock() = Activity::Standby;
    }

    /// It waits for the lease, and may not read or take it.
    pub fn lacks_lease(&self, why: String) {
        *self.lock() = Activity::NoLease(why);
    }

    /// It works once these caches are filled.
    pub fn waits_for(&self, caches: impl IntoIterator<Item = &'static str>) {
        *self.lock() = Activity::Working(caches.into_iter().collect());
    }

    /// A cache is filled. True when it was the last one.
    pub fn filled(&self, cache: &'static str) -> bool {
        match &mut *self.lock() {
            Activity::Working(caches) => caches.remove(cache) && caches.is_empty(),
            Activity::Starting | Activity::Standby | Activity::NoLease(_) => false,
        }
    }

    /// An error says in plain words why it is not ready.
    pub(super) fn verdict(&self) -> Result<(), String> {
        match &*self.lock() {
            Activity::Starting => return Err("starting: the API server has not answered yet".into()),
            Activity::NoLease(why) => return Err(format!("the lease cannot be read or taken: {why}")),
            Activity::Working(caches) if !caches.is_empty() => {
                let names: Vec<&str> = caches.iter().copied().collect();
                return Err(format!("caches are not filled yet: {}", names.join(", ")));
            }
            Activity::Standby => return Ok(()),
            Activity::Working(_) => {}
        }
        match self.pulse.stale() {
            None => Ok(()),
            Some((watch, silent_for)) => Err(format!(
                "{watch} has brought nothing for {} minutes, although the API server answers other calls",
                silent_for.as_secs() / 60
            )),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::kubernetes::pulse::Watch;
    use std::time::Duration;

    #[test]
    fn a_leader_is_ready_once_every_cache_is_filled() {
        let readiness = Readiness::new(Pulse::new(Clock::by_hand()));
        let why = |readiness: &Readiness| readiness.verdict().expect_err("not ready");
        assert_eq!(why(&readiness), "starting: the API server has not answered yet");
        readiness.waits_for(["OneTimeShares", "the ledger"]);
        assert_eq!(
            why(&readiness),
            "caches are not filled yet: OneTimeShares, the ledger"
        );
        assert!(!readiness.filled("the ledger"));
        assert!(!readiness.filled("the ledger"), "twice");
        assert_eq!(why(&readiness), "caches are not filled yet: OneTimeShares");
        assert!(readiness.filled("OneTimeShares"), "the last one");
        assert_eq!(readiness.verdict(), Ok(()));
    }

    #[test]
    fn a_standby_is_ready_while_it_can_read_the_lease() {
        let readiness = Readiness::new(Pulse::new(Clock::by_hand()));
        readiness.stands_by();
        assert_eq!(readiness.verdict(), Ok(()));
        assert!(
            !readiness.filled("OneTimeShares"),
            "a late word of an earlier term"
        );
        assert_eq!(readiness.verdict(), Ok(()));
        readiness.lacks_lease("the API server answered 403 Forbidden".into());
        assert_eq!(
            readiness.verdict(),
            Err("the lease cannot be read or taken: the API server answered 403 Forbidden".into())
        );
        readiness.stands_by();
        assert_eq!(readiness.verdict(), Ok(()));
    }

    #[test]
    fn a_watch_that_brings_nothing_is_named_while_the_api_server_answers() {
        let clock = Clock::by_hand();
        let pulse = Pulse::new(clock.clone());
        let readiness = Readiness::new(pulse.clone());
        readiness.waits_for([]);
        let watch = Watch {
            kind: "onetimeshares".into(),
            namespace: Some("team".into()),
        };
        pulse.asked(&watch);
        for _ in 0..6 {
            assert_eq!(readiness.verdict(), Ok(()));
            pulse.answered();
            clock.advance(Duration::from_secs(60));
        }
        assert_eq!(
            readiness.verdict(),
            Err("the watch of OneTimeShares in namespace team has brought nothing for 6 minutes, although the API server answers other calls".into())
        );
        clock.advance(Duration::from_secs(600));
        assert_eq!(readiness.verdict(), Ok(()), "it does not answer any more");
        pulse.answered();
        readiness.stands_by();
        assert_eq!(readiness.verdict(), Ok(()), "a standby has no watches");
    }
}
