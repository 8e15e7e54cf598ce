//! The outbox: claiming due actions, settling attempts, recovering what a crash left in flight.
//!
//! A claim makes the attempt durable before anything is sent. Every change of state is guarded by the
//! state and the attempt it starts from, so a late or repeated settle cannot undo a newer truth.

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::writer::{State, Writer};
use super::{StoreError, columns};
use crate::operation::Access;

mod recover;

mod settle;

pub use recover::Recovered;
pub use settle::{Evidence, Outcome, Settled, Settlement};

/// Actions held in one step because their time has passed.
const EXPIRED_MAX: i64 = 500;

/// What to claim.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The account whose actions are wanted.
    pub account: String,
    /// Only reads, only writes, or both.
    pub access: Option<Access>,
    /// How many at most.
    pub limit: usize,
    /// How long the claim holds.
    pub lease_ms: i64,
    /// How long after its first attempt a call that converges may be repeated blindly.
    pub repeat_within_ms: i64,
}

/// A claimed action: its attempt is durable and may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The attempt's row.
    pub attempt: i64,
    /// The action's row.
    pub action: i64,
    /// The action's id, as people see it.
    pub id: String,
    /// Which attempt of the action this is, from 1.
    pub attempt_number: i64,
    /// The same, counted from when a person last had the action sent again, without those that never left.
    pub attempt_of_life: i64,
    /// Attempts up to this number belong to earlier lives; 0 in the first.
    pub requeued_after: i64,
    /// The event that caused it.
    pub event: i64,
    /// The rule that planned it.
    pub rule: String,
    /// The rule's file.
    pub rule_path: String,
    /// The operation's name.
    pub operation: String,
    /// The operation's API version.
    pub version: String,
    /// Rendered parameters, a JSON object.
    pub params: String,
    /// The event's workspace.
    pub workspace: Option<i64>,
    /// When its event was written to Kafka, or else accepted, or else when the action was planned.
    pub event_at_ms: i64,
    /// When the first attempt of this life was claimed.
    pub first_sent_at_ms: i64,
    /// Earlier attempts of this life that left and were refused neither for their number nor for our clock.
    pub earlier_tries: i64,
    /// Earlier attempts of all lives that left.
    pub earlier_sent: i64,
    /// What the earlier attempts of this life may have done.
    pub past: Past,
}

/// What earlier attempts of an action may have done. What a person had sent again begins a new life: they
/// have answered for the attempts before it (`action.requeued_after`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// None of them was executed.
    Clear,
    /// One of them may have been executed, or a part of it.
    Unknown,
}

/// What is too late and may have been executed by an earlier attempt is not merely late.
const EXPIRE_UNKNOWN: &str = "UPDATE action SET state = 'unresolved', settled_at = ?1 WHERE number IN \
    (SELECT number FROM action WHERE state = 'planned' AND expires_at IS NOT NULL AND expires_at <= ?1 LIMIT ?2) \
    AND attempts > requeued_after AND repeat_effect <> 'none' \
    AND EXISTS (SELECT 1 FROM attempt t WHERE t.action = action.number AND t.number > action.requeued_after \
                AND t.class IN ('lost', 'unavailable'))";
const EXPIRE: &str = "UPDATE action SET state = 'held', held_reason = 'expired' WHERE number IN \
    (SELECT number FROM action WHERE state = 'planned' AND expires_at IS NOT NULL AND expires_at <= ?1 LIMIT ?2)";
/// What converges is repeated for a while only: a person may have undone it since.
const DO_NOT_REPEAT: &str = "UPDATE action SET state = 'unresolved', settled_at = ?2 \
    WHERE number IN (SELECT value FROM json_each(?1)) AND state = 'planned' AND attempts > requeued_after \
    AND repeat_effect = 'converges' AND first_sent_at < ?2 - ?3 \
    AND EXISTS (SELECT 1 FROM attempt t WHERE t.action = action.number AND t.number > action.requeued_after \
                AND t.class IN ('lost', 'unavailable'))";
const PRIORITIES: &str = "WITH RECURSIVE level (priority) AS ( \
    SELECT max(priority) FROM action WHERE state = 'planned' AND account = ?1 \
    UNION ALL \
    SELECT (SELECT max(a.priority) FROM action a \
            WHERE a.state = 'planned' AND a.account = ?1 AND a.priority < level.priority) \
    FROM level WHERE level.priority IS NOT NULL) \
    SELECT priority FROM level WHERE priority IS NOT NULL";
/// Older actions of the key go first. A person may have an older one sent again while a newer one is on its
/// way, so nothing of the key may be in flight either; of those there are never many.
const DUE: &str = "SELECT a.number FROM action a \
    WHERE a.state = 'planned' AND a.account = ?1 AND a.priority = ?2 AND a.due_at <= ?3 \
      AND (?4 IS NULL OR a.access = ?4) AND (a.expires_at IS NULL OR a.expires_at > ?3) \
      AND (a.in_order_by IS NULL OR NOT EXISTS ( \
           SELECT 1 FROM action b WHERE b.in_order_by = a.in_order_by AND b.number < a.number \
           AND b.state IN ('planned', 'waiting', 'in_flight', 'unresolved')) \
        AND NOT EXISTS (SELECT 1 FROM action b INDEXED BY action_in_flight \
           WHERE b.state = 'in_flight' AND b.in_order_by = a.in_order_by)) \
    ORDER BY a.due_at, a.number LIMIT ?5";
/// What the policy refused, or what could not be built, never left: it is no try.
const CLAIM: &str = "UPDATE action SET state = 'in_flight', lease_until = ?2, attempts = attempts + 1, \
    first_sent_at = coalesce(first_sent_at, ?3) \
    WHERE number IN (SELECT value FROM json_each(?1)) AND state = 'planned' \
    RETURNING number, id, attempts, event, rule, rule_path, operation, version, params, workspace, first_sent_at, \
    (SELECT count(*) FROM attempt t WHERE t.action = action.number AND t.number > action.requeued_after \
        AND t.class NOT IN ('throttled', 'quota_exhausted', 'clock', 'unsendable')), \
    EXISTS (SELECT 1 FROM attempt t WHERE t.action = action.number AND t.number > action.requeued_after \
        AND t.class IN ('lost', 'unavailable')), \
    attempts - requeued_after - (SELECT count(*) FROM attempt t WHERE t.action = action.number \
        AND t.number > action.requeued_after AND t.class = 'unsendable'), \
    coalesce((SELECT coalesce(e.kafka_at, e.accepted_at) FROM event e WHERE e.seq = action.event), planned_at), \
    (SELECT count(*) FROM attempt t WHERE t.action = action.number AND t.class <> 'unsendable'), \
    requeued_after";
const INSERT_ATTEMPT: &str = "INSERT INTO attempt (id, action, number, started_at) VALUES (?1, ?2, ?3, ?4)";
const NEXT_DUE: &str = "SELECT min(due_at) FROM action WHERE state = 'planned' AND account = ?1";
const LAST_SENT: &str = "SELECT max(coalesce(finished_at, started_at)) FROM attempt \
    WHERE id > (SELECT coalesce(max(id), 0) FROM attempt) - 1000";

impl Writer {
    /// Claims due actions: each is in flight with a durable attempt when this returns.
    ///
    /// Actions whose time has passed become `held` (expired) instead.
    ///
    /// # Errors
    /// The commit failed; nothing was claimed.
    pub async fn claim(&self, wanted: Wanted, now_ms: i64) -> Result<Vec<Claimed>, StoreError> {
        self.run(move |state| Box::pin(async move { claim(state, &wanted, now_ms).await })).await
    }

    /// When the next planned action of `account` is due, if there is one.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn next_due(&self, account: String) -> Result<Option<i64>, StoreError> {
        self.run(move |state| {
            Box::pin(async move {
                sqlx::query_scalar(NEXT_DUE)
                    .bind(account)
                    .fetch_one(&mut state.connection)
                    .await
                    .map_err(StoreError::sql("look for the next due action"))
            })
        })
        .await
    }

    /// The last moment at which a call may have been on its way, if there was any.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn last_sent(&self) -> Result<Option<i64>, StoreError> {
        self.run(|state| {
            Box::pin(async move {
                sqlx::query_scalar(LAST_SENT)
                    .fetch_one(&mut state.connection)
                    .await
                    .map_err(StoreError::sql("look for the last attempt"))
            })
        })
        .await
    }
}

async fn claim(state: &mut State, wanted: &Wanted, now_ms: i64) -> Result<Vec<Claimed>, StoreError> {
    let failed = || StoreError::sql("claim due actions");
    for statement in [EXPIRE_UNKNOWN, EXPIRE] {
        sqlx::query(statement)
            .bind(now_ms)
            .bind(EXPIRED_MAX)
            .execute(&mut state.connection)
            .await
            .map_err(StoreError::sql("hold expired actions"))?;
    }
    let numbers = due(&mut state.connection, wanted, now_ms).await?;
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query(DO_NOT_REPEAT)
        .bind(columns::json_numbers(&numbers))
        .bind(now_ms)
        .bind(wanted.repeat_within_ms)
        .execute(&mut state.connection)
        .await
        .map_err(failed())?;
    let rows = sqlx::query(CLAIM)
        .bind(columns::json_numbers(&numbers))
        .bind(now_ms + wanted.lease_ms)
        .bind(now_ms)
        .fetch_all(&mut state.connection)
        .await
        .map_err(failed())?;
    let mut claimed = Vec::with_capacity(rows.len());
    for row in rows {
        let action = of_row(&row, state.next_attempt).map_err(failed())?;
        state.next_attempt += 1;
        sqlx::query(INSERT_ATTEMPT)
            .bind(action.attempt)
            .bind(action.action)
            .bind(action.attempt_number)
            .bind(now_ms)
            .execute(&mut state.connection)
            .await
            .map_err(StoreError::sql("write an attempt"))?;
        claimed.push(action);
    }
    // RETURNING gives no order; the order of due times is the order of numbers within a key.
    claimed.sort_by_key(|claimed| numbers.iter().position(|number| *number == claimed.action));
    Ok(claimed)
}

/// The actions that are due, most urgent first.
async fn due(
    connection: &mut SqliteConnection,
    wanted: &Wanted,
    now_ms: i64,
) -> Result<Vec<i64>, StoreError> {
    let failed = || StoreError::sql("look for due actions");
    let access = wanted.access.map(Access::as_str);
    let levels: Vec<i64> = sqlx::query_scalar(PRIORITIES)
        .bind(wanted.account.as_str())
        .fetch_all(&mut *connection)
        .await
        .map_err(failed())?;
    let mut numbers = Vec::new();
    for priority in levels {
        let left = wanted.limit.saturating_sub(numbers.len());
        if left == 0 {
            break;
        }
        let due: Vec<i64> = sqlx::query_scalar(DUE)
            .bind(wanted.account.as_str())
            .bind(priority)
            .bind(now_ms)
            .bind(access)
            .bind(columns::count(left))
            .fetch_all(&mut *connection)
            .await
            .map_err(failed())?;
        numbers.extend(due);
    }
    Ok(numbers)
}

fn of_row(row: &SqliteRow, attempt: i64) -> Result<Claimed, sqlx::Error> {
    Ok(Claimed {
        attempt,
        action: row.try_get(0)?,
        id: row.try_get(1)?,
        attempt_number: row.try_get(2)?,
        attempt_of_life: row.try_get(13)?,
        requeued_after: row.try_get(16)?,
        event: row.try_get(3)?,
        rule: row.try_get(4)?,
        rule_path: row.try_get(5)?,
        operation: row.try_get(6)?,
        version: row.try_get(7)?,
        params: row.try_get(8)?,
        workspace: row.try_get(9)?,
        first_sent_at_ms: row.try_get(10)?,
        earlier_tries: row.try_get(11)?,
        past: if row.try_get(12)? { Past::Unknown } else { Past::Clear },
        event_at_ms: row.try_get(14)?,
        earlier_sent: row.try_get(15)?,
    })
}
