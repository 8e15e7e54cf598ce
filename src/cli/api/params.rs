//! Parameters as a person gives them: `NAME=VALUE` words, and one JSON object from a file.
//!
//! A word is split at its first `=`. A value stays text exactly as it was typed, also where it looks like a
//! number; only lists and objects are read as JSON, since their declared type says that they are no text. Whether
//! names and values fit the operation is `openapi::request`'s to say.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::escape::Escaped;
use crate::operation::{Operation, Param, Style};

/// Bytes of a file of parameters.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Why the parameters cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum ParamsError {
    /// A word is no parameter.
    #[error("`{}` is no parameter: expected NAME=VALUE", Escaped(.0))]
    NoName(String),
    /// A parameter is given more than once.
    #[error("parameter `{}` is given twice", Escaped(.0))]
    Repeated(String),
    /// A list or an object is not written as JSON.
    #[error("parameter `{name}` is no JSON of type {declared} ({reason}): write for instance {example}")]
    NotJson { name: &'static str, declared: &'static str, reason: String, example: String },
    /// A number that JSON cannot hold exactly.
    #[error("parameter `{}` holds a number that does not fit 64 bits: write it as text", Escaped(.0))]
    Inexact(String),
    /// The file cannot be read.
    #[error("cannot read the parameters from {}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The file is no JSON object.
    #[error("{} is no JSON object of parameters", .path.display())]
    NotAnObject { path: PathBuf, source: serde_json::Error },
}

/// The parameters of all `words`, and of the JSON object in `file` (`-` is standard input).
pub(super) fn read(
    operation: &'static Operation,
    words: &[String],
    file: Option<&Path>,
) -> Result<Map<String, Value>, ParamsError> {
    let mut params = file.map(object_of).transpose()?.unwrap_or_default();
    for word in words {
        let (name, text) = match word.split_once('=') {
            Some((name, text)) if !name.is_empty() => (name, text),
            _ => return Err(ParamsError::NoName(word.clone())),
        };
        let value =
            operation.param(name).map_or_else(|| Ok(Value::from(text)), |param| value(param, text))?;
        if params.insert(name.to_owned(), value).is_some() {
            return Err(ParamsError::Repeated(name.to_owned()));
        }
    }
    match params.iter().find(|(_, value)| !is_exact(value)) {
        Some((name, _)) => Err(ParamsError::Inexact(name.clone())),
        None => Ok(params),
    }
}

/// The value that `text` is for `param`.
fn value(param: &'static Param, text: &str) -> Result<Value, ParamsError> {
    let is_list = param.param_type.starts_with("array<");
    match param.style {
        Style::Plain => return Ok(Value::from(text)),
        // A list that travels as text with commas may be written so.
        Style::Simple if !text.trim_start().starts_with('[') => return Ok(Value::from(text)),
        Style::Simple | Style::Json | Style::Flat => {}
    }
    let not_json = |reason: String| ParamsError::NotJson {
        name: param.name,
        declared: param.param_type,
        reason,
        example: example(param, text),
    };
    let (opening, told) =
        if is_list { ('[', "a list stands in brackets") } else { ('{', "an object stands in braces") };
    if !text.trim_start().starts_with(opening) {
        return Err(not_json(told.to_owned()));
    }
    serde_json::from_str(text).map_err(|error| not_json(error.to_string()))
}

/// How the value would be written: as the list that `text` seems to be, else as any value of the type.
fn example(param: &Param, text: &str) -> String {
    let shown = match param.param_type {
        "array<string>" => list(text, |part| Some(Value::from(part))).unwrap_or("[\"...\"]".to_owned()),
        "array<integer>" => {
            list(text, |part| part.parse().ok().map(Value::Number)).unwrap_or("[1,2]".to_owned())
        }
        "array<object>" => "[{\"NAME\":VALUE}]".to_owned(),
        declared if declared.starts_with("array<") => "[...]".to_owned(),
        _ => "{\"NAME\":VALUE}".to_owned(),
    };
    format!("{}='{}'", param.name, Escaped(&shown.replace('\'', "'\\''")))
}

/// Characters of a value that are repeated to who wrote it.
const TEXT_SHOWN_MAX: usize = 200;

fn list(text: &str, of_part: impl Fn(&str) -> Option<Value>) -> Option<String> {
    // What tries to be JSON is shown a form, not a guess at its parts.
    if text.is_empty() || text.len() > TEXT_SHOWN_MAX || text.contains(['[', ']', '{', '}', '"']) {
        return None;
    }
    let parts = text.split(',').map(|part| of_part(part.trim()));
    parts.collect::<Option<Vec<Value>>>().map(|parts| Value::Array(parts).to_string())
}

/// Whether no number in it was rounded to a fraction that happens to be whole.
fn is_exact(value: &Value) -> bool {
    /// From here on not every whole number is a fraction of 64 bits.
    const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) if number.is_f64() => {
            number.as_f64().is_some_and(|number| number.abs() < WHOLE_MAX)
        }
        Value::Array(elements) => elements.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

fn object_of(path: &Path) -> Result<Map<String, Value>, ParamsError> {
    let failed = |source| ParamsError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let mut read = |input: &mut dyn Read| input.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    let read = if path == Path::new("-") {
        read(&mut io::stdin().lock())
    } else {
        File::open(path).and_then(|mut file| read(&mut file))
    };
    read.map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > FILE_BYTES_MAX) {
        return Err(failed(io::Error::other(format!("it has over {FILE_BYTES_MAX} bytes"))));
    }
    let object: Object = serde_json::from_slice(&bytes)
        .map_err(|source| ParamsError::NotAnObject { path: path.to_owned(), source })?;
    Ok(object.0)
}

/// A JSON object that gives no name twice.
struct Object(Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of parameters")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(name.clone(), value).is_some() {
                        return Err(A::Error::custom(format!("parameter `{name}` is given twice")));
                    }
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::operation::{ApiVersion, find};

    fn given(name: &str, version: ApiVersion, words: &[&str]) -> Result<Map<String, Value>, String> {
        let operation = find(name, version).expect(name);
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        read(operation, &words, None).map_err(|error| error.to_string())
    }

    #[test]
    fn values_stay_as_typed_and_only_lists_and_objects_are_json() {
        let v2024 = ApiVersion::V2024;
        for (name, words, expected) in [
            (
                "RerunTaskInstances",
                &["Comment=a=b", "Ids=[1, 9007199254740993]"][..],
                json!({"Comment": "a=b", "Ids": [1, 9_007_199_254_740_993_i64]}),
            ),
            ("RerunTaskInstances", &["Comment=007"], json!({"Comment": "007"})),
            ("RerunTaskInstances", &["Comment="], json!({"Comment": ""})),
            ("RerunTaskInstances", &["Comment=@file"], json!({"Comment": "@file"})),
            ("RerunTaskInstances", &["Comment=[1]"], json!({"Comment": "[1]"})),
            ("GetTaskInstance", &["Id=5"], json!({"Id": "5"})),
            ("ListDataSources", &["Types=[\"a\",\"b\"]"], json!({"Types": ["a", "b"]})),
            ("ListDataSources", &["Types=a,b"], json!({"Types": "a,b"})),
            (
                "CreateWorkflowInstances",
                &["Periods={\"BizDates\":[{}]}"],
                json!({"Periods": {"BizDates": [{}]}}),
            ),
        ] {
            assert_eq!(given(name, v2024, words).map(Value::Object), Ok(expected), "{words:?}");
        }
    }

    #[test]
    fn what_is_no_parameter_or_no_json_says_what_to_write() {
        let v2024 = ApiVersion::V2024;
        for (name, words, expected) in [
            ("RerunTaskInstances", &["Comment"][..], "`Comment` is no parameter: expected NAME=VALUE"),
            ("RerunTaskInstances", &["=x"], "`=x` is no parameter: expected NAME=VALUE"),
            ("RerunTaskInstances", &["Comment=a", "Comment=b"], "parameter `Comment` is given twice"),
            ("RerunTaskInstances", &["Ids=1,2"], "write for instance Ids='[1,2]'"),
            ("RerunTaskInstances", &["Ids=1"], "(a list stands in brackets): write for instance Ids='[1]'"),
            ("RerunTaskInstances", &["Ids="], "write for instance Ids='[1,2]'"),
            ("RerunTaskInstances", &["Ids={}"], "write for instance Ids='[1,2]'"),
            ("RerunTaskInstances", &["Ids=[1"], "(EOF while parsing a list at line 1 column 2)"),
            ("ListAlertRules", &["Types=a, it's"], r#"write for instance Types='["a","it'\''s"]'"#),
            (
                "CreateWorkflowInstances",
                &["Periods=[]"],
                "(an object stands in braces): write for instance Periods='{",
            ),
            ("RerunTaskInstances", &["Ids=[99999999999999999999999]"], "parameter `Ids` holds a number that"),
        ] {
            let error = given(name, v2024, words).expect_err(expected);
            assert!(error.contains(expected), "{words:?}: {error}");
        }
    }

    #[test]
    fn a_file_gives_no_name_twice() {
        let error =
            serde_json::from_str::<Object>(r#"{"a": 1, "a": 2}"#).err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.starts_with("parameter `a` is given twice")));
    }
}
