//! The whole story of an event, as a person reads it from top to bottom: the record, what it says, then for
//! each rule the decision, the action, its attempts and what people did about it.

use std::fmt::Write as _;

use anstyle::Style;
use serde::Serialize;

use super::super::found::{self, Named};
use super::super::instant::{age, ago, spaced};
use super::super::terminal::{Columns, DIM, NAME, TITLE, WARNING, abbreviated, styled};
use super::line::{Nested, came_to, code, of_state, shortened, state_told};
use super::reason::{self, is_of};
use crate::escape::Escaped;
use crate::store::look::rows::{Row, Value};
use crate::store::look::story::Story;

/// Characters of a long text; `--json` shows it whole.
const TEXT_MAX: usize = 400;

/// The story as one object: the columns of view `events`, and a list for each view that tells more.
pub(super) fn as_json(story: &Story) -> impl Serialize + '_ {
    Nested {
        row: &story.event,
        lists: [
            ("decisions", &story.decisions),
            ("actions", &story.actions),
            ("attempts", &story.attempts),
            ("lookups", &story.lookups),
            ("operator_targets", &story.operator_targets),
            ("duplicates", &story.duplicates),
        ],
    }
}

/// The story as text.
pub(super) fn as_text(story: &Story, now_ms: i64) -> String {
    let event = &story.event;
    let title = format!("event {}", event.integer("seq").unwrap_or_default());
    let status = event.text("status").unwrap_or_default();
    let mut text =
        format!("{}  {}  {status}\n", styled(TITLE, &title), named(NAME, &shortened(code(event), TEXT_MAX)));
    text.push_str(&record(event, now_ms).lines(2));
    for repeated in &story.duplicates {
        let told = format!(
            "  came again with {} at {} offset {}, {}",
            if repeated.text("doubt") == Some("conflict") { "another payload" } else { "its row gone" },
            place(repeated),
            repeated.integer("offset").unwrap_or_default(),
            timed(repeated, "noticed_at", now_ms).unwrap_or_default(),
        );
        let _ = writeln!(text, "{}", named(WARNING, &told));
    }
    let is_replay = |done: &&Row| done.text("kind") == Some("quarantined");
    for done in story.operator_targets.iter().filter(is_replay) {
        text.push_str(&operated(done, now_ms));
    }
    if story.decisions.is_empty() && story.actions.is_empty() {
        let _ = writeln!(text, "\n{}", styled(DIM, "no rule matched"));
    }
    for decision in &story.decisions {
        let (style, end) = came_to(decision);
        let rule = decision.text("rule").unwrap_or_default();
        let path = format!("({})", decision.text("rule_path").unwrap_or_default());
        let _ = writeln!(
            text,
            "\n{} {}  {} {}",
            styled(TITLE, "rule"),
            named(TITLE, rule),
            named(style, &end),
            named(DIM, &path)
        );
        let action = story.actions.iter().find(|action| is_of(action, decision));
        let mut fields = Fields::default();
        let why = reason::of_decision(story, decision, None);
        match action {
            Some(action) => planned(&mut fields, action, why, now_ms),
            None => fields.add("Why", why.map(|why| shortened(&why, TEXT_MAX))),
        }
        decided(&mut fields, decision, event, now_ms);
        text.push_str(&fields.0.lines(2));
        if let Some(action) = action {
            text.push_str(&sent(story, action.text("id"), now_ms));
        }
    }
    // What no decision names: actions whose decisions have left, or later steps.
    for action in story.actions.iter().filter(|action| !story.decisions.iter().any(|own| is_of(action, own)))
    {
        let rule = action.text("rule").unwrap_or_default();
        let _ = writeln!(text, "\n{} {}", styled(TITLE, "action of rule"), named(TITLE, rule));
        let mut fields = Fields::default();
        planned(&mut fields, action, reason::of_action(action, None, None), now_ms);
        text.push_str(&fields.0.lines(2));
        text.push_str(&sent(story, action.text("id"), now_ms));
    }
    text
}

fn record(event: &Row, now_ms: i64) -> Columns {
    let mut fields = Fields::default();
    fields.add("Id", event.text("id"));
    fields.add("Accepted", timed(event, "accepted_at", now_ms));
    let offset = event.integer("offset").unwrap_or_default();
    let stamped = event.text("kafka_at").map(|at| format!(", stamped {}", spaced(at))).unwrap_or_default();
    fields.add("Record", Some(format!("{} offset {offset}{stamped}", place(event))));
    fields.add("Batch", event.integer("batch").map(|batch| batch.to_string()));
    fields.add("Source", event.text("source"));
    fields.add("Type", event.text("type"));
    fields.add("Envelope", event.text("envelope"));
    fields.add("Subject", event.text("subject"));
    fields.add("States time", event.text("time"));
    fields.add("Kind", event.text("kind").filter(|kind| *kind != "regular"));
    for (label, column) in [
        ("Account", "account"),
        ("Region", "region"),
        ("Workspace", "workspace"),
        ("Operator", "operator"),
        ("Instance", "instance"),
        ("Instances", "instances"),
        ("Node", "node"),
        ("Nodes", "nodes"),
        ("File", "file"),
        ("Table", "table"),
        ("Rows", "rows"),
        ("Bytes", "bytes"),
    ] {
        fields.add(label, shown(event, column));
    }
    fields.add("Flags", event.text("flags").filter(|flags| *flags != "[]"));
    fields.add("Data", shown(event, "data"));
    fields.0
}

fn decided(fields: &mut Fields, decision: &Row, event: &Row, now_ms: i64) {
    if let Value::Real(seconds) = decision.get("age_seconds") {
        let calls = decision.integer("calls_in_hour").unwrap_or_default();
        fields.add(
            "Decided by",
            Some(format!("an age of {seconds} s; calls planned in the hour before: {calls}")),
        );
    }
    // Nearly always that of the event.
    if decision.text("decided_at") != event.text("accepted_at") {
        fields.add("Decided", timed(decision, "decided_at", now_ms));
    }
    let hash = |column| abbreviated(decision.text(column).unwrap_or("?"));
    fields.add(
        "In force",
        Some(format!("rule set {}, configuration {}", hash("rule_set"), hash("configuration"))),
    );
}

fn planned(fields: &mut Fields, action: &Row, why: Option<String>, now_ms: i64) {
    let word = |column| action.text(column).unwrap_or("?");
    let repeated = match word("repeat_effect") {
        "none" => "changes nothing",
        "converges" => "leads to the same state",
        "duplicates" => "does it twice",
        _ => "does nobody knows what",
    };
    let (operation, version, access) = (word("operation"), word("version"), word("access"));
    fields.add("Call", Some(format!("{operation} {version}, a {access}; sent again it {repeated}")));
    fields.add("Parameters", shown(action, "params"));
    let number = action.integer("number").unwrap_or_default();
    fields.add("Action", Some(format!("{number}, id {}", word("id"))));
    let state = state_told(word("state"), action.text("held_reason"));
    let attempts = match action.integer("attempts").unwrap_or_default() {
        1 => "1 attempt".to_owned(),
        attempts => format!("{attempts} attempts"),
    };
    let settled = timed(action, "settled_at", now_ms).map(|at| format!(", settled {at}")).unwrap_or_default();
    fields.styled("State", of_state(word("state")), &format!("{state}, {attempts}{settled}"));
    fields.add("Why", why);
    fields.add("Next look", timed(action, "verify_at", now_ms));
    if matches!(word("state"), "planned" | "held" | "waiting" | "in_flight") {
        fields.add("Due", timed(action, "due_at", now_ms));
        fields.add("Expires", timed(action, "expires_at", now_ms));
        fields.add("Leased until", timed(action, "lease_until", now_ms));
    }
    fields.add("In order by", shown(action, "in_order_by"));
    fields.add("Account", shown(action, "account").filter(|account| !account.is_empty()));
}

/// The attempts of an action and what people did about it, as they followed each other.
fn sent(story: &Story, action: Option<&str>, now_ms: i64) -> String {
    let of_action = |row: &&Row| row.text("action") == action;
    let attempts = story.attempts.iter().filter(of_action);
    let attempts = attempts.map(|row| (row.text("started_at"), attempted(story, row, now_ms)));
    let operators = story.operator_targets.iter().filter(of_action);
    let operators = operators.map(|row| (row.text("at"), operated(row, now_ms)));
    let mut all: Vec<(Option<&str>, String)> = attempts.chain(operators).collect();
    // Times of the views sort as text.
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, text)| text).collect()
}

fn attempted(story: &Story, attempt: &Row, now_ms: i64) -> String {
    let number = attempt.integer("number").unwrap_or_default();
    let outcome = attempt.text("outcome").unwrap_or_default();
    let mut told = vec![attempt.text("class").unwrap_or("no response yet").to_owned()];
    told.extend(attempt.integer("http_status").map(|status| format!("HTTP {status}")));
    told.extend(attempt.text("error_code").map(str::to_owned));
    told.extend(attempt.integer("latency_ms").map(|ms| format!("{ms} ms")));
    let title = styled(TITLE, &format!("attempt {number}"));
    let told = told.join(", ");
    let mut fields = Fields::default();
    fields.add("Started", timed(attempt, "started_at", now_ms));
    fields.add("Endpoint", attempt.text("endpoint"));
    fields.add("Request id", attempt.text("request_id"));
    fields.add("Error", shown(attempt, "error_message"));
    fields.add("See", attempt.text("recommend"));
    fields.add("Response", shown(attempt, "response"));
    let is_of = |lookup: &&Row| {
        lookup.text("action") == attempt.text("action") && lookup.get("attempt") == attempt.get("number")
    };
    fields.add("Known before", found_told(attempt, "read_before", Named::Yes));
    for lookup in story.lookups.iter().filter(is_of) {
        fields.add("Looked up", Some(looked_up(lookup, now_ms)));
    }
    if let Some(verdict) = attempt.text("verdict") {
        let at = timed(attempt, "verified_at", now_ms).unwrap_or_default();
        let reason = attempt.text("verdict_reason").unwrap_or("?");
        fields.add("Verdict", Some(format!("{verdict}, {at}: {reason}")));
    }
    format!("  {title} {}  {}\n{}", named(of_state(outcome), outcome), Escaped(&told), fields.0.lines(4))
}

/// One read: when it was made and of what, and what it found.
fn looked_up(lookup: &Row, now_ms: i64) -> String {
    let word = |column| lookup.text(column).unwrap_or("?");
    let past = lookup.text("started_at").map(|at| format!("{} ago", ago(at, now_ms))).unwrap_or_default();
    let class = lookup.text("class").unwrap_or("no response yet");
    let found = found_told(lookup, "found", Named::No);
    let told = found.or_else(|| shown(lookup, "error_message")).map(|told| format!(": {told}"));
    let (purpose, operation, subject) = (word("purpose"), word("operation"), word("subject"));
    format!("{purpose}, {operation} of {subject}, {past}, {class}{}", told.unwrap_or_default())
}

/// What the findings in `column` say, shortened.
fn found_told(row: &Row, column: &str, named: Named) -> Option<String> {
    let findings = serde_json::from_str(row.text(column)?).ok()?;
    Some(shortened(&found::in_words(&findings, named), TEXT_MAX)).filter(|told| !told.is_empty())
}

fn operated(done: &Row, now_ms: i64) -> String {
    let word = |column| done.text(column).unwrap_or("?");
    let at = timed(done, "at", now_ms).unwrap_or_default();
    let told = format!("{} by {}, {at}: {}", word("verb"), word("who"), word("reason"));
    format!("  {}\n", named(WARNING, &told))
}

/// Labels and values below each other.
#[derive(Default)]
struct Fields(Columns);

impl Fields {
    fn add(&mut self, label: &str, value: Option<impl AsRef<str>>) {
        if let Some(value) = value {
            self.styled(label, Style::new(), value.as_ref());
        }
    }

    fn styled(&mut self, label: &str, style: Style, value: &str) {
        self.0.row([(DIM, label), (style, value)]);
    }
}

/// What stands in `column`, shortened.
fn shown(row: &Row, column: &str) -> Option<String> {
    match row.get(column) {
        Value::Integer(number) => Some(number.to_string()),
        Value::Text(text) => Some(shortened(text, TEXT_MAX)),
        _ => None,
    }
}

/// The exact time in `column`, and how long ago or ahead that is.
fn timed(row: &Row, column: &str, now_ms: i64) -> Option<String> {
    let time = row.text(column)?;
    let ahead_ms = super::super::instant::ms_of(time)?.saturating_sub(now_ms);
    let distance =
        if ahead_ms > 0 { format!("in {}", age(ahead_ms)) } else { format!("{} ago", ago(time, now_ms)) };
    Some(format!("{} UTC, {distance}", spaced(time)))
}

/// Topic, partition, and its life if it is not the first.
fn place(row: &Row) -> String {
    let number = |column| row.integer(column).unwrap_or_default();
    let life = match number("generation") {
        1 => String::new(),
        generation => format!(" (generation {generation})"),
    };
    format!("{}/{}{life}", row.text("topic").unwrap_or("?"), number("partition"))
}

fn named(style: Style, text: &str) -> String {
    styled(style, &Escaped(text).to_string())
}
