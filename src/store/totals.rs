//! Sums over the whole audit: did everything go somewhere, and what became of it.

use sqlx::FromRow;

use super::{Reader, StoreError};

/// The sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// Where the records went.
    pub records: Records,
    /// Decisions by outcome.
    pub decisions: Vec<Count>,
    /// Actions by state, held ones with their reason.
    pub actions: Vec<Count>,
    /// Settled attempts by what happened to the call.
    pub attempts: Vec<Count>,
    /// Reads that look lost calls up, by what happened to them.
    pub lookups: Vec<Count>,
    /// What the accounts' quotas count as sent, both together.
    pub sent: i64,
}

/// Where the records went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct Records {
    /// All that were read.
    pub records: i64,
    /// New events.
    pub events: i64,
    /// Events that were known.
    pub duplicates: i64,
    /// What could not be decoded.
    pub quarantined: i64,
    /// Ranges of offsets that were never seen.
    pub gaps: i64,
}

/// How many there are of a kind.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Count {
    /// The kind.
    pub kind: String,
    /// How many.
    pub count: i64,
}

const RECORDS: &str = "SELECT coalesce(sum(records), 0) AS records, coalesce(sum(events), 0) AS events, \
    coalesce(sum(duplicates), 0) AS duplicates, coalesce(sum(quarantined), 0) AS quarantined, \
    (SELECT count(*) FROM gap) AS gaps FROM batch";

const DECISIONS: &str =
    "SELECT outcome AS kind, count(*) AS count FROM decision GROUP BY outcome ORDER BY count DESC, kind";

const ACTIONS: &str = "SELECT CASE state WHEN 'held' THEN 'held (' || held_reason || ')' ELSE state END AS kind, \
    count(*) AS count FROM action GROUP BY kind ORDER BY count DESC, kind";

const ATTEMPTS: &str = "SELECT coalesce(class, outcome, 'in_flight') AS kind, count(*) AS count FROM attempt \
    GROUP BY kind ORDER BY count DESC, kind";

const LOOKUPS: &str = "SELECT coalesce(class, 'in_flight') AS kind, count(*) AS count FROM lookup \
    GROUP BY kind ORDER BY count DESC, kind";

const SENT: &str = "SELECT coalesce(sum(sent), 0) FROM quota_day";

impl Reader {
    /// Sums up everything.
    ///
    /// # Errors
    /// The database cannot be read, or the reader's time is over.
    pub async fn totals(&mut self) -> Result<Totals, StoreError> {
        let failed = self.failed("sum up the batches");
        let records = sqlx::query_as(RECORDS).fetch_one(&mut self.connection).await.map_err(failed)?;
        let failed = self.failed("sum up the quota");
        let sent = sqlx::query_scalar(SENT).fetch_one(&mut self.connection).await.map_err(failed)?;
        Ok(Totals {
            records,
            decisions: self.counts(DECISIONS, "count the decisions").await?,
            actions: self.counts(ACTIONS, "count the actions").await?,
            attempts: self.counts(ATTEMPTS, "count the attempts").await?,
            lookups: self.counts(LOOKUPS, "count the look-ups").await?,
            sent,
        })
    }

    async fn counts(
        &mut self,
        question: &'static str,
        action: &'static str,
    ) -> Result<Vec<Count>, StoreError> {
        let failed = self.failed(action);
        sqlx::query_as(question).fetch_all(&mut self.connection).await.map_err(failed)
    }
}
