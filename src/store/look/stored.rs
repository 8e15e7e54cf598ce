//! Stored events as records again, byte for byte, for whoever decodes and decides them once more.
//!
//! What comes from here is what Kafka delivered, with when it was accepted and by which rules. Nothing is decoded
//! here. Many are read in pages, each a question of its own, so that neither memory nor the write-ahead log grows
//! with their number.

use futures_util::TryStreamExt as _;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::super::{Reader, StoreError, columns};
use crate::batch::RecordBatch;
use crate::record::{Header, Headers, Record};

/// Events of one page.
const PAGE_EVENTS_MAX: i64 = 1_000;

/// Bytes of the records of one page; a single larger record is a page of its own.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// What the store knows of an event besides its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// The event's number.
    pub number: i64,
    /// When it was accepted, milliseconds since 1970: `now` of every decision about it.
    pub accepted_at_ms: i64,
    /// Whether a rule matched it then, or failed for it.
    pub matched: bool,
    /// The row of the rule set that its batch was decided by; `None` if the batch has left by retention.
    pub rule_set: Option<i64>,
    /// The row of the configuration, likewise.
    pub configuration: Option<i64>,
}

/// Stored events.
#[derive(Debug, Default)]
pub struct Stored {
    /// Their records.
    pub records: RecordBatch,
    /// What else is known of them, in the same order.
    pub acceptances: Vec<Acceptance>,
}

/// A stretch of time, and the numbers of the events that were accepted in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The first number.
    pub first: i64,
    /// The number after the last.
    pub end: i64,
    /// Events whose rows are there.
    pub kept: i64,
    /// Events that were accepted, as far as their batches are still known.
    pub accepted: i64,
}

impl Stretch {
    /// Events that have left by retention.
    #[must_use]
    pub fn retired(&self) -> i64 {
        self.accepted.saturating_sub(self.kept).max(0)
    }
}

const ONE: &str = "SELECT e.seq, e.accepted_at, e.matched, b.rule_set, b.configuration, s.topic, s.partition, \
    e.\"offset\", e.kafka_at, e.key, e.headers, e.payload \
    FROM event e JOIN stream s ON s.id = e.stream LEFT JOIN batch b ON b.id = e.batch WHERE e.seq = ?1";
const PAGE: &str = "SELECT e.seq, e.accepted_at, e.matched, b.rule_set, b.configuration, s.topic, s.partition, \
    e.\"offset\", e.kafka_at, e.key, e.headers, e.payload \
    FROM event e JOIN stream s ON s.id = e.stream LEFT JOIN batch b ON b.id = e.batch \
    WHERE e.seq >= ?1 AND e.seq < ?2 ORDER BY e.seq LIMIT ?3";
const KEPT: &str = "SELECT count(*) FROM event WHERE accepted_at >= ?1 AND accepted_at < ?2";
const ACCEPTED: &str =
    "SELECT coalesce(sum(events), 0) FROM batch WHERE accepted_at >= ?1 AND accepted_at < ?2";
/// The newest `?3` of the numbers from `?1` to before `?2` begin here.
const NEWEST: &str = "SELECT coalesce((SELECT seq FROM event WHERE seq >= ?1 AND seq < ?2 \
    ORDER BY seq DESC LIMIT 1 OFFSET ?3 - 1), ?1)";

const READING: &str = "read stored events";

impl Reader {
    /// The event `number` as it arrived, if its row is there.
    ///
    /// # Errors
    /// The database cannot be read in time, or the row is none that this program wrote.
    pub async fn stored_event(&mut self, number: i64) -> Result<Option<Stored>, StoreError> {
        let failed = self.failed(READING);
        let row = sqlx::query(ONE).bind(number).fetch_optional(&mut self.connection).await.map_err(failed)?;
        let mut stored = Stored::default();
        row.map(|row| stored.push(&row).map(|()| stored)).transpose()
    }

    /// Some of the events whose numbers are from `first` to before `end`, the oldest first: all of them if the page
    /// is empty.
    ///
    /// # Errors
    /// As for [`Reader::stored_event`].
    pub async fn stored_page(&mut self, first: i64, end: i64) -> Result<Stored, StoreError> {
        let failed = self.failed(READING);
        let mut stored = Stored::default();
        let query = sqlx::query(PAGE).bind(first).bind(end).bind(PAGE_EVENTS_MAX);
        let mut rows = query.fetch(&mut self.connection);
        loop {
            match rows.try_next().await {
                Ok(Some(row)) => stored.push(&row)?,
                Ok(None) => break,
                Err(error) => return Err(failed(error)),
            }
            if stored.records.byte_len() >= PAGE_BYTES_MAX {
                break;
            }
        }
        drop(rows);
        Ok(stored)
    }

    /// The events that were accepted from `since_ms` to before `until_ms`.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn stretch(&mut self, since_ms: i64, until_ms: i64) -> Result<Stretch, StoreError> {
        let counted = |statement| sqlx::query(statement).bind(since_ms).bind(until_ms);
        let kept = self.numbers(READING, counted(KEPT)).await?.first().copied().unwrap_or_default();
        let accepted = self.numbers(READING, counted(ACCEPTED)).await?.first().copied().unwrap_or_default();
        let (first, end) = (self.first_since(since_ms).await?, self.first_since(until_ms).await?);
        Ok(Stretch { first, end, kept, accepted })
    }

    /// Where the newest `count` events of the numbers from `first` to before `end` begin.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn newest_of(&mut self, first: i64, end: i64, count: i64) -> Result<i64, StoreError> {
        let query = sqlx::query(NEWEST).bind(first).bind(end).bind(count.max(1));
        Ok(self.numbers(READING, query).await?.first().copied().unwrap_or(first))
    }
}

impl Stored {
    /// Makes the row a record again.
    fn push(&mut self, row: &SqliteRow) -> Result<(), StoreError> {
        let failed = || StoreError::sql(READING);
        let headers: Option<&str> = row.try_get(10).map_err(failed())?;
        let headers = headers.map(columns::read_headers).transpose()?.unwrap_or_default();
        let headers: Vec<Header<'_>> =
            headers.iter().map(|(name, value)| Header { name, value: value.as_deref() }).collect();
        let mut read = || {
            let acceptance = Acceptance {
                number: row.try_get(0)?,
                accepted_at_ms: row.try_get(1)?,
                matched: row.try_get(2)?,
                rule_set: row.try_get(3)?,
                configuration: row.try_get(4)?,
            };
            let payload: &str = row.try_get(11)?;
            self.records.push(&Record {
                topic: row.try_get(5)?,
                partition: row.try_get(6)?,
                offset: row.try_get(7)?,
                timestamp_ms: row.try_get(8)?,
                key: row.try_get(9)?,
                headers: Headers::from(headers.as_slice()),
                payload: payload.as_bytes(),
            });
            self.acceptances.push(acceptance);
            Ok::<_, sqlx::Error>(())
        };
        read().map_err(failed())
    }
}
