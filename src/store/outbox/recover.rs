//! Recovery: actions in flight whose daemon is gone, or whose lease has run out.

use std::collections::HashSet;

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::lookup::Lookups;
use crate::action::repeat::{Repeat, after_unknown};
use crate::operation::{self, ApiVersion, RepeatEffect, recipe};
use crate::store::StoreError;
use crate::store::writer::Writer;

/// What recovery found in flight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Actions that will be sent again.
    pub due_again: usize,
    /// Actions that a person must look at.
    pub unresolved: usize,
}

const IN_FLIGHT: &str = "SELECT a.number, a.attempts, a.repeat_effect, a.first_sent_at, t.id, \
    a.account, a.region, t.started_at, a.rule, a.operation, a.version \
    FROM action a JOIN attempt t ON t.action = a.number AND t.number = a.attempts \
    WHERE a.state = 'in_flight' AND a.lease_until <= ?1";
const RECOVER: &str = "UPDATE action SET state = ?2, settled_at = ?3, lease_until = NULL, verify_at = ?5, \
    due_at = CASE ?2 WHEN 'planned' THEN ?4 ELSE due_at END WHERE number = ?1 AND state = 'in_flight'";
const INTERRUPT_ATTEMPT: &str = "UPDATE attempt SET finished_at = ?2, outcome = 'interrupted', class = 'lost' WHERE id = ?1 AND outcome IS NULL";

// A call that was cut off may have succeeded, so it counts as one that did: on the day that paid for it.
const COUNT_OF_DAY: &str = "UPDATE quota_day SET succeeded = succeeded + 1 \
    WHERE account = ?1 AND region = ?2 AND begins_at <= ?3 AND ends_at > ?3 RETURNING begins_at";
const COUNT_OF_SPENDER: &str = "UPDATE quota_day_spender SET succeeded = succeeded + 1 \
    WHERE account = ?1 AND region = ?2 AND begins_at = ?3 AND kind = ?5 AND name = ?4";
/// Columns 5 to 9 as in [`IN_FLIGHT`]: what a stop or a kill cut off. Older ones were found before.
const CUT_OFF_LOOKUPS: &str = "SELECT l.id, NULL, NULL, NULL, NULL, a.account, a.region, l.started_at, a.rule \
    FROM lookup l JOIN attempt t ON t.id = l.attempt JOIN action a ON a.number = t.action \
    WHERE l.id > (SELECT coalesce(max(id), 0) FROM lookup) - 1000 AND l.finished_at IS NULL";
const END_LOOKUP: &str = "UPDATE lookup SET finished_at = ?2, class = 'lost' WHERE id = ?1";
/// Whoever made it has died.
const GIVEN_UP: &str = "SELECT id, NULL, NULL, NULL, NULL, account, region, asked_at, 'api call' \
    FROM outside_call WHERE ended_at IS NULL AND given_up_at <= ?1";
const END_OUTSIDE: &str = "UPDATE outside_call SET ended_at = ?2, class = 'lost' WHERE id = ?1";

impl Writer {
    /// Recovers actions whose lease ended by `leased_until_ms`, except the attempts in `alive`, which
    /// this process knows to be in flight. At start, `i64::MAX` recovers them all.
    ///
    /// # Errors
    /// The commit failed; recover again.
    pub async fn recover(
        &self,
        leased_until_ms: i64,
        alive: HashSet<i64>,
        (repeat_within_ms, lookups): (i64, Lookups),
        now_ms: i64,
    ) -> Result<Recovered, StoreError> {
        self.run(move |state| {
            Box::pin(async move {
                let connection = &mut state.connection;
                if leased_until_ms == i64::MAX {
                    end_what_was_cut_off(connection, now_ms).await?;
                }
                recover(connection, leased_until_ms, &alive, (repeat_within_ms, lookups), now_ms).await
            })
        })
        .await
    }
}

async fn recover(
    connection: &mut SqliteConnection,
    leased_until_ms: i64,
    alive: &HashSet<i64>,
    (repeat_within_ms, lookups): (i64, Lookups),
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
        let verify_at =
            settled_at.filter(|_| lookups == Lookups::On && can_look_up(row.try_get(9), row.try_get(10)));
        match settled_at {
            None => recovered.due_again += 1,
            Some(_) => recovered.unresolved += 1,
        }
        sqlx::query(RECOVER)
            .bind(action)
            .bind(state)
            .bind(settled_at)
            .bind(now_ms)
            .bind(verify_at)
            .execute(&mut *connection)
            .await
            .map_err(failed())?;
        sqlx::query(INTERRUPT_ATTEMPT)
            .bind(attempt)
            .bind(now_ms)
            .execute(&mut *connection)
            .await
            .map_err(failed())?;
        count_as_succeeded(connection, "rule", &row).await?;
    }
    Ok(recovered)
}

/// Ends the reads of an earlier run and the calls of people who died: each may have succeeded.
async fn end_what_was_cut_off(connection: &mut SqliteConnection, now_ms: i64) -> Result<(), StoreError> {
    let failed = || StoreError::sql("end what was cut off");
    for (select, end, kind) in [(CUT_OFF_LOOKUPS, END_LOOKUP, "lookup"), (GIVEN_UP, END_OUTSIDE, "command")] {
        let rows = sqlx::query(select).bind(now_ms).fetch_all(&mut *connection).await.map_err(failed())?;
        for row in rows {
            let id: i64 = row.try_get(0).map_err(failed())?;
            sqlx::query(end).bind(id).bind(now_ms).execute(&mut *connection).await.map_err(failed())?;
            count_as_succeeded(connection, kind, &row).await?;
        }
    }
    Ok(())
}

/// Whether there is a way to find out what became of a call of this operation.
fn can_look_up(name: Result<&str, sqlx::Error>, version: Result<&str, sqlx::Error>) -> bool {
    let version = version.ok().and_then(ApiVersion::from_text);
    let operation = name.ok().zip(version).and_then(|(name, version)| operation::find(name, version));
    operation.and_then(recipe::of).is_some()
}

async fn count_as_succeeded(
    connection: &mut SqliteConnection,
    kind: &str,
    row: &SqliteRow,
) -> Result<(), StoreError> {
    let failed = || StoreError::sql("count what was cut off");
    let text = |at: usize| row.try_get::<Option<&str>, _>(at).map_err(failed());
    let (account, region, rule) = (text(5)?, text(6)?, text(8)?);
    let started_at: i64 = row.try_get(7).map_err(failed())?;
    let days: Vec<i64> = sqlx::query_scalar(COUNT_OF_DAY)
        .bind(account)
        .bind(region)
        .bind(started_at)
        .fetch_all(&mut *connection)
        .await
        .map_err(failed())?;
    for begins_at in days {
        sqlx::query(COUNT_OF_SPENDER)
            .bind(account)
            .bind(region)
            .bind(begins_at)
            .bind(rule)
            .bind(kind)
            .execute(&mut *connection)
            .await
            .map_err(failed())?;
    }
    Ok(())
}
