//! What a check found, as one JSON document: for editors and pipelines.

use serde_json::{Value, json};

use super::{Checked, calls};
use crate::diagnostic::{Diagnostic, Severity};

/// The document; with `with_calls` it lists what the rules call.
pub(super) fn of(checked: &Checked, with_calls: bool) -> Value {
    let loaded = checked.loaded.as_ref();
    let mut document = json!({
        "ok": checked.is_right(),
        "summary": checked.summary(),
        "errors": checked.count(Severity::Error),
        "warnings": checked.count(Severity::Warning),
        "rules": loaded.map(|(_, rules)| rules.rules.len()),
        "accounts": loaded.map(|(config, _)| config.accounts.len()),
        "diagnostics": checked.problems.iter().map(diagnostic).collect::<Vec<_>>(),
    });
    if let (true, Value::Object(entries)) = (with_calls, &mut document) {
        let calls = calls::of(checked).into_iter().map(|call| {
            json!({
                "rule": call.rule,
                "mode": call.mode,
                "operation": call.operation,
                "version": call.version,
                "access": call.access,
                "when_lost": call.when_lost,
            })
        });
        entries.insert("calls".to_owned(), calls.collect());
    }
    document
}

/// One problem; what it has not is null.
fn diagnostic(problem: &Diagnostic) -> Value {
    let place = problem.place.as_ref();
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    json!({
        "severity": match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "file": text(&problem.file),
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
        "key": text(&problem.key),
        "message": problem.message,
        "help": text(&problem.help),
        "quoted": place.map(|place| place.text.as_str()),
    })
}
