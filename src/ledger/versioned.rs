//! An entry as it was read: PURE.

use super::entry::Entry;
use crate::kubernetes::definition::Seen;

/// An entry with the version of the Secret that holds it.
#[derive(Clone, Debug)]
pub struct Versioned {
    /// The entry.
    pub entry: Entry,
    pub(super) resource_version: String,
    /// When the Secret was created, by the API server's clock.
    pub(super) created: Option<jiff::Timestamp>,
    /// Whether another shard wrote it last.
    pub(super) of_another_shard: bool,
}

impl Versioned {
    /// Whether the share was last acted upon under an earlier definition than this one.
    #[must_use]
    pub fn is_older_than(&self, definition: &Seen) -> bool {
        definition.is_newer_than(self.entry.crd_uid.as_deref(), self.created)
    }

    /// Names this version of the entry.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.resource_version
    }
}
