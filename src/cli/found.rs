//! What a read about a lost call found, in a few words. Pure.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// Subjects that are told.
const SUBJECTS_MAX: usize = 5;

/// What a column with findings holds, `{"101":{"RunNumber":2}}`, in words; each with its subject if `named`.
#[must_use]
pub(super) fn in_words(found: &Value, named: Named) -> String {
    let Value::Object(findings) = found else { return String::new() };
    let told = findings.iter().take(SUBJECTS_MAX).filter_map(|(subject, finding)| {
        let told = finding_in_words(finding.as_object()?);
        Some(if named == Named::Yes { format!("{subject}: {told}") } else { told })
    });
    let mut told: Vec<String> = told.collect();
    if findings.len() > SUBJECTS_MAX {
        told.push("...".to_owned());
    }
    told.join("; ")
}

/// Whether findings are told with their subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    Yes,
    /// The subject stands beside it.
    No,
}

fn finding_in_words(finding: &Map<String, Value>) -> String {
    let told: Vec<String> = finding.iter().map(|(name, value)| field_in_words(name, value)).collect();
    told.join(", ")
}

fn field_in_words(name: &str, value: &Value) -> String {
    match (name, value) {
        ("ids", Value::Array(rows)) => format!("{} rows of its own", rows.len()),
        ("newest", newest) => format!("the newest row is {newest}"),
        ("reruns", Value::Array(reruns)) => {
            let at = reruns.last().and_then(Value::as_i64);
            let at = at.and_then(|ms| Timestamp::from_millisecond(ms).ok());
            at.map_or_else(|| "no rerun".to_owned(), |at| format!("a rerun at {at}"))
        }
        // A field may be named by a pointer; its last part is its own name.
        (name, Value::String(word)) => format!("{} {word}", own_name(name)),
        (name, other) => format!("{} {other}", own_name(name)),
    }
}

fn own_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn findings_are_told_in_a_few_words() {
        for (found, named, told) in [
            (json!({"101": {"RunNumber": 2, "Status": "Failure"}}), Named::No, "RunNumber 2, Status Failure"),
            (json!({"1": {"a": 1}, "2": {"/b/0/c": "x"}}), Named::Yes, "1: a 1; 2: c x"),
            (
                json!({"7": {"ids": ["3", "2"], "newest": 3}}),
                Named::No,
                "2 rows of its own, the newest row is 3",
            ),
            (json!({"7": {"reruns": []}}), Named::No, "no rerun"),
            (json!({"7": {"reruns": [1_774_000_000_000_i64]}}), Named::No, "a rerun at 2026-03-20T09:46:40Z"),
            (json!(null), Named::No, ""),
        ] {
            assert_eq!(in_words(&found, named), told);
        }
    }
}
