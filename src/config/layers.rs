//! Puts the layers together: the file, and over it the environment.
//!
//! The `config` crate merges the layers, and knows no positions. So the file is first read alone with
//! toml's spans: each unknown key or wrong type is reported at its place and taken out, until the rest is
//! right. What then still fails in the merged settings came from a variable, and is reported by its name.

use std::collections::BTreeMap;

use config::{ConfigError, Map, Source, Value, ValueKind};
use serde_path_to_error::{Path, Segment};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment::{Environment, setting_of};
use super::raw::Raw;
use super::report::{Report, UNKNOWN_KEY, join};
use crate::diagnostic::nearest;

/// The problems of one kind that are reported before giving up; nobody mends more at once.
const PROBLEMS_MAX: usize = 200;

/// Merges the file's `text` and the environment; problems go to `report`.
///
/// `None` if the text is no TOML or a problem could not be worked around.
pub(super) fn merge(text: &str, environment: &Environment, report: &mut Report<'_>) -> Option<Raw> {
    let (mut table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in errors {
            let offset = error.span().map_or(0, |span| span.start);
            report.syntax_error(offset, format!("no valid TOML: {}", error.message()));
        }
        return None;
    }
    report.index("", table.get_ref());
    strip_problems(&mut table, report)?;
    let layer =
        FileLayer(table.get_ref().iter().map(|(key, value)| (key_text(key), value_of(value))).collect());
    overlay(&layer, environment, report)
}

/// Reports every unknown key and wrong type of the file and takes it out.
fn strip_problems(table: &mut Spanned<DeTable<'_>>, report: &mut Report<'_>) -> Option<()> {
    for _ in 0..PROBLEMS_MAX {
        let deserializer = toml::de::Deserializer::from(table.clone());
        let Err(error) = serde_path_to_error::deserialize::<_, Raw>(deserializer) else {
            return Some(());
        };
        let path = dotted(error.path());
        let (message, help) = explain(error.inner().message(), &path);
        report.error(&path, message, help);
        let segments: Vec<&Segment> = error.path().iter().collect();
        remove_from_table(table.get_mut(), &segments)?;
    }
    None
}

/// Lays the environment over the file; reports and drops each variable that does not fit.
fn overlay(layer: &FileLayer, environment: &Environment, report: &mut Report<'_>) -> Option<Raw> {
    for name in environment.unreadable_settings() {
        report.variable_error(name, "is not UTF-8".into(), String::new());
    }
    let mut variables: BTreeMap<&str, (String, &str)> = BTreeMap::new();
    for (name, value) in environment.settings() {
        if let Some(setting) = setting_of(name) {
            report.index_variable(setting.clone(), name);
            variables.insert(name, (setting, value));
        } else {
            let help = "write OPENEVENTD__SECTION__KEY, for instance OPENEVENTD__KAFKA__GROUP_ID";
            report.variable_error(name, "names no setting".into(), help.into());
        }
    }
    for _ in 0..=variables.len() {
        let error = match merged(layer, &variables) {
            Ok(raw) => return Some(raw),
            Err(error) => error,
        };
        let (path, message) = error;
        let (message, help) = explain(&message, &path);
        let culprits: Vec<&str> = variables
            .iter()
            .filter(|(_, (setting, _))| touches(setting, &path))
            .map(|(name, _)| *name)
            .collect();
        if culprits.is_empty() {
            report.error(&path, message, help);
            return None;
        }
        for name in culprits {
            report.variable_error(name, message.clone(), help.clone());
            variables.remove(name);
        }
    }
    None
}

/// The merged settings, or the path and message of the first problem.
fn merged(layer: &FileLayer, variables: &BTreeMap<&str, (String, &str)>) -> Result<Raw, (String, String)> {
    let source: Map<String, String> =
        variables.iter().map(|(name, (_, value))| ((*name).to_owned(), (*value).to_owned())).collect();
    let environment = config::Environment::with_prefix("OPENEVENTD")
        .prefix_separator("__")
        .separator("__")
        .source(Some(source));
    let settings = config::Config::builder()
        .add_source(layer.clone())
        .add_source(environment)
        .build()
        .map_err(|error| (String::new(), own_message(&error)))?;
    serde_path_to_error::deserialize(settings)
        .map_err(|error| (dotted(error.path()), own_message(error.inner())))
}

/// Whether setting `setting` can be at fault for a problem at `path`.
fn touches(setting: &str, path: &str) -> bool {
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    within(setting, path) || within(path, setting)
}

/// The parsed file as a layer of the `config` crate.
#[derive(Debug, Clone)]
struct FileLayer(Map<String, Value>);

impl Source for FileLayer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

fn key_text(key: &Spanned<toml::de::DeString<'_>>) -> String {
    key.get_ref().to_string()
}

fn value_of(value: &Spanned<DeValue<'_>>) -> Value {
    let kind = match value.get_ref() {
        DeValue::String(text) => ValueKind::String(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| ValueKind::String(number.to_string()), ValueKind::I64),
        DeValue::Float(number) => ValueKind::String(number.to_string()),
        DeValue::Boolean(truth) => ValueKind::Boolean(*truth),
        DeValue::Datetime(instant) => ValueKind::String(instant.to_string()),
        DeValue::Array(items) => ValueKind::Array(items.iter().map(value_of).collect()),
        DeValue::Table(table) => {
            ValueKind::Table(table.iter().map(|(key, value)| (key_text(key), value_of(value))).collect())
        }
    };
    Value::new(None, kind)
}

/// The path as settings are written: `policy.allow[0].operation`.
fn dotted(path: &Path) -> String {
    path.iter().fold(String::new(), |path, segment| match segment {
        Segment::Seq { index } => format!("{path}[{index}]"),
        Segment::Map { key } => join(&path, key),
        Segment::Enum { .. } | Segment::Unknown => path,
    })
}

fn remove_from_table(table: &mut DeTable<'_>, segments: &[&Segment]) -> Option<()> {
    let (Segment::Map { key }, rest) = segments.split_first()? else { return None };
    if rest.is_empty() {
        return table.remove(key.as_str()).map(|_| ());
    }
    remove_from_value(table.get_mut(key.as_str())?.get_mut(), rest)
}

fn remove_from_value(value: &mut DeValue<'_>, segments: &[&Segment]) -> Option<()> {
    match (value, segments.split_first()?) {
        (DeValue::Table(table), _) => remove_from_table(table, segments),
        // The items after a bad one would get other numbers, so the list ends before it.
        (DeValue::Array(items), (Segment::Seq { index }, [])) => {
            *items = items.iter().take(*index).cloned().collect();
            Some(())
        }
        (DeValue::Array(items), (Segment::Seq { index }, rest)) => {
            remove_from_value(items.get_mut(*index)?.get_mut(), rest)
        }
        _ => None,
    }
}

/// The message without the key and origin that `config` adds to it: the report shows both better.
fn own_message(error: &ConfigError) -> String {
    match error {
        ConfigError::At { error, .. } => own_message(error),
        ConfigError::Type { unexpected, expected, .. } => {
            format!("invalid type: {unexpected}, expected {expected}")
        }
        other => other.to_string(),
    }
}

/// serde's message in our words, and the suggestion.
fn explain(message: &str, path: &str) -> (String, String) {
    if message.starts_with("unknown field") {
        let mut names = message.split('`').skip(1).step_by(2);
        let unknown = names.next().unwrap_or_default();
        let known: Vec<&str> = names.collect();
        let table = path
            .rfind('.')
            .and_then(|at| path.get(..at))
            .map_or_else(|| "the sections are".to_owned(), |table| format!("the keys of {table} are"));
        let help = match nearest(unknown, known.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("{table} {}", known.join(", ")),
        };
        return (UNKNOWN_KEY.into(), help);
    }
    if message == "a secret is never written into the settings" {
        return (message.into(), format!("name where it is kept: {}", super::forms::SECRET_FORMS));
    }
    let message = message
        .replace("invalid type: ", "wrong type: found ")
        .replace("invalid value: ", "wrong value: found ");
    let message = match message.split_once(", expected ") {
        Some((found, expected)) => format!("{found}, expected {}", in_words(expected)),
        None => message,
    };
    (message, String::new())
}

/// What serde and `config` call a type, as a person would.
fn in_words(expected: &str) -> &str {
    match expected {
        "u8"
        | "u16"
        | "u32"
        | "u64"
        | "usize"
        | "an unsigned 32 bit integer"
        | "an unsigned 64 bit integer"
        | "an unsigned u64 bit integer" => "a whole number, not negative",
        "i64" | "an signed 64 bit integer" | "an integer" => "a whole number",
        "a string" => "a text in quotes",
        "a map" => "a table",
        "a sequence" => "a list",
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
}
