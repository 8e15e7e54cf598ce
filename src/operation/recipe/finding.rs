//! What a response says that matters, and how it is stored.
//!
//! A finding is a small JSON object: the fields of a state under the names that the API gives them, or the
//! ids of a list. It is read from foreign bodies and from a database column, both leniently: what has
//! another shape than expected is left out, and what is left out proves nothing.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::ask::{integer, plain, text_of};
use super::{How, Order, Read, Rows, Says, State, Wanted};

/// More rows than the reads ask for are no page of ours.
const ROWS_MAX: usize = 100;

/// A status or id longer than this is none: bytes.
const WORD_BYTES_MAX: usize = 128;

const IDS: &str = "ids";
const NEWEST: &str = "newest";

/// What one read says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Finding(Map<String, Value>);

/// What the reads of one call say, by subject.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings(BTreeMap<String, Finding>);

impl Findings {
    /// Keeps what `read` says.
    pub fn insert(&mut self, read: &Read, finding: Finding) {
        self.0.insert(read.subject.clone(), finding);
    }

    /// Whether no read said anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As stored: `{"73910042265":{"RunNumber":2,"Status":"Failure"}}`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let findings = self.0.iter().map(|(subject, it)| (subject.clone(), Value::Object(it.0.clone())));
        Value::Object(findings.collect()).to_string()
    }

    /// What [`Findings::to_json`] wrote. What has another shape is left out.
    #[must_use]
    pub fn from_json(text: &str) -> Self {
        let Ok(Value::Object(findings)) = serde_json::from_str(text) else { return Self::default() };
        let objects = findings.into_iter().filter_map(|(subject, it)| match it {
            Value::Object(fields) => Some((subject, Finding(fields))),
            _ => None,
        });
        Self(objects.collect())
    }

    pub(super) fn get(&self, subject: &str) -> Option<&Finding> {
        self.0.get(subject)
    }
}

impl Finding {
    pub(super) fn from_numbers(name: &str, numbers: Vec<i64>) -> Self {
        Self(Map::from_iter([(name.to_owned(), Value::from(numbers))]))
    }

    /// The whole numbers in a list.
    pub(super) fn numbers(&self, name: &str) -> Vec<i64> {
        let numbers = self.0.get(name).and_then(Value::as_array);
        numbers.map(|it| it.iter().filter_map(Value::as_i64).collect()).unwrap_or_default()
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_i64()
    }

    pub(super) fn word(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    pub(super) fn field(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| value.is_i64() || value.is_string())
    }

    /// The ids of the rows that are about the call; `None` if this is no finding about a list.
    pub(super) fn ids(&self) -> Option<Vec<&str>> {
        self.0.get(IDS)?.as_array()?.iter().map(Value::as_str).collect()
    }

    /// The greatest id of the list, 0 if it is empty.
    pub(super) fn newest(&self) -> Option<i64> {
        self.number(NEWEST)
    }
}

/// What `body` says.
pub(super) fn of(says: &Says, read: &Read, body: &Value) -> Option<Finding> {
    // In 2020-05-18 a refusal may come as a success whose body says otherwise.
    if body.get("Success").is_some_and(|success| *success != Value::Bool(true)) {
        return None;
    }
    match says {
        Says::State(state) => of_state(state, read, body),
        Says::Rows(rows) => of_rows(rows, read, body),
    }
}

fn of_state(state: &State, read: &Read, body: &Value) -> Option<Finding> {
    if let Some(about) = state.about
        && text_of(&plain(body.pointer(about)?)?)? != read.subject
    {
        return None;
    }
    let object = match body.pointer(state.at)? {
        Value::Array(rows) => {
            if let Some(total) = state.total {
                all_rows(rows, body.pointer(total)?)?;
            }
            only(&wanted_rows(rows, &read.wanted)?)?
        }
        object => *wanted_rows(std::slice::from_ref(object), &read.wanted)?.first()?,
    };
    let mut fields = Map::new();
    let mut keep = |name: &str, value: Option<Value>| {
        fields.extend(value.map(|value| (name.to_owned(), value)));
    };
    let others = state.keeps.iter().chain(state.proves).chain(state.needs);
    for name in others.filter(|name| !state.grows.contains(name)) {
        keep(name, field_of(object, name).and_then(plain).filter(is_word_or_number));
    }
    // A counter or time that is no number is as good as absent, and so is a status that is no word.
    for name in state.grows {
        keep(name, field_of(object, name).and_then(integer).map(Value::from));
    }
    let finding = Finding(fields);
    let has_all = state.needs.iter().all(|name| finding.field(name).is_some())
        && state.status.as_ref().is_none_or(|status| finding.word(status.field).is_some());
    has_all.then_some(finding)
}

fn field_of<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    if name.starts_with('/') { object.pointer(name) } else { object.get(name) }
}

fn of_rows(rows: &Rows, read: &Read, body: &Value) -> Option<Finding> {
    let list = body.pointer(rows.at)?.as_array()?;
    let total = body.pointer(rows.total)?;
    let all_ids = list.iter().map(|row| row_id(row, rows.id)).collect::<Option<Vec<_>>>()?;
    let ids: Vec<String> =
        wanted_rows(list, &read.wanted)?.into_iter().filter_map(|row| row_id(row, rows.id)).collect();
    let mut fields = Map::from_iter([(IDS.to_owned(), Value::from(ids))]);
    match rows.order {
        Order::Any => all_rows(list, total)?,
        Order::NewestFirst => {
            let ids = all_ids.iter().map(|id| id.parse().ok()).collect::<Option<Vec<i64>>>()?;
            let newest = newest(&ids, all_rows(list, total).is_some())?;
            fields.insert(NEWEST.to_owned(), Value::from(newest));
        }
    }
    Some(Finding(fields))
}

/// The greatest id, if it can be seen that the ids fall: one row alone does not show it, unless it is all.
fn newest(ids: &[i64], is_whole: bool) -> Option<i64> {
    let falls = ids.len() <= ROWS_MAX && ids.iter().all(|id| *id > 0) && ids.is_sorted_by(|a, b| a > b);
    (falls && (is_whole || ids.len() > 1)).then(|| ids.first().copied().unwrap_or(0))
}

/// Whether the page has all rows there are.
fn all_rows(rows: &[Value], total: &Value) -> Option<()> {
    let total = usize::try_from(integer(total)?).ok()?;
    (total == rows.len() && total <= ROWS_MAX).then_some(())
}

fn row_id(row: &Value, field: &str) -> Option<String> {
    text_of(&plain(row.get(field)?).filter(is_word_or_number)?)
}

/// The rows that are about the call; `None` if a row does not say whether it is.
fn wanted_rows<'a>(rows: &'a [Value], wanted: &[Wanted]) -> Option<Vec<&'a Value>> {
    let mut kept = Vec::new();
    for row in rows {
        let answers = wanted.iter().map(|it| is_wanted(row, it)).collect::<Option<Vec<_>>>()?;
        if answers.into_iter().all(|answer| answer) {
            kept.push(row);
        }
    }
    Some(kept)
}

fn only<'a>(rows: &[&'a Value]) -> Option<&'a Value> {
    match rows {
        [row] => Some(row),
        _ => None,
    }
}

fn is_wanted(row: &Value, wanted: &Wanted) -> Option<bool> {
    let field = wanted.fields.iter().find_map(|name| row.get(*name).filter(|it| !it.is_null()));
    Some(match wanted.how {
        How::Equals => text_of(&plain(field?)?) == text_of(&wanted.value),
        How::Begins => text_of(&plain(field?)?)?.starts_with(&text_of(&wanted.value)?),
        How::Holds => {
            let ours = wanted.value.as_array()?;
            if ours.is_empty() {
                return Some(true);
            }
            let theirs = field?.as_array()?;
            ours.iter().all(|pair| theirs.iter().any(|it| same_pair(pair, it)))
        }
    })
}

fn same_pair(ours: &Value, theirs: &Value) -> bool {
    ["Name", "Value"].into_iter().all(|name| {
        let text = |pair: &Value| pair.get(name).and_then(plain).as_ref().and_then(text_of);
        text(ours).is_some() && text(ours) == text(theirs)
    })
}

/// Foreign texts are shown in the audit and compared as words: nothing else is let in.
fn is_word_or_number(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            text.len() <= WORD_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic())
        }
        other => other.is_i64(),
    }
}

#[cfg(test)]
mod tests;
