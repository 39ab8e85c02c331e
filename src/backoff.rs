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

/// The pauses after so many noes of the service in a row, in seconds. The later ones are for answers that never came:
/// each try may leave a copy of the value there.
const PAUSES: [u64; 8] = [10, 30, 60, 120, 300, 600, 1200, 1800];

/// How many of them there are after a no that says that nothing was stored.
const AFTER_A_NO: usize = 5;

/// How often what a person must mend is tried again all the same, in seconds.
const SELDOM: u64 = 3600;

/// No pause is longer: an hour, lengthened by a quarter.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(SELDOM + SELDOM / 4);

/// The pause after so many noes in a row: 10, 30, 60, 120 and 300 s, lengthened by up to a quarter.
#[must_use]
pub fn pause(failures: u32, seed: &str) -> Duration {
    lengthened(nth(failures, AFTER_A_NO), failures, seed)
}

/// The same after answers that never came: up to 1800 s.
#[must_use]
pub fn long_pause(failures: u32, seed: &str) -> Duration {
    lengthened(nth(failures, PAUSES.len()), failures, seed)
}

/// The pause of what a person must mend: an hour, lengthened by up to a quarter.
#[must_use]
pub fn seldom(failures: u32, seed: &str) -> Duration {
    lengthened(SELDOM, failures, seed)
}

/// The pauses of a provider after so many rate limits in a row, in seconds. The eighth ends after the 20 minutes in which the
/// service counts, so that until then no window is missed by more than five minutes; what lasts longer is another limit.
const LIMIT_PAUSES: [u64; 11] = [10, 30, 60, 120, 300, 300, 300, 300, 600, 1200, 1800];

/// The pause of a provider after so many rate limits in a row: exact, and an hour in the end.
#[must_use]
pub fn provider_pause(limits: u32) -> Duration {
    let at = usize::try_from(limits.saturating_sub(1)).unwrap_or(usize::MAX);
    Duration::from_secs(LIMIT_PAUSES.get(at).copied().unwrap_or(SELDOM))
}

fn nth(failures: u32, among: usize) -> u64 {
    let at = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    PAUSES
        .get(at.min(among.saturating_sub(1)))
        .copied()
        .unwrap_or(SELDOM)
}

/// Never shorter: what must not be repeated soon must not be repeated sooner.
fn lengthened(seconds: u64, count: u32, seed: &str) -> Duration {
    Duration::from_secs(seconds).mul_f64(1.0 + 0.25 * fraction(count, seed))
}

/// An interval shortened by up to a quarter, so that many of one length do not fall together.
#[must_use]
pub fn spread(interval: Duration, seed: &str) -> Duration {
    interval.mul_f64(0.75 + 0.25 * fraction(0, seed))
}

/// How soon to look again for something that may have been mended without an event, after waiting for it so long: within
/// 10 seconds at first, after two thirds of the wait later, and at most 10 minutes apart.
#[must_use]
pub fn look_again(waited: Duration, seed: &str) -> Duration {
    const SOONEST: Duration = Duration::from_secs(10);
    const LATEST: Duration = Duration::from_secs(600);
    spread((waited * 2 / 3).clamp(SOONEST, LATEST), seed)
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
        fn a_pause_is_only_lengthened(failures in 0u32..u32::MAX, seed in ".*") {
            let short = pause(failures, &seed);
            let long = long_pause(failures, &seed);
            prop_assert!(short >= Duration::from_secs(10) && short <= Duration::from_secs(375));
            prop_assert!(long >= short && long <= Duration::from_secs(2250));
            let seldom = seldom(failures, &seed);
            prop_assert!(seldom >= Duration::from_secs(3600) && seldom <= LONGEST_PAUSE);
        }

        #[test]
        fn looks_again_in_time(waited in 0u64..1_000_000, seed in ".*") {
            let wait = look_again(Duration::from_secs(waited), &seed);
            prop_assert!(wait <= Duration::from_secs((waited * 2 / 3 + 1).clamp(10, 600)));
            prop_assert!(wait >= Duration::from_secs(7), "never busy");
        }
    }

    #[test]
    fn pauses_grow() {
        let nominal = |pause: Duration| PAUSES.iter().rev().find(|s| pause.as_secs() >= **s).copied();
        let noes: Vec<_> = (1..=9)
            .map(|n| nominal(pause(n, "a")).unwrap_or_default())
            .collect();
        assert_eq!(noes, [10, 30, 60, 120, 300, 300, 300, 300, 300]);
        let lost: Vec<_> = (1..=9)
            .map(|n| nominal(long_pause(n, "a")).unwrap_or_default())
            .collect();
        assert_eq!(lost, [10, 30, 60, 120, 300, 600, 1200, 1800, 1800]);
        let limits: Vec<_> = [0, 1, 2, 8, 9, 11, 12, 99]
            .map(|n| provider_pause(n).as_secs())
            .into();
        assert_eq!(limits, [10, 10, 30, 300, 600, 1800, 3600, 3600]);
    }

    #[test]
    fn grows() {
        assert!(delay(1, "a") < delay(3, "a"));
        assert!(delay(3, "a") < delay(7, "a"));
    }
}
