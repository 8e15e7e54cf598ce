//! Where the quota's days and months begin.
//!
//! The provider does not say in which zone it counts; its billing zone, +08:00, is the natural reading. A
//! fixed offset, to the second: zones with summer time would make days of 23 and 25 hours.

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};

/// The offset of the provider's billing zone, seconds.
const BILLING_OFFSET_S: i32 = 8 * 3600;

/// No zone of the world is further from UTC, seconds.
const OFFSET_S_MAX: i32 = 14 * 3600;

const DAY_MS: i64 = 86_400_000;

/// A call that is claimed so shortly before the end of a day may arrive in the next one.
const SLACK_BEFORE_END_MS: i64 = 15_000;

/// The provider's clock may be behind ours by so much: its day may not have begun.
const SLACK_AFTER_BEGINNING_MS: i64 = 5_000;

/// What was spent in less than this says nothing about a whole day or month.
const FORECAST_AFTER_MS: i64 = 3_600_000;

/// A calendar at a fixed offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Calendar {
    offset_s: i32,
}

/// From its beginning to before its end, milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first moment.
    pub begins_ms: i64,
    /// The first moment after it.
    pub ends_ms: i64,
}

/// The days in which the provider may count a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Days {
    /// The day by our clock.
    pub today: Span,
    /// The one before or after it, if its boundary is near.
    pub neighbour: Option<Span>,
}

/// What is no offset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no offset, expected one like `+08:00` or `-03:30`, at most 14 hours")]
pub struct OffsetError(pub String);

impl Default for Calendar {
    fn default() -> Self {
        Calendar { offset_s: BILLING_OFFSET_S }
    }
}

impl std::str::FromStr for Calendar {
    type Err = OffsetError;

    /// `+HH:MM`, or `+HH:MM:SS`.
    fn from_str(text: &str) -> Result<Self, OffsetError> {
        let wrong = || OffsetError(text.to_owned());
        let (sign, rest) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(rest), _) => (1, rest),
            (_, Some(rest)) => (-1, rest),
            (None, None) => return Err(wrong()),
        };
        let parts: Vec<i32> = rest
            .split(':')
            .map(|part| {
                let is_two_digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
                part.parse().ok().filter(|_| is_two_digits).ok_or_else(wrong)
            })
            .collect::<Result<_, _>>()?;
        let (hours, minutes, seconds) = match parts.as_slice() {
            [hours, minutes] => (*hours, *minutes, 0),
            [hours, minutes, seconds] => (*hours, *minutes, *seconds),
            _ => return Err(wrong()),
        };
        let offset_s = hours * 3600 + minutes * 60 + seconds;
        if minutes >= 60 || seconds >= 60 || offset_s > OFFSET_S_MAX {
            return Err(wrong());
        }
        Ok(Calendar { offset_s: sign * offset_s })
    }
}

impl Span {
    /// When it is surely over for the provider, by our clock.
    #[must_use]
    pub fn surely_over_ms(self) -> i64 {
        self.ends_ms.saturating_add(SLACK_AFTER_BEGINNING_MS)
    }

    /// What `spent` comes to by the end of the span if it goes on as it has up to `now_ms`; nothing is foretold in
    /// the first hour.
    #[must_use]
    pub fn forecast(self, spent: u64, now_ms: i64) -> Option<u64> {
        let gone_ms = now_ms.saturating_sub(self.begins_ms);
        let whole_ms = self.ends_ms.saturating_sub(self.begins_ms);
        if gone_ms < FORECAST_AFTER_MS || gone_ms > whole_ms {
            return None;
        }
        let (whole_ms, gone_ms) = (u128::try_from(whole_ms).ok()?, u128::try_from(gone_ms).ok()?);
        u64::try_from(u128::from(spent) * whole_ms / gone_ms).ok()
    }
}

impl Calendar {
    /// A moment as this calendar writes it, to the minute: `2026-11-28 00:00 +08:00`.
    #[must_use]
    pub fn written(self, at_ms: i64) -> String {
        let zoned = Offset::from_seconds(self.offset_s)
            .ok()
            .zip(Timestamp::from_millisecond(at_ms).ok())
            .map(|(offset, at)| at.to_zoned(TimeZone::fixed(offset)));
        zoned.map_or_else(|| at_ms.to_string(), |at| at.strftime("%Y-%m-%d %H:%M %:z").to_string())
    }

    /// The day that holds `now_ms`.
    #[must_use]
    pub fn day(self, now_ms: i64) -> Span {
        let offset_ms = i64::from(self.offset_s) * 1000;
        let days = now_ms.saturating_add(offset_ms).div_euclid(DAY_MS);
        let begins_ms = days.saturating_mul(DAY_MS).saturating_sub(offset_ms);
        Span { begins_ms, ends_ms: begins_ms.saturating_add(DAY_MS) }
    }

    /// The days in which a call that is claimed at `now_ms` may be counted.
    #[must_use]
    pub fn days(self, now_ms: i64) -> Days {
        let today = self.day(now_ms);
        let nearby = [
            self.day(now_ms.saturating_sub(SLACK_AFTER_BEGINNING_MS)),
            self.day(now_ms.saturating_add(SLACK_BEFORE_END_MS)),
        ];
        Days { today, neighbour: nearby.into_iter().find(|day| *day != today) }
    }

    /// The month that holds `now_ms`.
    #[must_use]
    pub fn month(self, now_ms: i64) -> Span {
        self.month_by_calendar(now_ms).unwrap_or_else(|| {
            // Outside of what a calendar can write; no clock that works comes here.
            let day = self.day(now_ms);
            Span { begins_ms: day.begins_ms, ends_ms: day.begins_ms.saturating_add(31 * DAY_MS) }
        })
    }

    fn month_by_calendar(self, now_ms: i64) -> Option<Span> {
        let zone = TimeZone::fixed(Offset::from_seconds(self.offset_s).ok()?);
        let first = Timestamp::from_millisecond(now_ms).ok()?.to_zoned(zone.clone()).date().first_of_month();
        let next = first.checked_add(1.month()).ok()?;
        let at = |date: Date| Some(date.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond());
        Some(Span { begins_ms: at(first)?, ends_ms: at(next)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().expect("a time").as_millisecond()
    }

    fn calendar(text: &str) -> Calendar {
        text.parse().expect("an offset")
    }

    #[test]
    fn days_and_months_begin_at_the_offset() {
        let now = ms("2026-11-30T15:59:59Z");
        for (offset, day, month) in [
            (
                "+08:00",
                ("2026-11-29T16:00:00Z", "2026-11-30T16:00:00Z"),
                ("2026-10-31T16:00:00Z", "2026-11-30T16:00:00Z"),
            ),
            (
                "+08:00:01",
                ("2026-11-30T15:59:59Z", "2026-12-01T15:59:59Z"),
                ("2026-11-30T15:59:59Z", "2026-12-31T15:59:59Z"),
            ),
            (
                "+00:00",
                ("2026-11-30T00:00:00Z", "2026-12-01T00:00:00Z"),
                ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
            ),
            (
                "-03:30",
                ("2026-11-30T03:30:00Z", "2026-12-01T03:30:00Z"),
                ("2026-11-01T03:30:00Z", "2026-12-01T03:30:00Z"),
            ),
        ] {
            let span = |(begins, ends)| Span { begins_ms: ms(begins), ends_ms: ms(ends) };
            assert_eq!(calendar(offset).day(now), span(day), "{offset}");
            assert_eq!(calendar(offset).month(now), span(month), "{offset}");
        }
        assert_eq!(Calendar::default(), calendar("+08:00"));
    }

    #[test]
    fn a_forecast_goes_on_as_so_far_and_waits_an_hour() {
        let day = calendar("+08:00").day(ms("2026-11-30T15:59:59Z"));
        let at = |hours: i64| day.begins_ms + hours * 3_600_000;
        for (hours, spent, expected) in [
            (0, 7, None),
            (1, 7, Some(168)),
            (6, 100, Some(400)),
            (24, 100, Some(100)),
            (25, 100, None),
            (-1, 5, None),
        ] {
            assert_eq!(day.forecast(spent, at(hours)), expected, "{hours}");
        }
        assert_eq!(day.forecast(7, at(1) - 1), None);
        assert_eq!(day.forecast(u64::MAX, at(1)), None);
    }

    #[test]
    fn moments_are_written_with_the_offset() {
        let moment = ms("2026-11-30T15:59:59Z");
        assert_eq!(calendar("+08:00").written(moment), "2026-11-30 23:59 +08:00");
        assert_eq!(calendar("-03:30").written(moment), "2026-11-30 12:29 -03:30");
    }

    #[test]
    fn near_a_boundary_a_call_counts_in_both_days() {
        let utc = calendar("+00:00");
        let (first, second) = (utc.day(0), utc.day(DAY_MS));
        for (now_ms, today, neighbour) in [
            (DAY_MS - 15_001, first, None),
            (DAY_MS - 15_000, first, Some(second)),
            (DAY_MS - 1, first, Some(second)),
            (DAY_MS, second, Some(first)),
            (DAY_MS + 4_999, second, Some(first)),
            (DAY_MS + 5_000, second, None),
        ] {
            assert_eq!(utc.days(now_ms), Days { today, neighbour }, "{now_ms}");
        }
        assert_eq!(first.surely_over_ms(), DAY_MS + 5_000);
    }

    #[test]
    fn what_is_no_offset_is_refused() {
        for text in
            ["", "08:00", "+8:00", "+08", "+08:60", "+15:00", "+08:00:00:00", "+0a:00", "Z", "+08:00:60"]
        {
            assert!(text.parse::<Calendar>().is_err(), "{text}");
        }
    }

    #[test]
    fn times_far_from_ours_have_a_day_and_a_month_too() {
        for now in [i64::MIN, i64::MAX, 0, -1] {
            let (day, month) = (Calendar::default().day(now), Calendar::default().month(now));
            assert!(day.begins_ms <= day.ends_ms && month.begins_ms <= month.ends_ms);
        }
    }
}
