//! Stops: what people said is not to be called, until they say otherwise.
//!
//! A stop is read in the commit of every claim, so it holds from the moment it is written, whoever wrote
//! it. What it stops becomes `held`; a resume changes nothing of that: a person releases what is still wanted.

use serde::Deserialize;
use sqlx::sqlite::SqliteConnection;

use super::StoreError;
use super::writer::Writer;

/// Actions held in one step.
const HELD_PER_STEP: i64 = 500;

/// What is planned later is held as it is claimed; all of it is looked at again so often, milliseconds.
const SWEEP_EVERY_MS: i64 = 10_000;

/// How far stops were applied to what is planned.
#[derive(Debug, Default)]
pub(super) struct Swept {
    newest: i64,
    at_ms: i64,
}

/// One stop; what is `None` restricts nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Stop {
    /// Only actions of this rule.
    pub rule: Option<String>,
    /// Only actions for events of this workspace.
    pub workspace: Option<i64>,
    /// Only calls of this operation.
    pub operation: Option<String>,
}

impl Stop {
    /// Whether it is for such an action.
    #[must_use]
    pub fn stops(&self, rule: &str, workspace: Option<i64>, operation: &str) -> bool {
        self.rule.as_deref().is_none_or(|own| own == rule)
            && self.workspace.is_none_or(|own| workspace == Some(own))
            && self.operation.as_deref().is_none_or(|own| own == operation)
    }
}

/// All planned actions that a stop is for, due or not.
const HOLD_PLANNED: &str = "UPDATE action SET state = 'held', held_reason = 'stopped' WHERE number IN ( \
    SELECT a.number FROM action a WHERE a.state = 'planned' AND EXISTS ( \
        SELECT 1 FROM stop s WHERE s.resumed_at IS NULL AND (s.rule IS NULL OR s.rule = a.rule) \
        AND (s.workspace IS NULL OR s.workspace = a.workspace) \
        AND (s.operation IS NULL OR s.operation = a.operation)) LIMIT ?1)";
const NEWEST: &str = "SELECT coalesce(max(id), 0) FROM stop WHERE resumed_at IS NULL";
const OPEN: &str = "SELECT json_group_array(json_object('rule', rule, 'workspace', workspace, 'operation', operation)) \
    FROM stop WHERE resumed_at IS NULL";
const HOLD: &str = "UPDATE action SET state = 'held', held_reason = 'stopped' \
    WHERE number IN (SELECT value FROM json_each(?1)) AND state = 'planned'";

/// The stops that hold now, whoever wrote them.
pub(super) async fn open(connection: &mut SqliteConnection) -> Result<Vec<Stop>, StoreError> {
    let text: String = sqlx::query_scalar(OPEN)
        .fetch_one(connection)
        .await
        .map_err(StoreError::sql("read what is stopped"))?;
    serde_json::from_str(&text).map_err(|_| StoreError::Corrupt { place: "stop", found: text })
}

/// Holds these actions, which a stop is for.
pub(super) async fn hold(connection: &mut SqliteConnection, numbers: &[i64]) -> Result<(), StoreError> {
    if numbers.is_empty() {
        return Ok(());
    }
    sqlx::query(HOLD)
        .bind(super::columns::json_numbers(numbers))
        .execute(connection)
        .await
        .map(drop)
        .map_err(StoreError::sql("hold stopped actions"))
}

impl Writer {
    /// Holds some of the planned actions that a stop is for, and gives how many.
    ///
    /// # Errors
    /// The commit failed; the step will be done again.
    pub async fn hold_stopped(&self, now_ms: i64) -> Result<u64, StoreError> {
        self.run(move |state| {
            Box::pin(async move {
                let failed = || StoreError::sql("hold stopped actions");
                let newest: i64 =
                    sqlx::query_scalar(NEWEST).fetch_one(&mut state.connection).await.map_err(failed())?;
                let Swept { newest: known, at_ms } = state.stopped;
                let is_done = newest == known && now_ms.abs_diff(at_ms) < SWEEP_EVERY_MS.unsigned_abs();
                if newest == 0 || is_done {
                    return Ok(0);
                }
                let held = sqlx::query(HOLD_PLANNED)
                    .bind(HELD_PER_STEP)
                    .execute(&mut state.connection)
                    .await
                    .map_err(failed())?
                    .rows_affected();
                if held < HELD_PER_STEP.unsigned_abs() {
                    state.stopped = Swept { newest, at_ms: now_ms };
                }
                Ok(held)
            })
        })
        .await
    }
}
