//! What keeps a share from its link, and who can mend it.
//!
//! A problem's message names the field or object and the remedy. It never holds a value, key, link, token or the
//! service's own words, which echo input: but for those that an allow-list knows, behind a fixed mark, which stay in the
//! condition of a share.

use crate::api::condition::Reason;
use serde::{Deserialize, Serialize};

/// Who mends a problem. This, not the kind of error, decides how the status shows it and when it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Remedy {
    /// Somebody edits the share or a Secret that it names.
    Edit,
    /// Something that may still be on its way appears: a Secret, a key, a provider.
    Appearance,
    /// Waiting: a rate limit ends, an outage is over.
    Time,
    /// The administrator of the operator or of the provider.
    Administrator,
}

impl Remedy {
    /// Whether a person must act, so that waiting alone does not help.
    #[must_use]
    pub fn needs_person(self) -> bool {
        matches!(self, Self::Edit | Self::Administrator)
    }
}

/// A problem with its reason, a message for people, and who mends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The word that conditions, events and metrics carry.
    pub reason: Reason,
    /// What is wrong and what to do about it.
    pub message: String,
    /// Who mends it.
    #[serde(rename = "cure")]
    pub remedy: Remedy,
}

/// Comes before the service's words in a message.
const SAYS: &str = "; the service says: ";

/// A message without the service's words: for events, which others keep.
#[must_use]
pub fn without_words(message: &str) -> &str {
    message.split_once(SAYS).map_or(message, |(ours, _)| ours)
}

impl Problem {
    /// With words of the service that an allow-list knows. They go into the condition of the share alone.
    #[must_use]
    pub fn saying(mut self, words: &str) -> Self {
        self.message.push_str(SAYS);
        self.message.push_str(words);
        self
    }

    /// Somebody must edit the share or a Secret that it names.
    pub fn edit(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            remedy: Remedy::Edit,
        }
    }

    /// Something is missing that may appear by itself.
    pub fn missing(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            remedy: Remedy::Appearance,
        }
    }

    /// Time mends it.
    pub fn passing(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            remedy: Remedy::Time,
        }
    }

    /// The administrator must act.
    pub fn administrator(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            remedy: Remedy::Administrator,
        }
    }
}
