//! Strict parsing of test files.
//!
//! Takes the texts of all files, the names of the rules, and what reads the files that hold events; gives the tests
//! with their warnings, or every problem of every file. A file that is no TOML is reported with all its syntax errors and not
//! looked into further.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostic, Severity};
use crate::rule::RuleFile;
use crate::rule::report::Report;
use crate::rule_test::{RuleTest, event, expectation};

/// Tests that all files together may hold.
pub const TESTS_MAX: usize = 100_000;
/// Characters that a test's name may have.
pub const NAME_CHARS_MAX: usize = 200;

pub(super) const KEYS: [&str; 10] =
    ["name", "event", "event_file", "sample", "with", "matches", "not_matches", "only", "calls", "fails"];

/// Gives the text of the file at a path below the rule directory, or why it cannot.
pub type ReadFile<'a> = dyn FnMut(&str) -> Result<String, String> + 'a;

/// The names that rules give themselves; `None` if some may be hidden, so that any name may be one.
pub type Names<'n> = Option<&'n BTreeSet<String>>;

/// Tests with their warnings, or every problem found.
pub type Parsed = Result<(Vec<RuleTest>, Vec<Diagnostic>), Vec<Diagnostic>>;

/// What tests may refer to.
pub(super) struct Surroundings<'a, 'r> {
    pub(super) rules: Names<'a>,
    pub(super) read: &'a mut ReadFile<'r>,
}

/// Parses all `files`, which name `rules`.
///
/// # Errors
/// Every problem of every file, in order of file and line; warnings among them.
pub fn parse(files: &[RuleFile], rules: Names<'_>, read: &mut ReadFile<'_>) -> Parsed {
    let mut surroundings = Surroundings { rules, read };
    let mut tests = Vec::new();
    let mut problems = Vec::new();
    for file in files {
        let mut report = Report::new(file);
        parse_file(&mut report, &mut surroundings, &mut tests);
        problems.extend(report.into_diagnostics());
    }
    let is_error = |problem: &Diagnostic| problem.severity == Severity::Error;
    if problems.iter().any(is_error) { Err(problems) } else { Ok((tests, problems)) }
}

fn parse_file(report: &mut Report<'_>, surroundings: &mut Surroundings<'_, '_>, tests: &mut Vec<RuleTest>) {
    let Some(document) = report.document() else { return };
    report.refuse_unknown(document.get_ref(), "", &["test"], &[]);
    let Some(list) = document.get_ref().get("test") else { return };
    let DeValue::Array(list) = list.get_ref() else {
        report.wrong_type(list, "test", "a list of tests, each under a line `[[test]]`");
        return;
    };
    let mut names = HashMap::new();
    for entry in list {
        let DeValue::Table(table) = entry.get_ref() else {
            report.wrong_type(entry, "test", "a table");
            continue;
        };
        if tests.len() == TESTS_MAX {
            report.error(&entry.span(), "", format!("more than {TESTS_MAX} tests"), "");
            return;
        }
        tests.extend(parse_test(report, surroundings, table, &entry.span(), &mut names));
    }
}

fn parse_test(
    report: &mut Report<'_>,
    surroundings: &mut Surroundings<'_, '_>,
    table: &DeTable<'_>,
    at: &Range<usize>,
    names: &mut HashMap<String, usize>,
) -> Option<RuleTest> {
    let errors_before = report.errors();
    report.refuse_unknown(table, "", &KEYS, &[]);
    let line = report.line(at);
    let name = parse_name(report, table, at, line, names);
    let event = event::parse(report, surroundings, table, at);
    let expected = expectation::parse(report, surroundings.rules, table, at);
    if report.errors() > errors_before {
        return None;
    }
    Some(RuleTest { name: name?, path: report.file.path.clone(), line, event: event?, expected })
}

fn parse_name(
    report: &mut Report<'_>,
    table: &DeTable<'_>,
    at: &Range<usize>,
    line: usize,
    names: &mut HashMap<String, usize>,
) -> Option<String> {
    if !table.contains_key("name") {
        report.error(
            at,
            "name",
            "a test needs a name",
            "add for example `name = \"a failed instance is rerun\"`",
        );
    }
    let (name, span) = report.text(table, "", "name")?;
    let is_plain = !name.trim().is_empty() && !name.chars().any(char::is_control);
    if !is_plain || name.chars().count() > NAME_CHARS_MAX {
        report.error(&span, "name", format!("expected one line of 1 to {NAME_CHARS_MAX} characters"), "");
    }
    if let Some(first) = names.insert(name.to_owned(), line) {
        let message = format!("the file has two tests \"{name}\"");
        report.error(&span, "name", message, format!("the other one is at line {first}; rename one"));
    }
    Some(name.to_owned())
}
