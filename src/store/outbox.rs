//! The outbox: claiming due actions, settling attempts, recovering what a crash left in flight.
//!
//! A claim makes the attempt durable before anything is sent. Every change of state is guarded by the
//! state and the attempt it starts from, so a late or repeated settle cannot undo a newer truth.

use std::collections::HashSet;

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::writer::{State, Writer};
use super::{StoreError, columns};
use crate::action::HeldReason;
use crate::action::repeat::{Repeat, after_unknown};
use crate::operation::{Access, RepeatEffect};

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
    /// When the first attempt was claimed.
    pub first_sent_at_ms: i64,
}

/// What an attempt came to, and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The API said yes.
    Succeeded,
    /// To be sent again at this time.
    DueAgain {
        /// Milliseconds since 1970.
        due_at_ms: i64,
    },
    /// Rejected, or attempts exhausted.
    Dead,
    /// Sent, outcome unknown, not repeatable.
    Unresolved,
    /// Not sent: a person must decide.
    Held(HeldReason),
}

/// What is known after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The attempt's row.
    pub attempt: i64,
    /// What follows.
    pub outcome: Outcome,
    /// What happened to the call, a stable word.
    pub class: &'static str,
    /// The evidence.
    pub evidence: Evidence,
}

/// What the call left behind; every text is scrubbed of secrets before it comes here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The base URL that was called.
    pub endpoint: Option<String>,
    /// The HTTP status.
    pub http_status: Option<u16>,
    /// The API's request id.
    pub request_id: Option<String>,
    /// The API's error code.
    pub error_code: Option<String>,
    /// The API's or our error message.
    pub error_message: Option<String>,
    /// The API's troubleshooting URL.
    pub recommend: Option<String>,
    /// The body of the response, bounded.
    pub response: Option<String>,
    /// Whether the body was cut.
    pub response_truncated: bool,
    /// From sending to the end of the response.
    pub latency_ms: Option<i64>,
}

/// What a settle changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The action has the outcome.
    Applied,
    /// The lease had run out; the late outcome replaced the guess made then.
    Late,
    /// A newer attempt or a person decided meanwhile; only the attempt keeps the outcome.
    Superseded,
}

/// What recovery found in flight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Actions that will be sent again.
    pub due_again: usize,
    /// Actions that a person must look at.
    pub unresolved: usize,
}

const EXPIRE: &str = "UPDATE action SET state = 'held', held_reason = 'expired' WHERE number IN \
    (SELECT number FROM action WHERE state = 'planned' AND expires_at IS NOT NULL AND expires_at <= ?1 LIMIT ?2)";
const PRIORITIES: &str = "WITH RECURSIVE level (priority) AS ( \
    SELECT max(priority) FROM action WHERE state = 'planned' AND account = ?1 \
    UNION ALL \
    SELECT (SELECT max(a.priority) FROM action a \
            WHERE a.state = 'planned' AND a.account = ?1 AND a.priority < level.priority) \
    FROM level WHERE level.priority IS NOT NULL) \
    SELECT priority FROM level WHERE priority IS NOT NULL";
const DUE: &str = "SELECT a.number FROM action a \
    WHERE a.state = 'planned' AND a.account = ?1 AND a.priority = ?2 AND a.due_at <= ?3 \
      AND (?4 IS NULL OR a.access = ?4) \
      AND (a.in_order_by IS NULL OR NOT EXISTS ( \
           SELECT 1 FROM action b WHERE b.in_order_by = a.in_order_by AND b.number < a.number \
           AND b.state IN ('planned', 'waiting', 'in_flight', 'unresolved'))) \
    ORDER BY a.due_at, a.number LIMIT ?5";
const CLAIM: &str = "UPDATE action SET state = 'in_flight', lease_until = ?2, attempts = attempts + 1, \
    first_sent_at = coalesce(first_sent_at, ?3) \
    WHERE number IN (SELECT value FROM json_each(?1)) AND state = 'planned' \
    RETURNING number, id, attempts, event, rule, rule_path, operation, version, params, workspace, first_sent_at";
const INSERT_ATTEMPT: &str = "INSERT INTO attempt (id, action, number, started_at) VALUES (?1, ?2, ?3, ?4)";
const FINISH_ATTEMPT: &str = "UPDATE attempt SET finished_at = ?2, outcome = ?3, class = ?4, endpoint = ?5, \
    http_status = ?6, request_id = ?7, error_code = ?8, error_message = ?9, recommend = ?10, response = ?11, \
    response_truncated = ?12, latency_ms = ?13 WHERE id = ?1 RETURNING action, number";
const SETTLE_IF_IN_FLIGHT: &str = "UPDATE action SET state = ?3, held_reason = ?4, due_at = coalesce(?5, due_at), \
    settled_at = ?6, lease_until = NULL WHERE number = ?1 AND attempts = ?2 AND state = 'in_flight'";
const SETTLE_IF_GUESSED: &str = "UPDATE action SET state = ?3, settled_at = ?4 \
    WHERE number = ?1 AND attempts = ?2 AND state IN ('unresolved', 'planned')";
const IN_FLIGHT: &str = "SELECT a.number, a.attempts, a.repeat_effect, a.first_sent_at, t.id \
    FROM action a JOIN attempt t ON t.action = a.number AND t.number = a.attempts \
    WHERE a.state = 'in_flight' AND a.lease_until <= ?1";
const RECOVER: &str = "UPDATE action SET state = ?2, settled_at = ?3, lease_until = NULL, \
    due_at = CASE ?2 WHEN 'planned' THEN ?4 ELSE due_at END WHERE number = ?1 AND state = 'in_flight'";
const INTERRUPT_ATTEMPT: &str = "UPDATE attempt SET finished_at = ?2, outcome = 'interrupted', class = 'lost' WHERE id = ?1 AND outcome IS NULL";
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

    /// Writes an attempt's end and moves its action on.
    ///
    /// # Errors
    /// The commit failed; settle again.
    pub async fn settle(&self, settlement: Settlement, now_ms: i64) -> Result<Settled, StoreError> {
        self.run(move |state| {
            Box::pin(async move { settle(&mut state.connection, &settlement, now_ms).await })
        })
        .await
    }

    /// Recovers actions whose lease ended by `leased_until_ms`, except the attempts in `alive`, which
    /// this process knows to be in flight. At start, `i64::MAX` recovers them all.
    ///
    /// # Errors
    /// The commit failed; recover again.
    pub async fn recover(
        &self,
        leased_until_ms: i64,
        alive: HashSet<i64>,
        repeat_within_ms: i64,
        now_ms: i64,
    ) -> Result<Recovered, StoreError> {
        self.run(move |state| {
            Box::pin(async move {
                let connection = &mut state.connection;
                recover(connection, leased_until_ms, &alive, repeat_within_ms, now_ms).await
            })
        })
        .await
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
    sqlx::query(EXPIRE)
        .bind(now_ms)
        .bind(EXPIRED_MAX)
        .execute(&mut state.connection)
        .await
        .map_err(StoreError::sql("hold expired actions"))?;
    let numbers = due(&mut state.connection, wanted, now_ms).await?;
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
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
    let access = wanted.access.map(|access| match access {
        Access::Read => "read",
        Access::Write => "write",
    });
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
        event: row.try_get(3)?,
        rule: row.try_get(4)?,
        rule_path: row.try_get(5)?,
        operation: row.try_get(6)?,
        version: row.try_get(7)?,
        params: row.try_get(8)?,
        workspace: row.try_get(9)?,
        first_sent_at_ms: row.try_get(10)?,
    })
}

async fn settle(
    connection: &mut SqliteConnection,
    settlement: &Settlement,
    now_ms: i64,
) -> Result<Settled, StoreError> {
    let failed = || StoreError::sql("settle an attempt");
    let (state, word, held_reason, due_at) = match settlement.outcome {
        Outcome::Succeeded => ("succeeded", "succeeded", None, None),
        Outcome::DueAgain { due_at_ms } => ("planned", "due_again", None, Some(due_at_ms)),
        Outcome::Dead => ("dead", "dead", None, None),
        Outcome::Unresolved => ("unresolved", "unresolved", None, None),
        Outcome::Held(reason) => ("held", "held", Some(reason.as_str()), None),
    };
    let evidence = &settlement.evidence;
    let row = sqlx::query(FINISH_ATTEMPT)
        .bind(settlement.attempt)
        .bind(now_ms)
        .bind(word)
        .bind(settlement.class)
        .bind(evidence.endpoint.as_deref())
        .bind(evidence.http_status.map(i64::from))
        .bind(evidence.request_id.as_deref())
        .bind(evidence.error_code.as_deref())
        .bind(evidence.error_message.as_deref())
        .bind(evidence.recommend.as_deref())
        .bind(evidence.response.as_deref())
        .bind(i64::from(evidence.response_truncated))
        .bind(evidence.latency_ms)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed())?;
    let action: i64 = row.try_get(0).map_err(failed())?;
    let attempt_number: i64 = row.try_get(1).map_err(failed())?;
    let settled_at = (state != "planned").then_some(now_ms);
    let changed = sqlx::query(SETTLE_IF_IN_FLIGHT)
        .bind(action)
        .bind(attempt_number)
        .bind(state)
        .bind(held_reason)
        .bind(due_at)
        .bind(settled_at)
        .execute(&mut *connection)
        .await
        .map_err(failed())?
        .rows_affected();
    if changed > 0 {
        return Ok(Settled::Applied);
    }
    // The sweep guessed while the response was on its way; only a certain outcome corrects a guess.
    if !matches!(settlement.outcome, Outcome::Succeeded | Outcome::Dead) {
        return Ok(Settled::Superseded);
    }
    let changed = sqlx::query(SETTLE_IF_GUESSED)
        .bind(action)
        .bind(attempt_number)
        .bind(state)
        .bind(now_ms)
        .execute(connection)
        .await
        .map_err(failed())?
        .rows_affected();
    Ok(if changed > 0 { Settled::Late } else { Settled::Superseded })
}

async fn recover(
    connection: &mut SqliteConnection,
    leased_until_ms: i64,
    alive: &HashSet<i64>,
    repeat_within_ms: i64,
    now_ms: i64,
) -> Result<Recovered, StoreError> {
    let failed = || StoreError::sql("recover actions in flight");
    let rows =
        sqlx::query(IN_FLIGHT).bind(leased_until_ms).fetch_all(&mut *connection).await.map_err(failed())?;
    let mut recovered = Recovered::default();
    for row in rows {
        let attempt: i64 = row.try_get(4).map_err(failed())?;
        if alive.contains(&attempt) {
            continue;
        }
        let action: i64 = row.try_get(0).map_err(failed())?;
        let effect: &str = row.try_get(2).map_err(failed())?;
        let effect = RepeatEffect::from_text(effect)
            .ok_or_else(|| StoreError::Corrupt { place: "action.repeat_effect", found: effect.to_owned() })?;
        let first_sent: i64 = row.try_get(3).map_err(failed())?;
        let (state, settled_at) = match after_unknown(effect, first_sent, now_ms, repeat_within_ms) {
            Repeat::Again => ("planned", None),
            Repeat::Never => ("unresolved", Some(now_ms)),
        };
        match settled_at {
            None => recovered.due_again += 1,
            Some(_) => recovered.unresolved += 1,
        }
        sqlx::query(RECOVER)
            .bind(action)
            .bind(state)
            .bind(settled_at)
            .bind(now_ms)
            .execute(&mut *connection)
            .await
            .map_err(failed())?;
        sqlx::query(INTERRUPT_ATTEMPT)
            .bind(attempt)
            .bind(now_ms)
            .execute(&mut *connection)
            .await
            .map_err(failed())?;
    }
    Ok(recovered)
}
