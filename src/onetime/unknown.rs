//! What is kept of an answer that nobody knows.
//!
//! Owns: the little of it that may be told. Must not: keep anything else of the service's text.

use super::wire::words::Words;
use std::fmt;

/// What may be told of an answer that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Unknown {
    /// The status code.
    pub status: u16,
    /// Whether it is a page for people, so not of the API.
    pub page: bool,
    /// The known words of its message.
    pub words: Option<Words>,
}

/// Where a redirect leads: nothing else of its address is kept, which may hold anything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// Whether it is https.
    pub https: bool,
    /// The host, without a port.
    pub host: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.host)
    }
}

/// A redirect. Redirects are not followed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Redirect {
    /// The status code.
    pub status: u16,
    /// Where it leads. None when it says nothing that can be told.
    pub target: Option<Target>,
}

impl Redirect {
    /// Where it leads, to continue a sentence.
    pub(super) fn leads(&self) -> String {
        self.target
            .as_ref()
            .map_or(String::new(), |target| format!(" to {target}"))
    }
}
