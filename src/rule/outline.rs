//! Rules as they are written: their names, places, texts and parts, for comparing two sets.
//!
//! It reads files that need not be right as rules, as long as they are TOML and every rule has a name of its own:
//! what is compared is what was written, and a part that is left out is its default. [`super::parse`] says what a
//! set is worth.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::RuleFile;
use super::parse::{self, DEFAULT_EXPIRES_MS, DEFAULT_MAX_CALLS, DEFAULT_MAX_EVENT_AGE_MS};
use super::pattern::item::{Item, ItemKind, Key};
use super::report::Report;
use crate::diagnostic::Diagnostic;

/// One rule as it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    /// Its name.
    pub name: String,
    /// The file that holds it, as [`RuleFile::path`].
    pub path: String,
    /// The line where its text begins, from 1.
    pub line: usize,
    /// Its text, with the comment lines right above it.
    pub text: String,
    /// By key, what is written there: the same for the same value, however it is laid out.
    values: BTreeMap<String, String>,
}

/// What of a rule may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// `mode`.
    Mode,
    /// `match` and `dialect`.
    Match,
    /// `steps`.
    Step,
    /// `max_event_age`, `max_calls` and `expires`.
    Limits,
    /// Keys that this version does not know.
    Other,
    /// Nothing but comments and layout.
    Text,
}

impl Part {
    /// As shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Part::Mode => "mode",
            Part::Match => "match",
            Part::Step => "step",
            Part::Limits => "limits",
            Part::Other => "other",
            Part::Text => "text",
        }
    }

    fn of_key(key: &str) -> Self {
        match key {
            "mode" => Part::Mode,
            "match" | "dialect" => Part::Match,
            "steps" => Part::Step,
            "max_event_age" | "max_calls" | "expires" => Part::Limits,
            _ => Part::Other,
        }
    }
}

impl Outline {
    /// What differs between the two, in order; empty if nothing does. Where they stand is not looked at.
    #[must_use]
    pub fn differences(&self, other: &Outline) -> Vec<Part> {
        let differs = |key: &&String| self.value(key) != other.value(key);
        let mut parts: Vec<Part> = self
            .values
            .keys()
            .chain(other.values.keys())
            .filter(differs)
            .map(|key| Part::of_key(key))
            .collect();
        parts.sort_unstable();
        parts.dedup();
        if parts.is_empty() && self.text != other.text {
            parts.push(Part::Text);
        }
        parts
    }

    /// The value of `key`, or what holds where it is left out; durations in milliseconds.
    fn value(&self, key: &str) -> Option<String> {
        let written = self.values.get(key);
        let in_ms = |text: &String| {
            parse::duration_ms(text.trim_matches('"')).map_or_else(|| text.clone(), |ms| ms.to_string())
        };
        match key {
            "max_event_age" => Some(written.map_or_else(|| DEFAULT_MAX_EVENT_AGE_MS.to_string(), in_ms)),
            "expires" => Some(written.map_or_else(|| DEFAULT_EXPIRES_MS.to_string(), in_ms)),
            "max_calls" => Some(written.cloned().unwrap_or_else(|| DEFAULT_MAX_CALLS.to_string())),
            "mode" => Some(written.cloned().unwrap_or_else(|| quoted(super::Mode::default().as_str()))),
            _ => written.cloned(),
        }
    }
}

/// The content hash of a rule set with these files, as [`super::RuleSet::hash`]; they are in order of path.
#[must_use]
pub fn hash(files: &[RuleFile]) -> String {
    parse::hash_of(files)
}

/// The rules of all `files` by name.
///
/// # Errors
/// What is no TOML, no list of rules, or has no name of its own.
pub fn outlines(files: &[RuleFile]) -> Result<BTreeMap<String, Outline>, Vec<Diagnostic>> {
    let (mut all, mut problems) = (BTreeMap::new(), Vec::new());
    for file in files {
        let mut report = Report::new(file);
        for (outline, at) in of_file(&mut report) {
            if let Some(first) = all.get(&outline.name) {
                let Outline { name, path, line, .. } = first;
                let message = format!("the rule \"{name}\" is defined twice");
                report.error(&at, "name", message, format!("the other one is at {path}:{line}; rename one"));
                continue;
            }
            all.insert(outline.name.clone(), outline);
        }
        problems.extend(report.into_diagnostics());
    }
    if problems.is_empty() { Ok(all) } else { Err(problems) }
}

/// The rules of one file, each with its place.
fn of_file(report: &mut Report<'_>) -> Vec<(Outline, Range<usize>)> {
    let file = report.file;
    let Some(document) = report.document() else { return Vec::new() };
    let Some(rules) = document.get_ref().get("rule") else { return Vec::new() };
    let DeValue::Array(tables) = rules.get_ref() else {
        report.wrong_type(rules, "rule", "a list of rules, each under a line `[[rule]]`");
        return Vec::new();
    };
    let places: Vec<Range<usize>> = tables.iter().map(Spanned::span).collect();
    let mut outlines = Vec::new();
    for (index, (table, place)) in tables.iter().zip(&places).enumerate() {
        let next = places.get(index + 1).map_or(file.text.len(), |next| next.start);
        let before = index.checked_sub(1).and_then(|before| places.get(before)).map_or(0, |rule| rule.end);
        let DeValue::Table(table) = table.get_ref() else {
            report.error(place, "rule", "expected a table", "");
            continue;
        };
        let Some(name) = table.get("name").and_then(|name| name.get_ref().as_str()).map(str::to_owned) else {
            report.error(place, "name", "a rule needs a name", "`openeventd check` finds all that is wrong");
            continue;
        };
        let values =
            table.iter().map(|(key, value)| (key.get_ref().to_string(), value_text(&Item::of_toml(value))));
        let values = values.collect();
        let (start, text) = written(&file.text, place, before, next);
        let line = file.text.get(..start).unwrap_or_default().matches('\n').count() + 1;
        outlines.push((Outline { name, path: file.path.clone(), line, text, values }, place.clone()));
    }
    outlines
}

/// The value as text, keys in order of their names.
fn value_text(item: &Item) -> String {
    let list = |texts: Vec<String>| texts.join(", ");
    match &item.kind {
        ItemKind::Null => "null".to_owned(),
        ItemKind::Bool(value) => value.to_string(),
        ItemKind::Number(text) => text.clone(),
        ItemKind::Text(text) => quoted(text),
        ItemKind::List(elements) => format!("[{}]", list(elements.iter().map(value_text).collect())),
        ItemKind::Map(entries) => {
            let entry = |(key, value): &(Key, Item)| format!("{}: {}", quoted(&key.text), value_text(value));
            let mut entries: Vec<String> = entries.iter().map(entry).collect();
            entries.sort_unstable();
            format!("{{{}}}", list(entries))
        }
        ItemKind::Foreign(what) => (*what).to_owned(),
    }
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// Where the text of the rule at `place` begins, and the text: to the beginning of the `next` one, with the comment
/// lines right above, which are not looked for `before` the end of the head of the previous one.
fn written(file: &str, place: &Range<usize>, before: usize, next: usize) -> (usize, String) {
    if file.get(place.start..).is_some_and(|text| text.starts_with('{')) {
        return (place.start, file.get(place.clone()).unwrap_or_default().to_owned());
    }
    let start = above(file, place.start, before);
    let end = if next == file.len() { next } else { above(file, next, place.end) };
    (start, file.get(start..end).unwrap_or_default().trim_end().to_owned())
}

/// The beginning of the line at `at`, or of the comment lines right above it.
fn above(file: &str, at: usize, before: usize) -> usize {
    let line_start = |at: usize| file.get(..at).and_then(|text| text.rfind('\n')).map_or(0, |end| end + 1);
    let mut start = line_start(at);
    while start > before {
        let previous = line_start(start - 1);
        let is_comment = file.get(previous..start).is_some_and(|line| line.trim_start().starts_with('#'));
        if !is_comment || previous < before {
            break;
        }
        start = previous;
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> BTreeMap<String, Outline> {
        let file = RuleFile { path: "a.toml".into(), text: text.into() };
        outlines(&[file]).expect("the file is read")
    }

    fn parts(one: &str, other: &str) -> Vec<&'static str> {
        let rule = |keys: &str| of(&format!("[[rule]]\nname = \"r\"\n{keys}\n")).remove("r").expect("there");
        rule(one).differences(&rule(other)).into_iter().map(Part::as_str).collect()
    }

    #[test]
    fn a_part_that_is_left_out_is_its_default() {
        for (one, other, expected) in [
            ("", "", vec![]),
            ("", "mode = \"observe\"", vec!["text"]),
            ("max_event_age = \"60m\"", "max_calls = 100\nexpires = \"1800s\"", vec!["text"]),
            ("mode = \"live\"\nexpires = \"1h\"", "max_calls = 1", vec!["mode", "limits"]),
            ("match = { code = [1] }", "match.code = [1]", vec!["text"]),
            ("match.code = 1", "match.code = 2\ndialect = \"aws\"", vec!["match"]),
            ("", "[[rule.steps]]\noperation = \"x\"", vec!["step"]),
            ("", "[[rule.later]]", vec!["other"]),
            ("# one", "# two", vec!["text"]),
            // As long as a pattern may have it, a comparison may.
            ("match = { a = 1 }", "match = { a = 111111111111111111111111111111 }", vec!["match"]),
            ("match = { a = 1 }", "match = { a = \"1\" }", vec!["match"]),
            ("match = { a = 1, b = 16 }", "match = { b = 0x10, a = 1 }", vec!["text"]),
        ] {
            assert_eq!(parts(one, other), expected, "{one} / {other}");
        }
    }

    #[test]
    fn a_rule_s_text_has_the_comments_right_above_it() {
        let text = "# the file\n\n# of a\n# still\n[[rule]]\nname = \"a\"\n[[rule.steps]]\nx = 1\n\n# of b\n[[rule]]\nname = \"b\"\n# the end\n";
        let rules = of(text);
        assert_eq!(rules["a"].text, "# of a\n# still\n[[rule]]\nname = \"a\"\n[[rule.steps]]\nx = 1");
        assert_eq!((rules["a"].line, rules["b"].line), (3, 10));
        assert_eq!(rules["b"].text, "# of b\n[[rule]]\nname = \"b\"\n# the end");
        let inline = of("rule = [{ name = \"a\" }, { name = \"b\", mode = \"live\" }]\n");
        assert_eq!(inline["b"].text, "{ name = \"b\", mode = \"live\" }");
    }

    #[test]
    fn what_has_no_name_of_its_own_is_told_with_its_place() {
        for (text, told) in [
            ("[[rule]]\nname = \"a\"\n[[rule]]\nname = \"a\"\n", "a.toml:3:1"),
            ("[[rule]]\nmode = \"live\"\n", "a rule needs a name"),
            ("rule = 1\n", "a list of rules"),
            ("[[rule\n", "not TOML"),
        ] {
            let file = RuleFile { path: "a.toml".into(), text: text.into() };
            let problems = outlines(&[file]).expect_err(text);
            assert!(problems.iter().any(|problem| problem.to_string().contains(told)), "{problems:?}");
        }
    }
}
