//! Why a reconcile or a poll failed: infrastructure errors, never problems for the user.

use crate::kubernetes::ApiError;
use crate::ledger::LedgerError;
use crate::packed::Unreadable;

/// Why a reconcile or a poll could not finish. The operator retries soon.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The API server.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The cache.
    #[error(transparent)]
    Cache(#[from] Unreadable),
    /// The share changed since it was read.
    #[error("the share changed since it was read")]
    Stale,
    /// The share has no namespace, name or uid, which the API server never allows.
    #[error("the share has no namespace, name or uid")]
    MissingIdentity,
}
