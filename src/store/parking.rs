//! Parking: why calls of an account, or of one operation for one workspace, are not tried for a while.
//!
//! A row says until when; then one call is tried, and what comes of it lifts the parking or prolongs it.
//! The rows are few and only the writer changes them, so it keeps them in memory too. What waits stays
//! `planned`: nothing of the backlog is rewritten when an account is parked.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::StoreError;
use super::writer::Writer;

mod reason;
pub use reason::{ParkReason, Pause};

/// When a call that was to find out told nothing, the next one waits so long, milliseconds.
pub(super) const PROBE_AGAIN_MS: i64 = 1_000;

/// No parking that outlives a restart is longer than a month and what is waited after it.
const PARKED_MS_MAX: i64 = 32 * 86_400_000;

/// Calls are to be parked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Park {
    /// Why.
    pub reason: ParkReason,
    /// What the endpoint said, or what was counted.
    pub message: String,
    /// For how long.
    pub pause: Pause,
}

/// What a call is about, as parking sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Called<'a> {
    /// The account.
    pub account: &'a str,
    /// The operation.
    pub operation: &'a str,
    /// The event's workspace.
    pub workspace: Option<i64>,
}

/// A row of `parking`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    id: i64,
    /// The account.
    pub account: String,
    /// The operation, if only that is parked.
    pub operation: Option<String>,
    /// Its workspace.
    pub workspace: Option<i64>,
    /// Why.
    pub reason: ParkReason,
    /// The text that was kept.
    pub message: String,
    /// When one call is tried, milliseconds since 1970.
    pub until_ms: i64,
    failures: i64,
    /// A call is on its way that finds out.
    probing: bool,
}

/// Whether an account may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    /// One call may find out.
    Probe(Parked),
    Closed(Parked),
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Parkings(Vec<Parked>);

const ALL: &str =
    "SELECT id, account, operation, workspace, reason, message, until, failures FROM parking ORDER BY id";
const INSERT: &str = "INSERT INTO parking (account, operation, workspace, reason, message, since, until, failures) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1) RETURNING id";
const PROLONG: &str = "UPDATE parking SET message = ?2, until = ?3, failures = ?4 WHERE id = ?1";
const LIFT: &str = "DELETE FROM parking WHERE id = ?1";
/// What was put off because of the parking, and nothing else, has this very due time.
const PUT_OFF_NO_MORE: &str = "UPDATE action SET due_at = ?5 WHERE state = 'planned' AND account = ?1 AND operation = ?2 \
    AND workspace IS ?3 AND due_at = ?4";

impl Parked {
    fn is_of(&self, called: &Called<'_>) -> bool {
        self.account == called.account
            && self
                .operation
                .as_deref()
                .is_none_or(|own| own == called.operation && self.workspace == called.workspace)
    }
}

impl Parkings {
    pub(super) async fn load(connection: &mut SqliteConnection) -> Result<Self, StoreError> {
        let failed = || StoreError::sql("read what is parked");
        let rows = sqlx::query(ALL).fetch_all(connection).await.map_err(failed())?;
        let parked = rows.iter().map(|row| {
            let text: String = row.try_get(4).map_err(failed())?;
            let reason = ParkReason::from_text(&text);
            Ok(Parked {
                id: row.try_get(0).map_err(failed())?,
                account: row.try_get(1).map_err(failed())?,
                operation: row.try_get(2).map_err(failed())?,
                workspace: row.try_get(3).map_err(failed())?,
                reason: reason.ok_or(StoreError::Corrupt { place: "parking.reason", found: text })?,
                message: row.try_get(5).map_err(failed())?,
                until_ms: row.try_get(6).map_err(failed())?,
                failures: row.try_get(7).map_err(failed())?,
                probing: false,
            })
        });
        parked.collect::<Result<_, StoreError>>().map(Parkings)
    }

    /// Whether `account` may be called now; what ended by its time is lifted.
    pub(super) async fn gate(
        &mut self,
        connection: &mut SqliteConnection,
        account: &str,
        now_ms: i64,
    ) -> Result<Gate, StoreError> {
        let over = |parked: &Parked| {
            parked.account == account && parked.reason.ends_by_time() && parked.until_ms <= now_ms
        };
        self.lift_where(connection, now_ms, over).await?;
        let of_account = || self.0.iter().filter(|it| it.account == account && it.operation.is_none());
        let closed = of_account().filter(|it| it.until_ms > now_ms).max_by_key(|it| it.until_ms);
        Ok(match (closed, of_account().next()) {
            (Some(parked), _) => Gate::Closed(parked.clone()),
            (None, Some(parked)) => Gate::Probe(parked.clone()),
            (None, None) => Gate::Open,
        })
    }

    /// Until when calls of this operation for this workspace are parked; a time in the past lets one find out.
    pub(super) fn of_operation(&self, called: &Called<'_>) -> Option<i64> {
        self.0.iter().find(|it| it.operation.is_some() && it.is_of(called)).map(|it| it.until_ms)
    }

    /// A call is on its way that finds out: no other is tried until `until_ms`.
    pub(super) async fn probed(
        &mut self,
        connection: &mut SqliteConnection,
        called: &Called<'_>,
        now_ms: i64,
        until_ms: i64,
    ) -> Result<(), StoreError> {
        for parked in self.0.iter_mut().filter(|it| it.is_of(called) && it.until_ms <= now_ms) {
            parked.until_ms = until_ms;
            parked.probing = true;
            prolong(connection, parked).await?;
        }
        Ok(())
    }

    /// The call that was to find out told nothing, or never left: from `again_ms` another one may.
    pub(super) async fn find_out_again(
        &mut self,
        connection: &mut SqliteConnection,
        called: &Called<'_>,
        again_ms: i64,
    ) -> Result<(), StoreError> {
        for parked in self.0.iter_mut().filter(|it| it.is_of(called) && it.probing) {
            parked.until_ms = parked.until_ms.min(again_ms);
            parked.probing = false;
            prolong(connection, parked).await?;
        }
        Ok(())
    }

    /// Parks, or prolongs a parking for the same reason; gives it if it is new.
    pub(super) async fn park(
        &mut self,
        connection: &mut SqliteConnection,
        called: &Called<'_>,
        park: &Park,
        now_ms: i64,
    ) -> Result<Option<Parked>, StoreError> {
        if let Some(known) = self.0.iter_mut().find(|it| it.reason == park.reason && it.is_of(called)) {
            // Calls that were on their way when it was parked tell nothing new, unless they ask for longer.
            let until_ms = match park.pause {
                Pause::Until(until_ms) => until_ms,
                Pause::Growing { .. } if known.probing || known.until_ms <= now_ms => {
                    park.pause.until(now_ms, known.failures + 1)
                }
                Pause::Growing { .. } => return Ok(None),
            };
            known.failures += 1;
            known.until_ms = until_ms;
            known.probing = false;
            known.message.clone_from(&park.message);
            prolong(connection, known).await?;
            return Ok(None);
        }
        let is_of_operation = park.reason == ParkReason::Forbidden;
        let mut parked = Parked {
            id: 0,
            account: called.account.to_owned(),
            operation: is_of_operation.then(|| called.operation.to_owned()),
            workspace: called.workspace.filter(|_| is_of_operation),
            reason: park.reason,
            message: park.message.clone(),
            until_ms: park.pause.until(now_ms, 1),
            failures: 1,
            probing: false,
        };
        parked.id = sqlx::query_scalar(INSERT)
            .bind(&parked.account)
            .bind(&parked.operation)
            .bind(parked.workspace)
            .bind(parked.reason.as_str())
            .bind(&parked.message)
            .bind(now_ms)
            .bind(parked.until_ms)
            .fetch_one(connection)
            .await
            .map_err(StoreError::sql("park calls"))?;
        self.0.push(parked.clone());
        Ok(Some(parked))
    }

    /// A call showed that these reasons no longer hold; gives what is lifted.
    pub(super) async fn lift(
        &mut self,
        connection: &mut SqliteConnection,
        called: &Called<'_>,
        reasons: &[ParkReason],
        now_ms: i64,
    ) -> Result<Vec<Parked>, StoreError> {
        // Of a limit that others share only the call that was to find out tells that there is room again.
        let tells = |it: &Parked| it.reason != ParkReason::Throttled || it.probing;
        let is_over = |it: &Parked| it.is_of(called) && reasons.contains(&it.reason) && tells(it);
        self.lift_where(connection, now_ms, is_over).await
    }

    async fn lift_where(
        &mut self,
        connection: &mut SqliteConnection,
        now_ms: i64,
        is_over: impl Fn(&Parked) -> bool,
    ) -> Result<Vec<Parked>, StoreError> {
        if !self.0.iter().any(&is_over) {
            return Ok(Vec::new());
        }
        let failed = || StoreError::sql("lift a parking");
        let (lifted, kept) = std::mem::take(&mut self.0).into_iter().partition(|it| is_over(it));
        self.0 = kept;
        for Parked { id, account, operation, workspace, until_ms, .. } in &lifted {
            sqlx::query(LIFT).bind(id).execute(&mut *connection).await.map_err(failed())?;
            if let Some(operation) = operation {
                sqlx::query(PUT_OFF_NO_MORE)
                    .bind(account)
                    .bind(operation)
                    .bind(workspace)
                    .bind(until_ms)
                    .bind(now_ms)
                    .execute(&mut *connection)
                    .await
                    .map_err(failed())?;
            }
        }
        Ok(lifted)
    }
}

async fn prolong(connection: &mut SqliteConnection, parked: &Parked) -> Result<(), StoreError> {
    sqlx::query(PROLONG)
        .bind(parked.id)
        .bind(&parked.message)
        .bind(parked.until_ms)
        .bind(parked.failures)
        .execute(connection)
        .await
        .map(drop)
        .map_err(StoreError::sql("prolong a parking"))
}

impl Writer {
    /// Lifts what a restart may have mended: keys, permissions and endpoints are tried anew. What the
    /// endpoint said of the day's or the month's calls stays.
    ///
    /// # Errors
    /// The commit failed.
    pub async fn lift_parkings_at_start(&self, now_ms: i64) -> Result<(), StoreError> {
        self.run(move |state| {
            Box::pin(async move {
                // What ends later than any month was written by a clock that was wrong.
                let believed = now_ms..=now_ms.saturating_add(PARKED_MS_MAX);
                let is_over =
                    |it: &Parked| !it.reason.outlives_a_restart() || !believed.contains(&it.until_ms);
                state.parkings.lift_where(&mut state.connection, now_ms, is_over).await.map(drop)
            })
        })
        .await
    }
}
