//! Stopping calls and resuming them: a row of `stop`, and who did it, in one commit.
//!
//! Claims read open stops in their own commit, so a stop holds from here on, whether or not a daemon runs.
//! What is planned already is held by upkeep, not here: a person in a hurry waits for one small write only.

use super::{Deed, Operator, note};
use crate::store::StoreError;
use crate::store::stop::Stop;

/// What became of a stop that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It holds.
    Now,
    /// The very same one held already.
    Already,
}

/// What became of a stop that was to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumed {
    /// It holds no longer.
    Now,
    /// Somebody else had ended it meanwhile.
    Already,
}

const STOP: &str = "INSERT INTO stop (rule, workspace, operation, who, reason, stopped_at) \
    SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (SELECT 1 FROM stop WHERE resumed_at IS NULL \
    AND rule IS ?1 AND workspace IS ?2 AND operation IS ?3)";
const RESUME: &str = "UPDATE stop SET resumed_at = ?2 WHERE id = ?1 AND resumed_at IS NULL";

impl Operator {
    /// Stops what `stop` is for, unless that holds already.
    ///
    /// # Errors
    /// [`StoreError::Busy`] and whatever else the database says: nothing was changed.
    pub async fn stop(&mut self, stop: &Stop, deed: &Deed<'_>) -> Result<Stopped, StoreError> {
        self.begin().await?;
        let done = self.write_stop(stop, deed).await;
        self.end(done).await
    }

    /// Ends the stop with this number.
    ///
    /// # Errors
    /// [`StoreError::Busy`] and whatever else the database says: nothing was changed.
    pub async fn resume(&mut self, stop: i64, deed: &Deed<'_>) -> Result<Resumed, StoreError> {
        self.begin().await?;
        let done = self.end_stop(stop, deed).await;
        self.end(done).await
    }

    async fn write_stop(&mut self, stop: &Stop, deed: &Deed<'_>) -> Result<Stopped, StoreError> {
        let written = sqlx::query(STOP)
            .bind(&stop.rule)
            .bind(stop.workspace)
            .bind(&stop.operation)
            .bind(deed.who)
            .bind(deed.reason)
            .bind(deed.now_ms)
            .execute(&mut self.connection)
            .await
            .map_err(StoreError::sql("stop calls"))?;
        if written.rows_affected() == 0 {
            return Ok(Stopped::Already);
        }
        note(&mut self.connection, "stop", deed, 1).await?;
        Ok(Stopped::Now)
    }

    async fn end_stop(&mut self, stop: i64, deed: &Deed<'_>) -> Result<Resumed, StoreError> {
        let ended = sqlx::query(RESUME)
            .bind(stop)
            .bind(deed.now_ms)
            .execute(&mut self.connection)
            .await
            .map_err(StoreError::sql("resume calls"))?;
        if ended.rows_affected() == 0 {
            return Ok(Resumed::Already);
        }
        note(&mut self.connection, "resume", deed, 1).await?;
        Ok(Resumed::Now)
    }
}
