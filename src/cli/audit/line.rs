//! One line for an event: when, what, about what, and what each matched rule came to.

use anstyle::Style;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::super::instant::{ago, spaced};
use super::super::terminal::{BAD, Columns, DIM, GOOD, NAME, TITLE, WARNING};
use crate::store::look::list::Listed;
use crate::store::look::rows::{Row, Value};

/// Facts in a line, in this order; `status` stands before them without its name.
const FACTS: [&str; 9] =
    ["instance", "node", "file", "table", "rows", "bytes", "instances", "nodes", "workspace"];

/// Characters of one fact in a line.
const FACT_MAX: usize = 60;

/// The events as aligned lines below a heading.
pub(in crate::cli) fn as_text(events: &[Listed], now_ms: i64) -> String {
    let mut columns = Columns::new();
    columns.row(["EVENT", "ACCEPTED (UTC)", "AGE", "CODE", "ABOUT", "RULES"].map(|title| (TITLE, title)));
    for Listed { event, decisions } in events {
        let seq = event.integer("seq").unwrap_or_default().to_string();
        let accepted_at = event.text("accepted_at").unwrap_or_default();
        let time = spaced(accepted_at);
        let (time, age) =
            (time.split_once('.').map_or(&*time, |(seconds, _)| seconds), ago(accepted_at, now_ms));
        let about = about(event);
        let (style, rules) = rules(decisions);
        columns.row([
            (Style::new(), &*seq),
            (DIM, time),
            (Style::new(), &*age),
            (NAME, code(event)),
            (Style::new(), &*about),
            (style, &*rules),
        ]);
    }
    columns.lines(0)
}

/// The event's code, else its type.
pub(in crate::cli) fn code(event: &Row) -> &str {
    event.text("code").or(event.text("type")).unwrap_or("(unknown)")
}

/// What the event is about.
pub(in crate::cli) fn about(event: &Row) -> String {
    let mut parts: Vec<String> = event.text("status").map(str::to_owned).into_iter().collect();
    for fact in FACTS {
        match event.get(fact) {
            Value::Integer(number) => parts.push(format!("{fact} {number}")),
            Value::Text(text) => parts.push(format!("{fact} {}", shortened(text, FACT_MAX))),
            _ => {}
        }
    }
    parts.join(", ")
}

/// At most `characters_max` characters of `text`.
pub(in crate::cli) fn shortened(text: &str, characters_max: usize) -> String {
    match text.char_indices().nth(characters_max) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// All rules with what they came to, and the colour of what stands out most.
fn rules(decisions: &[Row]) -> (Style, String) {
    if decisions.is_empty() {
        return (DIM, "-".to_owned());
    }
    let ends: Vec<(Style, String)> = decisions.iter().map(came_to).collect();
    let loudest =
        [BAD, WARNING, NAME, GOOD].into_iter().find(|style| ends.iter().any(|(own, _)| own == style));
    let told = decisions
        .iter()
        .zip(&ends)
        .map(|(decision, (_, end))| format!("{}: {end}", decision.text("rule").unwrap_or_default()));
    (loudest.unwrap_or(DIM), told.collect::<Vec<_>>().join(", "))
}

/// What a decision came to: its action's state, else its own outcome.
pub(in crate::cli) fn came_to(decision: &Row) -> (Style, String) {
    match (decision.text("action_state"), decision.text("outcome").unwrap_or_default()) {
        (Some(state), _) => (of_state(state), state_told(state, decision.text("held_reason"))),
        (None, outcome) => {
            let style = match outcome {
                "failed" => BAD,
                "untrusted" => WARNING,
                _ => DIM,
            };
            (style, outcome.to_owned())
        }
    }
}

/// A state, with the reason where there is one.
pub(in crate::cli) fn state_told(state: &str, held_reason: Option<&str>) -> String {
    held_reason.map_or_else(|| state.to_owned(), |reason| format!("{state} ({reason})"))
}

/// The colour of a state.
pub(in crate::cli) fn of_state(state: &str) -> Style {
    match state {
        "succeeded" => GOOD,
        "dead" | "unresolved" => BAD,
        "held" => WARNING,
        "planned" | "in_flight" | "waiting" => NAME,
        _ => DIM,
    }
}

/// The columns of view `events`, and `decisions`.
pub(in crate::cli) fn as_json(listed: &Listed) -> impl Serialize + '_ {
    Nested { row: &listed.event, lists: [("decisions", listed.decisions.as_slice())] }
}

/// A row with lists of rows that belong to it.
pub(in crate::cli) struct Nested<'a, const LISTS: usize> {
    pub(in crate::cli) row: &'a Row,
    pub(in crate::cli) lists: [(&'static str, &'a [Row]); LISTS],
}

impl<const LISTS: usize> Serialize for Nested<'_, LISTS> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.row.cells() {
            map.serialize_entry(name, value)?;
        }
        for (name, rows) in self.lists {
            map.serialize_entry(name, rows)?;
        }
        map.end()
    }
}
