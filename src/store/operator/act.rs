//! Releasing, requeueing and cancelling actions, and having them looked up: exactly those that were shown.

use serde_json::json;

use super::select::Chosen;
use super::{Deed, Kind, Operator, record};
use crate::action::HeldReason;
use crate::store::{StoreError, columns};

/// What was released or requeued may be sent for at least so long from then on: its own time has mostly
/// passed while it waited for a person.
pub const FRESH_WINDOW_MS: i64 = 30 * 60 * 1000;

/// How fast released actions are let out: so many in each of these lengths of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How many, at least one.
    pub actions: i64,
    /// In how long, milliseconds.
    pub within_ms: i64,
}

impl Pace {
    /// How long after the first one the action with `number`, from 0, is due.
    #[must_use]
    pub fn due_after_ms(self, number: usize) -> i64 {
        columns::count(number).saturating_mul(self.within_ms) / self.actions.max(1)
    }
}

/// What a person does to actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// What is held is to be sent.
    Release,
    /// What is dead or unresolved is to be sent again.
    Requeue,
    /// It is never to be sent.
    Cancel,
    /// What became of an unresolved call is to be looked up now.
    Verify,
}

impl Verb {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Release => "release",
            Verb::Requeue => "requeue",
            Verb::Cancel => "cancel",
            Verb::Verify => "verify",
        }
    }
}

// Each row of ?1 is [number, state, attempts, held_reason, requeued_after] as it was shown, and when it is to be
// due; ?2 is now or how long it is fresh. Where anything of
// it has changed, or an attempt was made since, it is another matter than the one that the person decided.
macro_rules! as_shown {
    ($change:literal, $states:literal) => {
        concat!(
            $change,
            " FROM json_each(?1) shown \
             WHERE action.number = shown.value ->> 0 AND action.state = shown.value ->> 1 \
             AND action.attempts = shown.value ->> 2 AND action.held_reason IS shown.value ->> 3 \
             AND action.requeued_after = shown.value ->> 4 AND action.state IN (",
            $states,
            ") RETURNING action.number"
        )
    };
}

/// What was refused before it left has not begun the time in which a call may be repeated blindly.
const RELEASE: &str = as_shown!(
    "UPDATE action SET state = 'planned', held_reason = NULL, settled_at = NULL, \
     due_at = shown.value ->> 5, expires_at = max(expires_at, (shown.value ->> 5) + ?2), behind = 0, \
     first_sent_at = CASE WHEN EXISTS (SELECT 1 FROM attempt t WHERE t.action = action.number \
        AND t.number > action.requeued_after AND t.class <> 'unsendable') THEN first_sent_at END",
    "'held'"
);
const REQUEUE: &str = as_shown!(
    "UPDATE action SET state = 'planned', settled_at = NULL, due_at = shown.value ->> 5, \
     expires_at = max(expires_at, (shown.value ->> 5) + ?2), requeued_after = attempts, first_sent_at = NULL, \
     behind = 0, verify_at = NULL, order_released_at = NULL",
    "'dead', 'unresolved'"
);
const CANCEL: &str = as_shown!(
    "UPDATE action SET state = 'cancelled', held_reason = NULL, settled_at = ?2, verify_at = NULL",
    "'held', 'dead', 'unresolved', 'planned', 'waiting'"
);
/// Whoever looks up lost calls next takes it; the deed beside it tells that a person wants it.
const VERIFY: &str = as_shown!("UPDATE action SET verify_at = ?2", "'unresolved'");

impl Operator {
    /// Does `verb` to those of `shown` that still stand where they did, and gives their numbers; with the
    /// deed in the same commit. If none does, nothing is written. With a `pace` they are due one after the other, in
    /// the order in which they were shown, else at once.
    ///
    /// # Errors
    /// [`StoreError::Busy`] and whatever else the database says: nothing was changed.
    pub async fn act(
        &mut self,
        verb: Verb,
        shown: &[Chosen],
        pace: Option<Pace>,
        deed: &Deed<'_>,
    ) -> Result<Vec<i64>, StoreError> {
        self.begin().await?;
        let done = self.change(verb, shown, pace, deed).await;
        self.end(done).await
    }

    async fn change(
        &mut self,
        verb: Verb,
        shown: &[Chosen],
        pace: Option<Pace>,
        deed: &Deed<'_>,
    ) -> Result<Vec<i64>, StoreError> {
        let (statement, action) = match verb {
            Verb::Release => (RELEASE, "release actions"),
            Verb::Requeue => (REQUEUE, "requeue actions"),
            Verb::Cancel => (CANCEL, "cancel actions"),
            Verb::Verify => (VERIFY, "have actions looked up"),
        };
        let rows = shown.iter().enumerate().map(|(at, row)| {
            let reason = row.held_reason.map(HeldReason::as_str);
            let due_at_ms = deed.now_ms.saturating_add(pace.map_or(0, |pace| pace.due_after_ms(at)));
            json!([row.number, row.state.as_str(), row.attempts, reason, row.requeued_after, due_at_ms])
        });
        let mut changed: Vec<i64> = sqlx::query_scalar(statement)
            .bind(serde_json::Value::Array(rows.collect()).to_string())
            .bind(match verb {
                Verb::Release | Verb::Requeue => FRESH_WINDOW_MS,
                Verb::Cancel | Verb::Verify => deed.now_ms,
            })
            .fetch_all(&mut self.connection)
            .await
            .map_err(StoreError::sql(action))?;
        changed.sort_unstable();
        if !changed.is_empty() {
            record(&mut self.connection, verb.as_str(), deed, (Kind::Action, &changed)).await?;
        }
        Ok(changed)
    }
}
