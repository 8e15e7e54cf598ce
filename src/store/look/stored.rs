//! Stored events as the records that they were, page by page, for running them through other rules.
//!
//! Between two pages no read is open, so that going through millions of events does not keep the write-ahead log
//! from being emptied. Each page has the reader's time limit for itself.

use std::time::Instant;

use futures_util::TryStreamExt as _;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::super::reader::limit_time;
use super::super::{Reader, StoreError, columns};
use crate::batch::RecordBatch;

/// Events of one page.
const PAGE_EVENTS_MAX: i64 = 2_000;

/// Payload bytes of one page; the event that exceeds it is its last.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// Which events were accepted in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The number of the first that may be there.
    pub first: i64,
    /// The number of the last one.
    pub last: i64,
    /// How many were accepted, by the rows of their batches; those whose rows have left are among them.
    pub accepted: i64,
}

/// Some events in order of their numbers.
#[derive(Debug, Default)]
pub struct Page {
    /// The records that they were.
    pub records: RecordBatch,
    /// The number of each, and when it was accepted, milliseconds since 1970; in the same order.
    pub events: Vec<(i64, i64)>,
}

const LAST: &str = "SELECT max(coalesce((SELECT max(seq) FROM event), 0), coalesce((SELECT last_event FROM batch \
    WHERE last_event IS NOT NULL ORDER BY id DESC LIMIT 1), 0))";
const FIRST: &str = "SELECT seq FROM event WHERE accepted_at >= ?1 ORDER BY accepted_at, seq LIMIT 1";
const ACCEPTED: &str =
    "SELECT coalesce(sum(events), 0) FROM batch WHERE accepted_at >= ?1 AND last_event <= ?2";
const PAGE: &str = "SELECT e.seq, e.accepted_at, s.topic, s.partition, e.\"offset\", e.kafka_at, e.key, e.headers, \
    e.payload FROM event e JOIN stream s ON s.id = e.stream WHERE e.seq >= ?1 AND e.seq <= ?2 ORDER BY e.seq LIMIT ?3";

const READING: &str = "read stored events";

impl Reader {
    /// The events that were accepted at `since_ms` or later, as of now.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn stretch_since(&mut self, since_ms: i64) -> Result<Stretch, StoreError> {
        self.hold_still().await?;
        let last = self.numbers(READING, sqlx::query(LAST)).await?.first().copied().unwrap_or(0);
        let first = self.numbers(READING, sqlx::query(FIRST).bind(since_ms)).await?.first().copied();
        let accepted = self.numbers(READING, sqlx::query(ACCEPTED).bind(since_ms).bind(last)).await?;
        self.let_go().await?;
        let first = first.unwrap_or_else(|| last.saturating_add(1));
        Ok(Stretch { first, last, accepted: accepted.first().copied().unwrap_or(0) })
    }

    /// The next events from number `first` to `last`; none are left if it is empty. The time limit begins anew.
    ///
    /// # Errors
    /// The database cannot be read in time, or a row makes no sense.
    pub async fn stored_events(&mut self, first: i64, last: i64) -> Result<Page, StoreError> {
        let until = Instant::now() + self.time_limit;
        limit_time(&mut self.connection, until).await.map_err(self.failed(READING))?;
        let failed = self.failed(READING);
        let query = sqlx::query(PAGE).bind(first).bind(last).bind(PAGE_EVENTS_MAX);
        let mut rows = query.fetch(&mut self.connection);
        let mut page = Page::default();
        let gathered = loop {
            match rows.try_next().await {
                Ok(Some(row)) => match page.push(&row) {
                    Ok(()) if page.records.byte_len() < PAGE_BYTES_MAX => {}
                    Ok(()) => break Ok(()),
                    Err(error) => break Err(error),
                },
                Ok(None) => break Ok(()),
                Err(error) => break Err(failed(error)),
            }
        };
        gathered.map(|()| page)
    }
}

impl Page {
    fn push(&mut self, row: &SqliteRow) -> Result<(), StoreError> {
        let failed = || StoreError::sql(READING);
        let event = (row.try_get(0).map_err(failed())?, row.try_get(1).map_err(failed())?);
        columns::push_record(row, 2, READING, &mut self.records)?;
        self.events.push(event);
        Ok(())
    }
}
