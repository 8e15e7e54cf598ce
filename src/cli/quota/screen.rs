//! The figures of each account as lines.

use std::fmt::Write as _;

use anstyle::Style;

use super::figures::{Day, Figures, Month, PerSecond};
use crate::cli::instant::{age, ms_of, spaced};
use crate::cli::status::screen::{calls::parked, grouped};
use crate::cli::terminal::{BAD, Columns, DIM, NAME, TITLE, WARNING, styled};
use crate::store::look::rows::Row;

const PLAIN: Style = Style::new();

/// All accounts, one after the other.
pub(super) fn as_text(accounts: &[Figures<'_>], now_ms: i64) -> String {
    if accounts.is_empty() {
        return "no account is configured, and none has called anything\n".to_owned();
    }
    let texts: Vec<String> = accounts.iter().map(|account| of_account(account, now_ms)).collect();
    texts.join("\n")
}

fn of_account(account: &Figures<'_>, now_ms: i64) -> String {
    let limits = match (account.edition, account.quota_table) {
        (Some(edition), Some(table)) => format!("{edition}, table {table}"),
        _ => "not in the settings, so that its limits are not known".to_owned(),
    };
    let name = crate::escape::Escaped(account.account).to_string();
    let mut text = format!("{} {}: {limits}\n", styled(TITLE, &format!("account {name}")), account.region);
    let mut lines = Columns::new();
    if let Some(PerSecond { all, reads, writes }) = account.calls_per_second {
        let calls = |count: Option<u32>, what: &str| count.map(|count| format!("{count} {what}"));
        let told: Vec<String> = [calls(all, "calls"), calls(reads, "reads"), calls(writes, "writes")]
            .into_iter()
            .flatten()
            .collect();
        let told = if told.is_empty() { "no limit".to_owned() } else { told.join(" and ") };
        lines.row([(DIM, "A second"), (PLAIN, &told)]);
    }
    of_day(&mut lines, account, now_ms);
    of_month(&mut lines, account);
    if let Some(waiting) = account.waiting {
        of_waiting(&mut lines, waiting, now_ms);
    }
    for row in account.parkings {
        lines.row([(DIM, "Parked"), (WARNING, &parked(row, now_ms))]);
    }
    text.push_str(&lines.lines(2));
    text.push_str(&spenders(account));
    text
}

fn of_day(lines: &mut Columns, account: &Figures<'_>, now_ms: i64) {
    let Day { begins_at, ends_at, sent, succeeded, throttled, limit, left, for_verdicts, forecast } =
        account.day;
    let calendar = account.calendar;
    let (begins, ends) = (calendar.written(begins_at.0), calendar.written(ends_at.0));
    let ends_utc = spaced(&ends_at.to_string());
    let ends_utc = ends_utc.split('.').next().unwrap_or_default();
    let span = format!("{begins} to {ends}, which is {ends_utc} UTC, in {}", age(ends_at.0 - now_ms));
    lines.row([(DIM, "Day"), (PLAIN, &span)]);
    let mut told =
        format!("{} sent{}, {} of them succeeded", count(sent), of_limit(limit, left), count(succeeded));
    // Writing into a String cannot fail.
    if for_verdicts > 0 {
        let _ = write!(told, "; {} more are left to verdicts", count(for_verdicts));
    }
    lines.row([(DIM, ""), (if left == Some(0) { BAD } else { PLAIN }, &told)]);
    if throttled > 0 {
        let why = if account.others_are_spending {
            ", though ours are below the edition's limit: others are spending of the same quota"
        } else {
            ""
        };
        lines.row([(DIM, ""), (WARNING, &format!("{} refused for their number{why}", count(throttled)))]);
    }
    of_forecast(lines, forecast.filter(|sent| *sent > 0).map(|sent| format!("{} sent", count(sent))));
}

fn of_month(lines: &mut Columns, account: &Figures<'_>) {
    let Month {
        begins_at,
        ends_at,
        succeeded,
        in_flight,
        free,
        limit,
        left,
        forecast,
        cost_usd,
        forecast_cost_usd,
        ..
    } = account.month;
    let calendar = account.calendar;
    let span = format!("{} to {}", calendar.written(begins_at.0), calendar.written(ends_at.0));
    lines.row([(DIM, "Month"), (PLAIN, &span)]);
    let on_their_way =
        if in_flight > 0 { format!(", {} in flight", count(in_flight)) } else { String::new() };
    let told = format!("{} succeeded{on_their_way}{}", count(succeeded), of_limit(limit, left));
    lines.row([(DIM, ""), (if left == Some(0) { BAD } else { PLAIN }, &told)]);
    if let Some(free) = free {
        let beyond = match cost_usd {
            Some(cost) => format!("beyond them USD {cost} so far: an estimate, the bill prevails"),
            None => "beyond them calls are refused".to_owned(),
        };
        lines.row([(DIM, ""), (PLAIN, &format!("{} are free, {beyond}", count(free)))]);
    }
    let cost = forecast_cost_usd.map(|cost| format!(", USD {cost}")).unwrap_or_default();
    of_forecast(
        lines,
        forecast
            .filter(|succeeded| *succeeded > 0)
            .map(|succeeded| format!("{} succeeded{cost}", count(succeeded))),
    );
}

fn of_forecast(lines: &mut Columns, forecast: Option<String>) {
    if let Some(forecast) = forecast {
        lines.row([(DIM, ""), (DIM, &format!("as it goes, {forecast} by its end"))]);
    }
}

fn of_limit(limit: Option<u64>, left: Option<u64>) -> String {
    match (limit, left) {
        (Some(limit), Some(left)) => format!(" of {}, {} left", count(limit), count(left)),
        _ => String::new(),
    }
}

fn of_waiting(lines: &mut Columns, waiting: &Row, now_ms: i64) {
    let number = |column| waiting.integer(column).unwrap_or_default();
    let mut told = format!("{} planned, {} of them due", grouped(number("planned")), grouped(number("due")));
    if number("behind") > 0 {
        let _ = write!(told, ", {} behind others of their key", grouped(number("behind")));
    }
    if let Some(runs_at) = waiting.text("runs_at").filter(|at| ms_of(at).is_some_and(|ms| ms > now_ms)) {
        let in_time = ms_of(runs_at).map_or_else(String::new, |ms| age(ms - now_ms));
        let _ = write!(told, "; the first runs at {} UTC, in {in_time}", spaced(runs_at));
    }
    lines.row([(DIM, "Waiting"), (PLAIN, &told)]);
    if number("too_late") > 0 {
        let late = format!(
            "{} of them will be held by then: their time (expires) is over before",
            grouped(number("too_late"))
        );
        lines.row([(DIM, ""), (WARNING, &late)]);
    }
}

fn spenders(account: &Figures<'_>) -> String {
    if account.spenders.is_empty() {
        return String::new();
    }
    let mut columns = Columns::new();
    columns.row(["SPENT BY", "", "TODAY", "SUCCEEDED", "THIS MONTH", "SUCCEEDED"].map(|title| (DIM, title)));
    for row in account.spenders {
        let word = |column| row.text(column).unwrap_or("?");
        let number = |column| grouped(row.integer(column).unwrap_or_default());
        columns.row([
            (DIM, word("kind")),
            (NAME, word("name")),
            (PLAIN, &number("sent_today")),
            (PLAIN, &number("succeeded_today")),
            (PLAIN, &number("sent_month")),
            (PLAIN, &number("succeeded_month")),
        ]);
    }
    let more = match account.spenders_more {
        0 => String::new(),
        more => styled(DIM, &format!("  and {more} more: view quota_spenders\n")),
    };
    format!("{}{more}", columns.lines(2))
}

fn count(number: u64) -> String {
    grouped(i64::try_from(number).unwrap_or(i64::MAX))
}
