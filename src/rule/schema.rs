//! The JSON Schema of rule files, for editors: made from what the parser knows, so that the two agree.
//!
//! It is draft 7, which editors of TOML understand. What it refuses the parser refuses; the parser knows more, such as
//! the parameters of each operation, the configured accounts and the texts of patterns.

use serde_json::{Map, Value, json};

use crate::event::catalogue;
use crate::operation::{self, ApiVersion};
use crate::rule::field::{Field, KNOWN_EXTENSIONS};
use crate::rule::pattern::Dialect;
use crate::rule::pattern::operator;
use crate::rule::{Mode, parse, step};

/// A duration of a rule, as the parser takes it.
const DURATION: &str = "^[0-9]+[smhd]$";

/// The schema of a rule file.
#[must_use]
pub fn of_rules() -> Value {
    let rules = json!({ "type": "array", "items": { "$ref": "#/definitions/rule" } });
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Rules of openeventd",
        "type": "object",
        "properties": { "rule": rules },
        "additionalProperties": false,
        "definitions": {
            "rule": object(&parse::KEYS, rule_key, &["name", "match"]),
            "step": object(&step::KEYS, step_key, &["operation"]),
            "pattern": pattern(),
            "fields": fields(),
            "condition": condition(),
            "member": { "anyOf": [{ "$ref": "#/definitions/value" }, { "$ref": "#/definitions/operator" }] },
            "value": { "type": ["string", "number", "boolean"] },
            "texts": texts(),
            "operator": operators(),
        },
    })
}

/// A table with these keys and no other.
pub(crate) fn object(keys: &[&str], schema: fn(&str) -> Value, required: &[&str]) -> Value {
    let properties: Map<String, Value> = keys.iter().map(|key| ((*key).to_owned(), schema(key))).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn rule_key(key: &str) -> Value {
    match key {
        "name" => json!({
            "description": "Unique over all files.",
            "type": "string",
            "pattern": format!("^[a-z0-9._-]{{1,{}}}$", parse::NAME_CHARS_MAX),
        }),
        "match" => json!({
            "description": "The pattern that an event must fit: a table, or JSON text.",
            "anyOf": [{ "$ref": "#/definitions/pattern" }, { "type": "string" }],
        }),
        "mode" => json!({
            "description": "observe: decide and record, send nothing; approve: hold every call until a person \
                releases it; live: send.",
            "enum": Mode::ALL.map(Mode::as_str),
            "default": Mode::default().as_str(),
        }),
        "max_event_age" => json!({
            "description": "Calls for older events are held.",
            "type": "string",
            "pattern": DURATION,
            "default": "1h",
        }),
        "max_calls" => json!({
            "description": "Calls that the rule may plan in any hour; further ones are held.",
            "type": "integer",
            "minimum": 1,
            "maximum": parse::CALLS_MAX,
            "default": parse::DEFAULT_MAX_CALLS,
        }),
        "expires" => json!({
            "description": "A write is not sent later than this after its event.",
            "type": "string",
            "pattern": DURATION,
            "default": "30m",
        }),
        "dialect" => json!({
            "description": "What this bus lacks is refused.",
            "enum": Dialect::ALL.map(Dialect::as_str),
        }),
        "steps" => json!({
            "description": "What to call. A rule without a step only records that it matched.",
            "type": "array",
            "maxItems": 1,
            "items": { "$ref": "#/definitions/step" },
        }),
        _ => json!({}),
    }
}

fn step_key(key: &str) -> Value {
    match key {
        "operation" => operations("An operation of DataWorks' OpenAPI."),
        "version" => {
            versions("The API version; needed where both have the operation and the account prefers none.")
        }
        "account" => json!({
            "description": "The [account.NAME] that signs the call; the only one configured if left out.",
            "type": "string",
        }),
        "params" => json!({
            "description": "The operation's parameters; texts may hold templates such as {{ instance }}. \
                `openeventd api show OPERATION` shows them.",
            "type": "object",
        }),
        "in_order_by" => json!({
            "description": "A template; calls with the same text are made one after the other.",
            "type": "string",
        }),
        _ => json!({}),
    }
}

/// The name of an operation, of either version.
pub(crate) fn operations(description: &str) -> Value {
    let versions = [ApiVersion::V2020, ApiVersion::V2024];
    let mut names: Vec<&str> = versions.into_iter().flat_map(operation::names).collect();
    names.sort_unstable();
    names.dedup();
    json!({ "description": description, "enum": names })
}

/// A version of the API.
pub(crate) fn versions(description: &str) -> Value {
    json!({ "description": description, "enum": [ApiVersion::V2024.as_str(), ApiVersion::V2020.as_str()] })
}

/// The conditions on a whole event: its names are offered, others may be attributes of its own.
fn pattern() -> Value {
    let mut properties = Map::new();
    for field in Field::ALL {
        properties.insert(field.name().to_owned(), offered(&known_texts(field)));
    }
    for name in KNOWN_EXTENSIONS {
        properties.insert(name.to_owned(), offered(&[]));
    }
    properties.insert("$or".to_owned(), alternatives());
    json!({
        "type": "object",
        "minProperties": 1,
        "properties": properties,
        "additionalProperties": { "$ref": "#/definitions/condition" },
    })
}

fn known_texts(field: Field) -> Vec<&'static str> {
    match field {
        Field::Code => {
            let mut codes: Vec<&str> = catalogue::all().map(|row| row.code).collect();
            codes.sort_unstable();
            codes
        }
        Field::Type => catalogue::all().map(|row| row.event_type).collect(),
        _ => field.all_texts().unwrap_or_default(),
    }
}

/// A condition for which an editor offers `texts`; any other is taken too.
fn offered(texts: &[&str]) -> Value {
    let any = json!({ "$ref": "#/definitions/condition" });
    if texts.is_empty() { any } else { json!({ "anyOf": [{ "enum": texts }, any] }) }
}

fn alternatives() -> Value {
    json!({ "type": "array", "minItems": 2, "items": { "$ref": "#/definitions/pattern" } })
}

/// Fields below a field. A table whose keys are operators is an operator, so none of them has such a name.
fn fields() -> Value {
    json!({
        "type": "object",
        "minProperties": 1,
        "propertyNames": { "not": { "enum": operator_names().collect::<Vec<_>>() } },
        "properties": { "$or": alternatives() },
        "additionalProperties": { "$ref": "#/definitions/condition" },
    })
}

fn condition() -> Value {
    json!({ "anyOf": [
        { "$ref": "#/definitions/value" },
        { "type": "array", "minItems": 1, "items": { "$ref": "#/definitions/member" } },
        { "$ref": "#/definitions/operator" },
        { "$ref": "#/definitions/fields" },
    ] })
}

fn texts() -> Value {
    json!({ "anyOf": [{ "type": "string" }, { "type": "array", "minItems": 1, "items": { "type": "string" } }] })
}

/// The operators, and null, which TOML lacks.
fn operator_names() -> impl Iterator<Item = &'static str> {
    operator::NAMES.into_iter().chain(["null"])
}

fn operators() -> Value {
    one_of(operator_names().map(|name| (name, operand(name))))
}

/// A table with one of these keys.
fn one_of<'n>(keys: impl Iterator<Item = (&'n str, Value)>) -> Value {
    let properties: Map<String, Value> = keys.map(|(name, schema)| (name.to_owned(), schema)).collect();
    json!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "properties": properties,
        "additionalProperties": false,
    })
}

fn operand(name: &str) -> Value {
    let text = json!({ "type": "string" });
    match name {
        "prefix" | "suffix" => {
            json!({ "anyOf": [text, one_of([("equals-ignore-case", text.clone())].into_iter())] })
        }
        "contains" | "equals-ignore-case" | "wildcard" | "cidr" | "regex" => text,
        "anything-but" => {
            let value = json!({ "type": ["string", "number"] });
            let operators = ["prefix", "suffix", "wildcard", "equals-ignore-case"];
            let texts = json!({ "$ref": "#/definitions/texts" });
            let excluded = one_of(operators.into_iter().map(|name| (name, texts.clone())));
            json!({ "anyOf": [value, { "type": "array", "minItems": 1, "items": value }, excluded] })
        }
        "numeric" => {
            let parts = json!({ "anyOf": [{ "enum": ["=", "<", "<=", ">", ">="] }, { "type": "number" }] });
            json!({ "type": "array", "minItems": 2, "maxItems": 4, "items": parts })
        }
        "exists" => json!({ "type": "boolean" }),
        "not" => {
            let member = json!({ "$ref": "#/definitions/member" });
            json!({ "anyOf": [member, { "type": "array", "minItems": 1, "items": member }] })
        }
        "null" => json!({ "enum": [true] }),
        _ => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_the_parser_knows_is_left_undescribed() {
        assert!(parse::KEYS.iter().all(|key| rule_key(key) != json!({})));
        assert!(step::KEYS.iter().all(|key| step_key(key) != json!({})));
        assert!(operator_names().all(|name| operand(name) != json!({})));
    }

    #[test]
    fn the_durations_are_those_that_hold_by_default() {
        for (key, expected_ms) in
            [("max_event_age", parse::DEFAULT_MAX_EVENT_AGE_MS), ("expires", parse::DEFAULT_EXPIRES_MS)]
        {
            let said = rule_key(key);
            assert_eq!(said["default"].as_str().and_then(parse::duration_ms), Some(expected_ms), "{key}");
        }
    }
}
