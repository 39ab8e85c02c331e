//! What a status is made from. Data only.

use crate::api::share::OneTimeShareStatus;
use crate::ledger::Entry;
use crate::problem::Problem;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// What a status is made from.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// The generation of the spec that was looked at.
    pub generation: i64,
    /// The ledger entry.
    pub entry: Option<&'a Entry>,
    /// Whether the entry speaks of the request that the spec makes now.
    pub current: bool,
    /// The fields that were edited after the link's life was over, for which nothing is sent.
    pub edited: &'a [String],
    /// What keeps the request from its link.
    pub problem: Option<&'a Problem>,
    /// The status so far: only the times of its conditions are used.
    pub previous: Option<&'a OneTimeShareStatus>,
    /// The wall clock.
    pub now: Timestamp,
}

/// The API keeps whole seconds: with more, a status would never equal the stored one and be written again and again.
pub(super) fn seconds(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}
