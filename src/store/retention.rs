//! Retention: old rows leave in small steps; identities stay for the dedupe horizon.

use sqlx::sqlite::SqliteConnection;

use super::StoreError;
use super::identity::Remaining;
use super::writer::{State, Writer};

/// Event numbers looked at in one step.
const EVENTS_PER_STEP: i64 = 2_000;

/// Rows of a small table removed in one step.
const ROWS_PER_STEP: i64 = 500;

/// Database pages given back to the file system in one step.
const RECLAIM: &str = "PRAGMA incremental_vacuum(256)";

/// How long rows are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizons {
    /// Events that no rule matched, and doubtful duplicates.
    pub unmatched_ms: i64,
    /// Events that a rule matched, with their decisions, actions and attempts; batches and quarantined
    /// records.
    pub matched_ms: i64,
    /// Identities.
    pub dedupe_ms: i64,
}

/// Accept times never go back, so the last entry of the index before a time is the last event before it.
const LAST_SEQ_BEFORE: &str = "SELECT coalesce((SELECT seq FROM event WHERE accepted_at < ?1 \
    ORDER BY accepted_at DESC, seq DESC LIMIT 1), 0)";
const CURSOR: &str = "SELECT coalesce((SELECT value FROM upkeep WHERE name = ?1), 0)";
const MOVE_CURSOR: &str = "INSERT INTO upkeep (name, value) VALUES (?1, ?2) \
    ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)";
const DELETE_UNMATCHED: &str = "DELETE FROM event WHERE seq > ?1 AND seq <= ?2 AND matched = 0";
// From the first action on, not from the cursor: what waited for a person when its event left may have
// come to its end since. Only such actions are left below the cursor, so this looks at few rows.
const DELETE_LOOKUPS: &str = "DELETE FROM lookup WHERE attempt IN (SELECT t.id FROM attempt t WHERE t.action IN \
    (SELECT number FROM action WHERE event <= ?2 AND state IN ('succeeded', 'dead', 'cancelled', 'observed')))";
const DELETE_ATTEMPTS: &str = "DELETE FROM attempt WHERE action IN \
    (SELECT number FROM action WHERE event <= ?2 AND state IN ('succeeded', 'dead', 'cancelled', 'observed'))";
const DELETE_ACTION_TARGETS: &str = "DELETE FROM operator_target WHERE kind = 'action' AND id IN \
    (SELECT number FROM action WHERE event <= ?2 AND state IN ('succeeded', 'dead', 'cancelled', 'observed'))";
const DELETE_ACTIONS: &str =
    "DELETE FROM action WHERE event <= ?2 AND state IN ('succeeded', 'dead', 'cancelled', 'observed')";
const DELETE_DECISIONS: &str = "DELETE FROM decision WHERE event > ?1 AND event <= ?2";
const DELETE_OBJECTS: &str = "DELETE FROM event_object WHERE event > ?1 AND event <= ?2";
const DELETE_MATCHED: &str = "DELETE FROM event WHERE seq > ?1 AND seq <= ?2";
// What is to be replayed stays until that is done.
const DELETE_QUARANTINED_TARGETS: &str = "DELETE FROM operator_target WHERE kind = 'quarantined' AND id IN \
    (SELECT id FROM quarantined_record WHERE quarantined_at < ?1 AND replay_requested_at IS NULL \
     ORDER BY quarantined_at LIMIT ?2)";
const DELETE_QUARANTINED: &str = "DELETE FROM quarantined_record WHERE id IN \
    (SELECT id FROM quarantined_record WHERE quarantined_at < ?1 AND replay_requested_at IS NULL \
     ORDER BY quarantined_at LIMIT ?2)";
const DELETE_DOUBTFUL: &str = "DELETE FROM doubtful_duplicate WHERE id IN \
    (SELECT id FROM doubtful_duplicate WHERE noticed_at < ?1 ORDER BY noticed_at LIMIT ?2)";
const DELETE_BATCHES: &str = "DELETE FROM batch WHERE id IN \
    (SELECT id FROM batch WHERE accepted_at < ?1 ORDER BY accepted_at LIMIT ?2)";

/// The days of a month are counted as long as it lasts, and shown for another one, whatever else is forgotten.
const QUOTA_KEPT_MS: i64 = 62 * 86_400_000;
const DELETE_QUOTA_SPENDERS: &str = "DELETE FROM quota_day_spender WHERE (account, region, begins_at) IN \
    (SELECT account, region, begins_at FROM quota_day WHERE ends_at < ?1 LIMIT ?2)";
const DELETE_QUOTA_DAYS: &str = "DELETE FROM quota_day WHERE (account, region, begins_at) IN \
    (SELECT account, region, begins_at FROM quota_day WHERE ends_at < ?1 LIMIT ?2)";
const DELETE_OUTSIDE_CALLS: &str = "DELETE FROM outside_call WHERE id IN \
    (SELECT id FROM outside_call WHERE asked_at < ?1 ORDER BY asked_at LIMIT ?2)";
const DELETE_STOPS: &str =
    "DELETE FROM stop WHERE id IN (SELECT id FROM stop WHERE resumed_at < ?1 LIMIT ?2)";

impl Writer {
    /// Does one small step of retention and of the identity log's upkeep.
    ///
    /// # Errors
    /// The commit failed; the step will be done again.
    pub async fn retire(&self, horizons: Horizons, now_ms: i64) -> Result<Remaining, StoreError> {
        self.run(move |state| Box::pin(async move { step(state, horizons, now_ms).await })).await
    }
}

async fn step(state: &mut State, horizons: Horizons, now_ms: i64) -> Result<Remaining, StoreError> {
    if state.identities.step(&mut state.connection, now_ms, horizons.dedupe_ms).await? == Remaining::More {
        return Ok(Remaining::More);
    }
    let connection = &mut state.connection;
    let unmatched = now_ms - horizons.unmatched_ms;
    let matched = now_ms - horizons.matched_ms;
    let mut removed = delete_events(connection, "retired_unmatched", unmatched, &[DELETE_UNMATCHED]).await?;
    removed += delete_events(
        connection,
        "retired_matched",
        matched,
        &[
            DELETE_LOOKUPS,
            DELETE_ATTEMPTS,
            DELETE_ACTION_TARGETS,
            DELETE_ACTIONS,
            DELETE_DECISIONS,
            DELETE_OBJECTS,
            DELETE_MATCHED,
        ],
    )
    .await?;
    for (statement, before) in [
        (DELETE_QUARANTINED_TARGETS, matched),
        (DELETE_QUARANTINED, matched),
        (DELETE_DOUBTFUL, unmatched),
        // A batch proves the completeness of its events, so it stays as long as any of them.
        (DELETE_BATCHES, matched),
        (DELETE_QUOTA_SPENDERS, matched.min(now_ms - QUOTA_KEPT_MS)),
        (DELETE_QUOTA_DAYS, matched.min(now_ms - QUOTA_KEPT_MS)),
        (DELETE_OUTSIDE_CALLS, matched),
        (DELETE_STOPS, matched),
    ] {
        removed += delete(connection, statement, before, ROWS_PER_STEP).await?;
    }
    if removed == 0 {
        return Ok(Remaining::Nothing);
    }
    state.keep_numbering().await?;
    sqlx::query(RECLAIM)
        .execute(&mut state.connection)
        .await
        .map_err(StoreError::sql("give free pages back"))?;
    Ok(Remaining::More)
}

/// Moves a cursor over the events accepted before `before_ms`, deleting what lies in its step.
async fn delete_events(
    connection: &mut SqliteConnection,
    cursor: &'static str,
    before_ms: i64,
    statements: &[&'static str],
) -> Result<u64, StoreError> {
    let failed = || StoreError::sql("move the retention on");
    let last: i64 = sqlx::query_scalar(LAST_SEQ_BEFORE)
        .bind(before_ms)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed())?;
    let from: i64 =
        sqlx::query_scalar(CURSOR).bind(cursor).fetch_one(&mut *connection).await.map_err(failed())?;
    if from >= last {
        return Ok(0);
    }
    let to = last.min(from + EVENTS_PER_STEP);
    for statement in statements {
        delete(connection, statement, from, to).await?;
    }
    sqlx::query(MOVE_CURSOR).bind(cursor).bind(to).execute(connection).await.map_err(failed())?;
    Ok(1)
}

async fn delete(
    connection: &mut SqliteConnection,
    statement: &'static str,
    first: i64,
    second: i64,
) -> Result<u64, StoreError> {
    let done = sqlx::query(statement)
        .bind(first)
        .bind(second)
        .execute(connection)
        .await
        .map_err(StoreError::sql("remove old rows"))?;
    Ok(done.rows_affected())
}

impl State {
    /// Writes down how far the numbering had come, in the commit that removes rows.
    async fn keep_numbering(&mut self) -> Result<(), StoreError> {
        let reached = [
            ("last_event", self.next_event - 1),
            ("last_batch", self.next_batch - 1),
            ("last_accepted_at", self.last_accepted_at),
            ("last_quarantined", self.next_quarantined - 1),
            ("last_action", self.next_action - 1),
            ("last_attempt", self.next_attempt - 1),
        ];
        for (name, value) in reached {
            sqlx::query(MOVE_CURSOR)
                .bind(name)
                .bind(value)
                .execute(&mut self.connection)
                .await
                .map_err(StoreError::sql("keep the numbering"))?;
        }
        Ok(())
    }
}
