//! Reading back what planning remembers: the calls of the last hour by rule.

use std::collections::HashMap;

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::StoreError;
use crate::action::PlanState;

const HOUR_MS: i64 = 3_600_000;

/// Actions that were to be sent at once; those held from the start counted for no limit.
const CALLS_OF_THE_HOUR: &str = "SELECT rule, planned_at FROM action \
    WHERE number > coalesce((SELECT min(number) - 1 FROM action WHERE planned_at > ?1), 0) \
      AND planned_at > ?1 AND state <> 'observed' \
      AND (held_reason IS NULL OR held_reason NOT IN ('approve', 'stale', 'max_calls', 'policy')) \
    ORDER BY number";

/// The planning state of the moment `now_ms`.
pub(super) async fn load(connection: &mut SqliteConnection, now_ms: i64) -> Result<PlanState, StoreError> {
    let failed = || StoreError::sql("read the calls of the last hour");
    let rows =
        sqlx::query(CALLS_OF_THE_HOUR).bind(now_ms - HOUR_MS).fetch_all(connection).await.map_err(failed())?;
    let mut calls: HashMap<String, Vec<i64>> = HashMap::new();
    for row in rows {
        let rule: &str = row.try_get(0).map_err(failed())?;
        calls.entry(rule.to_owned()).or_default().push(row.try_get(1).map_err(failed())?);
    }
    let mut state = PlanState::default();
    for (rule, times) in calls {
        state.restore(&rule, times);
    }
    Ok(state)
}
