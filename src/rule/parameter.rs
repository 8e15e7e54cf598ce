//! Types of operation parameters: whether a value fits, as written and as rendered.
//!
//! The catalogue declares `string`, `integer`, `number`, `boolean`, `any`, `object`, `array<T>` and
//! `map<string,T>`. A value with templates is checked as far as it is known before an event comes; the
//! rendered value is checked in full before it is planned.

use serde_json::Value as Json;

use crate::rule::template::{Kind, Value, secret_name};

/// A declared type, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Declared<'a> {
    Text,
    Integer,
    Number,
    Boolean,
    List(&'a str),
    Map(&'a str),
    Any,
}

/// Where a value does not have its parameter's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// The place in the parameter, dotted.
    pub(crate) path: String,
    /// What was expected and what was found.
    pub(crate) message: String,
}

fn declared(text: &str) -> Declared<'_> {
    let inside = |opening| text.strip_prefix(opening)?.strip_suffix('>');
    match text {
        "string" => Declared::Text,
        "integer" => Declared::Integer,
        "number" => Declared::Number,
        "boolean" => Declared::Boolean,
        "object" => Declared::Map("any"),
        _ => match (inside("array<"), inside("map<string,")) {
            (Some(element), _) => Declared::List(element.trim()),
            (_, Some(element)) => Declared::Map(element.trim()),
            // A type that is not known here is left to the server.
            (None, None) => Declared::Any,
        },
    }
}

impl Declared<'_> {
    fn expected(self) -> String {
        match self {
            Declared::Text => "text".to_owned(),
            Declared::Integer => "an integer".to_owned(),
            Declared::Number => "a number".to_owned(),
            Declared::Boolean => "true or false".to_owned(),
            Declared::List(element) => format!("a list ({element})"),
            Declared::Map(_) => "a table".to_owned(),
            Declared::Any => "any value".to_owned(),
        }
    }

    fn takes_scalar(self, value: &Json) -> bool {
        match (self, value) {
            (Declared::Any, _)
            | (Declared::Text, Json::String(_))
            | (Declared::Boolean, Json::Bool(_))
            | (Declared::Number, Json::Number(_)) => true,
            (Declared::Integer, Json::Number(number)) => number.is_i64() || number.is_u64(),
            _ => false,
        }
    }
}

/// A number as written; `None` if 64 bits do not hold it. An integer never becomes a fraction.
pub(crate) fn number(text: &str) -> Option<serde_json::Number> {
    let number: serde_json::Number = serde_json::from_str(text).ok()?;
    (text.contains(['.', 'e', 'E']) || !number.is_f64()).then_some(number)
}

/// Checks a value as its author wrote it; every part that does not fit is added to `misfits`.
pub(crate) fn check_written(param_type: &str, value: &Value, misfits: &mut Vec<Misfit>) {
    let wanted = declared(param_type);
    let found = match (value.kind(), wanted) {
        (_, Declared::Any) | (Kind::Expression(_), _) | (Kind::Text(_) | Kind::Secret(_), Declared::Text) => {
            return;
        }
        (Kind::Literal(literal), _) if wanted.takes_scalar(literal) => return,
        (Kind::List(elements), Declared::List(element)) => {
            for value in elements {
                check_written(element, value, misfits);
            }
            return;
        }
        (Kind::Map(entries), Declared::Map(element)) => {
            for value in entries.values() {
                check_written(element, value, misfits);
            }
            return;
        }
        (Kind::Text(_), _) => "a text with a template in it (a lone `{{ ... }}` keeps its type)".to_owned(),
        (Kind::Secret(_), _) => "a secret, which is text".to_owned(),
        (Kind::Literal(literal), _) => described(literal),
        (Kind::List(_), _) => "a list".to_owned(),
        (Kind::Map(_), _) => "a table".to_owned(),
    };
    let message = format!("expected {}, found {found}", wanted.expected());
    misfits.push(Misfit { path: value.path().to_owned(), message });
}

/// Checks a value as it was rendered for an event.
pub(crate) fn check_rendered(param_type: &str, path: &str, value: &Json) -> Result<(), Misfit> {
    let wanted = declared(param_type);
    let secret_fits = secret_name(value).is_some() && wanted == Declared::Text;
    if secret_fits || wanted.takes_scalar(value) {
        return Ok(());
    }
    match (value, wanted) {
        (Json::Array(elements), Declared::List(element)) => {
            let mut numbered = elements.iter().enumerate();
            numbered
                .try_for_each(|(place, value)| check_rendered(element, &format!("{path}[{place}]"), value))
        }
        (Json::Object(entries), Declared::Map(element)) => {
            let mut entries = entries.iter();
            entries.try_for_each(|(name, value)| check_rendered(element, &format!("{path}.{name}"), value))
        }
        _ => {
            let message = format!("expected {}, the event gave {}", wanted.expected(), described(value));
            Err(Misfit { path: path.to_owned(), message })
        }
    }
}

fn described(value: &Json) -> String {
    match value {
        Json::Null => "null".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Number(number) => format!("the number {number}"),
        Json::String(_) => "text".to_owned(),
        Json::Array(_) => "a list".to_owned(),
        Json::Object(_) => "a table".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rendered_values_are_checked_against_every_declared_type() {
        for (param_type, fitting, misfit) in [
            ("string", json!("a"), json!(1)),
            ("string", json!({"$secret": "x"}), json!({"secret": "x"})),
            ("integer", json!(9_007_199_254_740_993_i64), json!("1")),
            ("integer", json!(u64::MAX), json!(1.5)),
            ("number", json!(1.5), json!(null)),
            ("boolean", json!(true), json!("true")),
            ("array<integer>", json!([1, 2]), json!([1, "2"])),
            ("array<object>", json!([{"a": 1}]), json!([1])),
            ("object", json!({"a": null}), json!([])),
            ("map<string,string>", json!({"a": "b"}), json!({"a": 1})),
            ("map<string,array<string>>", json!({"a": ["b"]}), json!({"a": "b"})),
        ] {
            assert_eq!(check_rendered(param_type, "p", &fitting), Ok(()), "{param_type} {fitting}");
            assert!(check_rendered(param_type, "p", &misfit).is_err(), "{param_type} {misfit}");
        }
        let deep = check_rendered("map<string,array<string>>", "p", &json!({"a": ["b", 1]}));
        assert_eq!(
            deep,
            Err(Misfit {
                path: "p.a[1]".into(),
                message: "expected text, the event gave the number 1".into()
            })
        );
    }
}
