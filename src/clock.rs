//! Deadlines on the boot-time clock.
//!
//! Owns: points in time that go on while the machine sleeps or the process is
//! stopped, which `tokio::time` and `Instant` do not promise. Must not: know
//! what the deadline is for.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How long a wait sleeps before it looks at the clock again: a machine that
/// slept notices a passed deadline within this time of waking up.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The source of time: the boot-time clock, or a clock set by hand for tests.
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<AtomicU64>>);

impl Clock {
    /// `CLOCK_BOOTTIME`: time since boot, including suspend.
    pub fn boot() -> Self {
        Self(None)
    }

    /// A clock that stands still until [`Clock::advance`] moves it. For tests.
    pub fn by_hand() -> Self {
        Self(Some(Arc::new(AtomicU64::new(0))))
    }

    /// Moves a clock made by [`Clock::by_hand`]; does nothing to the boot-time clock.
    pub fn advance(&self, by: Duration) {
        if let Some(nanos) = &self.0 {
            nanos.fetch_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX), Ordering::SeqCst);
        }
    }

    /// The time since the clock's start.
    pub fn now(&self) -> Duration {
        if let Some(nanos) = &self.0 {
            return Duration::from_nanos(nanos.load(Ordering::SeqCst));
        }
        let now = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
        Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or(0))
    }
}

/// Names the present boot of the machine: points in time of the boot-time clock can be compared only within one.
pub fn boot_id() -> Option<&'static str> {
    static BOOT: LazyLock<Option<String>> = LazyLock::new(|| {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(id.trim().to_owned()).filter(|id| !id.is_empty())
    });
    BOOT.as_deref()
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Clock(by hand)"
        } else {
            "Clock(boot)"
        })
    }
}

/// The point in time at which a call gives up.
#[derive(Debug, Clone)]
pub struct Deadline {
    at: Duration,
    clock: Clock,
}

impl Deadline {
    /// The deadline that far from now on the boot-time clock.
    pub fn after(from_now: Duration) -> Self {
        Self::after_on(&Clock::boot(), from_now)
    }

    /// The deadline that far from now on the given clock.
    pub fn after_on(clock: &Clock, from_now: Duration) -> Self {
        Self {
            at: clock.now().saturating_add(from_now),
            clock: clock.clone(),
        }
    }

    /// The time left; zero when it has passed.
    pub fn remaining(&self) -> Duration {
        self.at.saturating_sub(self.clock.now())
    }

    /// Whether it has passed.
    pub fn passed(&self) -> bool {
        self.remaining().is_zero()
    }

    /// This deadline, or the one that far from now on the same clock if that is earlier.
    #[must_use]
    pub fn or_after(&self, from_now: Duration) -> Self {
        let at = self.at.min(self.clock.now().saturating_add(from_now));
        Self {
            at,
            clock: self.clock.clone(),
        }
    }

    /// Returns once the deadline has passed.
    pub async fn wait(&self) {
        let look_again = if self.clock.0.is_some() {
            Duration::from_millis(5)
        } else {
            LOOK_AGAIN
        };
        loop {
            let left = self.remaining();
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(look_again)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_when_the_clock_moves() {
        let clock = Clock::by_hand();
        let deadline = Deadline::after_on(&clock, Duration::from_secs(10));
        assert_eq!(deadline.remaining(), Duration::from_secs(10));
        assert!(!deadline.or_after(Duration::from_secs(5)).passed());
        clock.advance(Duration::from_secs(6));
        assert!(!deadline.passed());
        clock.advance(Duration::from_secs(4));
        assert!(deadline.passed());
        assert_eq!(deadline.remaining(), Duration::ZERO);
    }

    #[test]
    fn the_boot_clock_runs() {
        let deadline = Deadline::after(Duration::from_secs(60));
        assert!(!deadline.passed());
        assert!(deadline.remaining() <= Duration::from_secs(60));
        assert!(Deadline::after(Duration::ZERO).passed());
    }
}
