//! Look-ups: reads that find out whether a call was executed, and what they come to.
//!
//! Each read is paid for and durable before it leaves, like an attempt. A verdict moves an unresolved action
//! only if it still stands where the look-up found it: a late response or a person may have been faster.

use sqlx::Row;

use super::{Evidence, Wanted, claim, order};
use crate::operation::recipe::Verdict;
use crate::quota::Urgency;
use crate::store::StoreError;
use crate::store::parking::{Called, Gate, PROBE_AGAIN_MS, Park, ParkReason};
use crate::store::spending::{Debit, Paid, Spender};
use crate::store::writer::Writer;

/// Whether lost calls are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookups {
    /// They are, and what it takes is read before calls that duplicate.
    On,
    /// They are left to a person.
    Off,
}

/// Which outcomes are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// All whose time has come.
    All,
    /// Those of them that a person asked for.
    Asked,
}

/// When a read is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Before the call is sent.
    Before,
    /// After its response was lost.
    After,
    /// Of the operation log, where the readings do not say it.
    Log,
}

/// A read to make.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The attempt that it is about.
    pub attempt: i64,
    /// When it is made.
    pub purpose: Purpose,
    /// What is looked at.
    pub subject: String,
    /// The operation that reads.
    pub operation: &'static str,
    /// Its API version.
    pub version: &'static str,
    /// Its parameters, a JSON object.
    pub params: String,
    /// The rule whose call is looked up.
    pub rule: String,
}

/// A read that is paid for.
#[derive(Debug, Clone)]
pub struct Begun {
    id: i64,
    debit: Debit,
    operation: &'static str,
}

/// An unresolved action whose outcome is to be looked up now.
#[derive(Debug, Clone)]
pub struct ToVerify {
    /// Its attempt.
    pub attempt: i64,
    /// The action.
    pub action: i64,
    /// The action's id.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// The operation that was called.
    pub operation: String,
    /// Its API version.
    pub version: String,
    /// Its parameters, a JSON object.
    pub params: String,
    /// What was found before it was sent.
    pub read_before: Option<String>,
    /// When the attempt was claimed, milliseconds since 1970.
    pub started_at_ms: i64,
    /// When it ended.
    pub finished_at_ms: i64,
}

/// What follows from a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// The action has the outcome of the verdict.
    Applied,
    /// It is looked up again later, or left to a person.
    Open,
    /// It stood elsewhere by then.
    Superseded,
}

/// Whether what was claimed may still be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// It may.
    Given,
    /// A person stopped it meanwhile.
    Stopped,
}

const BEGIN: &str = "INSERT INTO lookup (attempt, purpose, subject, operation, version, params, started_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id";
const END: &str = "UPDATE lookup SET finished_at = ?2, class = ?3, http_status = ?4, request_id = ?5, \
    error_code = ?6, error_message = ?7, latency_ms = ?8, found = ?9 WHERE id = ?1";
const KEEP_BEFORE: &str = "UPDATE attempt SET read_before = ?2 WHERE id = ?1";
const IS_STOPPED: &str = "SELECT EXISTS (SELECT 1 FROM stop s, attempt t JOIN action a ON a.number = t.action \
    WHERE t.id = ?1 AND s.resumed_at IS NULL AND (s.rule IS NULL OR s.rule = a.rule) \
    AND (s.workspace IS NULL OR s.workspace = a.workspace) AND (s.operation IS NULL OR s.operation = a.operation))";
/// The next look is put off in the same commit, so that one look is made at a time. What a person asked for is
/// what they asked for since the last verdict on the attempt.
const TO_VERIFY: &str = "UPDATE action SET verify_at = ?3 WHERE number IN (SELECT a.number FROM action a \
        INDEXED BY action_verify WHERE a.state = 'unresolved' AND a.verify_at IS NOT NULL AND a.verify_at <= ?2 \
        AND a.account = ?1 AND (?5 OR EXISTS (SELECT 1 FROM operator_target o \
            JOIN operator_action d ON d.id = o.operator_action \
            JOIN attempt t ON t.action = a.number AND t.number = a.attempts \
            WHERE o.kind = 'action' AND o.id = a.number AND d.verb = 'verify' \
            AND d.at > coalesce(t.verified_at, t.finished_at - 1, 0))) \
        ORDER BY a.verify_at LIMIT ?4) \
    RETURNING number, id, rule, operation, version, params, \
    (SELECT t.id FROM attempt t WHERE t.action = action.number AND t.number = action.attempts), \
    (SELECT t.read_before FROM attempt t WHERE t.action = action.number AND t.number = action.attempts), \
    (SELECT t.started_at FROM attempt t WHERE t.action = action.number AND t.number = action.attempts), \
    (SELECT coalesce(t.finished_at, t.started_at) FROM attempt t \
     WHERE t.action = action.number AND t.number = action.attempts)";
const KEEP_VERDICT: &str =
    "UPDATE attempt SET verdict = ?2, verdict_reason = ?3, verified_at = ?4 WHERE id = ?1";
const APPLY: &str = "UPDATE action SET state = ?3, settled_at = CASE ?3 WHEN 'planned' THEN NULL ELSE ?4 END, \
    due_at = CASE ?3 WHEN 'planned' THEN ?4 ELSE due_at END, verify_at = NULL, order_released_at = NULL \
    WHERE number = ?1 AND state = 'unresolved' \
    AND attempts = (SELECT t.number FROM attempt t WHERE t.id = ?2) RETURNING in_order_by";
const LOOK_AGAIN: &str = "UPDATE action SET verify_at = ?3 WHERE number = ?1 AND state = 'unresolved' \
    AND attempts = (SELECT t.number FROM attempt t WHERE t.id = ?2)";

/// What a read is about, as parking sees it: the instance may be of any workspace.
fn called<'a>(account: &'a str, operation: &'a str) -> Called<'a> {
    Called { account, operation, workspace: None }
}

impl Purpose {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::Before => "before",
            Purpose::After => "after",
            Purpose::Log => "log",
        }
    }
}

impl Writer {
    /// Pays for a read and makes it durable; `None` if nothing may be spent on it now.
    ///
    /// # Errors
    /// The commit failed: nothing was paid.
    pub async fn begin_lookup(
        &self,
        asked: Asked,
        wanted: Wanted,
        now_ms: i64,
    ) -> Result<Option<Begun>, StoreError> {
        self.run(move |state| {
            Box::pin(async move {
                if let Gate::Closed(_) =
                    state.parkings.gate(&mut state.connection, &wanted.account, now_ms).await?
                {
                    return Ok(None);
                }
                let called = called(&wanted.account, asked.operation);
                let parked_until = state.parkings.of_operation(&called);
                if parked_until.is_some_and(|until| until > now_ms) {
                    return Ok(None);
                }
                let spent = claim::spendings(state, &wanted, now_ms).await?.spent;
                if wanted.budget.left(spent, Urgency::Usual).is_err() {
                    return Ok(None);
                }
                let probe_until_ms = now_ms.saturating_add(wanted.lease_ms);
                state.parkings.probed(&mut state.connection, &called, now_ms, probe_until_ms).await?;
                let id = sqlx::query_scalar(BEGIN)
                    .bind(asked.attempt)
                    .bind(asked.purpose.as_str())
                    .bind(&asked.subject)
                    .bind(asked.operation)
                    .bind(asked.version)
                    .bind(&asked.params)
                    .bind(now_ms)
                    .fetch_one(&mut state.connection)
                    .await
                    .map_err(StoreError::sql("begin a look-up"))?;
                let debit = Debit {
                    account: wanted.account.clone(),
                    region: wanted.region.clone(),
                    days: wanted.budget.calendar.days(now_ms),
                    spender: Spender::Lookup(asked.rule.clone()),
                };
                state.spending.debit(&debit);
                Ok(Some(Begun { id, debit, operation: asked.operation }))
            })
        })
        .await
    }

    /// Writes down what a read came to.
    ///
    /// # Errors
    /// The commit failed.
    pub async fn end_lookup(
        &self,
        begun: Begun,
        (class, paid): (&'static str, Paid),
        evidence: Evidence,
        found: Option<String>,
        (park, lift): (Option<Park>, &'static [ParkReason]),
        now_ms: i64,
    ) -> Result<(), StoreError> {
        self.run(move |state| {
            Box::pin(async move {
                state.spending.paid(&begun.debit, paid);
                let called = called(&begun.debit.account, begun.operation);
                state.parkings.lift(&mut state.connection, &called, lift, now_ms).await?;
                if let Some(park) = &park {
                    state.parkings.park(&mut state.connection, &called, park, now_ms).await?;
                }
                state
                    .parkings
                    .find_out_again(&mut state.connection, &called, now_ms + PROBE_AGAIN_MS)
                    .await?;
                sqlx::query(END)
                    .bind(begun.id)
                    .bind(now_ms)
                    .bind(class)
                    .bind(evidence.http_status.map(i64::from))
                    .bind(evidence.request_id)
                    .bind(evidence.error_code)
                    .bind(evidence.error_message)
                    .bind(evidence.latency_ms)
                    .bind(found)
                    .execute(&mut state.connection)
                    .await
                    .map(drop)
                    .map_err(StoreError::sql("end a look-up"))
            })
        })
        .await
    }

    /// Keeps what was found before the call of `attempt`, and says whether that may still be sent.
    ///
    /// # Errors
    /// The commit failed.
    pub async fn keep_before(&self, attempt: i64, found: Option<String>) -> Result<Leave, StoreError> {
        self.run(move |state| {
            Box::pin(async move {
                let failed = || StoreError::sql("keep what was found before a call");
                sqlx::query(KEEP_BEFORE)
                    .bind(attempt)
                    .bind(found)
                    .execute(&mut state.connection)
                    .await
                    .map_err(failed())?;
                let is_stopped: bool = sqlx::query_scalar(IS_STOPPED)
                    .bind(attempt)
                    .fetch_one(&mut state.connection)
                    .await
                    .map_err(failed())?;
                Ok(if is_stopped { Leave::Stopped } else { Leave::Given })
            })
        })
        .await
    }

    /// Unresolved actions of `account` whose outcome is to be looked up now, at most `count_max`; each is
    /// looked up again at `again_at_ms` if nothing comes of it.
    ///
    /// # Errors
    /// The commit failed.
    pub async fn to_verify(
        &self,
        account: String,
        (due, count_max): (Due, usize),
        again_at_ms: i64,
        now_ms: i64,
    ) -> Result<Vec<ToVerify>, StoreError> {
        self.run(move |state| {
            Box::pin(async move {
                let failed = || StoreError::sql("look for outcomes to look up");
                let rows = sqlx::query(TO_VERIFY)
                    .bind(account)
                    .bind(now_ms)
                    .bind(again_at_ms)
                    .bind(crate::store::columns::count(count_max))
                    .bind(due == Due::All)
                    .fetch_all(&mut state.connection)
                    .await
                    .map_err(failed())?;
                let verify = rows.iter().map(|row| {
                    Ok::<_, sqlx::Error>(ToVerify {
                        action: row.try_get(0)?,
                        id: row.try_get(1)?,
                        rule: row.try_get(2)?,
                        operation: row.try_get(3)?,
                        version: row.try_get(4)?,
                        params: row.try_get(5)?,
                        attempt: row.try_get(6)?,
                        read_before: row.try_get(7)?,
                        started_at_ms: row.try_get(8)?,
                        finished_at_ms: row.try_get(9)?,
                    })
                });
                verify.collect::<Result<_, _>>().map_err(failed())
            })
        })
        .await
    }

    /// Writes down a verdict and moves the action on; what stays open is looked up again at `again_at_ms`.
    ///
    /// # Errors
    /// The commit failed.
    pub async fn verified(
        &self,
        (action, attempt): (i64, i64),
        (verdict, reason): (Verdict, String),
        again_at_ms: Option<i64>,
        now_ms: i64,
    ) -> Result<Verified, StoreError> {
        self.run(move |state| {
            Box::pin(async move {
                let failed = || StoreError::sql("write down a verdict");
                sqlx::query(KEEP_VERDICT)
                    .bind(attempt)
                    .bind(verdict.as_str())
                    .bind(reason)
                    .bind(now_ms)
                    .execute(&mut state.connection)
                    .await
                    .map_err(failed())?;
                let to = match verdict {
                    Verdict::Happened => "succeeded",
                    Verdict::DidNotHappen => "planned",
                    Verdict::Ambiguous => {
                        sqlx::query(LOOK_AGAIN)
                            .bind(action)
                            .bind(attempt)
                            .bind(again_at_ms)
                            .execute(&mut state.connection)
                            .await
                            .map_err(failed())?;
                        return Ok(Verified::Open);
                    }
                };
                let moved: Option<Option<String>> = sqlx::query_scalar(APPLY)
                    .bind(action)
                    .bind(attempt)
                    .bind(to)
                    .bind(now_ms)
                    .fetch_optional(&mut state.connection)
                    .await
                    .map_err(failed())?;
                let Some(key) = moved else { return Ok(Verified::Superseded) };
                order::next_of(&mut state.connection, key.as_slice(), now_ms).await?;
                Ok(Verified::Applied)
            })
        })
        .await
    }
}
