//! From which servers this process had an answer of the API. Nothing is sent to any other: a URL that redirects or leads
//! to a page would get the value, again and again. No clock but for one short wait, no client.

use super::clients::BundleHash;
use super::resolved::Resolved;
use super::settings::ProviderId;
use crate::api::condition::Reason;
use crate::problem::Problem;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a share waits silently for the first answer of a server.
const SILENT: Duration = Duration::from_secs(2);

/// What was asked: the same server may be an API for one account and refuse another.
#[derive(Clone, PartialEq, Eq)]
struct Asked {
    endpoint: String,
    ca_bundle: Option<BundleHash>,
    account: Option<String>,
}

impl Asked {
    fn of(provider: &Resolved) -> Self {
        Self {
            endpoint: provider.settings.endpoint.base().to_string(),
            ca_bundle: provider.spec.ca_bundle.as_deref().map(BundleHash::of),
            account: provider.account_name().map(str::to_owned),
        }
    }
}

/// What is known of one provider.
#[derive(Default)]
struct Known {
    /// What answered.
    answered: Option<Asked>,
    /// What the last health check found.
    problem: Option<Problem>,
    /// When a share first waited for it.
    waited_for: Option<Instant>,
}

/// Nothing may be sent.
pub(super) struct NotAnswered {
    /// Why.
    pub(super) problem: Problem,
    /// Whether this is the first share that waits since the last answer.
    pub(super) is_first: bool,
}

/// The answers of all providers. One line for each provider that exists.
#[derive(Default)]
pub(super) struct Answers(Mutex<HashMap<ProviderId, Known>>);

impl Answers {
    /// Notes an answer of the API. Tells whether there was none before.
    pub(super) fn answered(&self, provider: &Resolved) -> bool {
        let asked = Asked::of(provider);
        self.with(|all| {
            let known = all.entry(provider.id.clone()).or_default();
            known.problem = None;
            known.waited_for = None;
            let first = known.answered.as_ref() != Some(&asked);
            known.answered = Some(asked);
            first
        })
    }

    /// Notes that something else than the API answers there.
    pub(super) fn doubted(&self, provider: &Resolved) {
        let asked = Asked::of(provider);
        self.with(|all| {
            for known in all.values_mut() {
                if known.answered.as_ref() == Some(&asked) {
                    known.answered = None;
                }
            }
        });
    }

    /// Notes what a health check found.
    pub(super) fn failed(&self, id: &ProviderId, problem: &Problem) {
        self.with(|all| all.entry(id.clone()).or_default().problem = Some(problem.clone()));
    }

    /// Whether something may be sent.
    ///
    /// # Errors
    /// What the provider's health check found, or that it has no answer yet. It passes: the first answer triggers the
    /// shares.
    pub(super) fn check(&self, provider: &Resolved) -> Result<(), NotAnswered> {
        let id = &provider.id;
        let asked = Asked::of(provider);
        self.with(|all| {
            if all
                .get(id)
                .is_some_and(|known| known.answered.as_ref() == Some(&asked))
            {
                return Ok(());
            }
            // Another provider with the same server and account tells as much.
            if all.values().any(|known| known.answered.as_ref() == Some(&asked)) {
                return Ok(());
            }
            let known = all.entry(id.clone()).or_default();
            let is_first = known.waited_for.is_none();
            known.waited_for.get_or_insert_with(Instant::now);
            let text = match &known.problem {
                Some(problem) => problem.message.clone(),
                None => format!("the service of {id} has not answered as a Onetime Secret server yet"),
            };
            let text = format!("{text}; nothing is sent until it does");
            let problem = Problem::passing(Reason::Unavailable, text);
            Err(NotAnswered { problem, is_first })
        })
    }

    /// Whether the first answer may come any moment, so that waiting is not worth telling.
    pub(super) fn may_come_soon(&self, id: &ProviderId) -> bool {
        self.with(|all| {
            all.get(id).is_some_and(|known| {
                known.problem.is_none() && known.waited_for.is_some_and(|since| since.elapsed() < SILENT)
            })
        })
    }

    /// Forgets the providers that are gone.
    pub(super) fn keep_only(&self, exists: impl Fn(&ProviderId) -> bool) {
        self.with(|all| all.retain(|id, _| exists(id)));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.with(|all| all.len())
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<ProviderId, Known>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
