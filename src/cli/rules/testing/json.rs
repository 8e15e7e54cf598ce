//! The results as JSON lines.

use std::io::{self, Write as _};

use serde_json::{Value as Json, json};

use super::Results;
use crate::rule_test::difference::Line;
use crate::rule_test::run::Failure;

/// Prints `results` to standard output.
pub(super) fn write(results: &Results) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for ran in &results.ran {
        let test = &ran.test;
        let failures: Vec<Json> = ran.failures.iter().map(failure).collect();
        let line = json!({
            "test": test.name,
            "file": test.path,
            "line": test.line,
            "passed": failures.is_empty(),
            "failures": failures,
        });
        writeln!(out, "{line}")?;
    }
    let failed = results.failed();
    let rules = results.coverage.rules.iter();
    let rules = rules.map(|rule| {
        json!({ "rule": rule.rule, "test_matches": rule.matches, "test_not_matches": rule.not_matches })
    });
    let operators = results.coverage.operators.iter().map(|(operator, _)| *operator);
    let summary = json!({
        "passed": results.ran.len() - failed,
        "failed": failed,
        "rules": rules.collect::<Vec<_>>(),
        "operators_not_covered": operators.collect::<Vec<_>>(),
    });
    writeln!(out, "{summary}")
}

fn failure(failure: &Failure) -> Json {
    let only = |wanted: fn(&Line) -> Option<&String>| -> Vec<&String> {
        failure.lines.iter().filter_map(wanted).collect()
    };
    json!({
        "message": failure.message,
        "conditions": failure.conditions,
        "expected": only(|line| if let Line::Expected(text) = line { Some(text) } else { None }),
        "got": only(|line| if let Line::Got(text) = line { Some(text) } else { None }),
    })
}
