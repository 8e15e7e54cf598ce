//! The JSON Schema of test files, for editors: made from what the parser knows, as that of rule files is.

use serde_json::{Value, json};

use super::{event, expectation, parse};
use crate::event::sample;
use crate::rule::schema::{object, operations, versions};

/// The schema of a file of tests.
#[must_use]
pub fn of_tests() -> Value {
    let mut test = object(&parse::KEYS, test_key, &["name"]);
    let required = |key: &&str| json!({ "required": [key] });
    let one_event: Vec<Value> = event::KEYS.iter().map(required).collect();
    let an_expectation: Vec<Value> = expectation::KEYS.iter().map(required).collect();
    if let Some(test) = test.as_object_mut() {
        test.insert("oneOf".to_owned(), json!(one_event));
        test.insert("anyOf".to_owned(), json!(an_expectation));
        test.insert("not".to_owned(), json!({ "required": ["event", "with"] }));
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Tests of rules of openeventd",
        "type": "object",
        "properties": { "test": { "type": "array", "items": { "$ref": "#/definitions/test" } } },
        "additionalProperties": false,
        "definitions": {
            "test": test,
            "call": object(&expectation::CALL_KEYS, call_key, &["rule", "operation"]),
            "failure": object(&expectation::FAILURE_KEYS, failure_key, &["rule"]),
        },
    })
}

fn test_key(key: &str) -> Value {
    match key {
        "name" => {
            json!({ "description": "One line, unique in its file.", "type": "string", "pattern": "\\S" })
        }
        "sample" => {
            let codes: Vec<&str> = sample::all().map(|(code, _)| code).collect();
            json!({ "description": "The event is the sample of this code.", "enum": codes })
        }
        "event_file" => json!({
            "description": "The event is in this file; the path is relative to the test file.",
            "type": "string",
        }),
        "event" => json!({
            "description": "The event, the whole value of a Kafka record: a table, or JSON text.",
            "type": ["object", "string"],
        }),
        "with" => json!({
            "description": "What is different in the sample or in the event of the file. { null = true } is null, \
                { absent = true } takes a field away.",
            "type": "object",
        }),
        "matches" => names("Rules that match."),
        "not_matches" => names("Rules that do not match."),
        "only" => json!({
            "description": "With true, no rule matches but those under matches, calls and fails.",
            "type": "boolean",
            "default": false,
        }),
        "calls" => json!({
            "description": "Calls that are planned.",
            "type": "array",
            "minItems": 1,
            "items": { "$ref": "#/definitions/call" },
        }),
        "fails" => json!({
            "description": "Rules that match and cannot render their parameters for this event.",
            "type": "array",
            "minItems": 1,
            "items": { "$ref": "#/definitions/failure" },
        }),
        _ => json!({}),
    }
}

fn names(description: &str) -> Value {
    json!({ "description": description, "type": "array", "items": { "type": "string" } })
}

fn call_key(key: &str) -> Value {
    match key {
        "rule" => json!({ "description": "Whose call it is.", "type": "string" }),
        "operation" => operations("What is called."),
        "version" => versions("Compared if it is there."),
        "params" => json!({
            "description": "All parameters as they are rendered; a secret is { \"$secret\" = \"NAME\" }.",
            "type": "object",
        }),
        "account" | "in_order_by" => json!({ "description": "Compared if it is there.", "type": "string" }),
        _ => json!({}),
    }
}

fn failure_key(key: &str) -> Value {
    match key {
        "rule" => json!({ "description": "Which rule fails.", "type": "string" }),
        "reason" => json!({ "description": "Part of the reason.", "type": "string" }),
        _ => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_the_parser_knows_is_left_undescribed() {
        assert!(parse::KEYS.iter().all(|key| test_key(key) != json!({})));
        assert!(expectation::CALL_KEYS.iter().all(|key| call_key(key) != json!({})));
        assert!(expectation::FAILURE_KEYS.iter().all(|key| failure_key(key) != json!({})));
    }
}
