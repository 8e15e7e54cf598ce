//! What a rule called, beside what a test expects, line by line.

use serde_json::{Map, Value as Json};

use super::ExpectedCall;
use crate::action::PlannedAction;

/// One line of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Both have it.
    Same(String),
    /// The test expects it.
    Expected(String),
    /// The rule made it.
    Got(String),
}

/// The call that is expected beside the one that was planned; `None` if they agree.
pub(super) fn of(expected: &ExpectedCall, got: &PlannedAction) -> Option<Vec<Line>> {
    let mut lines = Vec::new();
    compare(&mut lines, "operation", &expected.operation, got.operation.name);
    if let Some(version) = expected.version {
        compare(&mut lines, "version", version.as_str(), got.operation.version.as_str());
    }
    if let Some(account) = &expected.account {
        compare(&mut lines, "account", account, &got.account);
    }
    if let Some(key) = &expected.in_order_by {
        compare(&mut lines, "in_order_by", key, got.in_order_by.as_deref().unwrap_or(""));
    }
    if let Some(params) = &expected.params {
        compare_params(&mut lines, params, &got.params);
    }
    lines.iter().any(|line| !matches!(line, Line::Same(_))).then_some(lines)
}

fn compare(lines: &mut Vec<Line>, name: &str, expected: &str, got: &str) {
    let line = |text: &str| format!("{name} = {}", Json::from(text));
    if expected == got {
        lines.push(Line::Same(line(got)));
    } else {
        lines.push(Line::Expected(line(expected)));
        lines.push(Line::Got(line(got)));
    }
}

fn compare_params(lines: &mut Vec<Line>, expected: &Map<String, Json>, got: &Map<String, Json>) {
    let line = |name: &str, value: &Json| format!("params.{name} = {value}");
    let mut names: Vec<&String> = expected.keys().chain(got.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        match (expected.get(name), got.get(name)) {
            (Some(expected), Some(got)) if expected == got => lines.push(Line::Same(line(name, got))),
            (expected, got) => {
                lines.extend(expected.map(|value| Line::Expected(line(name, value))));
                lines.extend(got.map(|value| Line::Got(line(name, value))));
            }
        }
    }
}
