//! The template engine as this program uses it: strict, bounded, and its values as JSON.
//!
//! What is undefined is an error; work, output and nesting have limits; filters whose memory an event
//! could drive up in one step are bounded or gone. No value of an event leaves as a secret placeholder.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use minijinja::value::ValueKind;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde_json::Value as Json;

use crate::rule::template::{RENDERED_BYTES_MAX, SECRET_KEY};

/// Steps of the template engine that one string may take.
pub(crate) const FUEL: u64 = 20_000;
/// Levels that a rendered value may be nested.
const DEPTH_MAX: usize = 64;

pub(crate) static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    // A width from an event could ask for any amount of memory in one step.
    environment.remove_filter("indent");
    environment.remove_filter("format");
    environment.add_filter("join", bounded_join);
    environment.add_filter("replace", bounded_replace);
    environment.add_filter("string", string);
    environment.set_formatter(|out, state, value| match word(value) {
        Some(word) => Ok(out.write_str(word)?),
        None => minijinja::escape_formatter(out, state, value),
    });
    environment
});

/// The code of a template's tag, of which `code` is the text after the opening.
pub(crate) fn inside(code: &str) -> &str {
    ["}}", "%}"].into_iter().fold(code, |code, closing| code.split(closing).next().unwrap_or(code))
}

/// The filters in the code of a tag that do not exist: the engine looks them up when it renders, and they are known now.
pub(crate) fn unknown_filters(code: &str) -> BTreeSet<String> {
    let mut unknown = BTreeSet::new();
    let mut quote = None;
    for (at, character) in code.char_indices() {
        match (quote, character) {
            (None, '"' | '\'') => quote = Some(character),
            (Some(own), _) if own == character => quote = None,
            (None, '|') => {
                let after = code.get(at + 1..).unwrap_or_default().trim_start();
                let name = after.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
                if !name.is_empty() && !is_filter(name) {
                    unknown.insert(name.to_owned());
                }
            }
            _ => {}
        }
    }
    unknown
}

fn is_filter(name: &str) -> bool {
    let known = ENVIRONMENT.compile_expression("name is filter").and_then(|expression| {
        expression.eval(minijinja::Value::from_pairs([("name", name)])).map(|value| value.is_true())
    });
    // Should the engine be unable to tell, rendering will.
    known.unwrap_or(true)
}

/// The engine's message without its own idea of a file name.
pub(crate) fn plain(error: &minijinja::Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()))
}

pub(crate) fn too_large() -> String {
    format!("the rendered value has more than {RENDERED_BYTES_MAX} bytes")
}

pub(crate) fn spend(bytes_left: &mut usize, bytes: usize) -> Result<(), String> {
    *bytes_left = bytes_left.checked_sub(bytes).ok_or_else(too_large)?;
    Ok(())
}

pub(crate) fn json_of(
    value: &minijinja::Value,
    bytes_left: &mut usize,
    depth: usize,
) -> Result<Json, String> {
    if depth > DEPTH_MAX {
        return Err(format!("the value is nested deeper than {DEPTH_MAX} levels"));
    }
    spend(bytes_left, 1)?;
    match value.kind() {
        ValueKind::None => Ok(Json::Null),
        ValueKind::Bool => Ok(Json::from(value.is_true())),
        ValueKind::Number => json_number(value),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            spend(bytes_left, text.len())?;
            Ok(Json::from(text))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let mut elements = Vec::new();
            for element in value.try_iter().map_err(|error| plain(&error))? {
                elements.push(json_of(&element, bytes_left, depth + 1)?);
            }
            Ok(Json::Array(elements))
        }
        ValueKind::Map => {
            let mut object = serde_json::Map::new();
            for key in value.try_iter().map_err(|error| plain(&error))? {
                let Some(name) = key.as_str() else {
                    return Err(format!("the key {key} of an object is not text"));
                };
                if name == SECRET_KEY {
                    return Err(format!(
                        "a value with the key `{SECRET_KEY}` is refused: it would look like a secret"
                    ));
                }
                spend(bytes_left, name.len())?;
                let element = value.get_item(&key).map_err(|error| plain(&error))?;
                object.insert(name.to_owned(), json_of(&element, bytes_left, depth + 1)?);
            }
            Ok(Json::Object(object))
        }
        other => Err(format!("a value of the kind {other} has no JSON form")),
    }
}

fn json_number(value: &minijinja::Value) -> Result<Json, String> {
    if value.is_integer() {
        if let Ok(integer) = i64::try_from(value.clone()) {
            return Ok(Json::from(integer));
        }
        return u64::try_from(value.clone())
            .map(Json::from)
            .map_err(|_| format!("{value} does not fit an integer of 64 bits; `| string` makes it text"));
    }
    let number = f64::try_from(value.clone()).map_err(|error| plain(&error))?;
    serde_json::Number::from_f64(number).map(Json::Number).ok_or_else(|| format!("{value} is no JSON number"))
}

/// What stands in a text for a value that the engine would write as Python does, `True` or `None`.
fn word(value: &minijinja::Value) -> Option<&'static str> {
    match value.kind() {
        ValueKind::Bool => Some(if value.is_true() { "true" } else { "false" }),
        ValueKind::None => Some("null"),
        _ => None,
    }
}

fn string(value: &minijinja::Value) -> Result<String, minijinja::Error> {
    if value.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    Ok(word(value).map_or_else(|| value.to_string(), str::to_owned))
}

fn bounded_join(list: &minijinja::Value, separator: Option<String>) -> Result<String, minijinja::Error> {
    let separator = separator.unwrap_or_default();
    let mut joined = String::new();
    for (place, element) in list.try_iter()?.enumerate() {
        if place > 0 {
            joined.push_str(&separator);
        }
        match element.as_str().or_else(|| word(&element)) {
            Some(text) => joined.push_str(text),
            None => joined.push_str(&element.to_string()),
        }
        bounded(joined.len())?;
    }
    Ok(joined)
}

fn bounded_replace(text: &str, from: &str, to: &str) -> Result<String, minijinja::Error> {
    let growth = text.matches(from).count().saturating_mul(to.len());
    bounded(growth)?;
    Ok(text.replace(from, to))
}

fn bounded(bytes: usize) -> Result<(), minijinja::Error> {
    if bytes <= RENDERED_BYTES_MAX {
        return Ok(());
    }
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, too_large()))
}
