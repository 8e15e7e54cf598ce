//! Times and ages as people read them: exact times in UTC, ages in at most two units.

use jiff::Timestamp;

/// Milliseconds since 1970 of a time as the views write it.
#[must_use]
pub fn ms_of(time: &str) -> Option<i64> {
    Some(time.parse::<Timestamp>().ok()?.as_millisecond())
}

/// A time of the views without its letters: `2026-11-22 03:26:41.123`.
#[must_use]
pub fn spaced(time: &str) -> String {
    time.replace('T', " ").trim_end_matches('Z').to_owned()
}

/// How long ago `time` of the views was at `now_ms`.
#[must_use]
pub fn ago(time: &str, now_ms: i64) -> String {
    ms_of(time).map_or_else(|| "?".to_owned(), |ms| age(now_ms - ms))
}

/// A length of time: `45s`, `2m5s`, `3h20m`, `2d4h`, `40d`. Below a second, and before now, it is `0s`.
#[must_use]
pub fn age(ms: i64) -> String {
    let seconds = (ms / 1_000).max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let two = |large: i64, unit: &str, small: i64, lower: &str| match small {
        0 => format!("{large}{unit}"),
        _ => format!("{large}{unit}{small}{lower}"),
    };
    match seconds {
        ..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..86_400 => two(hours, "h", minutes % 60, "m"),
        86_400..691_200 => two(days, "d", hours % 24, "h"),
        _ => format!("{days}d"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_two_units_at_most() {
        for (seconds, text) in [
            (-5, "0s"),
            (0, "0s"),
            (119, "119s"),
            (125, "2m5s"),
            (180, "3m"),
            (3_600, "60m"),
            (12_000, "3h20m"),
            (187_200, "2d4h"),
            (3_456_000, "40d"),
        ] {
            assert_eq!(age(seconds * 1_000), text, "{seconds}");
        }
    }

    #[test]
    fn times_of_the_views_are_understood() {
        let time = "2026-11-22T03:26:41.123Z";
        assert_eq!(spaced(time), "2026-11-22 03:26:41.123");
        assert_eq!(ago(time, ms_of(time).unwrap_or(0) + 5_999), "5s");
        assert_eq!(ago("yesterday", 0), "?");
    }
}
