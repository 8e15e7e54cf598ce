//! Claiming: in one commit, what may be called is found, paid for, and in flight with a durable attempt.
//!
//! The order of the checks: what is too late is held; an account that is parked gives nothing, or one call
//! that finds out; the quota says how many; then candidates are taken in their order, and each that is
//! stopped, parked for its operation or behind another of its key is put where it is not looked at again.

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::candidate::{self, Candidate};
use super::{Claimed, Claims, Past, Wanted, order};
use crate::quota::{Days, Exhausted, Spent, Urgency};
use crate::store::parking::{Called, Gate, Park, ParkReason, Pause};
use crate::store::spending::{self, Debit, Spender, Spendings};
use crate::store::stop::{self, Stop};
use crate::store::writer::State;
use crate::store::{StoreError, columns};

/// Actions held in one step because their time has passed.
const EXPIRED_MAX: i64 = 500;

/// Candidates looked at beside those that can be claimed.
const LOOK_BEYOND: usize = 128;

/// Looks in one claim; what lies behind all of them waits for the next.
const LOOKS_MAX: usize = 8;

/// What is too late is held; if an earlier attempt may have been executed it is not merely late.
const EXPIRE: &str = "UPDATE action SET state = iif(late.sent, 'unresolved', 'held'), \
    held_reason = iif(late.sent, NULL, 'expired'), settled_at = iif(late.sent, ?1, settled_at) \
    FROM (SELECT a.number AS number, a.attempts > a.requeued_after AND a.repeat_effect <> 'none' \
              AND EXISTS (SELECT 1 FROM attempt t WHERE t.action = a.number AND t.number > a.requeued_after \
                          AND t.class IN ('lost', 'unavailable') \
                          AND t.verdict IS NOT 'did_not_happen') AS sent \
          FROM action a INDEXED BY action_expires \
          WHERE a.state = 'planned' AND a.expires_at IS NOT NULL AND a.expires_at <= ?1 LIMIT ?2) late \
    WHERE action.number = late.number RETURNING in_order_by";
/// What converges is repeated for a while only: a person may have undone it since.
const DO_NOT_REPEAT: &str = "UPDATE action SET state = 'unresolved', settled_at = ?2 \
    WHERE number IN (SELECT value FROM json_each(?1)) AND state = 'planned' AND attempts > requeued_after \
    AND repeat_effect = 'converges' AND first_sent_at < ?2 - ?3 \
    AND EXISTS (SELECT 1 FROM attempt t WHERE t.action = action.number AND t.number > action.requeued_after \
                AND t.class IN ('lost', 'unavailable') AND t.verdict IS NOT 'did_not_happen')";
const PUT_OFF: &str = "UPDATE action SET due_at = (SELECT value ->> 1 FROM json_each(?1) WHERE value ->> 0 = number) \
    WHERE number IN (SELECT value ->> 0 FROM json_each(?1))";
/// What the policy refused, or what could not be built, never left: it is no try. Nor is what was refused for
/// the number of calls or for the key: that says nothing about the action.
const CLAIM: &str = "UPDATE action SET state = 'in_flight', lease_until = ?2, attempts = attempts + 1, \
    first_sent_at = coalesce(first_sent_at, ?3), order_released_at = NULL \
    WHERE number IN (SELECT value FROM json_each(?1)) AND state = 'planned' \
    RETURNING number, id, attempts, event, rule, rule_path, operation, version, params, workspace, first_sent_at, \
    (SELECT count(*) FROM attempt t WHERE t.action = action.number AND t.number > action.requeued_after \
        AND t.class NOT IN ('throttled', 'quota_exhausted', 'clock', 'credentials', 'unsendable')), \
    EXISTS (SELECT 1 FROM attempt t WHERE t.action = action.number AND t.number > action.requeued_after \
        AND t.class IN ('lost', 'unavailable') AND t.verdict IS NOT 'did_not_happen'), \
    attempts - requeued_after - (SELECT count(*) FROM attempt t WHERE t.action = action.number \
        AND t.number > action.requeued_after AND t.class = 'unsendable'), \
    coalesce((SELECT coalesce(e.kafka_at, e.accepted_at) FROM event e WHERE e.seq = action.event), planned_at), \
    (SELECT count(*) FROM attempt t WHERE t.action = action.number AND t.class <> 'unsendable'), \
    requeued_after, region";
const INSERT_ATTEMPTS: &str = "INSERT INTO attempt (id, action, number, started_at) \
    SELECT value ->> 0, value ->> 1, value ->> 2, ?2 FROM json_each(?1)";

/// What may be spent, and what is stopped.
struct Gates {
    spendings: Spendings,
    stops: Vec<Stop>,
}

/// What came of a look.
struct Choice {
    chosen: Vec<i64>,
    /// Candidates for which there is no room; they stay where they are.
    passed_over: usize,
}

/// How many calls may be claimed still.
struct Room {
    usual: u64,
    all: u64,
}

/// Claims what is `wanted`.
pub(super) async fn claim(state: &mut State, wanted: &Wanted, now_ms: i64) -> Result<Claims, StoreError> {
    expire(&mut state.connection, now_ms).await?;
    let (limit, parked) = match state.parkings.gate(&mut state.connection, &wanted.account, now_ms).await? {
        Gate::Closed(parked) => return Ok(Claims { parked: Some(parked), ..Claims::default() }),
        Gate::Probe(parked) => (wanted.limit.min(1), Some(parked)),
        Gate::Open => (wanted.limit, None),
    };
    let gates = gates(state, wanted, now_ms).await?;
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    let mut room = match room(wanted, &gates) {
        Ok(room) => Room { usual: room.usual.min(limit), all: room.all.min(limit) },
        Err(_) => return exhausted(state, wanted, &gates, now_ms).await,
    };
    let mut claims = Claims { parked, ..Claims::default() };
    for look in 0..LOOKS_MAX {
        // Mostly whatever is due may go: more is looked at only when it may not.
        let beyond = if look == 0 { 0 } else { LOOK_BEYOND };
        let count_max = usize::try_from(room.all).unwrap_or(usize::MAX).saturating_add(beyond);
        let look =
            candidate::look(&mut state.connection, (&wanted.account, wanted.access), count_max, now_ms)
                .await?;
        let looked_at = look.candidates.len();
        let Choice { chosen, passed_over } =
            choose(state, wanted, &gates, &mut room, look.candidates, now_ms).await?;
        if !chosen.is_empty() {
            claims.claimed.extend(take(state, wanted, &gates, &chosen, now_ms).await?);
        }
        // Another look would find nothing but what this one left where it was.
        if !look.is_cut || room.all == 0 || passed_over == looked_at {
            break;
        }
    }
    if claims.claimed.is_empty() {
        // What was chosen to find out may have been one that is not repeated any more.
        let called = Called { account: &wanted.account, operation: "", workspace: None };
        if claims.parked.is_some() {
            state.parkings.find_out_again(&mut state.connection, &called, now_ms).await?;
        }
        claims.next_due_ms =
            candidate::next_due(&mut state.connection, (&wanted.account, wanted.access)).await?;
    }
    Ok(claims)
}

async fn expire(connection: &mut SqliteConnection, now_ms: i64) -> Result<(), StoreError> {
    let keys: Vec<Option<String>> = sqlx::query_scalar(EXPIRE)
        .bind(now_ms)
        .bind(EXPIRED_MAX)
        .fetch_all(&mut *connection)
        .await
        .map_err(StoreError::sql("hold expired actions"))?;
    let keys: Vec<String> = keys.into_iter().flatten().collect();
    order::next_of(connection, &keys, now_ms).await
}

/// What the account has spent, the changes of this commit included.
pub(super) async fn spendings(
    state: &mut State,
    wanted: &Wanted,
    now_ms: i64,
) -> Result<Spendings, StoreError> {
    let connection = &mut state.connection;
    state.spending.flush(connection).await?;
    let of = (wanted.account.as_str(), wanted.region.as_str());
    spending::spendings(connection, of, wanted.budget.calendar, now_ms).await
}

async fn gates(state: &mut State, wanted: &Wanted, now_ms: i64) -> Result<Gates, StoreError> {
    let spendings = spendings(state, wanted, now_ms).await?;
    Ok(Gates { spendings, stops: stop::open(&mut state.connection).await? })
}

fn room(wanted: &Wanted, gates: &Gates) -> Result<Room, Exhausted> {
    let left = |urgency| wanted.budget.left(gates.spendings.spent, urgency);
    let all = left(Urgency::Urgent)?;
    Ok(Room { usual: left(Urgency::Usual).unwrap_or(0), all })
}

/// Nothing may be spent: the account waits for the next day or month, unless calls on their way may still
/// come to nothing.
async fn exhausted(
    state: &mut State,
    wanted: &Wanted,
    gates: &Gates,
    now_ms: i64,
) -> Result<Claims, StoreError> {
    let Spendings { spent, in_flight, fullest, month, .. } = gates.spendings;
    let at_least = spent.month_succeeded.saturating_sub(in_flight);
    let spent = Spent { month_succeeded: at_least, ..spent };
    let Err(budget) = wanted.budget.left(spent, Urgency::Urgent) else { return Ok(Claims::default()) };
    let (message, until_ms) = match budget {
        Exhausted::Day => (format!("{} calls were sent today", spent.day_sent), fullest.surely_over_ms()),
        Exhausted::Month => (format!("{at_least} calls succeeded this month"), month.surely_over_ms()),
    };
    let called = Called { account: &wanted.account, operation: "", workspace: None };
    let park = Park { reason: ParkReason::from(budget), message, pause: Pause::Until(until_ms) };
    state.parkings.park(&mut state.connection, &called, &park, now_ms).await?;
    match state.parkings.gate(&mut state.connection, &wanted.account, now_ms).await? {
        Gate::Closed(parked) => Ok(Claims { parked: Some(parked), ..Claims::default() }),
        Gate::Open | Gate::Probe(_) => Ok(Claims::default()),
    }
}

/// Chooses among candidates, and puts the others where they are not looked at again.
async fn choose(
    state: &mut State,
    wanted: &Wanted,
    gates: &Gates,
    room: &mut Room,
    candidates: Vec<Candidate>,
    now_ms: i64,
) -> Result<Choice, StoreError> {
    let (mut chosen, mut behind, mut stopped, mut put_off) = (vec![], vec![], vec![], vec![]);
    let mut passed_over = 0;
    for Candidate { number, priority, rule, operation, workspace, behind: is_behind, .. } in candidates {
        let called = Called { account: &wanted.account, operation: &operation, workspace };
        if gates.stops.iter().any(|stop| stop.stops(&rule, workspace, &operation)) {
            stopped.push(number);
        } else if is_behind {
            behind.push(number);
        } else if let Some(until_ms) = state.parkings.of_operation(&called).filter(|until| *until > now_ms) {
            put_off.push([number, until_ms]);
        } else if room.all > 0 && (priority > 0 || room.usual > 0) {
            let lease_until_ms = now_ms.saturating_add(wanted.lease_ms);
            state.parkings.probed(&mut state.connection, &called, now_ms, lease_until_ms).await?;
            room.all -= 1;
            // As `Budget::left` counts: what is urgent is spent of the whole, and leaves less to the others.
            room.usual = room.usual.saturating_sub(1);
            chosen.push(number);
        } else {
            passed_over += 1;
        }
    }
    let connection = &mut state.connection;
    stop::hold(connection, &stopped).await?;
    order::mark(connection, &behind).await?;
    if !put_off.is_empty() {
        sqlx::query(PUT_OFF)
            .bind(columns::json_rows(put_off))
            .execute(connection)
            .await
            .map_err(StoreError::sql("put off parked actions"))?;
    }
    Ok(Choice { chosen, passed_over })
}

/// Makes the chosen actions ours.
async fn take(
    state: &mut State,
    wanted: &Wanted,
    gates: &Gates,
    chosen: &[i64],
    now_ms: i64,
) -> Result<Vec<Claimed>, StoreError> {
    let failed = || StoreError::sql("claim due actions");
    sqlx::query(DO_NOT_REPEAT)
        .bind(columns::json_numbers(chosen))
        .bind(now_ms)
        .bind(wanted.repeat_within_ms)
        .execute(&mut state.connection)
        .await
        .map_err(failed())?;
    let rows = sqlx::query(CLAIM)
        .bind(columns::json_numbers(chosen))
        .bind(now_ms.saturating_add(wanted.lease_ms))
        .bind(now_ms)
        .fetch_all(&mut state.connection)
        .await
        .map_err(failed())?;
    let mut claimed = Vec::with_capacity(rows.len());
    for row in rows {
        let action = of_row(&row, state.next_attempt, wanted, gates.spendings.days).map_err(failed())?;
        state.next_attempt += 1;
        state.spending.debit(&action.debit);
        claimed.push(action);
    }
    let attempts = claimed.iter().map(|it| [it.attempt, it.action, it.attempt_number]);
    sqlx::query(INSERT_ATTEMPTS)
        .bind(columns::json_rows(attempts))
        .bind(now_ms)
        .execute(&mut state.connection)
        .await
        .map_err(StoreError::sql("write attempts"))?;
    // RETURNING gives no order; the order of due times is the order of numbers within a key.
    claimed.sort_by_key(|claimed| chosen.iter().position(|number| *number == claimed.action));
    Ok(claimed)
}

fn of_row(row: &SqliteRow, attempt: i64, wanted: &Wanted, days: Days) -> Result<Claimed, sqlx::Error> {
    let rule: String = row.try_get(4)?;
    Ok(Claimed {
        attempt,
        action: row.try_get(0)?,
        id: row.try_get(1)?,
        attempt_number: row.try_get(2)?,
        attempt_of_life: row.try_get(13)?,
        requeued_after: row.try_get(16)?,
        event: row.try_get(3)?,
        debit: Debit {
            account: wanted.account.clone(),
            region: wanted.region.clone(),
            days,
            spender: Spender::Rule(rule.clone()),
        },
        rule,
        rule_path: row.try_get(5)?,
        operation: row.try_get(6)?,
        version: row.try_get(7)?,
        params: row.try_get(8)?,
        workspace: row.try_get(9)?,
        region: row.try_get(17)?,
        first_sent_at_ms: row.try_get(10)?,
        earlier_tries: row.try_get(11)?,
        past: if row.try_get(12)? { Past::Unknown } else { Past::Clear },
        event_at_ms: row.try_get(14)?,
        earlier_sent: row.try_get(15)?,
    })
}
