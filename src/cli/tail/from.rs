//! Where to begin, as people write it: `earliest`, `latest`, `10m`, `2026-11-22T10:00:00Z`, `1042`.

use std::time::Duration;

use crate::duration;
use crate::kafka::Begin;

/// Where to begin; how long ago is counted from the start of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// As Kafka knows it.
    Place(Begin),
    /// So long ago.
    Ago(Duration),
}

/// Reads what stands after `--from`.
pub(super) fn parse(text: &str) -> Result<From, String> {
    let trimmed = text.trim();
    let place = match trimmed {
        "earliest" => Some(Begin::Earliest),
        "latest" => Some(Begin::Latest),
        digits if !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()) => Some(
            digits
                .parse()
                .map(Begin::Offset)
                .map_err(|_| format!("`{digits}` is no offset, it is too large"))?,
        ),
        _ => trimmed.parse::<jiff::Timestamp>().ok().map(|time| Begin::Time(time.as_millisecond())),
    };
    if let Some(place) = place {
        return Ok(From::Place(place));
    }
    let ago = trimmed.strip_suffix("ago").map_or(trimmed, str::trim_end);
    duration::parse(ago).map(From::Ago).map_err(|_| {
        "expected earliest, latest, how long ago (`10m`, `2h`), a time with its zone \
         (`2026-11-22T10:00:00Z`, `2026-11-22T18:00:00+08:00`), or an offset (`1042`)"
            .to_owned()
    })
}

impl From {
    /// Where that is, at `now_ms`.
    pub(super) fn begin(self, now_ms: i64) -> Begin {
        match self {
            From::Place(begin) => begin,
            From::Ago(ago) => Begin::Time(now_ms.saturating_sub(duration::whole_ms(ago)).max(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_beginning_is_read() {
        for (text, expected) in [
            ("earliest", Begin::Earliest),
            (" latest ", Begin::Latest),
            ("0", Begin::Offset(0)),
            ("1042", Begin::Offset(1042)),
            ("10m", Begin::Time(9_400_000)),
            ("1h30m ago", Begin::Time(4_600_000)),
            ("52w", Begin::Time(0)),
            ("1970-01-01T00:01:00Z", Begin::Time(60_000)),
            ("1970-01-01T08:01:00.250+08:00", Begin::Time(60_250)),
        ] {
            assert_eq!(parse(text).map(|from| from.begin(10_000_000)), Ok(expected), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_all_forms() {
        for text in ["", "first", "-1", "10x", "ago", "2026-11-22", "2026-11-22T10:00:00", "m10"] {
            let told = parse(text).expect_err(text);
            assert!(told.contains("earliest") && told.contains("10m") && told.contains("zone"), "{told}");
        }
        let told = parse("99999999999999999999").expect_err("it is too large");
        assert!(told.contains("too large"), "{told}");
    }
}
