//! The daemon's side of calls that people make: which want a slot, and which have one.

use sqlx::Row;

use crate::operation::Access;
use crate::store::StoreError;
use crate::store::writer::Writer;

/// A call of a person that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutsideCall {
    /// Its number.
    pub id: i64,
    /// Whether it reads or writes.
    pub access: Access,
}

/// Calls looked at in one step: far more than slots.
const STEP_MAX: i64 = 256;

const OPEN: &str = "SELECT id, access FROM outside_call \
    WHERE ended_at IS NULL AND account = ?1 AND region = ?2 AND given_up_at > ?3 ORDER BY id LIMIT ?4";
/// Whoever has not sent by the end of this has died: it looks for its turn ten times a second.
const SENT_WITHIN_MS: i64 = 60_000;

const GRANT: &str = "UPDATE outside_call SET granted_at = ?2, given_up_at = min(given_up_at, ?2 + ?3) \
    WHERE id = ?1 AND ended_at IS NULL";

impl Writer {
    /// The calls of people for `account` in `region` that have not ended, the oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn outside_calls(
        &self,
        account: String,
        region: String,
        now_ms: i64,
    ) -> Result<Vec<OutsideCall>, StoreError> {
        self.run(move |state| {
            Box::pin(async move {
                let failed = || StoreError::sql("look for calls of people");
                let rows = sqlx::query(OPEN)
                    .bind(account)
                    .bind(region)
                    .bind(now_ms)
                    .bind(STEP_MAX)
                    .fetch_all(&mut state.connection)
                    .await
                    .map_err(failed())?;
                rows.iter()
                    .map(|row| {
                        let access: &str = row.try_get(1).map_err(failed())?;
                        let is_read = access == Access::Read.as_str();
                        Ok(OutsideCall {
                            id: row.try_get(0).map_err(failed())?,
                            access: if is_read { Access::Read } else { Access::Write },
                        })
                    })
                    .collect()
            })
        })
        .await
    }

    /// Gives a person's call its turn: a slot is kept free for it.
    ///
    /// # Errors
    /// The commit failed.
    pub async fn grant(&self, id: i64, now_ms: i64) -> Result<(), StoreError> {
        self.run(move |state| {
            Box::pin(async move {
                sqlx::query(GRANT)
                    .bind(id)
                    .bind(now_ms)
                    .bind(SENT_WITHIN_MS)
                    .execute(&mut state.connection)
                    .await
                    .map(drop)
                    .map_err(StoreError::sql("give a person's call its turn"))
            })
        })
        .await
    }
}
