//! What a test expects: which rules match, which do not, and what they call.

use std::ops::Range;

use serde_json::{Map, Value as Json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document;
use super::parse::Names;
use super::{Expected, ExpectedCall, ExpectedFailure};
use crate::diagnostic::nearest;
use crate::operation::{self, ApiVersion};
use crate::rule::pattern::item::Item;
use crate::rule::report::{Report, dotted};

pub(super) const CALL_KEYS: [&str; 6] = ["rule", "operation", "version", "account", "params", "in_order_by"];
pub(super) const FAILURE_KEYS: [&str; 2] = ["rule", "reason"];
pub(super) const KEYS: [&str; 4] = ["matches", "not_matches", "calls", "fails"];

/// The expectations of the test `table`.
pub(super) fn parse(
    report: &mut Report<'_>,
    rules: Names<'_>,
    table: &DeTable<'_>,
    at: &Range<usize>,
) -> Expected {
    let mut expected = Expected { only: only(report, table), ..Expected::default() };
    if !KEYS.into_iter().any(|key| table.contains_key(key)) {
        let help =
            "add `matches`, `not_matches`, `calls` or `fails`; `matches = []` with `only = true` is none";
        report.error(at, "", "a test needs an expectation", help);
    }
    expected.matches = names(report, rules, table, "matches", expected.only);
    expected.not_matches = names(report, rules, table, "not_matches", false);
    for (entry, path) in tables(report, table, "calls") {
        expected.calls.extend(call(report, rules, entry, &path));
    }
    for (entry, path) in tables(report, table, "fails") {
        let (table, at) = entry;
        report.refuse_unknown(table, &path, &FAILURE_KEYS, &[]);
        let rule = rule(report, rules, table, at, &path);
        let reason = report.text(table, &path, "reason").map(|(text, _)| text.to_owned());
        expected.fails.extend(rule.map(|rule| ExpectedFailure { rule, reason }));
    }
    refuse_contradictions(report, table, &expected);
    expected
}

fn only(report: &mut Report<'_>, table: &DeTable<'_>) -> bool {
    match table.get("only").map(|value| (value, value.get_ref())) {
        None => false,
        Some((_, DeValue::Boolean(only))) => *only,
        Some((value, _)) => {
            report.wrong_type(value, "only", "true or false");
            false
        }
    }
}

/// The list of rule names under `key`.
fn names(
    report: &mut Report<'_>,
    rules: Names<'_>,
    table: &DeTable<'_>,
    key: &str,
    may_be_empty: bool,
) -> Vec<String> {
    let Some(value) = table.get(key) else { return Vec::new() };
    let DeValue::Array(list) = value.get_ref() else {
        report.wrong_type(value, key, "a list of rule names");
        return Vec::new();
    };
    if list.is_empty() && !may_be_empty {
        let help =
            "name rules, leave it out, or write `matches = []` with `only = true` where no rule may match";
        report.error(&value.span(), key, "an empty list expects nothing", help);
    }
    let mut names = Vec::new();
    for entry in list {
        match entry.get_ref() {
            DeValue::String(name) => {
                refuse_unknown_rule(report, rules, name, &entry.span(), key);
                names.push(name.to_string());
            }
            _ => report.wrong_type(entry, key, "the name of a rule"),
        }
    }
    names
}

fn refuse_unknown_rule(report: &mut Report<'_>, rules: Names<'_>, name: &str, at: &Range<usize>, key: &str) {
    let Some(rules) = rules.filter(|rules| !rules.contains(name)) else { return };
    let help = match nearest(name, rules.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => "`name` of a rule in any file of the rule directory is meant".to_owned(),
    };
    report.error(at, key, format!("there is no rule \"{name}\""), help);
}

/// A table of a list, and where it stands.
type Entry<'t, 'd> = (&'t DeTable<'d>, &'t Spanned<DeValue<'d>>);

/// The tables of the list under `key`, each with its path.
fn tables<'t, 'd>(
    report: &mut Report<'_>,
    table: &'t DeTable<'d>,
    key: &str,
) -> Vec<(Entry<'t, 'd>, String)> {
    let Some(value) = table.get(key) else { return Vec::new() };
    let DeValue::Array(list) = value.get_ref() else {
        report.wrong_type(value, key, &format!("a list of tables, each under a line `[[test.{key}]]`"));
        return Vec::new();
    };
    if list.is_empty() {
        let help = "leave it out; a rule under `matches` may call or not";
        report.error(&value.span(), key, "an empty list expects nothing", help);
    }
    let mut tables = Vec::new();
    for (place, entry) in list.iter().enumerate() {
        let path = format!("{key}[{place}]");
        match entry.get_ref() {
            DeValue::Table(table) => tables.push(((table, entry), path)),
            _ => report.wrong_type(entry, &path, "a table"),
        }
    }
    tables
}

/// The rule that `table` names.
fn rule(
    report: &mut Report<'_>,
    rules: Names<'_>,
    table: &DeTable<'_>,
    at: &Spanned<DeValue<'_>>,
    path: &str,
) -> Option<String> {
    let key = dotted(path, "rule");
    if !table.contains_key("rule") {
        report.error(&at.span(), &key, "missing: whose it is", "add `rule = \"NAME\"`");
    }
    let (name, span) = report.text(table, path, "rule")?;
    refuse_unknown_rule(report, rules, name, &span, &key);
    Some(name.to_owned())
}

fn call(
    report: &mut Report<'_>,
    rules: Names<'_>,
    (table, at): Entry<'_, '_>,
    path: &str,
) -> Option<ExpectedCall> {
    report.refuse_unknown(table, path, &CALL_KEYS, &[]);
    let rule = rule(report, rules, table, at, path);
    let version = report.text(table, path, "version").and_then(|(text, span)| {
        let version = ApiVersion::from_text(text);
        if version.is_none() {
            let message = format!("expected \"2020-05-18\" or \"2024-05-18\", found \"{text}\"");
            report.error(&span, &dotted(path, "version"), message, "");
        }
        version
    });
    let operation = operation(report, table, at, path, version);
    let account = report.text(table, path, "account").map(|(text, _)| text.to_owned());
    let in_order_by = report.text(table, path, "in_order_by").map(|(text, _)| text.to_owned());
    let params = table.get("params").and_then(|value| params(report, value, &dotted(path, "params")));
    Some(ExpectedCall { rule: rule?, operation: operation?, version, account, params, in_order_by })
}

fn operation(
    report: &mut Report<'_>,
    table: &DeTable<'_>,
    at: &Spanned<DeValue<'_>>,
    path: &str,
    version: Option<ApiVersion>,
) -> Option<String> {
    let key = dotted(path, "operation");
    if !table.contains_key("operation") {
        report.error(&at.span(), &key, "missing: what is called", "add `operation = \"NAME\"`");
    }
    let (name, span) = report.text(table, path, "operation")?;
    let is_known = [ApiVersion::V2020, ApiVersion::V2024]
        .into_iter()
        .any(|own| version.is_none_or(|version| version == own) && operation::find(name, own).is_some());
    if !is_known {
        let help = operation::suggestions(name, version).to_string();
        report.error(&span, &key, operation::unknown(name, version), help);
    }
    Some(name.to_owned())
}

fn params(report: &mut Report<'_>, value: &Spanned<DeValue<'_>>, key: &str) -> Option<Map<String, Json>> {
    if !matches!(value.get_ref(), DeValue::Table(_)) {
        report.wrong_type(value, key, "a table of parameters");
        return None;
    }
    let item = document::of_toml(Item::of_toml(value));
    match document::to_json(&item) {
        Ok(text) => serde_json::from_str(&text).ok(),
        Err(foreign) => {
            report.error(&foreign.span, key, format!("{} is no parameter value", foreign.describe()), "");
            None
        }
    }
}

/// A rule cannot both match and not, nor both call and fail.
fn refuse_contradictions(report: &mut Report<'_>, table: &DeTable<'_>, expected: &Expected) {
    let at = |key: &str| table.get(key).map_or(0..0, Spanned::span);
    for name in &expected.not_matches {
        if expected.matching().any(|own| own == name) {
            let message = format!("the rule \"{name}\" cannot both match and not match");
            report.error(&at("not_matches"), "not_matches", message, "");
        }
    }
    for (place, failure) in expected.fails.iter().enumerate() {
        if expected.calls.iter().any(|call| call.rule == failure.rule) {
            let message = format!("the rule \"{}\" cannot both call and fail", failure.rule);
            report.error(&at("fails"), &format!("fails[{place}]"), message, "");
        }
    }
    for (place, call) in expected.calls.iter().enumerate() {
        if expected.calls.iter().take(place).any(|other| other.rule == call.rule) {
            let message = format!("the rule \"{}\" makes one call, and two are expected", call.rule);
            report.error(&at("calls"), &format!("calls[{place}]"), message, "");
        }
    }
}
