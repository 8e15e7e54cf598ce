//! Where each partition's intake stands, and the gaps in it.

use sqlx::Row;
use sqlx::sqlite::SqlitePool;

use super::StoreError;
use super::writer::Writer;

/// A range of offsets that we know we never saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Topic name.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
    /// The first offset not seen.
    pub first_offset: i64,
    /// One past the last offset not seen.
    pub end_offset: i64,
    /// Why.
    pub reason: GapReason,
}

/// Why records were never seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapReason {
    /// Kafka had removed them.
    Retention,
    /// The group's commit stood behind them, and we do not hold them.
    ForeignCommit,
    /// The topic was created anew, and the log was shorter.
    Recreated,
    /// The first start was told to begin later.
    StartAt,
}

impl GapReason {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            GapReason::Retention => "retention",
            GapReason::ForeignCommit => "foreign_commit",
            GapReason::Recreated => "recreated",
            GapReason::StartAt => "start_at",
        }
    }
}

/// Reads where the intake stands.
#[derive(Debug, Clone)]
pub struct Positions {
    readers: SqlitePool,
}

const NEXT_OFFSET: &str = "SELECT next_offset FROM stream WHERE topic = ?1 AND partition = ?2 \
    ORDER BY generation DESC LIMIT 1";
const INSERT_GAP: &str = "INSERT INTO gap (topic, partition, first_offset, end_offset, reason, noticed_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

impl Positions {
    pub(super) fn over(readers: SqlitePool) -> Self {
        Positions { readers }
    }

    /// One past the highest accepted offset of a partition's present generation.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn next_offset(&self, topic: &str, partition: i32) -> Result<Option<i64>, StoreError> {
        let failed = || StoreError::sql("read a stored position");
        let row = sqlx::query(NEXT_OFFSET)
            .bind(topic)
            .bind(partition)
            .fetch_optional(&self.readers)
            .await
            .map_err(failed())?;
        row.map(|row| row.try_get(0).map_err(failed())).transpose()
    }
}

impl Writer {
    /// Writes gaps down; they are durable when this returns.
    ///
    /// # Errors
    /// The commit failed.
    pub async fn record_gaps(&self, gaps: Vec<Gap>, now_ms: i64) -> Result<(), StoreError> {
        self.run(move |state| {
            Box::pin(async move {
                for gap in gaps {
                    sqlx::query(INSERT_GAP)
                        .bind(gap.topic)
                        .bind(gap.partition)
                        .bind(gap.first_offset)
                        .bind(gap.end_offset)
                        .bind(gap.reason.as_str())
                        .bind(now_ms)
                        .execute(&mut state.connection)
                        .await
                        .map_err(StoreError::sql("record a gap"))?;
                }
                Ok(())
            })
        })
        .await
    }
}
