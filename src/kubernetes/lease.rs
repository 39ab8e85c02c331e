//! Leader election by a Lease: for efficiency only. What must not happen twice is kept from happening by the ledger.
//!
//! Other processes' clocks are not believed: a lease is free when it was seen not to change for its duration. The
//! crate for this, kube-lease-manager 0.13, sleeps until the lease ends by the holder's clock, so that a released one
//! is noticed too late.

use crate::clock::Clock;
use crate::kubernetes::ApiError;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease as LeaseObject, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use std::time::Duration;

/// How often a waiting replica looks: a released lease is taken over within this time.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A lease, held or not.
pub struct Lease {
    api: Api<LeaseObject>,
    name: String,
    identity: String,
    duration: Duration,
    clock: Clock,
    /// The lease as it was last seen to change, and when that was on our clock.
    seen: Option<(Option<LeaseSpec>, Duration)>,
}

impl Lease {
    /// A lease in a namespace, not held yet. `identity` must differ between replicas; `duration` is in whole seconds.
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str, identity: String, duration: Duration) -> Self {
        let api = Api::namespaced(client, namespace);
        Self {
            api,
            name: name.to_owned(),
            identity,
            duration,
            clock: Clock::boot(),
            seen: None,
        }
    }

    /// Waits until the lease is ours.
    pub async fn acquire(&mut self) {
        loop {
            match self.try_take().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "the lease could not be read or taken; trying again"),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Keeps the lease for as long as possible. Returns when it is lost, in any case before anybody else can have it.
    pub async fn keep(&mut self) {
        let every = self.duration / 3;
        let mut renewed = self.clock.now();
        while self.clock.now().saturating_sub(renewed) < every * 2 {
            tokio::time::sleep(every / 2).await;
            let before = self.clock.now();
            match self.try_take().await {
                Ok(true) => renewed = before,
                Ok(false) => return,
                Err(error) => tracing::warn!(%error, "the lease could not be renewed; trying again"),
            }
        }
    }

    /// Gives the lease back, so that another replica need not wait for its end.
    pub async fn release(&mut self) {
        let result = async {
            let Some(mut found) = self.call(self.api.get_opt(&self.name)).await? else {
                return Ok(());
            };
            let spec = found.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() != Some(&self.identity) {
                return Ok(());
            }
            spec.holder_identity = None;
            self.call(self.api.replace(&self.name, &PostParams::default(), &found))
                .await
                .map(drop)
        };
        let result: Result<(), ApiError> = result.await;
        if let Err(error) = result {
            tracing::warn!(%error, "the lease could not be released; others wait until it ends");
        }
    }

    /// Takes or renews the lease. False when somebody else holds it.
    async fn try_take(&mut self) -> Result<bool, ApiError> {
        let written = match self.call(self.api.get_opt(&self.name)).await? {
            None => {
                self.call(self.api.create(&PostParams::default(), &self.taken(None)))
                    .await
            }
            Some(found) if self.is_free(found.spec.as_ref()) => {
                let taken = self.taken(Some(found));
                self.call(self.api.replace(&self.name, &PostParams::default(), &taken))
                    .await
            }
            Some(_) => return Ok(false),
        };
        match written {
            Ok(_) => Ok(true),
            // Somebody was faster.
            Err(error) if error.is_conflict() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn is_free(&mut self, spec: Option<&LeaseSpec>) -> bool {
        let holder = spec
            .and_then(|spec| spec.holder_identity.as_deref())
            .unwrap_or_default();
        if holder.is_empty() || holder == self.identity {
            return true;
        }
        let now = self.clock.now();
        let since = match &self.seen {
            Some((seen, since)) if seen.as_ref() == spec => *since,
            _ => {
                self.seen = Some((spec.cloned(), now));
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

    /// A call that takes longer than a renewal may is of no use.
    async fn call<T>(&self, call: impl Future<Output = kube::Result<T>>) -> Result<T, ApiError> {
        match tokio::time::timeout(self.duration / 3, call).await {
            Ok(result) => result.map_err(ApiError::from),
            Err(_) => Err(ApiError::Deadline),
        }
    }
}
