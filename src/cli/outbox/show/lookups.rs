//! What was read about the attempts of an action, and what that came to.

use std::io::{self, Write};

use anstyle::Style;
use serde_json::{Map, Value};

use super::super::lookup::{Way, way};
use super::{objects, text};
use crate::cli::found::{self, Named};
use crate::cli::terminal::{Columns, DIM, NAME, TITLE, WARNING, styled};

/// How the last attempt of an action could be looked up now.
pub(super) fn way_of(story: &Map<String, Value>) -> Way {
    let none = Map::new();
    let params = story.get("params").and_then(Value::as_object).unwrap_or(&none);
    let last = objects(story, "attempted").last().copied().unwrap_or(&none);
    let read_before = last.get("read_before").is_some_and(|found| !found.is_null());
    way(&text(story, "operation"), &text(story, "version"), params, read_before)
}

/// The look-ups of all attempts, oldest first, a line each, and the verdict on each attempt.
pub(super) fn write(out: &mut impl Write, story: &Map<String, Value>) -> io::Result<()> {
    let (mut reads, mut verdicts) = (Columns::new(), Columns::new());
    let mut is_any = false;
    for attempt in objects(story, "attempted") {
        let number = text(attempt, "number");
        for lookup in objects(attempt, "lookups") {
            is_any = true;
            let cell = |name: &str| text(lookup, name);
            let class = cell("class");
            let found =
                lookup.get("found").map(|found| found::in_words(found, Named::No)).unwrap_or_default();
            let told = if found.is_empty() { cell("error_message") } else { found };
            reads.row([
                (TITLE, number.as_str()),
                (DIM, cell("started_at").as_str()),
                (Style::new(), cell("purpose").as_str()),
                (NAME, cell("operation").as_str()),
                (Style::new(), cell("subject").as_str()),
                (Style::new(), if class.is_empty() { "no response yet" } else { &class }),
                (Style::new(), told.as_str()),
            ]);
        }
        let verdict = text(attempt, "verdict");
        if !verdict.is_empty() {
            is_any = true;
            verdicts.row([
                (TITLE, number.as_str()),
                (DIM, text(attempt, "verified_at").as_str()),
                (WARNING, verdict.as_str()),
                (Style::new(), text(attempt, "verdict_reason").as_str()),
            ]);
        }
    }
    if is_any {
        writeln!(out, "{}", styled(TITLE, "look-ups"))?;
    }
    write!(out, "{}{}", reads.lines(2), verdicts.lines(2))
}

/// What was known before each attempt was sent.
pub(super) fn known_before(attempt: &Map<String, Value>) -> Option<String> {
    let told = found::in_words(attempt.get("read_before")?, Named::Yes);
    (!told.is_empty()).then_some(told)
}
