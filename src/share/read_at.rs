//! When something was read, and for how long it is believed.

use crate::clock::Clock;
use std::time::Duration;

/// For so long after it was read the share is believed to be as it was.
pub const SHARE_FRESH_FOR: Duration = Duration::from_secs(1);

/// For so long after they were read the sources are believed to be as they were, when the share is.
const SOURCES_FRESH_FOR: Duration = Duration::from_secs(5);

/// When something was read, on the boot-time clock: a frozen process and a machine that slept notice it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadAt(Duration);

impl ReadAt {
    /// Just now.
    #[must_use]
    pub fn now() -> Self {
        Self(Clock::boot().now())
    }

    #[cfg(test)]
    pub(super) fn at_second(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    fn age(self) -> Duration {
        Clock::boot().now().saturating_sub(self.0)
    }

    /// Whether a share that was read then must be read again before it is acted on.
    #[must_use]
    pub fn is_old_for_a_share(self) -> bool {
        self.age() > SHARE_FRESH_FOR
    }

    /// Whether sources that were read then must be read again before they are sent.
    #[must_use]
    pub fn is_old_for_sources(self) -> bool {
        self.age() > SOURCES_FRESH_FOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_a_while_ago_is_old() {
        let ago = |millis| ReadAt(Clock::boot().now().saturating_sub(Duration::from_millis(millis)));
        assert!(!ReadAt::now().is_old_for_a_share());
        assert!(ago(1100).is_old_for_a_share() && !ago(1100).is_old_for_sources());
        assert!(ago(5100).is_old_for_sources());
    }
}
