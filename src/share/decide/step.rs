//! What a decision can be. Data only.

use crate::api::share::DeletionPolicy;
use crate::ledger::{ContentMark, RequestKey};
use crate::problem::Problem;
use crate::share::inputs::fields::Fields;
use jiff::Timestamp;
use std::time::Duration;

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// These facts are older than the ledger: touch nothing, newer ones are on their way.
    Ignore,
    /// Read the share from the API server and decide again: what comes next cannot be taken back.
    ReadLive,
    /// Read the value and decide again: whether it changed makes the difference.
    ReadContent,
    /// Read the versions of what the share names and decide again: whether something changed since the last try makes the
    /// difference.
    ReadInputs,
    /// Nothing to send. Show the entry, with this problem if there is one, and look again then.
    Requeue {
        /// What a person or time must mend.
        problem: Option<Problem>,
        /// When to look again without a trigger.
        at: Option<Timestamp>,
    },
    /// Write into the entry what the spec now says and what needs no new link.
    UpdatePolicy {
        /// The uid of the share that is there now: it may be another object with the same request.
        uid: String,
        /// Its generation.
        generation: i64,
        /// For when the share is gone.
        deletion: DeletionPolicy,
        /// For when the value changes.
        content: Option<ContentMark>,
        /// For when the spec is edited.
        fields: Fields,
    },
    /// The ledger lost what the status tells of: make an entry from the status.
    Rebuild(RequestKey),
    /// An answer was lost and the attempt may still be running: look again after this long.
    WaitOutDeadline(Duration),
    /// An answer was lost and its sender certainly sends no more: find out what happened.
    Resolve,
    /// Gather the sources; when they are good, burn the old link if there is one, and send this request.
    Send {
        /// The request to write into the intent.
        request: RequestKey,
        /// Whether a link of an earlier request lives and must be burned before.
        burn_first: bool,
    },
    /// A user asked for the link to be burned: mark it as one to burn.
    Revoke,
    /// Go on burning the link.
    Burn,
    /// Write the generated value to its Secret.
    Deliver,
}

impl Step {
    pub(super) const DONE: Self = Self::Requeue {
        problem: None,
        at: None,
    };

    pub(super) fn problem(problem: Problem) -> Self {
        Self::Requeue {
            problem: Some(problem),
            at: None,
        }
    }

    pub(super) fn wait(problem: Option<Problem>, until: Timestamp) -> Self {
        Self::Requeue {
            problem,
            at: Some(until),
        }
    }
}
