//! When to try again after a failure, as an entry keeps it. PURE.

use crate::backoff;
use crate::problem::Problem;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// When to try again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// Failures since the last success.
    pub failures: u32,
    /// Not before this time, by the wall clock.
    pub not_before: Option<Timestamp>,
    /// What failed last.
    pub problem: Option<Problem>,
    /// How many answers in a row were of a kind that nobody knows.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unexpected: u32,
    /// A hash of what was tried with: the share, the provider and the versions of the Secrets. When it changes, the pause
    /// ends early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<String>,
    /// How many seconds the pause was to last when it was written: one that lasts longer was written before the clock was
    /// set back. The ledger fills it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_seconds: Option<u64>,
}

/// Longer than any pause that an earlier version wrote, which did not record how long it was.
pub const LONGEST_UNRECORDED: Duration = Duration::from_secs(3600);

impl Retry {
    /// After one more failure of what only time mends, with a pause of up to five minutes.
    #[must_use]
    pub fn after_failure(&self, problem: Problem, now: Timestamp, seed: &str) -> Self {
        let failures = self.failures.saturating_add(1);
        let wait = SignedDuration::try_from(backoff::delay(failures, seed)).unwrap_or_default();
        Self {
            failures,
            not_before: now.checked_add(wait).ok(),
            problem: Some(problem),
            ..Self::default()
        }
    }

    /// When the pause is over, if it lasts at this time. One that would last longer than it was meant to was written before
    /// the clock was set back: waiting for it would be waiting for as long as the clock was wrong.
    #[must_use]
    pub fn pause_until(&self, now: Timestamp) -> Option<Timestamp> {
        let meant = self.pause_seconds.map_or(LONGEST_UNRECORDED, Duration::from_secs);
        self.not_before
            .filter(|time| *time > now && remaining(*time, now) <= meant)
    }

    /// Records how long a new pause is meant to last.
    pub(super) fn record_pause(&mut self, now: Timestamp) {
        self.pause_seconds = self.not_before.map(|time| {
            let seconds = remaining(time, now).as_secs().saturating_add(1);
            self.pause_seconds.unwrap_or(seconds)
        });
    }
}

/// From now until then; zero when it is past.
fn remaining(time: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_until(time)).unwrap_or_default()
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::fixtures::now;

    #[test]
    fn a_pause_lasts_no_longer_than_it_was_meant_to() {
        let at = |seconds| now() + SignedDuration::from_secs(seconds);
        let mut retry = Retry {
            not_before: Some(at(10)),
            ..Retry::default()
        };
        assert_eq!(
            retry.pause_until(at(-3000)),
            Some(at(10)),
            "of an earlier version"
        );
        retry.record_pause(now());
        for (then, lasts) in [
            (0, true),
            (9, true),
            (10, false),
            (-1, true),
            (-3, false),
            (-3000, false),
        ] {
            assert_eq!(retry.pause_until(at(then)).is_some(), lasts, "{then}");
        }
        // Written again with the rest of the entry, after the clock was set back.
        retry.record_pause(at(-3000));
        assert_eq!(retry.pause_until(at(-3000)), None);
        retry.not_before = None;
        retry.record_pause(now());
        assert_eq!(retry, Retry::default());
    }
}
