//! Rows as they come from a view: values under the names of their columns.
//!
//! A row is written as JSON in the order of its columns, integers exact and bytes as `{"base64": ...}`, as
//! the views write bytes themselves, infinite numbers as text. Gathering stops at the bounds and says so.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::TryStreamExt as _;
use serde::ser::{Serialize, SerializeMap, Serializer};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Column as _, Decode, Row as _, Sqlite, TypeInfo as _, ValueRef as _};

use super::super::{Reader, StoreError};

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing is known.
    Null,
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Real(f64),
    /// Text; what is no UTF-8 is replaced.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    columns: Arc<[String]>,
    values: Vec<Value>,
}

/// Rows with the same columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// The names of the columns; none where no row was found and nobody asked for names.
    pub columns: Arc<[String]>,
    /// The rows.
    pub rows: Vec<Row>,
    /// Whether these are all.
    pub extent: Extent,
}

/// Whether rows are all that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// They are.
    Whole,
    /// There are more than were asked for.
    CutByCount,
    /// There are more than there is memory for.
    CutBySize,
}

/// How much is gathered at most.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Rows.
    pub rows_max: usize,
    /// Bytes of their values: the row that would exceed it is left out, and all after it.
    pub bytes_max: usize,
}

impl Bounds {
    /// What fits into the memory of any machine, for answers whose number of rows is bounded otherwise.
    pub const WIDE: Bounds = Bounds { rows_max: 100_000, bytes_max: 64 << 20 };
}

impl Rows {
    /// The same rows under other names.
    pub(super) fn named(mut self, names: Vec<String>) -> Rows {
        self.columns = names.into();
        for row in &mut self.rows {
            row.columns = Arc::clone(&self.columns);
        }
        self
    }
}

impl Row {
    /// The value in `column`; null if there is no such column.
    #[must_use]
    pub fn get(&self, column: &str) -> &Value {
        let at = self.columns.iter().position(|name| name == column);
        at.and_then(|at| self.values.get(at)).unwrap_or(&Value::Null)
    }

    /// The text in `column`, if it is text.
    #[must_use]
    pub fn text(&self, column: &str) -> Option<&str> {
        match self.get(column) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number in `column`, if it is one.
    #[must_use]
    pub fn integer(&self, column: &str) -> Option<i64> {
        match self.get(column) {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// What it takes in memory, nearly.
    pub(super) fn bytes(&self) -> usize {
        self.values.iter().map(bytes_of).fold(0, usize::saturating_add)
    }

    /// Names and values, in order.
    pub fn cells(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.columns.iter().map(String::as_str).zip(&self.values)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_none(),
            Value::Integer(number) => serializer.serialize_i64(*number),
            Value::Real(number) if number.is_finite() => serializer.serialize_f64(*number),
            // JSON has no word for it, and null would say that nothing is known.
            Value::Real(number) => {
                serializer.serialize_str(if *number > 0.0 { "Infinity" } else { "-Infinity" })
            }
            Value::Text(text) => serializer.serialize_str(text),
            Value::Blob(bytes) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("base64", &STANDARD.encode(bytes))?;
                map.end()
            }
        }
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.cells())
    }
}

impl Reader {
    /// The rows of `query`, which is to `action`.
    pub(super) async fn rows(
        &mut self,
        action: &'static str,
        query: Query<'_, Sqlite, SqliteArguments>,
        bounds: Bounds,
    ) -> Result<Rows, StoreError> {
        self.gather(query, bounds).await.map_err(self.failed(action))
    }

    /// The only row of `query`, if there is one.
    pub(super) async fn row(
        &mut self,
        action: &'static str,
        query: Query<'_, Sqlite, SqliteArguments>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(action, query, Bounds { rows_max: 1, ..Bounds::WIDE }).await?.rows.pop())
    }

    /// The whole numbers in the first column of `query`.
    pub(super) async fn numbers(
        &mut self,
        action: &'static str,
        query: Query<'_, Sqlite, SqliteArguments>,
    ) -> Result<Vec<i64>, StoreError> {
        let found = self.rows(action, query, Bounds::WIDE).await?;
        let first = |row: Row| match row.values.into_iter().next() {
            Some(Value::Integer(number)) => Some(number),
            _ => None,
        };
        Ok(found.rows.into_iter().filter_map(first).collect())
    }

    pub(super) async fn gather(
        &mut self,
        query: Query<'_, Sqlite, SqliteArguments>,
        bounds: Bounds,
    ) -> Result<Rows, sqlx::Error> {
        let mut gathered = Rows { columns: Arc::from([]), rows: Vec::new(), extent: Extent::Whole };
        let mut rest = bounds.bytes_max;
        let mut found = query.fetch(&mut self.connection);
        while let Some(row) = found.try_next().await? {
            if gathered.rows.len() >= bounds.rows_max {
                gathered.extent = Extent::CutByCount;
                break;
            }
            if gathered.rows.is_empty() {
                gathered.columns = row.columns().iter().map(|column| column.name().to_owned()).collect();
            }
            let values = (0..gathered.columns.len()).map(|at| value(&row, at, &mut rest));
            let Some(values) = values.collect::<Result<Option<_>, _>>()? else {
                gathered.extent = Extent::CutBySize;
                break;
            };
            gathered.rows.push(Row { columns: Arc::clone(&gathered.columns), values });
        }
        Ok(gathered)
    }
}

/// A value, for which `rest` has room or it is not copied.
fn value(row: &SqliteRow, at: usize, rest: &mut usize) -> Result<Option<Value>, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    let undecoded = |source| sqlx::Error::ColumnDecode { index: at.to_string(), source };
    if take(rest, size_of::<Value>()).is_none() {
        return Ok(None);
    }
    if raw.is_null() {
        return Ok(Some(Value::Null));
    }
    let is_text = match raw.type_info().name() {
        "INTEGER" => return Ok(Some(Value::Integer(Decode::<Sqlite>::decode(raw).map_err(undecoded)?))),
        "REAL" => return Ok(Some(Value::Real(Decode::<Sqlite>::decode(raw).map_err(undecoded)?))),
        "TEXT" => true,
        _ => false,
    };
    let bytes: &[u8] = Decode::<Sqlite>::decode(raw).map_err(undecoded)?;
    Ok(take(rest, bytes.len()).map(|()| {
        if is_text {
            Value::Text(String::from_utf8_lossy(bytes).into_owned())
        } else {
            Value::Blob(bytes.to_vec())
        }
    }))
}

/// Takes `bytes` from `rest`, if it has them.
fn take(rest: &mut usize, bytes: usize) -> Option<()> {
    *rest = rest.checked_sub(bytes)?;
    Some(())
}

/// What a value takes in memory, nearly.
fn bytes_of(value: &Value) -> usize {
    let own = size_of::<Value>();
    match value {
        Value::Null | Value::Integer(_) | Value::Real(_) => own,
        Value::Text(text) => own + text.len(),
        Value::Blob(bytes) => own + bytes.len(),
    }
}
