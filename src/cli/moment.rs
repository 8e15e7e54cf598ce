//! A time as people write it: how long ago, or a time with its zone.

use std::time::Duration;

use jiff::Timestamp;

use crate::duration;

/// A time; how long ago is counted from the start of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// So long ago.
    Ago(Duration),
    /// At this time, milliseconds since 1970.
    At(i64),
}

/// Reads what stands after `--since` or `--until`.
///
/// # Errors
/// It is neither of the two forms.
pub fn parse(text: &str) -> Result<Moment, String> {
    if let Ok(time) = text.trim().parse::<Timestamp>() {
        return Ok(Moment::At(time.as_millisecond()));
    }
    duration::parse(text).map(Moment::Ago).map_err(|_| {
        "expected how long ago (`24h`, `7d`), or a time with its zone (`2026-11-22T10:00:00Z`, \
         `2026-11-22T18:00:00+08:00`)"
            .to_owned()
    })
}

impl Moment {
    /// When that is, at `now_ms`.
    #[must_use]
    pub fn at_ms(self, now_ms: i64) -> i64 {
        match self {
            Moment::Ago(ago) => now_ms.saturating_sub(duration::whole_ms(ago)),
            Moment::At(at_ms) => at_ms,
        }
    }
}

/// A time to the second, in UTC.
#[must_use]
pub fn spaced(at_ms: i64) -> String {
    let time = Timestamp::from_millisecond(at_ms).map(|time| format!("{time:.0}")).unwrap_or_default();
    super::instant::spaced(&time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_time_are_read() {
        for (text, expected) in [
            ("2h", 2_800_000),
            ("0s", 10_000_000),
            ("1970-01-01T00:01:00Z", 60_000),
            ("1970-01-01T08:01:00.250+08:00", 60_250),
        ] {
            assert_eq!(parse(text).map(|moment| moment.at_ms(10_000_000)), Ok(expected), "{text}");
        }
        for text in ["", "yesterday", "2026-11-22", "2026-11-22T10:00:00", "-1h"] {
            assert!(parse(text).expect_err(text).contains("how long ago"), "{text}");
        }
        assert_eq!(spaced(60_999), "1970-01-01 00:01:00");
    }
}
