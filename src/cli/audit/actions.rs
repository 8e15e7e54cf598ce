//! Actions by state: how many stand where, or which.

use std::fmt::Write as _;

use anstyle::Style;
use serde::Serialize;

use super::super::instant::{age, ago, spaced};
use super::super::terminal::{Columns, DIM, NAME, TITLE, styled};
use super::super::{Exit, Failure, progress};
use super::line::{of_state, shortened, state_told};
use super::{Arguments, COUNTED_SINCE, note, note_cut, print, print_json, unknown};
use crate::duration::whole_ms;
use crate::store::Reader;
use crate::store::look::actions::{Counts, WantedActions};
use crate::store::look::rows::Row;

/// Every state that an action can be in.
pub(super) const STATES: [&str; 9] =
    ["planned", "waiting", "held", "in_flight", "succeeded", "dead", "unresolved", "cancelled", "observed"];

/// Characters of an error in a line.
const ERROR_MAX: usize = 80;

/// Shows actions in `states`, or how many stand where if there are none.
pub(super) async fn show(
    reader: &mut Reader,
    arguments: &Arguments,
    states: &[String],
    since_ms: Option<i64>,
    now_ms: i64,
) -> Result<Exit, Failure> {
    if states.is_empty() && arguments.rule.is_none() {
        let since_ms = since_ms.unwrap_or(now_ms - whole_ms(COUNTED_SINCE));
        let counts = progress::shown("counting actions", reader.action_counts(since_ms)).await?;
        if arguments.json {
            print_json(counted(&counts))?;
        } else {
            print(&counts_as_text(&counts, since_ms, now_ms))?;
        }
        return Ok(Exit::Success);
    }
    let named = |state: &&str| states.is_empty() || states.iter().any(|wanted| wanted == state);
    let wanted = WantedActions {
        states: STATES.into_iter().filter(|state| named(state)).collect(),
        rule: arguments.rule.clone(),
        since_ms,
        count_max: usize::from(arguments.limit),
    };
    let found = progress::shown("looking for actions", reader.actions_in(&wanted)).await?;
    if found.rows.is_empty() {
        let unknown = unknown::told(reader, wanted.rule.as_deref(), None).await?;
        note(&format!("no such action; `openeventd audit --actions` shows how many stand where{unknown}"))?;
    }
    if arguments.json {
        print_json(&found.rows)?;
    } else if !found.rows.is_empty() {
        print(&rows_as_text(&found.rows, now_ms))?;
    }
    note_cut(found.extent, found.rows.len())?;
    Ok(Exit::Success)
}

/// How many actions of one kind.
#[derive(Serialize)]
struct Tally<'a> {
    counted: &'static str,
    state: Option<&'a str>,
    held_reason: Option<&'a str>,
    actions: Option<i64>,
    oldest_at: Option<&'a str>,
}

fn counted(counts: &Counts) -> impl Iterator<Item = Tally<'_>> {
    let open = counts.open.iter().map(|row| ("open", row));
    open.chain(counts.planned.iter().map(|row| ("planned_since", row))).map(|(counted, row)| Tally {
        counted,
        state: row.text("state"),
        held_reason: row.text("held_reason"),
        actions: row.integer("actions"),
        oldest_at: row.text("oldest_at"),
    })
}

fn counts_as_text(counts: &Counts, since_ms: i64, now_ms: i64) -> String {
    let mut text = String::new();
    let planned = format!("Planned in the last {}, and what became of it", age(now_ms - since_ms));
    for (title, rows, none) in [
        ("Not done", &counts.open, "nothing waits"),
        (planned.as_str(), &counts.planned, "nothing was planned"),
    ] {
        let _ = writeln!(text, "{}", styled(TITLE, title));
        let mut columns = Columns::new();
        for row in rows {
            let state = row.text("state").unwrap_or_default();
            let told = state_told(state, row.text("held_reason"));
            let number = row.integer("actions").unwrap_or_default().to_string();
            let oldest =
                row.text("oldest_at").map(|at| format!("oldest {}", ago(at, now_ms))).unwrap_or_default();
            columns.row([(of_state(state), &*told), (Style::new(), &*number), (DIM, &*oldest)]);
        }
        if rows.is_empty() {
            columns.row([(DIM, none)]);
        }
        text.push_str(&columns.lines(2));
    }
    text
}

fn rows_as_text(rows: &[Row], now_ms: i64) -> String {
    let mut columns = Columns::new();
    let titles =
        ["ACTION", "EVENT", "PLANNED (UTC)", "AGE", "STATE", "RULE", "OPERATION", "TRIES", "LAST ERROR"];
    columns.row(titles.map(|title| (TITLE, title)));
    for row in rows {
        let word = |column| row.text(column).unwrap_or_default();
        let number = |column| row.integer(column).unwrap_or_default().to_string();
        let (event, attempts) = (number("event"), number("attempts"));
        let (planned, age) = (spaced(word("planned_at")), ago(word("planned_at"), now_ms));
        let planned = planned.split_once('.').map_or(&*planned, |(seconds, _)| seconds);
        let state = state_told(word("state"), row.text("held_reason"));
        let class = row.text("last_class").filter(|class| *class != "success").unwrap_or_default();
        let error = match row.text("last_error") {
            Some(error) if !class.is_empty() => format!("{class}: {}", shortened(error, ERROR_MAX)),
            _ => class.to_owned(),
        };
        columns.row([
            (Style::new(), word("id")),
            (Style::new(), &*event),
            (DIM, planned),
            (Style::new(), &*age),
            (of_state(word("state")), &*state),
            (NAME, word("rule")),
            (Style::new(), word("operation")),
            (Style::new(), &*attempts),
            (Style::new(), &*error),
        ]);
    }
    columns.lines(0)
}
