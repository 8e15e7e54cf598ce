//! The order of actions with the same `in_order_by` key.
//!
//! An action may go when none of its key before it is planned, waiting, in flight or unresolved, and none at
//! all is in flight; the claim checks that. What it finds behind another is marked, so that a long queue
//! of one key is not looked at again and again; whatever ends an action's blocking lets the next of its
//! key stand for the claim again, from now on due, so that keys take turns. A mark that stays by mistake
//! is found by upkeep.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use crate::store::writer::Writer;
use crate::store::{StoreError, columns};

/// Keys looked at in one step of upkeep.
const KEYS_PER_STEP: i64 = 200;

const MARK: &str = "UPDATE action SET behind = 1 WHERE number IN (SELECT value FROM json_each(?1))";
/// Whether it was marked yet or not: a key whose queue was never looked at takes turns as well.
const NEXT_OF_KEYS: &str = "UPDATE action SET behind = 0, due_at = max(due_at, ?2) WHERE number IN \
    (SELECT (SELECT min(a.number) FROM action a INDEXED BY action_in_order_by WHERE a.in_order_by = k.value \
             AND a.state IN ('planned', 'waiting', 'in_flight', 'unresolved') AND a.state = 'planned') \
     FROM json_each(?1) k)";
/// Keys with actions that are marked, from one on, each once.
const MARKED_KEYS: &str = "WITH RECURSIVE marked (name) AS ( \
    SELECT min(in_order_by) FROM action WHERE state = 'planned' AND behind = 1 AND in_order_by >= ?1 \
    UNION ALL \
    SELECT (SELECT min(a.in_order_by) FROM action a \
            WHERE a.state = 'planned' AND a.behind = 1 AND a.in_order_by > marked.name) \
    FROM marked WHERE marked.name IS NOT NULL LIMIT ?2) \
    SELECT name FROM marked WHERE name IS NOT NULL";
const FREE_HEADS: &str = "SELECT a.in_order_by FROM action a WHERE a.number IN \
    (SELECT (SELECT min(h.number) FROM action h WHERE h.state = 'planned' AND h.behind = 1 AND h.in_order_by = k.value) \
     FROM json_each(?1) k) \
    AND NOT EXISTS (SELECT 1 FROM action b WHERE b.in_order_by = a.in_order_by AND b.number <> a.number \
        AND b.state IN ('planned', 'waiting', 'in_flight', 'unresolved') \
        AND (b.state <> 'unresolved' OR b.order_released_at IS NULL) \
        AND (b.number < a.number OR b.state = 'in_flight'))";
const BLOCK_NO_LONGER: &str = "UPDATE action SET order_released_at = ?1 WHERE number IN \
    (SELECT number FROM action INDEXED BY action_attention WHERE state IN ('held', 'dead', 'unresolved', 'waiting') \
     AND state = 'unresolved' AND in_order_by IS NOT NULL AND order_released_at IS NULL \
     AND settled_at <= ?2 LIMIT 500) RETURNING number, id, in_order_by";

/// An unresolved action that keeps later ones of its key waiting no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderReleased {
    /// Its number.
    pub number: i64,
    /// Its id.
    pub id: String,
    /// The key.
    pub key: String,
}

/// Marks what is behind another action of its key.
pub(super) async fn mark(connection: &mut SqliteConnection, numbers: &[i64]) -> Result<(), StoreError> {
    if numbers.is_empty() {
        return Ok(());
    }
    sqlx::query(MARK)
        .bind(columns::json_numbers(numbers))
        .execute(connection)
        .await
        .map(drop)
        .map_err(StoreError::sql("let actions wait for their turn"))
}

/// Lets the next action of each of these keys stand for the claim.
pub(in crate::store) async fn next_of(
    connection: &mut SqliteConnection,
    keys: &[String],
    now_ms: i64,
) -> Result<(), StoreError> {
    if keys.is_empty() {
        return Ok(());
    }
    sqlx::query(NEXT_OF_KEYS)
        .bind(json_texts(keys))
        .bind(now_ms)
        .execute(connection)
        .await
        .map(drop)
        .map_err(StoreError::sql("let the next action of a key go"))
}

impl Writer {
    /// Ends what has kept a key waiting since before `unresolved_before_ms`, and gives it.
    ///
    /// # Errors
    /// The commit failed; the step will be done again.
    pub async fn release_order(
        &self,
        unresolved_before_ms: i64,
        now_ms: i64,
    ) -> Result<Vec<OrderReleased>, StoreError> {
        self.run(move |state| {
            Box::pin(async move {
                let failed = || StoreError::sql("end the waiting for unresolved actions");
                let connection = &mut state.connection;
                let rows = sqlx::query(BLOCK_NO_LONGER)
                    .bind(now_ms)
                    .bind(unresolved_before_ms)
                    .fetch_all(&mut *connection)
                    .await
                    .map_err(failed())?;
                let released = rows.iter().map(|row| {
                    Ok(OrderReleased {
                        number: row.try_get(0).map_err(failed())?,
                        id: row.try_get(1).map_err(failed())?,
                        key: row.try_get(2).map_err(failed())?,
                    })
                });
                let released = released.collect::<Result<Vec<_>, StoreError>>()?;
                let keys: Vec<String> = released.iter().map(|it| it.key.clone()).collect();
                next_of(connection, &keys, now_ms).await?;
                Ok(released)
            })
        })
        .await
    }

    /// Looks at some keys, further ones each time, whether their next action waits for nothing any more,
    /// and lets it go.
    ///
    /// # Errors
    /// The commit failed; the step will be done again.
    pub async fn mend_order(&self, now_ms: i64) -> Result<(), StoreError> {
        self.run(move |state| {
            Box::pin(async move {
                let failed = || StoreError::sql("look for actions that wait for nothing");
                let connection = &mut state.connection;
                let keys: Vec<String> = sqlx::query_scalar(MARKED_KEYS)
                    .bind(&state.mended_up_to)
                    .bind(KEYS_PER_STEP)
                    .fetch_all(&mut *connection)
                    .await
                    .map_err(failed())?;
                // Fewer are the last ones; then it begins again at the empty key, which is one too.
                let is_end = keys.len() < usize::try_from(KEYS_PER_STEP).unwrap_or(usize::MAX);
                state.mended_up_to = keys.last().filter(|_| !is_end).cloned().unwrap_or_default();
                if keys.is_empty() {
                    return Ok(());
                }
                let free: Vec<String> = sqlx::query_scalar(FREE_HEADS)
                    .bind(json_texts(&keys))
                    .fetch_all(&mut *connection)
                    .await
                    .map_err(failed())?;
                next_of(connection, &free, now_ms).await
            })
        })
        .await
    }
}

fn json_texts(texts: &[String]) -> String {
    serde_json::Value::from(texts).to_string()
}
