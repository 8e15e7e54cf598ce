//! The JSON Schema of the configuration, for editors: made from the strict mirror of the file and its reference.
//!
//! The keys and defaults are those of the mirror; what a key takes is found out by asking the mirror; the descriptions
//! are the comments of the reference. Only which words a choice takes is said here once more, and a test compares.
//! It is draft 7, which editors of TOML understand. Nothing is required: a variable may set it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::forms::{Scalar, SecretSource};
use super::raw::{Account, Allow, Raw};
use super::size;
use crate::duration;
use crate::openapi::sign::Scheme;
use crate::operation::{self, ApiVersion};
use crate::quota::{Edition, Table};

/// Stands for a name that a person chooses.
const ANY: &str = "any";
const REFERENCE: &str = include_str!("../../config/openeventd.toml");

/// The schema of the configuration.
#[must_use]
pub fn of_config() -> Value {
    let descriptions = descriptions();
    let example = serde_json::to_value(exemplar()).unwrap_or_default();
    let mut schema = Map::new();
    schema.insert("$schema".into(), "http://json-schema.org/draft-07/schema#".into());
    schema.insert("title".into(), "Configuration of openeventd".into());
    if let Value::Object(body) = of_value(&[], &example, &descriptions) {
        schema.extend(body);
    }
    Value::Object(schema)
}

/// Settings with one of everything that has a name, or stands in a list.
fn exemplar() -> Raw {
    let mut raw = Raw::default();
    raw.account.insert(ANY.to_owned(), Account::default());
    raw.policy.allow.push(Allow::default());
    let kept = || Some(String::new());
    raw.secrets.insert(ANY.to_owned(), SecretSource { credential: kept(), file: kept(), env: kept() });
    raw.kafka.properties.insert(ANY.to_owned(), Scalar(String::new()));
    raw
}

fn of_value(path: &[&str], value: &Value, descriptions: &BTreeMap<String, String>) -> Value {
    let mut schema = match value {
        Value::Object(entries) => match entries.get(ANY) {
            Some(any) => {
                let path = [path, &[ANY]].concat();
                json!({ "type": "object", "additionalProperties": of_value(&path, any, descriptions) })
            }
            None => table(path, entries, descriptions),
        },
        Value::Array(items) => match items.first() {
            Some(item) => {
                let path = [path, &["0"]].concat();
                json!({ "type": "array", "items": of_value(&path, item, descriptions) })
            }
            None => leaf(path, value),
        },
        _ => leaf(path, value),
    };
    if let (Some(description), Value::Object(schema)) = (descriptions.get(&path.join(".")), &mut schema) {
        schema.insert("description".into(), description.as_str().into());
    }
    schema
}

fn table(path: &[&str], entries: &Map<String, Value>, descriptions: &BTreeMap<String, String>) -> Value {
    let mut properties = Map::new();
    for (key, value) in entries {
        let path = [path, &[key.as_str()]].concat();
        properties.insert(key.clone(), of_value(&path, value, descriptions));
    }
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// What a setting takes: everything that the mirror accepts.
fn leaf(path: &[&str], default: &Value) -> Value {
    let text = match default {
        Value::String(default) => of_text(path, default),
        _ => of_text(path, ""),
    };
    let kept = |key: &str| {
        json!({ "type": "object", "required": [key], "properties": { key: { "type": "string" } },
        "additionalProperties": false })
    };
    let integer = if accepts(path, &json!(-1)) {
        json!({ "type": "integer" })
    } else {
        json!({ "type": "integer", "minimum": 0 })
    };
    let forms = [
        (json!("text"), text),
        (json!("1"), json!({ "type": "string", "pattern": "^[-+0-9, ]*$" })),
        (json!(1), integer),
        (json!(true), json!({ "type": "boolean" })),
        (json!(["text"]), json!({ "type": "array", "items": { "type": "string" } })),
        (json!([1]), json!({ "type": "array", "items": { "type": "integer" } })),
        (json!({ "credential": "x" }), kept("credential")),
        (json!({ "file": "x" }), kept("file")),
        (json!({ "env": "x" }), kept("env")),
    ];
    let takes_text = accepts(path, &json!("text"));
    let mut accepted: Vec<Value> = forms
        .into_iter()
        .filter(|(tried, _)| accepts(path, tried) && !(takes_text && *tried == json!("1")))
        .map(|(_, schema)| schema)
        .collect();
    let mut schema = match accepted.as_mut_slice() {
        [only] => std::mem::take(only),
        _ => json!({ "anyOf": accepted }),
    };
    let says_something = !matches!(default, Value::Null) && *default != json!("") && *default != json!([]);
    if let (true, Value::Object(schema)) = (says_something, &mut schema) {
        schema.insert("default".into(), default.clone());
    }
    schema
}

/// Whether the mirror accepts `value` for the setting `path`.
fn accepts(path: &[&str], value: &Value) -> bool {
    let settings = path.iter().rev().fold(value.clone(), |inner, key| match *key {
        "0" => json!([inner]),
        key => json!({ key: inner }),
    });
    serde_json::from_value::<Raw>(settings).is_ok()
}

/// A text: one of some words, or of the form that its default has.
fn of_text(path: &[&str], default: &str) -> Value {
    if let Some(words) = words(&path.join(".")) {
        return json!({ "enum": words });
    }
    if duration::parse(default).is_ok() {
        json!({ "type": "string", "pattern": "^ *([0-9]+ *(ms|s|m|h|d|w) *)+$" })
    } else if size::parse(default).is_ok() {
        json!({ "type": "string", "pattern": "^ *[0-9]+ *(B|KiB|MiB|GiB) *$" })
    } else if default.ends_with('%') {
        json!({ "type": "string", "pattern": r"^\+?[0-9]+%$" })
    } else {
        json!({ "type": "string" })
    }
}

/// The words that a choice takes.
fn words(path: &str) -> Option<Vec<&'static str>> {
    Some(match path {
        "kafka.security_protocol" => vec!["sasl_ssl", "ssl", "sasl_plaintext", "plaintext"],
        "kafka.sasl_mechanism" => vec!["plain", "scram-sha-256", "scram-sha-512"],
        "kafka.ssl_endpoint_identification" => vec!["https", "none"],
        "kafka.start_at" => vec!["earliest", "latest"],
        "account.any.edition" => Edition::NAMED.map(|(name, _)| name).to_vec(),
        "account.any.quota_table" => Table::NAMED.map(|(name, _)| name).to_vec(),
        "account.any.credentials" => vec!["configured", "default"],
        "account.any.signature" => [Scheme::V1, Scheme::Acs3].map(Scheme::as_str).to_vec(),
        "account.any.api_version" => [ApiVersion::V2024, ApiVersion::V2020].map(ApiVersion::as_str).to_vec(),
        "policy.allow.0.operation" => operations(),
        "log.format" => vec!["auto", "text", "json"],
        "log.level" => vec!["error", "warn", "info", "debug", "trace"],
        _ => return None,
    })
}

/// The names of the operations of both API versions.
fn operations() -> Vec<&'static str> {
    let versions = [ApiVersion::V2024, ApiVersion::V2020];
    let mut names: Vec<&str> = versions.into_iter().flat_map(operation::names).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The comments of the reference by setting.
fn descriptions() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let (mut table, mut comment) = (String::new(), String::new());
    for line in REFERENCE.lines() {
        if let Some(header) = line.strip_prefix('[') {
            table = header.trim_end_matches(']').replace("account.main", "account.any");
            comment.clear();
        } else if let Some(text) = line.strip_prefix("# ") {
            let space = if comment.is_empty() { "" } else { " " };
            comment = format!("{comment}{space}{}", text.trim());
        } else if let Some((key, _)) = line.trim_start_matches('#').split_once(" = ") {
            let key = format!("{table}.{key}");
            if !comment.is_empty() && !key.contains('"') {
                found.insert(key, comment.clone());
            }
            comment.clear();
        } else {
            comment.clear();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::environment::Environment;
    use super::super::report::Report;
    use super::super::resolve;
    use super::*;

    /// The settings of `schema` that are no tables, by path.
    fn leaves<'s>(path: &str, schema: &'s Value, found: &mut BTreeMap<String, &'s Value>) {
        let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            for (key, inner) in properties {
                leaves(&join(key), inner, found);
            }
        } else if let Some(inner) = schema.get("additionalProperties").filter(|inner| inner.is_object()) {
            leaves(&join(ANY), inner, found);
        } else if let Some(inner) = schema.get("items").filter(|inner| inner.get("properties").is_some()) {
            leaves(&join("0"), inner, found);
        } else {
            found.insert(path.to_owned(), schema);
        }
    }

    #[test]
    fn every_setting_has_a_type_and_a_description() {
        let schema = of_config();
        let mut found = BTreeMap::new();
        leaves("", &schema, &mut found);
        assert!(found.len() > 55, "{}", found.len());
        for (path, schema) in found {
            let takes_nothing = schema.get("anyOf").and_then(Value::as_array).is_some_and(Vec::is_empty);
            assert!(!takes_nothing && schema != &json!({}), "{path}: {schema}");
            let is_named =
                path.contains(".0.") || path == "kafka.properties.any" || path.starts_with("secrets.");
            // Some settings share the comment above the first of them.
            let shares = ["dispatch.backoff_max", "trust.workspaces"].contains(&path.as_str());
            assert!(is_named || shares || schema.get("description").is_some(), "{path}: {schema}");
        }
    }

    #[test]
    fn the_words_of_every_choice_are_those_that_are_checked() {
        let nonsense = "nonsense";
        let schema = of_config();
        let mut found = BTreeMap::new();
        leaves("", &schema, &mut found);
        let mut choices = 0;
        for path in found.keys() {
            let parts: Vec<&str> = path.split('.').collect();
            if !accepts(&parts, &json!(nonsense)) || parts.contains(&"0") {
                continue;
            }
            let settings = parts.iter().rev().fold(json!(nonsense), |inner, key| json!({ *key: inner }));
            let raw: Raw = serde_json::from_value(settings).expect("it is accepted");
            let mut report = Report::new("file", "");
            resolve::resolve(&raw, Path::new("file"), &Environment::default(), &mut report);
            let refused = report.finish().into_iter().find(|problem| {
                problem.key == *path
                    && problem.message.starts_with("`nonsense` is not known, expected one of ")
            });
            let Some(refused) = refused else { continue };
            choices += 1;
            let mut expected: Vec<&str> =
                refused.message.split_once("one of ").expect("it lists them").1.split(", ").collect();
            let mut said = words(path).unwrap_or_else(|| panic!("no words for {path}"));
            expected.sort_unstable();
            said.sort_unstable();
            assert_eq!(said, expected, "{path}");
        }
        assert!(choices >= 9, "{choices}");
    }
}
