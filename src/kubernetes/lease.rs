//! Leader election by a Lease, for efficiency only: the ledger prevents duplicate work.
//!
//! Times in the lease are never compared with our clock. A standby takes the lease once it saw no
//! change for the duration in the lease. The holder begins nothing any more after two thirds of that
//! duration without a renewal, counted from before its last write, so it pauses before a standby can
//! take over. It goes on when a later renewal shows that nobody did. Two can lead at once only if
//! somebody else edits or deletes the lease, and only until the next renewal.
//!
//! The crate kube-lease-manager 0.13 does not fit: it sleeps until the lease expires by the holder's
//! clock, so it notices a released lease too late.

use super::leadership::Term;
use crate::clock::{Clock, Deadline};
use crate::kubernetes::ApiError;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease as LeaseObject, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use std::time::Duration;

/// How often a standby reads the lease: it takes over a released lease within this time.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The longest pause between two tries of a holder that could not renew the lease in time.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A lease, held or not.
pub struct Lease {
    api: Api<LeaseObject>,
    name: String,
    identity: String,
    duration: Duration,
    clock: Clock,
    /// The lease of another holder after its last change, and when we first saw it, on our clock.
    observed: Option<(Option<LeaseSpec>, Duration)>,
    /// Ends two thirds of the duration after the last successful attempt began. Standbys count from a later time.
    term: Term,
}

impl Lease {
    /// A lease in a namespace, not held yet. `identity` must differ between replicas, and `duration`
    /// is in whole seconds.
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str, identity: String, duration: Duration) -> Self {
        let api = Api::namespaced(client, namespace);
        Self {
            api,
            name: name.to_owned(),
            identity,
            duration,
            clock: Clock::boot(),
            observed: None,
            term: Term::new(Clock::boot()),
        }
    }

    #[cfg(test)]
    fn with_clock(self, clock: Clock) -> Self {
        let term = Term::new(clock.clone());
        Self { clock, term, ..self }
    }

    /// While the lease is held.
    #[must_use]
    pub fn term(&self) -> Term {
        self.term.clone()
    }

    /// Waits until the lease is ours. `looked` is told of every look before: that another holds it, or what went wrong.
    pub async fn acquire(&mut self, looked: impl Fn(Result<(), &ApiError>)) {
        loop {
            match self.try_take(self.duration / 4).await {
                Ok(true) => return,
                Ok(false) => looked(Ok(())),
                Err(error) if error.is_conflict() => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot read or take the lease; will retry");
                    looked(Err(&error));
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Renews the lease while nobody else has it, and returns when somebody has. `held` is told when the term ends
    /// without a renewal, and when the lease turns out to be ours still.
    pub async fn keep(&mut self, held: impl Fn(bool)) {
        let mut pause = self.duration / 6;
        while self.renew_in_time(&mut pause).await {
            if !self.term.is_on() {
                held(false);
                tracing::warn!(
                    "the lease could not be renewed in time: nothing new begins until it is renewed or another replica has it"
                );
                if !self.renew_late().await {
                    break;
                }
                tracing::info!("the lease is renewed, and nobody else had it; going on");
                held(true);
                pause = self.duration / 6;
            }
        }
        self.term.end();
    }

    /// Tries once to renew the lease before the term ends. False when somebody else has it.
    async fn renew_in_time(&mut self, pause: &mut Duration) -> bool {
        let end = Deadline::after_on(&self.clock, self.term.left());
        let wait = *pause;
        let renewal = async {
            tokio::time::sleep(wait).await;
            self.try_take(self.duration / 4).await
        };
        let result = tokio::select! {
            biased;
            () = end.wait() => return true,
            result = renewal => result,
        };
        *pause = match result {
            Ok(true) => self.duration / 6,
            Ok(false) => return false,
            Err(error) => {
                tracing::warn!(%error, "cannot renew the lease; will retry");
                self.duration / 12
            }
        };
        true
    }

    /// Tries to renew the lease until that succeeds in time or somebody else has it, which is false. One try may take a
    /// whole term: a slow API server is asked less often, not given up.
    async fn renew_late(&mut self) -> bool {
        let mut pause = self.duration / 12;
        loop {
            match self.try_take(self.whole_term()).await {
                Ok(true) if self.term.is_on() => return true,
                Ok(true) => {}
                Ok(false) => return false,
                Err(error) => tracing::warn!(%error, "cannot renew the lease; will retry"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn whole_term(&self) -> Duration {
        self.duration * 2 / 3
    }

    /// Gives the lease back if it is ours, so that a standby need not wait until it expires.
    pub async fn release(&mut self) {
        self.term.end();
        let attempt = async {
            match self.give_back().await {
                Err(error) if error.is_conflict() => self.give_back().await,
                result => result,
            }
        };
        if let Err(error) = within(self.duration / 4, attempt).await {
            tracing::warn!(%error, "cannot release the lease; a standby takes over when it expires");
        }
    }

    async fn give_back(&self) -> Result<(), ApiError> {
        let Some(mut found) = self.api.get_opt(&self.name).await? else {
            return Ok(());
        };
        let spec = found.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() != Some(&self.identity) {
            return Ok(());
        }
        spec.holder_identity = None;
        self.api
            .replace(&self.name, &PostParams::default(), &found)
            .await?;
        Ok(())
    }

    /// Takes or renews the lease. False when somebody else holds it. A time limit of a quarter of the duration leaves the
    /// holder time for a second attempt.
    async fn try_take(&mut self, limit: Duration) -> Result<bool, ApiError> {
        let began = self.clock.now();
        let attempt = async {
            match self.read_and_write().await {
                // Another replica was faster, somebody edited the lease, or the client repeated our
                // own write after a 504. Reading the lease again shows which.
                Err(error) if error.is_conflict() => self.read_and_write().await,
                result => result,
            }
        };
        let taken = within(limit, attempt).await?;
        if taken {
            self.term.lasts_until(began + self.whole_term());
            self.observed = None;
        }
        Ok(taken)
    }

    async fn read_and_write(&mut self) -> Result<bool, ApiError> {
        let params = PostParams::default();
        match self.api.get_opt(&self.name).await? {
            None => self.api.create(&params, &self.taken(None)).await?,
            Some(found) if self.is_free(found.spec.as_ref()) => {
                let taken = self.taken(Some(found));
                self.api.replace(&self.name, &params, &taken).await?
            }
            Some(_) => return Ok(false),
        };
        Ok(true)
    }

    fn is_free(&mut self, spec: Option<&LeaseSpec>) -> bool {
        let holder = spec
            .and_then(|spec| spec.holder_identity.as_deref())
            .unwrap_or_default();
        if holder.is_empty() || holder == self.identity {
            return true;
        }
        let now = self.clock.now();
        let since = match &self.observed {
            Some((observed, since)) if observed.as_ref() == spec => *since,
            _ => {
                self.observed = Some((spec.cloned(), now));
                now
            }
        };
        let seconds = spec
            .and_then(|spec| spec.lease_duration_seconds)
            .and_then(|seconds| u64::try_from(seconds).ok());
        now.saturating_sub(since) > seconds.map_or(self.duration, Duration::from_secs)
    }

    fn taken(&self, before: Option<LeaseObject>) -> LeaseObject {
        let now = MicroTime(Timestamp::now());
        let mut lease = before.unwrap_or_else(|| LeaseObject {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                ..ObjectMeta::default()
            },
            spec: None,
        });
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() != Some(&self.identity) {
            spec.lease_transitions = Some(spec.lease_transitions.unwrap_or_default().saturating_add(1));
            spec.acquire_time = Some(now.clone());
            spec.holder_identity = Some(self.identity.clone());
        }
        spec.renew_time = Some(now);
        spec.lease_duration_seconds = i32::try_from(self.duration.as_secs()).ok();
        lease
    }
}

/// Runs all calls of an attempt within a time limit. Their future is large, so it is boxed.
async fn within<T>(
    limit: Duration,
    attempt: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    tokio::time::timeout(limit, Box::pin(attempt))
        .await
        .unwrap_or(Err(ApiError::Deadline))
}

#[cfg(test)]
mod tests;
