//! Go-style durations of whole seconds, as `ttl` and `pollInterval` use them.

use std::time::Duration;

/// Why a duration cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a duration of whole seconds such as \"24h\", \"90m\" or \"1h30m\"")]
pub struct DurationError;

/// Reads `[Nh][Nm][Ns]`, at least one part, in this order.
///
/// # Errors
/// When the text has another form or the sum does not fit into 64 bits.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text;
    let mut seconds: u64 = 0;
    for (unit, factor) in [('h', 3600), ('m', 60), ('s', 1)] {
        let Some((digits, tail)) = rest.split_once(unit) else {
            continue;
        };
        let count: u64 = whole_number(digits)?;
        seconds = count
            .checked_mul(factor)
            .and_then(|part| seconds.checked_add(part))
            .ok_or(DurationError)?;
        rest = tail;
    }
    if text.is_empty() || !rest.is_empty() {
        return Err(DurationError);
    }
    Ok(Duration::from_secs(seconds))
}

/// `u64::from_str` takes a leading plus sign, which the CRD's pattern does not.
fn whole_number(digits: &str) -> Result<u64, DurationError> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        digits.parse().map_err(|_| DurationError)
    } else {
        Err(DurationError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_go_reads() {
        for (text, seconds) in [
            ("24h", 86_400),
            ("90m", 5_400),
            ("1h30m", 5_400),
            ("61s", 61),
            ("1h1s", 3_601),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "h",
            "1",
            "1d",
            "1m1h",
            "1.5h",
            "-1h",
            "+1h",
            " 1h",
            "1h ",
            "1hh",
            "1ms",
            "99999999999999999999h",
        ] {
            assert_eq!(parse(text), Err(DurationError), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn reads_every_sum(h in 0u64..9_999, m in 0u64..9_999, s in 0u64..9_999) {
            prop_assert_eq!(parse(&format!("{h}h{m}m{s}s")), Ok(Duration::from_secs(h * 3600 + m * 60 + s)));
        }
    }
}
