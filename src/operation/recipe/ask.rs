//! From the parameters of a call to the reads that look it up.
//!
//! A parameter counts only if it is what its type declares: a template that went wrong, or a secret's
//! placeholder, gives no read rather than a read of something else.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use serde_json::{Map, Value};

use super::{How, READS_MAX, Read, Recipe, Same, Source, Subject, TEXT_BYTES_MAX, Wanted};
use crate::operation::{Operation, find};

/// The zone in which days are taken to begin. Elsewhere the read finds nothing, which leaves the verdict open.
const DAY_OFFSET: Offset = Offset::constant(8);

pub(super) fn reads(recipe: &Recipe, call: &Map<String, Value>) -> Option<Vec<Read>> {
    let operation = find(recipe.read, recipe.version)?;
    let subjects = subjects(&recipe.subject, call)?;
    subjects.iter().map(|subject| read(recipe, operation, call, subject)).collect()
}

fn subjects(subject: &Subject, call: &Map<String, Value>) -> Option<Vec<Value>> {
    let values = match subject {
        Subject::One(names) => vec![names.iter().find_map(|name| given(call, name))?],
        Subject::First(name) => vec![call.get(*name)?.as_array()?.first()?],
        Subject::Each(name) => call.get(*name)?.as_array()?.iter().collect(),
    };
    let mut subjects: Vec<Value> = Vec::new();
    for value in values {
        let value = plain(value)?;
        if !subjects.contains(&value) {
            subjects.push(value);
        }
        if subjects.len() > READS_MAX {
            return None;
        }
    }
    Some(subjects)
}

fn read(
    recipe: &Recipe,
    operation: &'static Operation,
    call: &Map<String, Value>,
    subject: &Value,
) -> Option<Read> {
    let mut params = Map::new();
    for (name, source) in recipe.params {
        let value = match source {
            Source::Subject => subject.clone(),
            Source::Param(of) => given(call, of)?.clone(),
            Source::IfGiven(of) => match given(call, of) {
                Some(value) => value.clone(),
                None => continue,
            },
            Source::Number(number) => Value::from(*number),
            Source::Text(text) => Value::from(*text),
            Source::DayOf(of) => Value::from(day_of(integer(given(call, of)?)?)?),
            Source::FirstBizDate => Value::from(first_biz_date_ms(call)?),
        };
        params.insert((*name).to_owned(), fit(&value, operation.param(name)?.param_type)?);
    }
    let wanted = recipe.same.iter().map(|same| wanted(same, call, subject)).collect::<Option<Vec<_>>>()?;
    Some(Read { operation, params, subject: text_of(subject)?, wanted })
}

fn wanted(same: &Same, call: &Map<String, Value>, subject: &Value) -> Option<Wanted> {
    let (fields, how, value) = match same {
        Same::Subject(fields) => (fields, How::Equals, subject.clone()),
        Same::Equals(fields, of) => (fields, How::Equals, plain(given(call, of)?)?),
        Same::Begins(fields, of) => (fields, How::Begins, plain(given(call, of)?)?),
        Same::Holds(fields, of) => {
            (fields, How::Holds, given(call, of).cloned().unwrap_or_else(|| Value::Array(Vec::new())))
        }
    };
    Some(Wanted { fields, how, value })
}

/// The call's parameter; null is as good as none.
fn given<'a>(call: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    call.get(name).filter(|value| !value.is_null())
}

/// An id or name: a whole number, or text of a sane length. Digits in text are the number.
pub(super) fn plain(value: &Value) -> Option<Value> {
    match value {
        Value::Number(_) => integer(value).map(|_| value.clone()),
        Value::String(text) if text.is_empty() || text.len() > TEXT_BYTES_MAX => None,
        Value::String(text) if text.contains(char::is_control) => None,
        Value::String(text) => match text.parse::<i64>() {
            Ok(number) if number.to_string() == *text => Some(Value::from(number)),
            _ => Some(value.clone()),
        },
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A whole number, written as number or as text.
pub(super) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The text of what [`plain`] gives.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn fit(value: &Value, declared: &str) -> Option<Value> {
    match declared {
        "integer" => integer(value).map(Value::from),
        "string" => text_of(&plain(value)?).map(Value::from),
        _ => None,
    }
}

fn day_of(ms: i64) -> Option<String> {
    let day = DAY_OFFSET.to_datetime(Timestamp::from_millisecond(ms).ok()?).date();
    Some(format!("{day} 00:00:00"))
}

fn first_biz_date_ms(call: &Map<String, Value>) -> Option<i64> {
    let day = call.get("Periods")?.pointer("/BizDates/0/StartBizDate")?.as_str()?;
    let midnight = day.parse::<Date>().ok()?.at(0, 0, 0, 0);
    Some(DAY_OFFSET.to_timestamp(midnight).ok()?.as_millisecond())
}

#[cfg(test)]
mod tests;
