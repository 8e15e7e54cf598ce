//! Settling: an attempt's end, and where its action goes from there.

use std::sync::Arc;

use sqlx::sqlite::SqliteConnection;

use super::{Claimed, order};
use crate::action::HeldReason;
use crate::store::StoreError;
use crate::store::parking::{Called, PROBE_AGAIN_MS, Park, ParkReason, Parked};
use crate::store::spending::{Debit, Paid};
use crate::store::writer::{State, Writer};

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

impl Outcome {
    /// As stored with the attempt and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Succeeded => "succeeded",
            Outcome::DueAgain { .. } => "due_again",
            Outcome::Dead => "dead",
            Outcome::Unresolved => "unresolved",
            Outcome::Held(_) => "held",
        }
    }
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
    /// What had paid for the attempt.
    pub debit: Debit,
    /// What became of that.
    pub paid: Paid,
    /// What the call was about.
    pub operation: String,
    /// The event's workspace.
    pub workspace: Option<i64>,
    /// Calls like it, or all of the account, are not to be tried for a while.
    pub park: Option<Park>,
    /// What no longer holds, as the response shows.
    pub lift: &'static [ParkReason],
    /// When an unresolved outcome is to be looked up, milliseconds since 1970.
    pub verify_at_ms: Option<i64>,
}

impl Settlement {
    /// The end of a claimed attempt that was sent and failed; what differs is set by the caller.
    #[must_use]
    pub fn of(claimed: &Claimed, outcome: Outcome, class: &'static str) -> Self {
        Settlement {
            attempt: claimed.attempt,
            outcome,
            class,
            evidence: Evidence::default(),
            debit: claimed.debit.clone(),
            paid: Paid::Failed,
            operation: claimed.operation.clone(),
            workspace: claimed.workspace,
            park: None,
            lift: &[],
            verify_at_ms: None,
        }
    }
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

/// What a settle came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// What it changed.
    pub change: Change,
    /// What it parked that was not parked.
    pub parked: Option<Parked>,
    /// What it lifted.
    pub lifted: Vec<Parked>,
}

/// What a settle changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The action has the outcome.
    Applied,
    /// The lease had run out; the late outcome replaced the guess made then.
    Late,
    /// A newer attempt or a person decided meanwhile; only the attempt keeps the outcome.
    Superseded,
}

/// The attempt's end, and the action's if the attempt is still its last: two statements in one, since a trip to
/// the database client's thread costs more than either.
const SETTLE_IF_IN_FLIGHT: &str = "UPDATE attempt SET finished_at = ?2, outcome = ?8, class = ?9, endpoint = ?10, \
    http_status = ?11, request_id = ?12, error_code = ?13, error_message = ?14, recommend = ?15, response = ?16, \
    response_truncated = ?17, latency_ms = ?18 WHERE id = ?1; \
    UPDATE action SET state = ?3, held_reason = ?4, due_at = coalesce(?5, due_at), settled_at = ?6, \
    lease_until = NULL, verify_at = ?7 \
    WHERE (number, attempts) = (SELECT action, number FROM attempt WHERE id = ?1) AND state = 'in_flight' \
    RETURNING in_order_by";
/// A person may have had the action sent again meanwhile: a late success makes that needless, a late refusal
/// is what they wanted to be tried again.
const SETTLE_IF_GUESSED: &str = "UPDATE action SET state = ?3, settled_at = ?2, verify_at = NULL \
    WHERE (number, attempts) = (SELECT action, number FROM attempt WHERE id = ?1) \
    AND state IN ('unresolved', 'planned') \
    AND (?3 = 'succeeded' OR attempts > requeued_after) RETURNING in_order_by";

impl Writer {
    /// Writes an attempt's end and moves its action on.
    ///
    /// # Errors
    /// The commit failed; settle again.
    pub async fn settle(
        &self,
        settlement: impl Into<Arc<Settlement>>,
        now_ms: i64,
    ) -> Result<Settled, StoreError> {
        let settlement = settlement.into();
        self.run(move |state| Box::pin(async move { settle(state, &settlement, now_ms).await })).await
    }
}

async fn settle(state: &mut State, settlement: &Settlement, now_ms: i64) -> Result<Settled, StoreError> {
    let Settlement { debit, operation, workspace, .. } = settlement;
    let (change, key) = change(&mut state.connection, settlement, now_ms).await?;
    if let Some(key) = key {
        order::next_of(&mut state.connection, &[key], now_ms).await?;
    }
    // What was cut off was counted as succeeded when that was found.
    if change == Change::Applied || settlement.paid != Paid::Succeeded {
        state.spending.paid(debit, settlement.paid);
    }
    let called = Called { account: &debit.account, operation, workspace: *workspace };
    if settlement.paid == Paid::NotSent {
        // What was given back can be spent today.
        state.parkings.lift(&mut state.connection, &called, &[ParkReason::DaySpent], now_ms).await?;
    }
    let lifted = state.parkings.lift(&mut state.connection, &called, settlement.lift, now_ms).await?;
    let parked = match &settlement.park {
        None => None,
        Some(park) => state.parkings.park(&mut state.connection, &called, park, now_ms).await?,
    };
    // What never left told nothing, and nothing need be waited for.
    let again_ms = if settlement.paid == Paid::NotSent { now_ms } else { now_ms + PROBE_AGAIN_MS };
    state.parkings.find_out_again(&mut state.connection, &called, again_ms).await?;
    Ok(Settled { change, parked, lifted })
}

/// Moves the attempt and its action; gives the key whose next action may go.
async fn change(
    connection: &mut SqliteConnection,
    settlement: &Settlement,
    now_ms: i64,
) -> Result<(Change, Option<String>), StoreError> {
    let failed = || StoreError::sql("settle an attempt");
    let Settlement { attempt, outcome, class, evidence, .. } = settlement;
    let (state, held_reason, due_at) = match *outcome {
        Outcome::Succeeded => ("succeeded", None, None),
        Outcome::DueAgain { due_at_ms } => ("planned", None, Some(due_at_ms)),
        Outcome::Dead => ("dead", None, None),
        Outcome::Unresolved => ("unresolved", None, None),
        Outcome::Held(reason) => ("held", Some(reason.as_str()), None),
    };
    let settled_at = (state != "planned").then_some(now_ms);
    let changed: Vec<Option<String>> = sqlx::query_scalar(SETTLE_IF_IN_FLIGHT)
        .bind(attempt)
        .bind(now_ms)
        .bind(state)
        .bind(held_reason)
        .bind(due_at)
        .bind(settled_at)
        .bind(settlement.verify_at_ms.filter(|_| state == "unresolved"))
        .bind(outcome.as_str())
        .bind(class)
        .bind(evidence.endpoint.as_deref())
        .bind(evidence.http_status.map(i64::from))
        .bind(evidence.request_id.as_deref())
        .bind(evidence.error_code.as_deref())
        .bind(evidence.error_message.as_deref())
        .bind(evidence.recommend.as_deref())
        .bind(evidence.response.as_deref())
        .bind(i64::from(evidence.response_truncated))
        .bind(evidence.latency_ms)
        .fetch_all(&mut *connection)
        .await
        .map_err(failed())?;
    if let Some(key) = changed.into_iter().next() {
        // Even if it goes on blocking: an older one of its key may have been waiting for it to come back.
        return Ok((Change::Applied, key));
    }
    // The sweep guessed while the response was on its way; only a certain outcome corrects a guess.
    if !matches!(outcome, Outcome::Succeeded | Outcome::Dead) {
        return Ok((Change::Superseded, None));
    }
    let changed: Option<Option<String>> = sqlx::query_scalar(SETTLE_IF_GUESSED)
        .bind(attempt)
        .bind(now_ms)
        .bind(state)
        .fetch_optional(connection)
        .await
        .map_err(failed())?;
    Ok(changed.map_or((Change::Superseded, None), |key| (Change::Late, key)))
}
