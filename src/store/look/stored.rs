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

/// Some events in order of their numbers.
#[derive(Debug, Default)]
pub struct Page {
    /// The records that they were.
    pub records: RecordBatch,
    /// The number of each, and when it was accepted, milliseconds since 1970; in the same order.
    pub events: Vec<(i64, i64)>,
}

const PAGE: &str = "SELECT e.seq, e.accepted_at, s.topic, s.partition, e.\"offset\", e.kafka_at, e.key, e.headers, \
    e.payload FROM event e JOIN stream s ON s.id = e.stream WHERE e.seq >= ?1 AND e.seq < ?2 ORDER BY e.seq LIMIT ?3";

const READING: &str = "read stored events";

impl Reader {
    /// The next events from number `first` to before `end`; none are left if it is empty. The time limit begins anew.
    ///
    /// # Errors
    /// The database cannot be read in time, or a row makes no sense.
    pub async fn stored_events(&mut self, first: i64, end: i64) -> Result<Page, StoreError> {
        let until = Instant::now() + self.time_limit;
        limit_time(&mut self.connection, until).await.map_err(self.failed(READING))?;
        let failed = self.failed(READING);
        let query = sqlx::query(PAGE).bind(first).bind(end).bind(PAGE_EVENTS_MAX);
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
