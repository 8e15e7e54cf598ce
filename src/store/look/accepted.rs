//! An event as it was accepted: the record that Kafka delivered, byte for byte, when, and by which rules it was decided.
//!
//! For whoever decodes and judges it once more; nothing is decoded here.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::super::{Reader, StoreError, columns};
use crate::batch::RecordBatch;

/// An event as it was accepted.
#[derive(Debug)]
pub struct Accepted {
    /// The event's number.
    pub number: i64,
    /// When it was accepted, milliseconds since 1970: `now` of every decision about it.
    pub accepted_at_ms: i64,
    /// The row of the rule set that its batch was decided by; `None` if the batch is not known any more.
    pub rule_set: Option<i64>,
    /// The record, alone.
    pub records: RecordBatch,
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

const EVENT: &str = "SELECT e.seq, e.accepted_at, b.rule_set, s.topic, s.partition, e.\"offset\", e.kafka_at, e.key, \
    e.headers, e.payload FROM event e JOIN stream s ON s.id = e.stream LEFT JOIN batch b ON b.id = e.batch \
    WHERE e.seq = ?1";
const KEPT: &str = "SELECT count(*) FROM event WHERE accepted_at >= ?1 AND accepted_at < ?2";
const ACCEPTED: &str =
    "SELECT coalesce(sum(events), 0) FROM batch WHERE accepted_at >= ?1 AND accepted_at < ?2";

const READING: &str = "read an event as it was accepted";

impl Reader {
    /// The event `number` as it was accepted, if its row is there.
    ///
    /// # Errors
    /// The database cannot be read in time, or the row is none that this program wrote.
    pub async fn accepted_event(&mut self, number: i64) -> Result<Option<Accepted>, StoreError> {
        let failed = self.failed(READING);
        let query = sqlx::query(EVENT).bind(number);
        let row = query.fetch_optional(&mut self.connection).await.map_err(failed)?;
        row.as_ref().map(accepted).transpose()
    }

    /// The events that were accepted from `since_ms` to before `until_ms`.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn stretch(&mut self, since_ms: i64, until_ms: i64) -> Result<Stretch, StoreError> {
        const COUNTING: &str = "count the events of a time";
        let counted = |statement| sqlx::query(statement).bind(since_ms).bind(until_ms);
        let kept = self.numbers(COUNTING, counted(KEPT)).await?.first().copied().unwrap_or_default();
        let accepted = self.numbers(COUNTING, counted(ACCEPTED)).await?.first().copied().unwrap_or_default();
        let (first, end) = (self.first_since(since_ms).await?, self.first_since(until_ms).await?);
        Ok(Stretch { first, end, kept, accepted })
    }
}

fn accepted(row: &SqliteRow) -> Result<Accepted, StoreError> {
    let failed = || StoreError::sql(READING);
    let mut records = RecordBatch::new();
    columns::push_record(row, 3, READING, &mut records)?;
    Ok(Accepted {
        number: row.try_get(0).map_err(failed())?,
        accepted_at_ms: row.try_get(1).map_err(failed())?,
        rule_set: row.try_get(2).map_err(failed())?,
        records,
    })
}
