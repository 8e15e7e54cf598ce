//! What became of the look-ups that people asked for.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::Operator;
use super::select::Chosen;
use crate::action::{ActionState, HeldReason};
use crate::operation::recipe::Verdict;
use crate::store::{Reader, StoreError, columns};

/// An unresolved action as a look-up needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Its number.
    pub number: i64,
    /// The operation that was called.
    pub operation: String,
    /// Its API version.
    pub version: String,
    /// Its parameters, a JSON object.
    pub params: String,
    /// Whether anything was read before it was sent.
    pub read_before: bool,
}

/// How far the look-up of one action has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Its number.
    pub number: i64,
    /// Where it stands now.
    pub state: ActionState,
    /// Why it is held, if it is.
    pub held_reason: Option<HeldReason>,
    /// When it is looked up next, milliseconds since 1970.
    pub verify_at_ms: Option<i64>,
    /// The last verdict on the attempt that was shown.
    pub verdict: Option<Verdict>,
    /// What it rests on.
    pub reason: String,
    /// When it was given, milliseconds since 1970.
    pub verified_at_ms: Option<i64>,
}

const LOST: &str = "SELECT a.number, a.operation, a.version, a.params, EXISTS (SELECT 1 FROM attempt t \
    WHERE t.action = a.number AND t.number = a.attempts AND t.read_before IS NOT NULL) \
    FROM json_each(?1) n JOIN action a ON a.number = n.value WHERE a.state = 'unresolved' ORDER BY a.number";
const VERIFIED: &str = "SELECT a.number, a.state, a.held_reason, a.verify_at, t.verdict, t.verdict_reason, t.verified_at \
    FROM json_each(?1) n JOIN action a ON a.number = n.value ->> 0 \
    JOIN attempt t ON t.action = a.number AND t.number = n.value ->> 1 ORDER BY a.number";

impl Reader {
    /// Those of the actions `numbers` that are unresolved.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn lost(&mut self, numbers: &[i64]) -> Result<Vec<Lost>, StoreError> {
        let failed = self.failed("read lost calls");
        let read = |row: &SqliteRow| {
            Ok::<_, sqlx::Error>(Lost {
                number: row.try_get(0)?,
                operation: row.try_get(1)?,
                version: row.try_get(2)?,
                params: row.try_get(3)?,
                read_before: row.try_get(4)?,
            })
        };
        let rows =
            sqlx::query(LOST).bind(columns::json_numbers(numbers)).fetch_all(&mut self.connection).await;
        rows.and_then(|rows| rows.iter().map(read).collect()).map_err(failed)
    }
}

impl Operator {
    /// How far the look-ups of `asked` have come; what is gone is missing.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn verified(&mut self, asked: &[Chosen]) -> Result<Vec<Verified>, StoreError> {
        let pairs = asked.iter().map(|row| serde_json::json!([row.number, row.attempts])).collect();
        let rows = sqlx::query(VERIFIED)
            .bind(serde_json::Value::Array(pairs).to_string())
            .fetch_all(&mut self.connection)
            .await
            .map_err(StoreError::sql("look how look-ups go"))?;
        rows.iter().map(of_row).collect()
    }
}

fn of_row(row: &SqliteRow) -> Result<Verified, StoreError> {
    let failed = || StoreError::sql("read how a look-up goes");
    let text = |index: usize| row.try_get::<Option<String>, _>(index).map_err(failed());
    let number = |index: usize| row.try_get::<Option<i64>, _>(index).map_err(failed());
    let corrupt = |place: &'static str| move |found: String| StoreError::Corrupt { place, found };
    let state = text(1)?.unwrap_or_default();
    let held = text(2)?.map(|word| HeldReason::from_text(&word).ok_or(word)).transpose();
    let verdict = text(4)?.map(|word| Verdict::from_text(&word).ok_or(word)).transpose();
    Ok(Verified {
        number: number(0)?.unwrap_or_default(),
        state: ActionState::from_text(&state).ok_or(state).map_err(corrupt("action.state"))?,
        held_reason: held.map_err(corrupt("action.held_reason"))?,
        verify_at_ms: number(3)?,
        verdict: verdict.map_err(corrupt("attempt.verdict"))?,
        reason: text(5)?.unwrap_or_default(),
        verified_at_ms: number(6)?,
    })
}
