//! Durations as people write them in settings and rules: `500ms`, `90s`, `30m`, `7d`, `1h30m`.
//!
//! A duration is one or more whole numbers with their units, the larger unit first. A number without a
//! unit is refused, since it says nothing about what was meant. The module is pure.

use std::time::Duration;

/// Unit and its length in milliseconds, from the largest.
const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// There is no text.
    #[error("empty duration, expected a number and a unit such as `30s`")]
    Empty,
    /// A part does not begin with a number.
    #[error("`{0}` is no duration, expected whole numbers with units such as `500ms`, `30s` or `1h30m`")]
    NoNumber(String),
    /// A number has no unit.
    #[error("`{0}` has no unit, expected one of ms, s, m, h, d, w (`{0}s` is {0} seconds)")]
    NoUnit(String),
    /// A number has an unknown unit.
    #[error("`{0}` is no unit of time, expected one of ms, s, m, h, d, w")]
    UnknownUnit(String),
    /// The units do not fall from the larger to the smaller.
    #[error("`{0}` repeats a unit or begins with the smaller one, write the larger unit first: `1h30m`")]
    UnitOrder(String),
    /// The duration is over 100 years.
    #[error("`{0}` is longer than 100 years")]
    TooLong(String),
}

/// The duration written as `text`.
///
/// # Errors
/// The text is empty, a number lacks its unit, the unit is unknown or out of order, or the sum is over
/// 100 years.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(DurationError::Empty);
    }
    let (mut total_ms, mut smallest) = (0_u64, u64::MAX);
    while !rest.is_empty() {
        let (digits, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
        if digits.is_empty() {
            return Err(DurationError::NoNumber(text.to_owned()));
        }
        let (unit, after) =
            after.split_at(after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len()));
        if unit.is_empty() && after.is_empty() {
            return Err(DurationError::NoUnit(digits.to_owned()));
        }
        if unit.is_empty() {
            return Err(DurationError::NoNumber(text.to_owned()));
        }
        let Some((_, unit_ms)) = UNITS.into_iter().find(|(name, _)| *name == unit) else {
            return Err(DurationError::UnknownUnit(unit.to_owned()));
        };
        if unit_ms >= smallest {
            return Err(DurationError::UnitOrder(text.to_owned()));
        }
        smallest = unit_ms;
        total_ms = add(total_ms, digits, unit_ms).ok_or_else(|| DurationError::TooLong(text.to_owned()))?;
        rest = after;
    }
    Ok(Duration::from_millis(total_ms))
}

/// The sum, unless it is over 100 years.
fn add(total_ms: u64, digits: &str, unit_ms: u64) -> Option<u64> {
    const MAX_MS: u64 = 100 * 366 * 86_400_000;
    let part_ms = digits.parse::<u64>().ok()?.checked_mul(unit_ms)?;
    total_ms.checked_add(part_ms).filter(|sum| *sum <= MAX_MS)
}

/// Whole milliseconds, as times are stored and compared; longer than 292 million years is that.
#[must_use]
pub fn whole_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units_are_durations() {
        for (text, ms) in [
            ("0s", 0),
            ("500ms", 500),
            ("90s", 90_000),
            ("30m", 1_800_000),
            ("1h30m", 5_400_000),
            ("7d", 604_800_000),
            ("2w", 1_209_600_000),
            (" 20ms ", 20),
            ("1m1ms", 60_001),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_what_was_expected() {
        for (text, error) in [
            ("", DurationError::Empty),
            ("  ", DurationError::Empty),
            ("30", DurationError::NoUnit("30".into())),
            ("soon", DurationError::NoNumber("soon".into())),
            ("-5s", DurationError::NoNumber("-5s".into())),
            ("1.5h", DurationError::NoNumber("1.5h".into())),
            ("5 minutes", DurationError::NoNumber("5 minutes".into())),
            ("5min", DurationError::UnknownUnit("min".into())),
            ("5S", DurationError::UnknownUnit("S".into())),
            ("30m1h", DurationError::UnitOrder("30m1h".into())),
            ("1s1s", DurationError::UnitOrder("1s1s".into())),
            ("99999999999999999999d", DurationError::TooLong("99999999999999999999d".into())),
            ("101w5000000w", DurationError::UnitOrder("101w5000000w".into())),
            ("40000d", DurationError::TooLong("40000d".into())),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".{0,20}") {
            let _ = parse(&text);
        }

        #[test]
        fn seconds_are_seconds(seconds in 0_u64..3_000_000_000) {
            proptest::prop_assert_eq!(parse(&format!("{seconds}s")), Ok(Duration::from_secs(seconds)));
        }
    }
}
