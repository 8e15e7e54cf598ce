//! What came of an event, in a few lines below its own: each action, its attempts, what people did about it.
//!
//! For the few events of an object, so that one look tells what happened; the whole is the event's story.

use std::fmt::Write as _;

use super::super::instant::ago;
use super::super::terminal::{NAME, WARNING, fitted, styled};
use super::line::{came_to, of_state, state_told};
use super::reason::{self, is_of};
use crate::store::look::rows::Row;
use crate::store::look::story::Story;

/// More events than this get a line each.
pub(in crate::cli) const EVENTS_MAX: usize = 10;

/// Columns of a line; `openeventd audit NUMBER` shows what is longer.
const LINE_MAX: usize = 160;

/// What came of the event, a line for each action and each thing that was done for it, and for what came to none.
pub(in crate::cli) fn as_text(story: &Story, now_ms: i64) -> String {
    let mut text = String::new();
    for action in &story.actions {
        let word = |column| action.text(column).unwrap_or("?");
        let state = state_told(word("state"), action.text("held_reason"));
        let done = format!("{}  {}", fitted(word("operation"), LINE_MAX), fitted(word("params"), LINE_MAX));
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "       {}  {}  {done}",
            styled(NAME, &fitted(word("rule"), LINE_MAX)),
            styled(of_state(word("state")), &fitted(&state, LINE_MAX)),
        );
        let decision = story.decisions.iter().find(|decision| is_of(action, decision));
        if let Some(why) = reason::of_action(action, decision, None) {
            let _ = writeln!(text, "         {}", fitted(&why, LINE_MAX));
        }
        // Times of the views sort as text.
        let mut followed: Vec<(Option<&str>, String)> = Vec::new();
        let of_action = |row: &&Row| row.text("action") == action.text("id");
        for attempt in story.attempts.iter().filter(of_action) {
            followed.push((attempt.text("started_at"), attempted(attempt, now_ms)));
        }
        for done in story.operator_targets.iter().filter(of_action) {
            followed.push((done.text("at"), operated(done, now_ms)));
        }
        followed.sort_by_key(|(at, _)| *at);
        for (_, told) in followed {
            let _ = writeln!(text, "         {told}");
        }
    }
    for decision in story.decisions.iter().filter(|decision| decision.text("action").is_none()) {
        let (style, end) = came_to(decision);
        let rule = styled(NAME, &fitted(decision.text("rule").unwrap_or("?"), LINE_MAX));
        if let Some(why) = reason::of_decision(story, decision, None) {
            let _ = writeln!(text, "       {rule}  {}  {}", styled(style, &end), fitted(&why, LINE_MAX));
        }
    }
    text
}

fn attempted(attempt: &Row, now_ms: i64) -> String {
    let mut told = vec![attempt.text("class").unwrap_or("no response yet").to_owned()];
    told.extend(attempt.integer("http_status").map(|status| format!("HTTP {status}")));
    told.extend(attempt.text("error_code").map(str::to_owned));
    told.extend(attempt.text("request_id").map(|id| format!("request {id}")));
    told.extend(attempt.text("started_at").map(|at| format!("{} ago", ago(at, now_ms))));
    told.extend(attempt.text("verdict").map(|verdict| format!("looked up: {verdict}")));
    let outcome = attempt.text("outcome").unwrap_or("in_flight");
    let number = attempt.integer("number").unwrap_or_default();
    let told = fitted(&told.join(", "), LINE_MAX);
    format!("attempt {number} {}  {told}", styled(of_state(outcome), &fitted(outcome, LINE_MAX)))
}

fn operated(done: &Row, now_ms: i64) -> String {
    let word = |column| done.text(column).unwrap_or("?");
    let past = done.text("at").map(|at| format!(", {} ago", ago(at, now_ms))).unwrap_or_default();
    let told = format!("{} by {}{past}: {}", word("verb"), word("who"), word("reason"));
    styled(WARNING, &fitted(&told, LINE_MAX))
}
