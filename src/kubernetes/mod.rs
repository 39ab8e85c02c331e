//! Calls to the API server with a deadline, and errors that say nothing secret.

pub mod client;
pub mod definition;
pub mod leadership;
pub mod lease;
pub mod ledger_lease;
pub mod merged;
pub mod namespaces;
mod observed;
pub mod pages;
pub mod pulse;
pub mod secret;
pub mod watch;

use std::future::Future;
use std::time::Duration;

/// No call to the API server (watches aside) takes longer. The client repeats writes after 429, 503 and 504 by itself
/// within this time.
pub const CALL_DEADLINE: Duration = Duration::from_secs(20);

/// Why a call to the API server did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The API server answered with this status code and reason.
    #[error("the API server answered {code} {reason}")]
    Status {
        /// HTTP status code.
        code: u16,
        /// The API's reason, such as `NotFound`.
        reason: String,
    },
    /// There was no answer in time.
    #[error("the API server did not answer in time")]
    Deadline,
    /// The connection failed or the answer could not be read.
    #[error("the API server cannot be reached or its answer cannot be read")]
    Transport,
}

impl ApiError {
    /// 404, of the object itself.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Status { code: 404, .. })
    }

    /// 409: the object exists, or is not the one that was read.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Status { code: 409, .. })
    }

    /// The API server understood a write and refuses it: a quota, a policy, a namespace that is missing or going, a
    /// right that is lacking, an object that is too large. The same write is refused again until somebody acts.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Status {
                code: 400 | 403 | 404 | 405 | 413 | 422,
                ..
            }
        )
    }

    /// 403: the operator's role does not allow it.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Status { code: 403, .. })
    }
}

impl From<kube::Error> for ApiError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Status {
                code: status.code,
                reason: status.reason.clone(),
            },
            // Their texts may quote an object.
            _ => Self::Transport,
        }
    }
}

/// Runs a call within [`CALL_DEADLINE`].
///
/// # Errors
/// The call's error, or [`ApiError::Deadline`].
pub async fn bounded<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, ApiError> {
    match tokio::time::timeout(CALL_DEADLINE, call).await {
        Ok(result) => result.map_err(ApiError::from),
        Err(_) => Err(ApiError::Deadline),
    }
}

/// Whether an object certainly does not exist: the API server says so and names it. A missing kind, a refusal or an
/// outage is no such answer.
///
/// # Errors
/// [`ApiError`] when it is not certain.
pub async fn is_gone<K>(api: &kube::Api<K>, name: &str) -> Result<bool, ApiError>
where
    K: Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    match tokio::time::timeout(CALL_DEADLINE, api.get(name)).await {
        Ok(Ok(_)) => Ok(false),
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => {
            let named = status
                .details
                .as_ref()
                .is_some_and(|details| details.name == name && !details.kind.is_empty());
            if named {
                Ok(true)
            } else {
                Err(ApiError::Status {
                    code: 404,
                    reason: status.reason.clone(),
                })
            }
        }
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(ApiError::Deadline),
    }
}

/// Waits until a cache was filled once. False when its watch ended, which is only at the operator's end.
///
/// kube 5.0 wakes only the last of several that wait for one store, so this one asks again now and then.
pub async fn filled<K>(store: &kube::runtime::reflector::Store<K>) -> bool
where
    K: kube::runtime::reflector::Lookup + Clone + 'static,
    K::DynamicType: Eq + std::hash::Hash + Clone,
{
    loop {
        if let Ok(ready) = tokio::time::timeout(Duration::from_millis(100), store.wait_until_ready()).await {
            return ready.is_ok();
        }
    }
}

/// Whether the operator's role does not allow a watch, or the list that it begins with.
#[must_use]
pub fn is_refused(error: &kube::runtime::watcher::Error) -> bool {
    use kube::runtime::watcher::Error;
    match error {
        Error::InitialListFailed(kube::Error::Api(status))
        | Error::WatchStartFailed(kube::Error::Api(status))
        | Error::WatchFailed(kube::Error::Api(status)) => status.code == 403,
        Error::WatchError(status) => status.code == 403,
        _ => false,
    }
}

/// What broke a watch, in a form that quotes no object.
#[must_use]
pub fn watch_error(error: &kube::runtime::watcher::Error) -> &'static str {
    use kube::runtime::watcher::Error;
    match error {
        Error::InitialListFailed(_) => "the first list failed",
        Error::WatchStartFailed(_) => "the watch could not start",
        Error::WatchError(_) => "the API server ended the watch",
        Error::WatchFailed(_) => "the watch failed",
        Error::NoResourceVersion => "the answer has no resourceVersion",
    }
}
