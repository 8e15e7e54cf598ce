//! The calls that an account may make in its region: editions, tables, calendar and budget.
//!
//! Pure. Counters belong to one account and one region, both API versions together. The provider's
//! tables are data ([`table`]); where a day begins is a setting ([`calendar`]). A [`Budget`] says how much of
//! a day or month is left for us after what was spent; the store asks it in the same write as a claim.
//!
//! Next: [`crate::action`].

use crate::operation::Access;

pub mod calendar;

pub mod table;

pub use calendar::{Calendar, Span};
pub use table::{Allowance, BeyondFree, Edition, Rate, Table};

/// A part of the whole, in percent: 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Percent(u8);

/// From the begin of a call to its arrival it takes no longer, milliseconds: the usual `connect_timeout`
/// and a little.
const SENDING_MS_MAX: i64 = 6_000;

/// Who asks for calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Everything but verdicts.
    Usual,
    /// A verdict that an extension check waits for.
    Urgent,
}

/// What an account may spend, and what of it is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// What the edition is allowed.
    pub allowance: Allowance,
    /// Where days and months begin.
    pub calendar: Calendar,
    /// Left to other programs that call for the same account.
    pub others_share: Percent,
    /// Of what is ours, left to urgent calls.
    pub verdict_share: Percent,
    /// Calls a day that a person set, below the edition's.
    pub calls_per_day_max: Option<u64>,
    /// Successful calls a month that a person set.
    pub calls_per_month_max: Option<u64>,
}

/// What was spent of a day or month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Calls of this day that were sent, whatever came of them.
    pub day_sent: u64,
    /// Calls of this month that succeeded, and those on their way that still may.
    pub month_succeeded: u64,
}

/// Which budget has nothing left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exhausted {
    /// The day's.
    Day,
    /// The month's.
    Month,
}

impl Percent {
    /// `percent` of the whole, at most all of it.
    #[must_use]
    pub fn new(percent: u8) -> Self {
        Percent(percent.min(100))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }

    /// What of `whole` is left without this part, rounded down.
    #[must_use]
    pub fn rest_of(self, whole: u64) -> u64 {
        let rest = u128::from(whole) * u128::from(100 - self.0) / 100;
        u64::try_from(rest).unwrap_or(whole)
    }
}

impl Budget {
    /// Calls a day for `urgency`; `None` is no limit.
    #[must_use]
    pub fn day_limit(&self, urgency: Urgency) -> Option<u64> {
        self.ours(least(self.allowance.calls_per_day, self.calls_per_day_max), urgency)
    }

    /// Successful calls a month for `urgency`; `None` is no limit.
    #[must_use]
    pub fn month_limit(&self, urgency: Urgency) -> Option<u64> {
        let hard = match self.allowance.beyond_free {
            BeyondFree::Impossible => Some(self.allowance.free_per_month),
            BeyondFree::Paid { .. } => None,
        };
        self.ours(least(hard, self.calls_per_month_max), urgency)
    }

    fn ours(&self, limit: Option<u64>, urgency: Urgency) -> Option<u64> {
        let ours = self.others_share.rest_of(limit?);
        Some(match urgency {
            Urgency::Urgent => ours,
            Urgency::Usual => self.verdict_share.rest_of(ours),
        })
    }

    /// How many calls may still be made; the budget that allows none, if one does.
    pub fn left(&self, spent: Spent, urgency: Urgency) -> Result<u64, Exhausted> {
        let left =
            |limit: Option<u64>, spent: u64| limit.map_or(u64::MAX, |limit| limit.saturating_sub(spent));
        let day = left(self.day_limit(urgency), spent.day_sent);
        let month = left(self.month_limit(urgency), spent.month_succeeded);
        match (day, month) {
            (_, 0) => Err(Exhausted::Month),
            (0, _) => Err(Exhausted::Day),
            (day, month) => Ok(day.min(month)),
        }
    }

    /// When the day or month ends, if a call that is begun now could arrive after it: it would count in the next
    /// one, which may be spent to the last call by then.
    #[must_use]
    pub fn turns_soon(&self, now_ms: i64) -> Option<i64> {
        let day = self.day_limit(Urgency::Urgent).map(|_| self.calendar.day(now_ms));
        let month = self.month_limit(Urgency::Urgent).map(|_| self.calendar.month(now_ms));
        let turns = [day, month].into_iter().flatten().map(|span| span.ends_ms).min()?;
        (turns.saturating_sub(now_ms) <= SENDING_MS_MAX).then_some(turns)
    }

    /// Calls a second of our own, at least one of each kind.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.allowance.rate.without(self.others_share)
    }

    /// Which limit calls of `access` count against: reads and writes apart, or all together.
    #[must_use]
    pub fn classes(&self) -> &'static [Option<Access>] {
        match self.allowance.rate {
            Rate::Apart { .. } => &[Some(Access::Read), Some(Access::Write)],
            Rate::Shared(_) | Rate::Unlimited => &[None],
        }
    }
}

fn least(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(edition: Edition, table: Table) -> Budget {
        Budget {
            allowance: table.of(edition),
            calendar: Calendar::default(),
            others_share: Percent::default(),
            verdict_share: Percent::default(),
            calls_per_day_max: None,
            calls_per_month_max: None,
        }
    }

    #[test]
    fn what_is_left_is_the_smaller_of_day_and_month() {
        let basic = budget(Edition::Basic, Table::May2026);
        let left =
            |day_sent, month_succeeded| basic.left(Spent { day_sent, month_succeeded }, Urgency::Usual);
        assert_eq!(left(0, 0), Ok(100));
        assert_eq!(left(99, 0), Ok(1));
        assert_eq!(left(100, 0), Err(Exhausted::Day));
        assert_eq!(left(1_000, 0), Err(Exhausted::Day), "others may have counted more");
        assert_eq!(left(50, 3_090), Ok(10));
        assert_eq!(left(0, 3_100), Err(Exhausted::Month));
        let enterprise = budget(Edition::Enterprise, Table::March2026);
        let spent = Spent { day_sent: 5_000_000, month_succeeded: 90_000_000 };
        assert_eq!(enterprise.left(spent, Urgency::Usual), Ok(u64::MAX), "beyond the free calls it is paid");
    }

    #[test]
    fn shares_leave_room_for_others_and_for_verdicts() {
        let shared = Budget {
            others_share: Percent::new(30),
            verdict_share: Percent::new(10),
            ..budget(Edition::Basic, Table::May2026)
        };
        assert_eq!(shared.day_limit(Urgency::Urgent), Some(70));
        assert_eq!(shared.day_limit(Urgency::Usual), Some(63));
        let spent = Spent { day_sent: 63, month_succeeded: 0 };
        assert_eq!(shared.left(spent, Urgency::Usual), Err(Exhausted::Day));
        assert_eq!(shared.left(spent, Urgency::Urgent), Ok(7));
    }

    #[test]
    fn nothing_is_begun_that_could_arrive_in_the_next_day_or_month() {
        let basic = budget(Edition::Basic, Table::May2026);
        let ends_ms = basic.calendar.day(1_774_425_600_000).ends_ms;
        assert_eq!(basic.turns_soon(ends_ms - 6_001), None);
        assert_eq!(basic.turns_soon(ends_ms - 6_000), Some(ends_ms));
        assert_eq!(basic.turns_soon(ends_ms), None);
        let enterprise = budget(Edition::Enterprise, Table::May2026);
        assert_eq!(enterprise.turns_soon(ends_ms - 1), None, "without a limit nothing can be exceeded");
        let capped = Budget { calls_per_month_max: Some(9), ..enterprise };
        assert_eq!(capped.turns_soon(ends_ms - 1), None, "only its day ends");
        let month_ms = capped.calendar.month(ends_ms).ends_ms;
        assert_eq!(capped.turns_soon(month_ms - 1), Some(month_ms));
    }

    #[test]
    fn a_person_s_limit_holds_where_it_is_lower() {
        let capped = Budget {
            calls_per_day_max: Some(10),
            calls_per_month_max: Some(20),
            ..budget(Edition::Enterprise, Table::May2026)
        };
        assert_eq!(
            (capped.day_limit(Urgency::Usual), capped.month_limit(Urgency::Usual)),
            (Some(10), Some(20))
        );
        let higher = Budget { calls_per_day_max: Some(5_000), ..budget(Edition::Basic, Table::May2026) };
        assert_eq!(higher.day_limit(Urgency::Usual), Some(100));
    }
}
