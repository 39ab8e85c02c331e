//! Whether a provider's server answered as the API, and what makes a provider what it is now.

use super::Providers;
use crate::api::condition::READY;
use crate::api::provider::Provider;
use crate::problem::Problem;
use crate::provider::answers::NotAnswered;
use crate::provider::plan::Demand;
use crate::provider::{ProviderId, Resolved};

impl Providers {
    /// Whether something may be sent: this process had an answer of the API from this server, for this account.
    ///
    /// # Errors
    /// A passing problem: what the health check found. The first answer triggers the shares of the provider.
    pub fn has_answered(&self, provider: &Resolved) -> Result<(), Problem> {
        if mutant!("send-unanswered") {
            return Ok(());
        }
        let checked = self.answers.check(provider);
        if let Err(NotAnswered { is_first: true, .. }) = &checked {
            // Without a receiver the operator is shutting down.
            let _ = self.recheck.send(Demand::Awaited(provider.id.clone()));
        }
        checked.map_err(|not_answered| not_answered.problem)
    }

    /// Whether a share waits for the first answer of this provider only since a moment ago.
    #[must_use]
    pub fn may_answer_soon(&self, id: &ProviderId) -> bool {
        self.answers.may_come_soon(id)
    }

    /// Notes an answer of the API. Tells whether it is the first one.
    pub fn answered(&self, provider: &Resolved) -> bool {
        self.answers.answered(provider)
    }

    /// Notes that something else than the API answered a call: nothing more is sent there until the API answers.
    pub fn doubted(&self, provider: &Resolved) {
        self.answers.doubted(provider);
    }

    /// Notes what a health check found.
    pub fn unhealthy(&self, id: &ProviderId, problem: &Problem) {
        self.answers.failed(id, problem);
    }

    pub(super) fn exists(&self, id: &ProviderId) -> bool {
        self.find(id, |_| (), |_| ()).is_some()
    }

    /// What makes a provider what it is now: changes with its spec and with its health. None when there is no such
    /// provider.
    #[must_use]
    pub fn version(&self, id: &ProviderId) -> Option<String> {
        self.find(id, version, version)
    }
}

fn version<K: Provider>(provider: &K) -> String {
    let meta = provider.meta();
    let conditions = provider.status().map(|status| &status.conditions[..]);
    let ready = conditions
        .unwrap_or_default()
        .iter()
        .find(|condition| condition.type_ == READY)
        .map(|condition| (&condition.status, condition.last_transition_time.0));
    format!("{:?} {:?} {ready:?}", meta.uid, meta.generation)
}
