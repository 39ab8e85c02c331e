//! Percentiles and spreads: PURE.

use serde::Serialize;

/// The spread of one figure over the rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

/// None without values.
pub(crate) fn spread(values: &[f64]) -> Option<Spread> {
    let sorted = sorted(values);
    Some(Spread {
        min: *sorted.first()?,
        median: median(&sorted)?,
        max: *sorted.last()?,
    })
}

/// The value that at least this share of all values (0 to 1) does not exceed: the nearest rank, never between two
/// values. None without values.
pub(crate) fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let sorted = sorted(values);
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of values, times a number between 0 and 1"
    )]
    let rank = (sorted.len() as f64 * share.clamp(0.0, 1.0)).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// Of sorted values; the mean of the two in the middle of an even number.
fn median(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        1 => sorted.get(middle).copied(),
        _ => Some(f64::midpoint(
            *sorted.get(middle.checked_sub(1)?)?,
            *sorted.get(middle)?,
        )),
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

/// So many pieces of work between two moments, as work per second: the first is done when the time begins. None for
/// fewer than two, and without time.
pub(crate) fn rate(count: usize, seconds: f64) -> Option<f64> {
    let after_the_first = u32::try_from(count.checked_sub(1)?).ok()?;
    (after_the_first > 0 && seconds > 0.0).then(|| f64::from(after_the_first) / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(up_to: u32) -> Vec<f64> {
        (1..=up_to).rev().map(f64::from).collect()
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let hundred = numbers(100);
        assert_eq!(percentile(&hundred, 0.5), Some(50.0));
        assert_eq!(percentile(&hundred, 0.99), Some(99.0));
        assert_eq!(percentile(&hundred, 1.0), Some(100.0));
        assert_eq!(percentile(&hundred, 0.0), Some(1.0));
        // Of few values the 99th percentile is the largest, not something below it.
        assert_eq!(percentile(&numbers(3), 0.99), Some(3.0));
        assert_eq!(percentile(&[7.0], 0.5), Some(7.0));
        assert_eq!(percentile(&[], 0.5), None);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_two() {
        let found = |values: &[f64]| spread(values).map(|spread| spread.median);
        assert_eq!(found(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(found(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(found(&[5.0]), Some(5.0));
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn a_spread_has_the_least_and_the_most() {
        let spread = spread(&[3.0, -1.0, 10.0]).expect("values");
        assert_eq!((spread.min, spread.max), (-1.0, 10.0));
    }

    #[test]
    fn a_rate_counts_what_came_after_the_first() {
        assert_eq!(rate(101, 10.0), Some(10.0));
        assert_eq!(rate(1, 10.0), None);
        assert_eq!(rate(0, 10.0), None);
        assert_eq!(rate(10, 0.0), None);
    }
}
