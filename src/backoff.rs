//! When to try again: PURE. Exponential, capped, and spread by a hash instead of a random number, so that the same
//! inputs give the same answer.

use sha2::{Digest, Sha256};
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(5);
const CAP: Duration = Duration::from_secs(300);

/// The wait after so many failures in a row, at most 5 minutes; between 75 and 100 percent of the nominal one.
#[must_use]
pub fn delay(failures: u32, seed: &str) -> Duration {
    let nominal = FIRST
        .saturating_mul(1 << failures.saturating_sub(1).min(10))
        .min(CAP);
    nominal.mul_f64(0.75 + 0.25 * fraction(failures, seed))
}

/// An interval shortened by up to a quarter, so that many of one length do not fall together.
#[must_use]
pub fn spread(interval: Duration, seed: &str) -> Duration {
    interval.mul_f64(0.75 + 0.25 * fraction(0, seed))
}

/// How soon to look again for something that may have been cured without an event: within 15 seconds while the share
/// is young, within a minute later.
#[must_use]
pub fn look_again(age: Duration, seed: &str) -> Duration {
    let nominal = if age < Duration::from_secs(600) {
        Duration::from_secs(10)
    } else {
        Duration::from_secs(50)
    };
    spread(nominal, seed)
}

/// A number from 0 to 1 that depends on the inputs alone.
fn fraction(count: u32, seed: &str) -> f64 {
    let hash = Sha256::new()
        .chain_update(count.to_be_bytes())
        .chain_update(seed.as_bytes())
        .finalize();
    f64::from(u16::from_be_bytes([hash[0], hash[1]])) / f64::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn stays_within_bounds(failures in 0u32..u32::MAX, seed in ".*") {
            let wait = delay(failures, &seed);
            prop_assert!(wait >= FIRST.mul_f64(0.75) && wait <= CAP);
        }

        #[test]
        fn looks_again_in_time(age in 0u64..1_000_000, seed in ".*") {
            let wait = look_again(Duration::from_secs(age), &seed);
            let limit = if age < 600 { 15 } else { 60 };
            prop_assert!(wait <= Duration::from_secs(limit));
            prop_assert!(wait >= Duration::from_secs(5), "never busy");
        }
    }

    #[test]
    fn grows() {
        assert!(delay(1, "a") < delay(3, "a"));
        assert!(delay(3, "a") < delay(7, "a"));
    }
}
