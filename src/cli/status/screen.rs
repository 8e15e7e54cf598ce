//! The condition on one screen: what it does, how far behind, what came last, what waits, how much room.

use anstyle::Style;

use super::super::instant::{age, ago, spaced};
use super::super::terminal::{BAD, Columns, DIM, GOOD, NAME, TITLE, WARNING, abbreviated, styled};
use super::judged::{Concern, Failing, Judged, State};
use crate::store::look::condition::{Condition, EVENTS_LOOKED_AT, QUARANTINED_LOOKED_AT};
use crate::store::look::rows::Row;

// What keeps calls from being made, and what they have spent.
pub(in crate::cli) mod calls;

/// Codes and partitions shown: the rest is counted, so that it stays one screen.
const LINES_MAX: usize = 10;

const PLAIN: Style = Style::new();

/// The screen.
pub(super) fn as_text(
    condition: &Condition,
    judged: &Judged,
    disk_free_bytes: Option<u64>,
    now_ms: i64,
) -> String {
    let mut text = headline(condition.daemon.as_ref(), judged, now_ms);
    let mut lines = Columns::new();
    if let Some(daemon) = &condition.daemon {
        of_daemon(&mut lines, daemon, judged, now_ms);
    }
    // What is parked has lines of its own, with what the database knows of it.
    let is_told = |failing: &&Failing| failing.concern() != Concern::Calls || condition.parkings.is_empty();
    for failing in judged.failing.iter().filter(is_told) {
        of_alarm(&mut lines, failing, now_ms);
    }
    of_actions(&mut lines, condition, now_ms);
    calls::of_calls(&mut lines, condition, &judged.failing, now_ms);
    of_records(&mut lines, condition, now_ms);
    let free = disk_free_bytes.map_or("?".to_owned(), size);
    let (database, wal) = (size(condition.database_bytes), size(condition.wal_bytes));
    lines.row([(DIM, "Disk"), (PLAIN, &format!("{database} database, {wal} write-ahead log, {free} free"))]);
    text.push_str(&lines.lines(2));
    text.push_str(&partitions(judged));
    text.push_str(&codes(condition, now_ms));
    text
}

fn headline(daemon: Option<&Row>, judged: &Judged, now_ms: i64) -> String {
    let style = match judged.state {
        State::Running => GOOD,
        State::Waiting => WARNING,
        State::NeverStarted | State::Stopped | State::NotResponding | State::OtherClock => BAD,
    };
    let since = |column| {
        daemon
            .and_then(|row| row.text(column))
            .map(|at| format!("{} UTC, {} ago", spaced(at), ago(at, now_ms)))
    };
    let told = match judged.state {
        State::NeverStarted => {
            Some("no daemon has told its condition in this database yet: `openeventd run`".to_owned())
        }
        State::Stopped => since("stopped_at").map(|at| format!("at {at}")),
        State::NotResponding => {
            since("alive_at").map(|at| format!("since {at}: it ended without an orderly stop, or hangs"))
        }
        State::OtherClock => daemon.and_then(|row| row.text("alive_at")).map(|at| {
            format!(
                "its last sign of life, {} UTC, lies ahead of this machine's clock: set the clocks",
                spaced(at)
            )
        }),
        State::Waiting | State::Running => since("started_at").map(|at| format!("since {at}")),
    };
    let state = format!("● {}", judged.state.as_str());
    format!("{} {}  {}\n", styled(TITLE, "openeventd"), styled(style, &state), told.unwrap_or_default())
}

fn of_daemon(lines: &mut Columns, daemon: &Row, judged: &Judged, now_ms: i64) {
    let word = |column| daemon.text(column).unwrap_or("?");
    let pid = daemon.integer("pid").unwrap_or_default();
    let verb = if judged.is_alive() { "is" } else { "was" };
    lines.row([(DIM, "Version"), (PLAIN, &format!("{}, pid {verb} {pid}", word("version")))]);
    let hash = abbreviated(word("rule_set"));
    let loaded = daemon.text("rules_loaded_at").map(|at| format!(", loaded {} ago", ago(at, now_ms)));
    let reloaded = daemon.text("reloaded_at").map(|at| format!(", last reload {} ago", ago(at, now_ms)));
    let rules = format!(
        "{} rules, {hash}{}{}",
        daemon.integer("rules").unwrap_or_default(),
        loaded.unwrap_or_default(),
        reloaded.unwrap_or_default()
    );
    match word("rules_condition") {
        "degraded" => lines.row([
            (DIM, "Rules"),
            (
                BAD,
                &format!("degraded: the present files have errors (`openeventd check`); in force: {rules}"),
            ),
        ]),
        _ => lines.row([(DIM, "Rules"), (PLAIN, &rules)]),
    }
    // What it did last tells nothing about a daemon that is gone.
    if !judged.is_alive() {
        return;
    }
    let lag = daemon
        .integer("lag")
        .map_or("lag not known".to_owned(), |lag| format!("{} records behind", grouped(lag)));
    let intake = word("intake");
    let style = if matches!(intake, "paused" | "stalled") { BAD } else { PLAIN };
    let told = match intake {
        "starting" => "no partition is assigned".to_owned(),
        intake => format!("{intake}, {lag}"),
    };
    lines.row([(DIM, "Intake"), (style, &told)]);
}

fn of_alarm(lines: &mut Columns, failing: &Failing, now_ms: i64) {
    let since = match &failing.since {
        serde_json::Value::Number(ms) => ms.as_i64().map(|ms| age(now_ms - ms)),
        serde_json::Value::String(at) => Some(ago(at, now_ms)),
        _ => None,
    };
    let since = since.map(|age| format!(", for {age}")).unwrap_or_default();
    let subject = if failing.subject.is_empty() { String::new() } else { format!(" {}", failing.subject) };
    let told = format!("{}{subject}: {}{since}", failing.kind, failing.message);
    let label = match failing.concern() {
        Concern::Kafka => "Kafka",
        Concern::Calls => "Parked",
        Concern::Rules | Concern::Store => "Alarm",
    };
    lines.row([(DIM, label), (BAD, &told)]);
    if !failing.fix.is_empty() {
        lines.row([(DIM, ""), (PLAIN, &format!("to mend it: {}", failing.fix))]);
    }
}

fn of_actions(lines: &mut Columns, condition: &Condition, now_ms: i64) {
    let backlog = &condition.backlog;
    let number = |column| backlog.integer(column).unwrap_or_default();
    let oldest = backlog.text("oldest_due_at").map(|at| format!(" (the oldest for {})", ago(at, now_ms)));
    let told = format!(
        "{} due{}, {} later, {} in flight",
        grouped(number("due")),
        oldest.unwrap_or_default(),
        grouped(number("later")),
        number("in_flight")
    );
    lines.row([(DIM, "To be called"), (PLAIN, &told)]);
    let calls: Vec<String> = condition.calls.iter().map(|row| counted(row, "calls", "outcome")).collect();
    let calls = if calls.is_empty() { "none".to_owned() } else { calls.join(", ") };
    lines.row([(DIM, "Last hour's calls"), (PLAIN, &calls)]);
    let reasons: Vec<String> =
        condition.held.iter().map(|row| counted(row, "actions", "held_reason")).collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    let waits = format!(
        "{} held{reasons}, {} unresolved, {} dead",
        grouped(number("held")),
        grouped(number("unresolved")),
        grouped(number("dead"))
    );
    let style = if number("unresolved") + number("held") + number("dead") > 0 { WARNING } else { PLAIN };
    lines.row([(DIM, "For a person"), (style, &waits)]);
}

fn of_records(lines: &mut Columns, condition: &Condition, now_ms: i64) {
    let last = |row: &Row| {
        row.text("last_at").map(|at| format!(", the last {} ago", ago(at, now_ms))).unwrap_or_default()
    };
    let records = condition.quarantined.integer("records").unwrap_or_default();
    let more = if records >= QUARANTINED_LOOKED_AT { " or more" } else { "" };
    let told = format!("{}{more} not replayed{}", grouped(records), last(&condition.quarantined));
    lines.row([(DIM, "Quarantined"), (if records > 0 { WARNING } else { PLAIN }, &told)]);
    let gaps = condition.gaps.integer("gaps").unwrap_or_default();
    lines.row([(DIM, "Gaps"), (PLAIN, &format!("{}{}", grouped(gaps), last(&condition.gaps)))]);
}

fn partitions(judged: &Judged) -> String {
    if judged.partitions.is_empty() {
        return String::new();
    }
    let mut columns = Columns::new();
    columns.row(["PARTITION", "BEHIND", "COMMITTED", "END"].map(|title| (TITLE, title)));
    let known = |number: Option<i64>| number.map_or("?".to_owned(), |number| number.to_string());
    // The furthest behind first.
    let mut partitions: Vec<_> = judged.partitions.iter().collect();
    partitions.sort_by_key(|partition| (-partition.lag.unwrap_or(-1), &partition.topic, partition.number));
    for partition in partitions.iter().take(LINES_MAX) {
        let (name, lag) = (format!("{}/{}", partition.topic, partition.number), known(partition.lag));
        let (committed, end) = (known(partition.committed), known(partition.end));
        columns.row([(NAME, &*name), (PLAIN, &*lag), (DIM, &*committed), (DIM, &*end)]);
    }
    format!("\n{}{}", columns.lines(2), rest(partitions.len()))
}

fn codes(condition: &Condition, now_ms: i64) -> String {
    let (seen, unseen): (Vec<&Row>, Vec<&Row>) =
        condition.codes.iter().partition(|row| row.text("accepted_at").is_some());
    if condition.codes.is_empty() {
        return "\n  no event yet\n".to_owned();
    }
    let mut columns = Columns::new();
    columns.row(["LAST EVENT", "AGE", "ACCEPTED (UTC)", "NUMBER"].map(|title| (TITLE, title)));
    for row in seen.iter().take(LINES_MAX) {
        let at = row.text("accepted_at").unwrap_or_default();
        let seq = row.integer("seq").unwrap_or_default().to_string();
        let code = row.text("code").unwrap_or("(unknown)");
        columns.row([(NAME, code), (PLAIN, &*ago(at, now_ms)), (DIM, &*spaced(at)), (DIM, &*seq)]);
    }
    let mut text = format!("\n{}{}", columns.lines(2), rest(seen.len()));
    if !unseen.is_empty() {
        let codes = if unseen.len() == 1 { "code" } else { "codes" };
        let looked_at = grouped(EVENTS_LOOKED_AT);
        let told = format!("  {} other {codes}, not among the last {looked_at} events\n", unseen.len());
        text.push_str(&styled(DIM, &told));
    }
    text
}

/// Says how many lines were left out.
fn rest(lines: usize) -> String {
    match lines.saturating_sub(LINES_MAX) {
        0 => String::new(),
        more => styled(DIM, &format!("  and {more} more\n")),
    }
}

fn counted(row: &Row, count: &str, what: &str) -> String {
    let number = grouped(row.integer(count).unwrap_or_default());
    format!("{number} {}", row.text(what).unwrap_or("?"))
}

/// A number with commas between thousands.
pub(in crate::cli) fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Bytes in the unit that leaves at most four digits.
fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB"];
    let (mut number, mut unit) = (bytes, 0);
    while number >= 10_000 && unit + 1 < units.len() {
        number /= 1024;
        unit += 1;
    }
    format!("{number} {}", units.get(unit).copied().unwrap_or("GiB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sizes_are_easy_to_read() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567, -1_234].map(grouped),
            ["0", "999", "1,000", "1,234,567", "-1,234"]
        );
        assert_eq!([0, 9_999, 10_240, 5 << 30].map(size), ["0 B", "9999 B", "10 KiB", "5120 MiB"]);
    }
}
