//! Values in columns: how counts, lists, headers and facts are written into the database.

use std::fmt::Write as _;

use serde::Serialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::StoreError;
use crate::batch::RecordBatch;
use crate::event::{Envelope, Facts, Kind, Status};
use crate::record::{Header, Headers, Record};

/// A count as SQLite's integer; nothing we count reaches 2^63.
pub(super) fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The high 64 bits.
pub(super) fn high_half(both: u128) -> u64 {
    u64::try_from(both >> 64).unwrap_or(u64::MAX)
}

/// The low 64 bits.
pub(super) fn low_half(both: u128) -> u64 {
    u64::try_from(both & u128::from(u64::MAX)).unwrap_or(u64::MAX)
}

/// Numbers as a JSON list, for `IN (SELECT value FROM json_each(?))`: one statement for any count.
pub(super) fn json_numbers(numbers: &[i64]) -> String {
    let mut text = String::with_capacity(numbers.len() * 8 + 2);
    text.push('[');
    for (index, number) in numbers.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // Writing into a String cannot fail.
        let _ = write!(text, "{comma}{number}");
    }
    text.push(']');
    text
}

/// Rows of numbers as a JSON list of lists, for a statement over `json_each`.
pub(super) fn json_rows<const N: usize>(rows: impl IntoIterator<Item = [i64; N]>) -> String {
    let lists: Vec<serde_json::Value> =
        rows.into_iter().map(|row| serde_json::Value::from(row.to_vec())).collect();
    serde_json::Value::Array(lists).to_string()
}

/// The stored number of an envelope; view `events` spells it out.
pub(super) fn envelope(envelope: Envelope) -> i64 {
    match envelope {
        Envelope::CloudEvents => 1,
        Envelope::CloudEventsBinary => 2,
        Envelope::Kafka => 3,
        Envelope::KafkaGen1 => 4,
        Envelope::FunctionCompute => 5,
        Envelope::DataOnly => 6,
    }
}

/// The stored number of a status; view `events` spells it out.
pub(super) fn status(status: Status) -> i64 {
    match status {
        Status::NotRun => 1,
        Status::WaitTime => 2,
        Status::WaitResource => 3,
        Status::Running => 4,
        Status::Failure => 5,
        Status::Success => 6,
        Status::Checking => 7,
        Status::CheckingCondition => 8,
    }
}

/// The stored word of a kind.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Regular => "regular",
        Kind::Extension => "extension",
    }
}

/// The facts that have no column of their own, as a JSON object; `None` if there are none.
pub(super) fn facts(facts: &Facts<'_>) -> Option<String> {
    #[derive(Serialize)]
    struct Rest<'a> {
        #[serde(skip_serializing_if = "<[i64]>::is_empty")]
        instances: &'a [i64],
        #[serde(skip_serializing_if = "<[i64]>::is_empty")]
        nodes: &'a [i64],
        #[serde(skip_serializing_if = "Option::is_none")]
        file: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        table: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        rows: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        bytes: Option<i64>,
    }
    let Facts { instance: _, node: _, status: _, instances, nodes, file, table, rows, bytes } = facts;
    let rest = Rest { instances, nodes, file: *file, table: table.as_deref(), rows: *rows, bytes: *bytes };
    let none = rest.instances.is_empty()
        && rest.nodes.is_empty()
        && rest.file.is_none()
        && rest.table.is_none()
        && rest.rows.is_none()
        && rest.bytes.is_none();
    if none { None } else { serde_json::to_string(&rest).ok() }
}

/// Headers as JSON: `[[name, text | {"base64": ...} | null], ...]`; `None` if there are none.
pub(super) fn headers(headers: Headers<'_>) -> Option<String> {
    use base64::Engine as _;
    if headers.is_empty() {
        return None;
    }
    let list: Vec<serde_json::Value> = headers
        .iter()
        .map(|header| {
            let value = match header.value.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
                None => serde_json::Value::Null,
                Some((_, Ok(text))) => text.into(),
                Some((bytes, Err(_))) => {
                    serde_json::json!({ "base64": base64::engine::general_purpose::STANDARD.encode(bytes) })
                }
            };
            serde_json::json!([header.name, value])
        })
        .collect();
    serde_json::to_string(&list).ok()
}

/// A header as stored: its name, and its value if it has one.
pub(super) type StoredHeader = (String, Option<Vec<u8>>);

/// Makes a record again, byte for byte, of seven columns from the one at `first` on: topic, partition, offset,
/// Kafka's time, key, headers and payload; `reading` says for what.
pub(super) fn push_record(
    row: &SqliteRow,
    first: usize,
    reading: &'static str,
    records: &mut RecordBatch,
) -> Result<(), StoreError> {
    let failed = || StoreError::sql(reading);
    let headers: Option<&str> = row.try_get(first + 5).map_err(failed())?;
    let headers = headers.map(read_headers).transpose()?.unwrap_or_default();
    let headers: Vec<Header<'_>> =
        headers.iter().map(|(name, value)| Header { name, value: value.as_deref() }).collect();
    records.push(&Record {
        topic: row.try_get(first).map_err(failed())?,
        partition: row.try_get(first + 1).map_err(failed())?,
        offset: row.try_get(first + 2).map_err(failed())?,
        timestamp_ms: row.try_get(first + 3).map_err(failed())?,
        key: row.try_get(first + 4).map_err(failed())?,
        headers: Headers::from(headers.as_slice()),
        payload: row.try_get(first + 6).map_err(failed())?,
    });
    Ok(())
}

/// Headers read back from what [`headers`] wrote.
fn read_headers(text: &str) -> Result<Vec<StoredHeader>, StoreError> {
    use base64::Engine as _;
    use serde_json::Value;
    let corrupt = |found: String| StoreError::Corrupt { place: "headers", found };
    let list: Vec<(String, Value)> =
        serde_json::from_str(text).map_err(|error| corrupt(error.to_string()))?;
    list.into_iter()
        .map(|(name, value)| {
            let bytes = match value {
                Value::Null => None,
                Value::String(text) => Some(text.into_bytes()),
                other => {
                    let encoded = other.get("base64").and_then(Value::as_str);
                    let encoded = encoded.ok_or_else(|| corrupt(other.to_string()))?;
                    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded);
                    Some(decoded.map_err(|error| corrupt(error.to_string()))?)
                }
            };
            Ok((name, bytes))
        })
        .collect()
}
