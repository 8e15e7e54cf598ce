//! Calls that people make by a command beside the daemon: counted in the same quota, one of its slots each.
//!
//! A running daemon grants a slot and keeps it until the call has ended (`crate::dispatch`). Without one, the
//! calls a second are kept by looking at what was called in the last seconds.

use sqlx::Row;

use super::Operator;
use crate::operation::{Access, Operation};
use crate::quota::{Budget, Exhausted, Rate, Urgency};
use crate::store::StoreError;
use crate::store::spending::{Debit, Paid, Spender, Spending, Spendings, spendings};

/// The command's name among those who spend.
const COMMAND: &str = "api call";

/// Whoever has not ended its call by then has died: longer than the wait for a turn and the call together.
const GIVEN_UP_AFTER_MS: i64 = 15 * 60 * 1000;

/// A daemon whose last sign of life is older does not run: it gives one every ten seconds.
const ALIVE_WITHIN_MS: i64 = 25_000;

/// What was sent counts no longer than this.
const COUNTS_FOR_MS: i64 = 2_100;

/// A call to make.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The account of the configuration.
    pub account: &'a str,
    /// Its region.
    pub region: &'a str,
    /// What is called.
    pub operation: &'static Operation,
    /// Who calls.
    pub who: &'a str,
    /// What the account may spend.
    pub budget: Budget,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// What happened to the call.
    pub class: &'static str,
    /// The HTTP status.
    pub http_status: Option<u16>,
    /// The API's request id.
    pub request_id: Option<String>,
    /// The API's error code.
    pub error_code: Option<String>,
    /// How the quota counts it.
    pub paid: Paid,
}

impl Default for Ended {
    fn default() -> Self {
        Ended { class: "lost", http_status: None, request_id: None, error_code: None, paid: Paid::Succeeded }
    }
}

/// Whether the call may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It may.
    Now,
    /// Others are before it.
    NotYet,
}

const ASK: &str = "INSERT INTO outside_call (account, region, operation, version, access, who, asked_at, given_up_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING id";
/// Granted by the daemon; or, if none lives, how many calls of its kind may still count: of other commands
/// before it, look-ups among them, and of a daemon that lived a moment ago.
const TURN: &str = "SELECT o.granted_at IS NOT NULL, \
    EXISTS (SELECT 1 FROM daemon d WHERE d.stopped_at IS NULL AND d.alive_at > ?2 - ?3), \
    (SELECT count(*) FROM outside_call p WHERE p.account = o.account AND p.region = o.region AND p.id < o.id \
        AND (?5 OR p.access = o.access) AND p.given_up_at > ?2 AND coalesce(p.ended_at, ?2) > ?2 - ?4) \
    + (SELECT count(*) FROM attempt t WHERE t.id > (SELECT coalesce(max(id), 0) FROM attempt) - 1000 \
        AND coalesce(t.finished_at, t.started_at) > ?2 - ?4) \
    + (SELECT count(*) FROM lookup l WHERE l.id > (SELECT coalesce(max(id), 0) FROM lookup) - 1000 \
        AND coalesce(l.finished_at, l.started_at) > ?2 - ?4), \
    o.access \
    FROM outside_call o WHERE o.id = ?1";
const END: &str = "UPDATE outside_call SET ended_at = ?2, class = ?3, http_status = ?4, request_id = ?5, error_code = ?6 \
    WHERE id = ?1 AND ended_at IS NULL RETURNING account, region, asked_at";
const DAY_OF: &str = "SELECT begins_at, ends_at FROM quota_day \
    WHERE account = ?1 AND region = ?2 AND begins_at <= ?3 AND ends_at > ?3";

impl Operator {
    /// Counts a call that is about to be made, and gives its number; or says which budget is spent.
    ///
    /// # Errors
    /// [`StoreError::Busy`] and whatever else the database says: nothing was counted.
    pub async fn ask_outside(
        &mut self,
        asked: &Asked<'_>,
        now_ms: i64,
    ) -> Result<Result<i64, Exhausted>, StoreError> {
        self.begin().await?;
        let done = self.count_outside(asked, now_ms).await;
        self.end(done).await
    }

    async fn count_outside(
        &mut self,
        asked: &Asked<'_>,
        now_ms: i64,
    ) -> Result<Result<i64, Exhausted>, StoreError> {
        let failed = || StoreError::sql("count a call");
        let (of, calendar) = ((asked.account, asked.region), asked.budget.calendar);
        let Spendings { spent, days, .. } = spendings(&mut self.connection, of, calendar, now_ms).await?;
        if let Err(exhausted) = asked.budget.left(spent, Urgency::Usual) {
            return Ok(Err(exhausted));
        }
        let mut spending = Spending::default();
        spending.debit(&Debit {
            account: asked.account.to_owned(),
            region: asked.region.to_owned(),
            days,
            spender: Spender::Command(COMMAND),
        });
        spending.flush(&mut self.connection).await?;
        sqlx::query_scalar(ASK)
            .bind(asked.account)
            .bind(asked.region)
            .bind(asked.operation.name)
            .bind(asked.operation.version.as_str())
            .bind(asked.operation.access.as_str())
            .bind(asked.who)
            .bind(now_ms)
            .bind(now_ms.saturating_add(GIVEN_UP_AFTER_MS))
            .fetch_one(&mut self.connection)
            .await
            .map(Ok)
            .map_err(failed())
    }

    /// Whether the call with this number may leave now. A daemon grants only what is called where its account
    /// `is_at_home`; elsewhere it calls nothing either.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn turn_outside(
        &mut self,
        id: i64,
        (rate, is_at_home): (Rate, bool),
        now_ms: i64,
    ) -> Result<Turn, StoreError> {
        let failed = || StoreError::sql("look whether a call may be made");
        let row = sqlx::query(TURN)
            .bind(id)
            .bind(now_ms)
            .bind(ALIVE_WITHIN_MS)
            .bind(COUNTS_FOR_MS)
            .bind(matches!(rate, Rate::Shared(_)))
            .fetch_one(&mut self.connection)
            .await
            .map_err(failed())?;
        let truth = |at: usize| row.try_get::<bool, _>(at).map_err(failed());
        let before: i64 = row.try_get(2).map_err(failed())?;
        let access: &str = row.try_get(3).map_err(failed())?;
        let limit = match rate {
            Rate::Unlimited => i64::MAX,
            Rate::Shared(calls) => i64::from(calls.get()),
            Rate::Apart { reads, writes } => {
                i64::from(if access == Access::Read.as_str() { reads } else { writes }.get())
            }
        };
        let may = truth(0)? || ((!is_at_home || !truth(1)?) && before < limit);
        Ok(if may { Turn::Now } else { Turn::NotYet })
    }

    /// Writes down what came of the call with this number.
    ///
    /// # Errors
    /// [`StoreError::Busy`] and whatever else the database says.
    pub async fn end_outside(&mut self, id: i64, ended: &Ended, now_ms: i64) -> Result<(), StoreError> {
        self.begin().await?;
        let done = self.finish_outside(id, ended, now_ms).await;
        self.end(done).await
    }

    async fn finish_outside(&mut self, id: i64, ended: &Ended, now_ms: i64) -> Result<(), StoreError> {
        let failed = || StoreError::sql("write down what came of a call");
        let row = sqlx::query(END)
            .bind(id)
            .bind(now_ms)
            .bind(ended.class)
            .bind(ended.http_status.map(i64::from))
            .bind(&ended.request_id)
            .bind(&ended.error_code)
            .fetch_optional(&mut self.connection)
            .await
            .map_err(failed())?;
        let Some(row) = row else { return Ok(()) };
        let account: String = row.try_get(0).map_err(failed())?;
        let region: String = row.try_get(1).map_err(failed())?;
        let asked_at: i64 = row.try_get(2).map_err(failed())?;
        let day = sqlx::query(DAY_OF)
            .bind(&account)
            .bind(&region)
            .bind(asked_at)
            .fetch_optional(&mut self.connection)
            .await
            .map_err(failed())?;
        // Retention may have removed the day of a call that took that long.
        let Some(day) = day else { return Ok(()) };
        let day = crate::quota::Span {
            begins_ms: day.try_get(0).map_err(failed())?,
            ends_ms: day.try_get(1).map_err(failed())?,
        };
        let mut spending = Spending::default();
        let days = crate::quota::Days { today: day, neighbour: None };
        spending.paid(&Debit { account, region, days, spender: Spender::Command(COMMAND) }, ended.paid);
        spending.flush(&mut self.connection).await
    }
}
