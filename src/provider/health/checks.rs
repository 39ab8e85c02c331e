//! What is known of the checks of providers: which wait, run and are due, and what the last one of each came to.

use crate::api::condition::Reason;
use crate::provider::plan::Plan;
use crate::provider::settings::ProviderId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// The checks that wait, run and are due.
pub struct Checks {
    plan: Mutex<Plan>,
    pub(super) changed: Notify,
    /// Why each provider whose status another operator writes was not ready when it was last checked. None: it was.
    last: Mutex<HashMap<ProviderId, Option<Reason>>>,
}

impl Checks {
    /// No checks yet. A healthy provider is checked once an interval.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self {
            plan: Mutex::new(Plan::new(interval)),
            changed: Notify::new(),
            last: Mutex::default(),
        }
    }

    /// Records the result of a check whose status another operator writes. Returns whether it is new.
    pub(super) fn is_news(&self, id: &ProviderId, problem: Option<Reason>) -> bool {
        self.last().insert(id.clone(), problem) != Some(problem)
    }

    /// Forgets a provider that was deleted.
    pub(super) fn forget(&self, id: &ProviderId) {
        self.last().remove(id);
    }

    pub(super) fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last(&self) -> MutexGuard<'_, HashMap<ProviderId, Option<Reason>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_news_when_it_comes_to_something_else() {
        let checks = Checks::new(Duration::from_secs(60));
        let id = ProviderId {
            namespace: None,
            name: "default".into(),
        };
        let steps = [
            (None, true),
            (None, false),
            (Some(Reason::Unavailable), true),
            (Some(Reason::Unavailable), false),
            (Some(Reason::Unauthorized), true),
            (None, true),
        ];
        for (problem, is_news) in steps {
            assert_eq!(checks.is_news(&id, problem), is_news, "{problem:?}");
        }
        checks.forget(&id);
        assert!(checks.last().is_empty());
        assert!(checks.is_news(&id, None), "it was created again");
    }
}
