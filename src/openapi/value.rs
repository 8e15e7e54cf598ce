//! From a JSON value to the text pairs that travel: fit to the declared type, flattened by style.
//!
//! `fit` says whether a value can stand for a declared type and spells it as that type (an id given as
//! digits is a number in a list of numbers); [`flatten`] writes it by its style. Secret placeholders
//! pass through `fit` and are replaced by `replace_secrets` in between. Nothing here is a secret's
//! last place: results live as long as the request that they are built for.

use serde_json::{Map, Number, Value};

use super::sign::Pair;
use crate::operation::{Field, Style};

/// The key of the object that stands for a secret's value.
const SECRET_KEY: &str = "$secret";

/// The name in a secret placeholder.
fn secret_name(value: &Value) -> Option<&str> {
    match value {
        Value::Object(object) if object.len() == 1 => object.get(SECRET_KEY)?.as_str(),
        _ => None,
    }
}

/// The value spelled as `declared` (`array<integer>`, ...); `None` if it cannot be that.
pub(super) fn fit(value: &Value, declared: &str, fields: &[Field]) -> Option<Value> {
    if secret_name(value).is_some() {
        return (!is_complex(declared)).then(|| value.clone());
    }
    if let Some(element) = inner(declared, "array<") {
        let elements = value.as_array()?.iter().map(|it| fit_or_null(it, element, fields));
        return elements.collect::<Option<Vec<_>>>().map(Value::Array);
    }
    if let Some((_, element)) = inner(declared, "map<").and_then(|types| types.split_once(',')) {
        return fit_members(value, |_| Some((element, fields)));
    }
    match (declared, value) {
        ("any", _)
        | ("string", Value::String(_))
        | ("boolean", Value::Bool(_))
        | ("number", Value::Number(_)) => Some(value.clone()),
        ("object", _) => fit_members(value, |name| {
            fields
                .iter()
                .find(|field| field.name == name)
                .map(|field| (field.field_type, field.fields.as_slice()))
        }),
        ("string", Value::Number(_) | Value::Bool(_)) => Some(Value::String(scalar(value)?)),
        ("integer", Value::Number(number)) if is_integer(number) => Some(value.clone()),
        ("integer", Value::String(text)) => text.parse().ok().filter(is_integer).map(Value::Number),
        ("number", Value::String(text)) => text.parse().ok().map(Value::Number),
        ("boolean", Value::String(text)) => text.parse().ok().map(Value::Bool),
        _ => None,
    }
}

/// The members of an object, each as the type that `declared_of` gives for its name. Members without a
/// declaration stay as they are: the catalogue may be older than the endpoint.
fn fit_members<'a>(
    value: &Value,
    declared_of: impl Fn(&str) -> Option<(&'a str, &'a [Field])>,
) -> Option<Value> {
    let fit_member = |(name, member): (&String, &Value)| {
        let fitted = match declared_of(name) {
            Some((declared, fields)) => fit_or_null(member, declared, fields)?,
            None => member.clone(),
        };
        Some((name.clone(), fitted))
    };
    value.as_object()?.iter().map(fit_member).collect::<Option<Map<_, _>>>().map(Value::Object)
}

/// Inside a list or an object a null may stand for any type.
fn fit_or_null(value: &Value, declared: &str, fields: &[Field]) -> Option<Value> {
    if value.is_null() { Some(Value::Null) } else { fit(value, declared, fields) }
}

fn is_complex(declared: &str) -> bool {
    declared == "object" || declared.starts_with("array<") || declared.starts_with("map<")
}

fn is_integer(number: &Number) -> bool {
    number.is_i64() || number.is_u64()
}

fn inner<'a>(declared: &'a str, prefix: &str) -> Option<&'a str> {
    declared.strip_prefix(prefix)?.strip_suffix('>')
}

/// The value with every placeholder replaced by what `text_of` gives for its name.
pub(super) fn replace_secrets<E>(
    value: Value,
    text_of: &impl Fn(&str) -> Result<String, E>,
) -> Result<Value, E> {
    if let Some(name) = secret_name(&value) {
        return text_of(name).map(Value::String);
    }
    Ok(match value {
        Value::Array(elements) => Value::Array(
            elements.into_iter().map(|it| replace_secrets(it, text_of)).collect::<Result<_, _>>()?,
        ),
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, it)| Ok((name, replace_secrets(it, text_of)?)))
                .collect::<Result<_, _>>()?,
        ),
        scalar => scalar,
    })
}

/// The pairs that carry `value` under `name`; none for null and for an empty flat list. An empty simple list is
/// an empty text, as the official clients send it.
#[must_use]
pub fn flatten(name: &str, value: &Value, style: Style) -> Vec<Pair> {
    let mut pairs = Vec::new();
    match (style, value) {
        (_, Value::Null) => {}
        (Style::Json, Value::Array(_) | Value::Object(_)) => pairs.push((name.to_owned(), value.to_string())),
        (Style::Simple, Value::Array(elements)) => {
            let texts: Vec<String> = elements.iter().filter_map(scalar).collect();
            pairs.push((name.to_owned(), texts.join(",")));
        }
        (Style::Plain | Style::Json | Style::Simple | Style::Flat, _) => flat(name, value, &mut pairs),
    }
    pairs
}

/// `Name.1`, `Name.1.Field`: numbered from 1, and a null leaves its number out.
fn flat(name: &str, value: &Value, pairs: &mut Vec<Pair>) {
    match value {
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                flat(&format!("{name}.{}", index + 1), element, pairs);
            }
        }
        Value::Object(members) => {
            for (member, value) in members {
                flat(&format!("{name}.{member}"), value, pairs);
            }
        }
        scalar_value => pairs.extend(scalar(scalar_value).map(|text| (name.to_owned(), text))),
    }
}

/// The text of a scalar: booleans in lower case, integers in decimal.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// What a value is, for an error that must not show the value itself.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        _ if secret_name(value).is_some() => "a secret",
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if is_integer(number) => "an integer",
        Value::Number(_) => "a number with a fraction",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_fits_its_declared_type_or_is_refused() {
        for (value, declared, fitted) in [
            (json!("x"), "string", Some(json!("x"))),
            (json!(9_007_199_254_740_993_i64), "string", Some(json!("9007199254740993"))),
            (json!(true), "string", Some(json!("true"))),
            (json!([1]), "string", None),
            (json!(18_446_744_073_709_551_615_u64), "integer", Some(json!(18_446_744_073_709_551_615_u64))),
            (json!("42"), "integer", Some(json!(42))),
            (json!("-7"), "integer", Some(json!(-7))),
            (json!("4.2"), "integer", None),
            (json!("99999999999999999999999"), "integer", None),
            (json!(4.0), "integer", None),
            (json!("many"), "integer", None),
            (json!("0.5"), "number", Some(json!(0.5))),
            (json!("false"), "boolean", Some(json!(false))),
            (json!(0), "boolean", None),
            (json!([1, "2", null]), "array<integer>", Some(json!([1, 2, null]))),
            (json!([1, "a"]), "array<string>", Some(json!(["1", "a"]))),
            (json!(1), "array<integer>", None),
            (json!({"a": [1]}), "map<string,array<string>>", Some(json!({"a": ["1"]}))),
            (json!({"a": [1]}), "map<string,string>", None),
            (json!({"a": 1}), "map<string,any>", Some(json!({"a": 1}))),
            (json!([]), "object", None),
            (json!({"$secret": "x"}), "integer", Some(json!({"$secret": "x"}))),
            (json!({"$secret": "x"}), "object", None),
            (json!([{"$secret": "x"}]), "array<string>", Some(json!([{"$secret": "x"}]))),
        ] {
            assert_eq!(fit(&value, declared, &[]), fitted, "{value} as {declared}");
        }
    }

    #[test]
    fn declared_fields_are_fitted_and_others_kept() {
        let fields = [Field { name: "Id", field_type: "integer", required: true, fields: vec![] }];
        let objects = json!([{"Id": "1", "New": [1]}, {"Id": 2}]);
        let fitted = json!([{"Id": 1, "New": [1]}, {"Id": 2}]);
        assert_eq!(fit(&objects, "array<object>", &fields), Some(fitted));
        assert_eq!(fit(&json!([{"Id": "one"}]), "array<object>", &fields), None);
    }

    #[test]
    fn nulls_leave_holes_in_flat_lists_and_empty_lists_vanish() {
        let flat = |value: Value| flatten("N", &value, Style::Flat);
        assert_eq!(flat(json!(["a", null, "c"])), [("N.1".into(), "a".into()), ("N.3".into(), "c".into())]);
        assert_eq!(flat(json!([{"X": true, "Y": []}])), [("N.1.X".into(), "true".into())]);
        assert_eq!(flat(json!([])), []);
        assert_eq!(flatten("N", &json!([]), Style::Simple), [("N".into(), String::new())]);
        assert_eq!(flatten("N", &Value::Null, Style::Plain), []);
        assert_eq!(flatten("N", &json!([]), Style::Json), [("N".into(), "[]".into())]);
        assert_eq!(
            flatten("N", &json!({"键": [1, "值"]}), Style::Json),
            [("N".into(), r#"{"键":[1,"值"]}"#.into())]
        );
    }
}
