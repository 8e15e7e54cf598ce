//! What people stopped, what is parked and until when, and what was spent of the quota's day.

use super::{DIM, LINES_MAX, PLAIN, grouped};
use crate::cli::instant::{age, ago, ms_of, spaced};
use crate::cli::status::judged::Failing;
use crate::cli::stop::words;
use crate::cli::terminal::{BAD, Columns, WARNING};
use crate::store::look::condition::Condition;
use crate::store::look::rows::Row;
use crate::store::look::stops::stop_of;

/// Adds the lines about calls; of what is as it should be, there is none.
pub(super) fn of_calls(lines: &mut Columns, condition: &Condition, failing: &[Failing], now_ms: i64) {
    for row in condition.stops.iter().take(LINES_MAX) {
        let told = format!("{} {}", words::in_words(&stop_of(row)), words::told(row, now_ms));
        lines.row([(DIM, "Stopped"), (BAD, &told)]);
    }
    of_rest(lines, condition.stops.len(), "stops", "openeventd stop-calls --list");
    for row in condition.parkings.iter().take(LINES_MAX) {
        lines.row([(DIM, "Parked"), (WARNING, &parked(row, now_ms))]);
        let alarm = failing.iter().find(|failing| Some(failing.kind.as_str()) == row.text("reason"));
        if let Some(alarm) = alarm.filter(|alarm| !alarm.fix.is_empty()) {
            lines.row([(DIM, ""), (PLAIN, &format!("to mend it: {}", alarm.fix))]);
        }
    }
    of_rest(lines, condition.parkings.len(), "parkings", "openeventd sql 'select * from parkings'");
    for row in condition.quota.iter().take(LINES_MAX) {
        lines.row([(DIM, "Today's quota"), (PLAIN, &spent(row, now_ms))]);
    }
    of_rest(lines, condition.quota.len(), "accounts", "openeventd quota");
}

fn of_rest(lines: &mut Columns, all: usize, noun: &str, command: &str) {
    if let Some(more @ 1..) = all.checked_sub(LINES_MAX) {
        lines.row([(DIM, ""), (PLAIN, &format!("and {more} more {noun}: `{command}`"))]);
    }
}

/// An account or an operation, why, until when.
pub(in crate::cli) fn parked(row: &Row, now_ms: i64) -> String {
    let word = |column| row.text(column).unwrap_or("?");
    let operation = row.text("operation").map(|operation| {
        let workspace = row.integer("workspace").map(|id| format!(" in workspace {id}"));
        format!(" {operation}{}", workspace.unwrap_or_default())
    });
    let until = word("until");
    let tried = match ms_of(until).map(|until| until - now_ms) {
        Some(ms @ 1..) => format!("until {} UTC, in {}", spaced(until), age(ms)),
        // A call finds out when there is one to be made.
        _ => "until the next call finds out".to_owned(),
    };
    let (account, reason) = (word("account"), word("reason"));
    let since = ago(word("since"), now_ms);
    format!("{account}{}: {reason} for {since}, {tried}: {}", operation.unwrap_or_default(), word("message"))
}

fn spent(row: &Row, now_ms: i64) -> String {
    let word = |column| row.text(column).unwrap_or("?");
    let number = |column| grouped(row.integer(column).unwrap_or_default());
    let throttled = match row.integer("throttled").unwrap_or_default() {
        0 => String::new(),
        throttled => format!(", {} refused for their number", grouped(throttled)),
    };
    let left = ms_of(word("ends_at")).map_or("?".to_owned(), |ends| age(ends - now_ms));
    format!(
        "{}: {} calls sent, {} succeeded{throttled}; the day ends in {left}",
        word("account"),
        number("sent"),
        number("succeeded")
    )
}
