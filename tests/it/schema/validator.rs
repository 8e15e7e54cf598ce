//! As much of JSON Schema (draft 7) as our schemas use. A keyword that is not known here fails the test, so that none
//! is passed over.

use regex::Regex;
use serde_json::Value;

/// Where `value` does not fit `schema`; empty if it fits.
pub(super) fn problems(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, schema, value, "", &mut found);
    found
}

fn fits(root: &Value, schema: &Value, value: &Value) -> bool {
    let mut found = Vec::new();
    check(root, schema, value, "", &mut found);
    found.is_empty()
}

fn check(root: &Value, schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    let Some(keywords) = schema.as_object() else {
        assert!(schema.is_boolean(), "{schema} is no schema");
        if schema == &Value::Bool(false) {
            found.push(format!("{path}: nothing is allowed here"));
        }
        return;
    };
    for (keyword, operand) in keywords {
        let holds = match keyword.as_str() {
            "$schema"
            | "title"
            | "description"
            | "default"
            | "definitions"
            | "required"
            | "properties"
            | "additionalProperties" => true,
            "$ref" => {
                let pointer = operand.as_str().and_then(|text| text.strip_prefix('#')).expect("a reference");
                let target = root.pointer(pointer).unwrap_or_else(|| panic!("{pointer} leads nowhere"));
                check(root, target, value, path, found);
                true
            }
            "type" => match operand {
                Value::Array(names) => names.iter().any(|name| is_of(name, value)),
                name => is_of(name, value),
            },
            "enum" => operand.as_array().expect("a list").contains(value),
            "not" => !fits(root, operand, value),
            "anyOf" => operand.as_array().expect("a list").iter().any(|one| fits(root, one, value)),
            "oneOf" => {
                operand.as_array().expect("a list").iter().filter(|one| fits(root, one, value)).count() == 1
            }
            "pattern" => value.as_str().is_none_or(|text| {
                Regex::new(operand.as_str().expect("text")).expect("a regular expression").is_match(text)
            }),
            "minimum" => value.as_f64().is_none_or(|number| Some(number) >= operand.as_f64()),
            "maximum" => value.as_f64().is_none_or(|number| Some(number) <= operand.as_f64()),
            "minItems" => {
                value.as_array().is_none_or(|list| list.len() as u64 >= operand.as_u64().expect("a count"))
            }
            "maxItems" => {
                value.as_array().is_none_or(|list| list.len() as u64 <= operand.as_u64().expect("a count"))
            }
            "minProperties" => value
                .as_object()
                .is_none_or(|object| object.len() as u64 >= operand.as_u64().expect("a count")),
            "maxProperties" => value
                .as_object()
                .is_none_or(|object| object.len() as u64 <= operand.as_u64().expect("a count")),
            "items" => {
                for (place, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, operand, item, &format!("{path}[{place}]"), found);
                }
                true
            }
            "propertyNames" => value
                .as_object()
                .into_iter()
                .flatten()
                .all(|(name, _)| fits(root, operand, &Value::from(name.as_str()))),
            unknown => panic!("the keyword {unknown} is not known here"),
        };
        if !holds {
            found.push(format!("{path}: {keyword} {operand}"));
        }
    }
    let Some(object) = value.as_object() else { return };
    for name in keywords.get("required").and_then(Value::as_array).into_iter().flatten() {
        let name = name.as_str().expect("a name");
        if !object.contains_key(name) {
            found.push(format!("{path}: {name} is missing"));
        }
    }
    for (name, inner) in object {
        let known = keywords.get("properties").and_then(|properties| properties.get(name));
        if let Some(schema) = known.or_else(|| keywords.get("additionalProperties")) {
            check(root, schema, inner, &format!("{path}.{name}"), found);
        }
    }
}

fn is_of(name: &Value, value: &Value) -> bool {
    match name.as_str().expect("a name") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("the type {other} is not known here"),
    }
}
