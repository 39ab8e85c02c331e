//! What the tasks of the poll share.

use super::budget::Budget;
use super::follow_up::FollowUp;
use super::lost::Lost;
use super::schedule::Schedule;
use crate::share::CachedShare;
use crate::share::context::Context;
use kube::runtime::reflector::Store;
use std::sync::Arc;

/// What the tasks of the poll share.
pub(super) struct Shared {
    pub(super) context: Arc<Context>,
    pub(super) shares: Store<CachedShare>,
    pub(super) schedule: Schedule,
    pub(super) budget: Budget,
    pub(super) lost: Lost,
    pub(super) follow_up: Arc<FollowUp>,
}
