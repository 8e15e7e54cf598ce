//! What the figures come to: limits, what is left, forecasts and costs; and as JSON.

use serde::Serialize;

use super::{Account, Called};
use crate::cli::instant::Utc;
use crate::quota::{Budget, Calendar, Rate, Span, Urgency};
use crate::store::look::rows::Row;

/// Spenders that are named.
const SPENDERS_MAX: usize = 20;

/// An account as it is shown; the names are those of the JSON.
#[derive(Debug, Serialize)]
pub(super) struct Figures<'a> {
    pub(super) account: &'a str,
    pub(super) region: &'a str,
    /// `None`: the settings do not know it.
    pub(super) edition: Option<&'static str>,
    pub(super) quota_table: Option<&'static str>,
    pub(super) calls_per_second: Option<PerSecond>,
    pub(super) day: Day,
    pub(super) month: Month,
    /// Calls were refused for their number while our own count was below the edition's limit.
    pub(super) others_are_spending: bool,
    /// `None`: it waits for the region that the settings give the account.
    pub(super) waiting: Option<&'a Row>,
    pub(super) parkings: &'a [Row],
    pub(super) spenders: &'a [Row],
    pub(super) spenders_more: usize,
    #[serde(skip)]
    pub(super) calendar: Calendar,
}

/// Calls a second of our own.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct PerSecond {
    pub(super) all: Option<u32>,
    pub(super) reads: Option<u32>,
    pub(super) writes: Option<u32>,
}

/// Of the day.
#[derive(Debug, Serialize)]
pub(super) struct Day {
    pub(super) begins_at: Utc,
    pub(super) ends_at: Utc,
    pub(super) sent: u64,
    pub(super) succeeded: u64,
    pub(super) throttled: u64,
    /// For all calls but verdicts; `None` is no limit.
    pub(super) limit: Option<u64>,
    pub(super) left: Option<u64>,
    /// Beyond `limit`, for verdicts.
    pub(super) for_verdicts: u64,
    pub(super) forecast: Option<u64>,
}

/// Of the month.
#[derive(Debug, Serialize)]
pub(super) struct Month {
    pub(super) begins_at: Utc,
    pub(super) ends_at: Utc,
    pub(super) sent: u64,
    pub(super) succeeded: u64,
    /// On their way: they may succeed.
    pub(super) in_flight: u64,
    pub(super) throttled: u64,
    pub(super) free: Option<u64>,
    pub(super) limit: Option<u64>,
    pub(super) left: Option<u64>,
    pub(super) forecast: Option<u64>,
    /// An estimate: the bill prevails. `None` where no call can be bought.
    pub(super) cost_usd: Option<Usd>,
    pub(super) forecast_cost_usd: Option<Usd>,
}

/// Millionths of a US dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usd(pub(super) u64);

impl std::fmt::Display for Usd {
    /// To the cent, and further where less than that is left.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (dollars, millionths) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let digits = format!("{millionths:06}");
        let kept = digits.trim_end_matches('0').len().max(2);
        write!(f, "{dollars}.{}", digits.get(..kept).unwrap_or(&digits))
    }
}

impl Serialize for Usd {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number: Result<f64, _> = self.to_string().parse();
        number.unwrap_or_default().serialize(serializer)
    }
}

/// What `account` comes to at `now_ms`.
pub(super) fn of(account: &Account, now_ms: i64) -> Figures<'_> {
    let Account { asked, calendar, may_spend, spent, called } = account;
    let is_called = *called == Called::Here;
    let budget = may_spend.as_ref().map(|budget| &budget.budget);
    let day = day(&spent.day, asked.day, budget, now_ms);
    // Below what the edition allows to all who use the account, it was not we who used it up.
    let allowed = budget.and_then(|budget| budget.allowance.calls_per_day);
    let others_are_spending =
        budget.is_some() && day.throttled > 0 && allowed.is_none_or(|limit| day.sent < limit);
    Figures {
        account: &asked.account,
        region: &asked.region,
        edition: may_spend.as_ref().map(|budget| budget.edition.as_str()),
        quota_table: may_spend.as_ref().map(|budget| budget.table.as_str()),
        calls_per_second: budget.map(|budget| per_second(budget.rate())),
        month: month(&spent.month, asked.month, budget, now_ms),
        others_are_spending,
        day,
        waiting: is_called.then_some(&spent.waiting),
        parkings: if is_called { &spent.parkings } else { &[] },
        spenders: spent.spenders.get(..SPENDERS_MAX).unwrap_or(&spent.spenders),
        spenders_more: spent.spenders.len().saturating_sub(SPENDERS_MAX),
        calendar: *calendar,
    }
}

fn day(row: &Row, span: Span, budget: Option<&Budget>, now_ms: i64) -> Day {
    let sent = number(row, "sent");
    let limit = budget.and_then(|budget| budget.day_limit(Urgency::Usual));
    let urgent = budget.and_then(|budget| budget.day_limit(Urgency::Urgent));
    Day {
        begins_at: Utc(span.begins_ms),
        ends_at: Utc(span.ends_ms),
        sent,
        succeeded: number(row, "succeeded"),
        throttled: number(row, "throttled"),
        limit,
        left: limit.map(|limit| limit.saturating_sub(sent)),
        for_verdicts: urgent.unwrap_or_default().saturating_sub(limit.unwrap_or_default()),
        forecast: span.forecast(sent, now_ms),
    }
}

fn month(row: &Row, span: Span, budget: Option<&Budget>, now_ms: i64) -> Month {
    let (succeeded, in_flight) = (number(row, "succeeded"), number(row, "in_flight"));
    let limit = budget.and_then(|budget| budget.month_limit(Urgency::Usual));
    let forecast = span.forecast(succeeded, now_ms);
    let cost = |succeeded: u64| budget.and_then(|budget| budget.allowance.micro_usd(succeeded)).map(Usd);
    Month {
        begins_at: Utc(span.begins_ms),
        ends_at: Utc(span.ends_ms),
        sent: number(row, "sent"),
        succeeded,
        in_flight,
        throttled: number(row, "throttled"),
        free: budget.map(|budget| budget.allowance.free_per_month),
        limit,
        left: limit.map(|limit| limit.saturating_sub(succeeded.saturating_add(in_flight))),
        forecast,
        cost_usd: cost(succeeded),
        forecast_cost_usd: forecast.and_then(cost),
    }
}

fn per_second(rate: Rate) -> PerSecond {
    let (all, reads, writes) = match rate {
        Rate::Shared(all) => (Some(all.get()), None, None),
        Rate::Apart { reads, writes } => (None, Some(reads.get()), Some(writes.get())),
        Rate::Unlimited => (None, None, None),
    };
    PerSecond { all, reads, writes }
}

fn number(row: &Row, column: &str) -> u64 {
    row.integer(column).and_then(|number| u64::try_from(number).ok()).unwrap_or_default()
}

/// One line of JSON.
pub(super) fn as_json(accounts: &[Figures<'_>], now_ms: i64) -> String {
    #[derive(Serialize)]
    struct Object<'a> {
        at: Utc,
        accounts: &'a [Figures<'a>],
    }
    // Only a map whose keys are no text could fail here.
    let mut line = serde_json::to_string(&Object { at: Utc(now_ms), accounts }).unwrap_or_default();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_written_to_the_cent_at_least() {
        for (micro, text) in
            [(0, "0.00"), (50_000, "0.05"), (1_500_000, "1.50"), (5, "0.000005"), (7_000_123, "7.000123")]
        {
            assert_eq!(Usd(micro).to_string(), text);
        }
    }
}
