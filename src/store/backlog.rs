//! How much waits: actions by state, quarantined records, gaps, counted for those who watch.
//!
//! Read beside the writer, by the small indexes over what is not finished, and bounded twice: each count
//! ends at [`COUNTED_MAX`], and all of them end within two seconds. The events themselves are not looked at.

use std::time::{Duration, Instant};

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::{Store, StoreError, reader};
use crate::quota::Span;

/// No count goes further.
pub const COUNTED_MAX: i64 = 100_000;

/// All questions of one look together.
const TIME_MAX: Duration = Duration::from_secs(2);

/// Events looked at to find the last of each code: a full table would be read before the time is up.
const LAST_EVENTS: i64 = 10_000;

/// What waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Actions to be sent.
    pub planned: i64,
    /// Actions that wait for an earlier step.
    pub waiting: i64,
    /// Actions on their way.
    pub in_flight: i64,
    /// Actions whose outcome is unknown.
    pub unresolved: i64,
    /// Actions given up.
    pub dead: i64,
    /// Held actions by their reason.
    pub held: Vec<(String, i64)>,
    /// When the planned action that is due first is, or was, due.
    pub first_due_at_ms: Option<i64>,
    /// Quarantined records that were not replayed.
    pub quarantined: i64,
    /// Ranges of offsets never seen.
    pub gaps: i64,
    /// Stops in force.
    pub stops: i64,
    /// Parkings by account and reason.
    pub parked: Vec<(String, String, i64)>,
}

/// What an account has spent of its quota.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Calls sent in the day.
    pub day_sent: i64,
    /// Calls that succeeded in the month.
    pub month_succeeded: i64,
}

/// Reads what waits.
#[derive(Debug, Clone)]
pub struct Backlogs {
    readers: SqlitePool,
}

const WAITING: &str = "SELECT \
    (SELECT count(*) FROM (SELECT 1 FROM action WHERE state = 'planned' LIMIT ?1)), \
    (SELECT count(*) FROM (SELECT 1 FROM action \
        WHERE state IN ('held', 'dead', 'unresolved', 'waiting') AND state = 'waiting' LIMIT ?1)), \
    (SELECT count(*) FROM (SELECT 1 FROM action WHERE state = 'in_flight' LIMIT ?1)), \
    (SELECT count(*) FROM (SELECT 1 FROM action \
        WHERE state IN ('held', 'dead', 'unresolved', 'waiting') AND state = 'unresolved' LIMIT ?1)), \
    (SELECT count(*) FROM (SELECT 1 FROM action \
        WHERE state IN ('held', 'dead', 'unresolved', 'waiting') AND state = 'dead' LIMIT ?1)), \
    (SELECT min(due_at) FROM (SELECT due_at FROM action WHERE state = 'planned' LIMIT ?1)), \
    (SELECT count(*) FROM (SELECT 1 FROM quarantined_record WHERE replayed_at IS NULL LIMIT ?1)), \
    (SELECT count(*) FROM (SELECT 1 FROM gap LIMIT ?1)), \
    (SELECT count(*) FROM (SELECT 1 FROM stop WHERE resumed_at IS NULL LIMIT ?1))";
const PARKED: &str = "SELECT account, reason, count(*) FROM parking GROUP BY account, reason ORDER BY account, reason LIMIT ?1";
/// As the claim counts them.
const SPENT: &str = "SELECT \
    (SELECT coalesce(sum(sent), 0) FROM quota_day WHERE account = ?1 AND region = ?2 AND ends_at > ?3 AND begins_at < ?4), \
    (SELECT coalesce(sum(succeeded), 0) FROM quota_day \
     WHERE account = ?1 AND region = ?2 AND ends_at > ?5 AND begins_at < ?6)";
const HELD: &str = "SELECT held_reason, count(*) FROM (SELECT held_reason FROM action \
    WHERE state IN ('held', 'dead', 'unresolved', 'waiting') AND state = 'held' LIMIT ?1) GROUP BY held_reason";
const LAST_OF_EACH_CODE: &str = "SELECT o.code, max(min(coalesce(e.kafka_at, e.accepted_at), e.accepted_at)) \
    FROM (SELECT origin, kafka_at, accepted_at FROM event ORDER BY seq DESC LIMIT ?1) e \
    JOIN origin o ON o.id = e.origin WHERE o.code IS NOT NULL GROUP BY o.code";

impl Store {
    /// What reads the backlog beside the writer.
    #[must_use]
    pub fn backlogs(&self) -> Backlogs {
        Backlogs { readers: self.readers.clone() }
    }
}

impl Backlogs {
    /// Counts what waits.
    ///
    /// # Errors
    /// The database cannot be read, or not in time.
    pub async fn count(&self) -> Result<Backlog, StoreError> {
        let mut connection = self.readers.acquire().await.map_err(StoreError::sql("take a reader"))?;
        limit_time(&mut connection).await?;
        let counted = count(&mut connection).await;
        unlimit_time(&mut connection).await?;
        counted
    }

    /// What `account` has spent in `region`, of this day and this month.
    ///
    /// # Errors
    /// The database cannot be read, or not in time.
    pub async fn spent(
        &self,
        (account, region): (&str, &str),
        (day, month): (Span, Span),
    ) -> Result<Spent, StoreError> {
        let mut connection = self.readers.acquire().await.map_err(StoreError::sql("take a reader"))?;
        limit_time(&mut connection).await?;
        let row = sqlx::query_as(SPENT)
            .bind(account)
            .bind(region)
            .bind(day.begins_ms)
            .bind(day.ends_ms)
            .bind(month.begins_ms)
            .bind(month.ends_ms)
            .fetch_one(&mut *connection)
            .await;
        unlimit_time(&mut connection).await?;
        let (day_sent, month_succeeded) = row.map_err(StoreError::sql("look at what was spent"))?;
        Ok(Spent { day_sent, month_succeeded })
    }

    /// When the last event of each code came, among the newest events. A producer's clock that is ahead
    /// makes none of them newer than its acceptance, as in the counts of what is accepted.
    ///
    /// # Errors
    /// The database cannot be read, or not in time.
    pub async fn last_events(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let mut connection = self.readers.acquire().await.map_err(StoreError::sql("take a reader"))?;
        limit_time(&mut connection).await?;
        let rows = sqlx::query_as(LAST_OF_EACH_CODE).bind(LAST_EVENTS).fetch_all(&mut *connection).await;
        unlimit_time(&mut connection).await?;
        rows.map_err(StoreError::sql("look for the last event of each code"))
    }
}

async fn count(connection: &mut SqliteConnection) -> Result<Backlog, StoreError> {
    let failed = || StoreError::sql("count what waits");
    let row = sqlx::query(WAITING).bind(COUNTED_MAX).fetch_one(&mut *connection).await.map_err(failed())?;
    let held = sqlx::query_as(HELD).bind(COUNTED_MAX).fetch_all(&mut *connection).await.map_err(failed())?;
    let parked = sqlx::query_as(PARKED).bind(COUNTED_MAX).fetch_all(connection).await.map_err(failed())?;
    let number = |at: usize| row.try_get::<i64, _>(at).map_err(failed());
    Ok(Backlog {
        planned: number(0)?,
        waiting: number(1)?,
        in_flight: number(2)?,
        unresolved: number(3)?,
        dead: number(4)?,
        held,
        first_due_at_ms: row.try_get(5).map_err(failed())?,
        quarantined: number(6)?,
        gaps: number(7)?,
        stops: number(8)?,
        parked,
    })
}

/// Interrupts what runs on `connection` for longer than [`TIME_MAX`] from now.
async fn limit_time(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let limited = reader::limit_time(connection, Instant::now() + TIME_MAX).await;
    limited.map_err(StoreError::sql("limit a reader's time"))
}

/// The connection goes back to others, who have no such limit.
async fn unlimit_time(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    connection
        .lock_handle()
        .await
        .map_err(StoreError::sql("lift a reader's time limit"))?
        .remove_progress_handler();
    Ok(())
}
