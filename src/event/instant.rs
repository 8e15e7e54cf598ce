//! The two forms of `aliyunpublishtime`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// Milliseconds since 1970 of `2020-11-19T21:04:42.179PRC` (eight hours east) or of ISO 8601 with a zone.
pub(super) fn published_ms(text: &str) -> Option<i64> {
    let timestamp = match text.strip_suffix("PRC") {
        Some(local) => Offset::constant(8).to_timestamp(local.parse::<DateTime>().ok()?).ok()?,
        None => text.parse::<Timestamp>().ok()?,
    };
    Some(timestamp.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_a_time_without_zone_is_not() {
        assert_eq!(published_ms("2020-11-19T21:04:42.179PRC"), Some(1_605_791_082_179));
        assert_eq!(published_ms("2020-11-19T13:04:42.179Z"), Some(1_605_791_082_179));
        assert_eq!(published_ms("2020-11-19T21:04:42.179+08:00"), Some(1_605_791_082_179));
        for text in ["", "PRC", "2020-11-19T21:04:42", "21:04:42PRC", "2020-13-19T21:04:42PRC", "now"] {
            assert_eq!(published_ms(text), None, "{text}");
        }
    }
}
