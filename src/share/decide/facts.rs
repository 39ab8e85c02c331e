//! What a decision is made from, beside the share's ledger entry. Data only.

use crate::ledger::{ContentMark, RequestKey};
use crate::problem::Problem;
use crate::share::inputs::request::Request;
use jiff::Timestamp;
use std::time::Duration;

/// What is known of a share at one moment.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The share's uid.
    pub uid: &'a str,
    /// The share's generation.
    pub generation: i64,
    /// What it asks for, or why that cannot be read.
    pub request: Result<&'a Request, &'a Problem>,
    /// Whether new links are held back.
    pub suspend: bool,
    /// Whether the share is being deleted and only waits for somebody's finalizer.
    pub deleting: bool,
    /// The attempt whose link a user wants burned: the annotation [`crate::api::BURN`].
    pub burn: Option<&'a str>,
    /// What the share's status tells of the past.
    pub status_claim: StatusClaim<'a>,
    /// Whether the share was read from the API server just now, and not from a cache.
    pub live: bool,
    /// This cluster: the uid of the namespace `kube-system`.
    pub cluster: &'a str,
    /// Whether the entry was last written under an earlier custom resource definition.
    pub is_of_older_definition: bool,
    /// The value as it is now, marked with the salt of the entry's mark (or a new one). None when it was not read.
    pub content: Option<&'a ContentMark>,
    /// Whether this process ever knew an entry of this share, also when there is none now.
    pub entry_was_known: bool,
    /// The request whose attempt had no outcome when this process last saw the entry, where there is none now.
    pub vanished: Option<RequestKey>,
    /// How long this process has known the attempt that the entry holds.
    pub attempt_known_for: Duration,
    /// How long ago this process last sent something of this share that gave no link, on the boot-time clock. None after
    /// [`MOMENT`](super::MOMENT).
    pub sent_ago: Option<Duration>,
    /// A hash of what would be tried with now, as [`Retry::inputs`](crate::ledger::Retry::inputs). None when it was not
    /// read.
    pub inputs: Option<&'a str>,
    /// Since when the share has waited for a link of this generation, as its status tells.
    pub waiting_since: Option<Timestamp>,
    /// How long a share may wait before somebody must confirm it with an edit.
    pub max_wait: Duration,
    /// The wall clock.
    pub now: Timestamp,
}

/// What a status tells of the past. It is compared with the ledger only to notice that the ledger lost something.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatusClaim<'a> {
    /// The request that the status answers.
    pub request: Option<RequestKey>,
    /// The attempt that made the link.
    pub attempt: Option<&'a str>,
    /// Whether the status tells enough to make an entry from it again.
    pub complete: bool,
    /// Whether it says of this generation that the edit came after the link's end.
    pub noted: bool,
}
