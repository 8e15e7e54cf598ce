//! Types of operation parameters: whether a value fits, as written and as rendered.
//!
//! The catalogue declares `string`, `integer`, `number`, `boolean`, `any`, `object`, `array<T>` and
//! `map<string,T>`, and the fields of some objects. A value with templates is checked as far as it is known
//! before an event comes; the types of the rendered value are checked in full before it is planned.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::diagnostic::{Severity, nearest};
use crate::operation::Field;
use crate::rule::field::{Field as EventField, Shape};
use crate::rule::report::dotted;
use crate::rule::template::{Kind, Value, secret_name};

/// A declared type, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Declared<'a> {
    Text,
    Integer,
    Number,
    Boolean,
    List(&'a str),
    Object,
    Map(&'a str),
    Any,
}

/// Where a value is not what its parameter's declaration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// The place in the parameter, dotted.
    pub(crate) path: String,
    /// What was expected and what was found.
    pub(crate) message: String,
    /// How to mend it; empty if the message says all.
    pub(crate) help: String,
    /// A warning where only the catalogue may be at fault.
    pub(crate) severity: Severity,
}

impl Misfit {
    fn error(path: &str, message: String) -> Self {
        Misfit { path: path.to_owned(), message, help: String::new(), severity: Severity::Error }
    }
}

fn declared(text: &str) -> Declared<'_> {
    let inside = |opening| text.strip_prefix(opening)?.strip_suffix('>');
    match text {
        "string" => Declared::Text,
        "integer" => Declared::Integer,
        "number" => Declared::Number,
        "boolean" => Declared::Boolean,
        "object" => Declared::Object,
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
            Declared::Object | Declared::Map(_) => "a table".to_owned(),
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

/// Checks a value as its author wrote it; every part that does not fit is added to `misfits`. `fields` are those
/// of the objects in it, wherever they stand.
pub(crate) fn check_written(param_type: &str, fields: &[Field], value: &Value, misfits: &mut Vec<Misfit>) {
    let wanted = declared(param_type);
    let found = match (value.kind(), wanted) {
        (_, Declared::Any) | (Kind::Text(_) | Kind::Secret(_), Declared::Text) => return,
        (Kind::Expression(lone), _) => {
            misfits.extend(field_misfit(wanted, value.path(), lone.source()));
            return;
        }
        (Kind::Literal(literal), _) if wanted.takes_scalar(literal) => return,
        (Kind::List(elements), Declared::List(element)) => {
            for value in elements {
                check_written(element, fields, value, misfits);
            }
            return;
        }
        (Kind::Map(entries), Declared::Map(element)) => {
            for value in entries.values() {
                check_written(element, fields, value, misfits);
            }
            return;
        }
        (Kind::Map(entries), Declared::Object) => {
            check_fields(fields, entries, value.path(), misfits);
            return;
        }
        (Kind::Text(_), _) => "a text with a template in it (a lone `{{ ... }}` keeps its type)".to_owned(),
        (Kind::Secret(_), _) => "a secret, which is text".to_owned(),
        (Kind::Literal(literal), _) => described(literal),
        (Kind::List(_), _) => "a list".to_owned(),
        (Kind::Map(_), _) => "a table".to_owned(),
    };
    let message = format!("expected {}, found {found}", wanted.expected());
    misfits.push(Misfit::error(value.path(), message));
}

/// An expression that is the name of a field has its type in every event.
fn field_misfit(wanted: Declared<'_>, path: &str, expression: &str) -> Option<Misfit> {
    let field = EventField::from_name(expression)?;
    let takes_integers = |wanted| matches!(wanted, Declared::Integer | Declared::Number | Declared::Any);
    let (fits, found, help) = match (field.shape(), field.is_list()) {
        (Shape::Data, _) => return None,
        (Shape::Text, _) => (wanted == Declared::Text, "text", String::new()),
        (Shape::Integer, true) => {
            let fits = matches!(wanted, Declared::List(element) if takes_integers(declared(element)));
            (fits, "a list of integers", String::new())
        }
        (Shape::Integer, false) => {
            let help = match wanted {
                Declared::List(_) => format!("write a list: `[\"{{{{ {expression} }}}}\"]`"),
                Declared::Text => format!("write `{{{{ {expression} | string }}}}`"),
                _ => String::new(),
            };
            (takes_integers(wanted), "an integer", help)
        }
    };
    let message = format!("expected {}, `{expression}` is {found} in every event", wanted.expected());
    (!fits).then(|| Misfit { help, severity: Severity::Warning, ..Misfit::error(path, message) })
}

/// Checks an object that is written out against its declared fields; an object without any takes everything.
fn check_fields(fields: &[Field], entries: &BTreeMap<String, Value>, path: &str, misfits: &mut Vec<Misfit>) {
    if fields.is_empty() {
        return;
    }
    for (name, value) in entries {
        if let Some(field) = fields.iter().find(|field| field.name == name) {
            check_written(field.field_type, &field.fields, value, misfits);
            continue;
        }
        let names = || fields.iter().map(|field| field.name);
        let help = match nearest(name, names()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("its fields are {}", names().collect::<Vec<_>>().join(", ")),
        };
        let message = "no such field is known".to_owned();
        misfits.push(Misfit { path: dotted(path, name), message, help, severity: Severity::Warning });
    }
    for field in fields.iter().filter(|field| field.required && !entries.contains_key(field.name)) {
        let message = format!("missing: an object here requires it, type {}", field.field_type);
        misfits.push(Misfit::error(&dotted(path, field.name), message));
    }
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
        // Its fields are the catalogue's word, which may be older than the endpoint.
        (Json::Object(_), Declared::Object) => Ok(()),
        (Json::Object(entries), Declared::Map(element)) => {
            let mut entries = entries.iter();
            entries.try_for_each(|(name, value)| check_rendered(element, &format!("{path}.{name}"), value))
        }
        _ => {
            let message = format!("expected {}, the event gave {}", wanted.expected(), described(value));
            Err(Misfit::error(path, message))
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
        assert_eq!(deep, Err(Misfit::error("p.a[1]", "expected text, the event gave the number 1".into())));
    }
}
