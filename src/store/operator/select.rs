//! Choosing actions: by number, rule, state, age and the like, as a person asks for them.
//!
//! A question gives at most as many rows as were asked for, the most urgent or the oldest first, and how many
//! there are.

use sqlx::Row;
use sqlx::query::{Query, QueryScalar};
use sqlx::sqlite::SqliteRow;

use crate::action::{ActionState, HeldReason};
use crate::operation::RepeatEffect;
use crate::store::outbox::Past;
use crate::store::reader::Reader;
use crate::store::{StoreError, columns};

/// Which actions are meant; what is empty or `None` restricts nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// These numbers.
    pub numbers: Vec<i64>,
    /// In one of these states.
    pub states: Vec<ActionState>,
    /// Held for one of these reasons.
    pub held_reasons: Vec<HeldReason>,
    /// Of one of these rules.
    pub rules: Vec<String>,
    /// Calling one of these operations.
    pub operations: Vec<String>,
    /// For events of one of these workspaces.
    pub workspaces: Vec<i64>,
    /// Signed by one of these accounts.
    pub accounts: Vec<String>,
    /// Planned before, milliseconds since 1970.
    pub planned_before_ms: Option<i64>,
    /// Planned after, milliseconds since 1970.
    pub planned_after_ms: Option<i64>,
}

/// Which of the chosen come first, and so are the ones within the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// Those that need a person most, and the newest of them: for looking.
    Urgent,
    /// The oldest: for acting, in the order in which they were planned.
    Oldest,
}

/// A chosen action, as a command shows it and later finds it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Its number.
    pub number: i64,
    /// Its id.
    pub id: String,
    /// The event that caused it.
    pub event: i64,
    /// The rule that planned it.
    pub rule: String,
    /// Where it stands.
    pub state: ActionState,
    /// Why it is held, if it is.
    pub held_reason: Option<HeldReason>,
    /// What it calls.
    pub operation: String,
    /// What a repetition does.
    pub repeat_effect: RepeatEffect,
    /// What the attempts of this life may have done, be it in part.
    pub past: Past,
    /// The account that signs it.
    pub account: String,
    /// The event's workspace.
    pub workspace: Option<i64>,
    /// Attempts so far, of all lives.
    pub attempts: i64,
    /// Attempts up to this number belong to earlier lives.
    pub requeued_after: i64,
    /// When it was planned, milliseconds since 1970.
    pub planned_at_ms: i64,
    /// When it is due, milliseconds since 1970.
    pub due_at_ms: i64,
    /// When it is too late to send it, milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
}

/// What a question gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// The first rows.
    pub rows: Vec<T>,
    /// How many there are.
    pub total: i64,
}

/// An action that a person names by a part of its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its number.
    pub number: i64,
    /// Its whole id.
    pub id: String,
}

// The parts of the statements, literals all, so that the statements are constants.
macro_rules! chosen {
    // A call for several things at once that reports failure may have been executed for some of them.
    (columns) => {
        "SELECT a.number, a.id, a.event, a.rule, a.state, a.held_reason, a.operation, a.repeat_effect, a.account, \
         a.workspace, a.attempts, a.planned_at, a.due_at, a.expires_at, a.attempts > a.requeued_after AND EXISTS ( \
          SELECT 1 FROM attempt t WHERE t.action = a.number AND t.number > a.requeued_after \
          AND t.verdict IS NOT 'did_not_happen' AND (t.class IN ('lost', 'unavailable', 'partial_failure') \
               OR t.class = 'failed_in_body' AND EXISTS ( \
                  SELECT 1 FROM json_each(a.params) p WHERE p.type = 'array' AND json_array_length(p.value) > 1))), \
          a.requeued_after"
    };
    (numbered) => {
        " FROM action a WHERE a.number IN (SELECT value FROM json_each(?1))"
    };
    // The conditions of the partial indexes, word for word: finished actions are not looked at.
    (open) => {
        " FROM action a WHERE ?1 IS NULL AND a.number IN ( \
          SELECT number FROM action WHERE state IN ('held', 'dead', 'unresolved', 'waiting') \
          UNION ALL SELECT number FROM action WHERE state = 'planned' \
          UNION ALL SELECT number FROM action WHERE state = 'in_flight')"
    };
    (any) => {
        " FROM action a WHERE ?1 IS NULL"
    };
    (filter) => {
        " AND (?2 IS NULL OR a.state IN (SELECT value FROM json_each(?2))) \
          AND (?3 IS NULL OR a.held_reason IN (SELECT value FROM json_each(?3))) \
          AND (?4 IS NULL OR a.rule IN (SELECT value FROM json_each(?4))) \
          AND (?5 IS NULL OR a.operation IN (SELECT value FROM json_each(?5))) \
          AND (?6 IS NULL OR a.workspace IN (SELECT value FROM json_each(?6))) \
          AND (?7 IS NULL OR a.account IN (SELECT value FROM json_each(?7))) \
          AND (?8 IS NULL OR a.planned_at < ?8) AND (?9 IS NULL OR a.planned_at > ?9)"
    };
    (oldest) => {
        " ORDER BY a.number LIMIT ?10"
    };
    (urgent) => {
        " ORDER BY CASE a.state WHEN 'unresolved' THEN 0 WHEN 'held' THEN 1 WHEN 'dead' THEN 2 \
          WHEN 'in_flight' THEN 3 WHEN 'planned' THEN 4 WHEN 'waiting' THEN 5 ELSE 6 END, a.number DESC LIMIT ?10"
    };
}

const NUMBERED: [&str; 3] = [
    concat!(chosen!(columns), chosen!(numbered), chosen!(filter), chosen!(urgent)),
    concat!(chosen!(columns), chosen!(numbered), chosen!(filter), chosen!(oldest)),
    concat!("SELECT count(*)", chosen!(numbered), chosen!(filter)),
];
const OPEN: [&str; 3] = [
    concat!(chosen!(columns), chosen!(open), chosen!(filter), chosen!(urgent)),
    concat!(chosen!(columns), chosen!(open), chosen!(filter), chosen!(oldest)),
    concat!("SELECT count(*)", chosen!(open), chosen!(filter)),
];
const ANY: [&str; 3] = [
    concat!(chosen!(columns), chosen!(any), chosen!(filter), chosen!(urgent)),
    concat!(chosen!(columns), chosen!(any), chosen!(filter), chosen!(oldest)),
    concat!("SELECT count(*)", chosen!(any), chosen!(filter)),
];
/// Hex digits all stand below `g`, so this is a range of the index on ids.
const NAMED: &str = "SELECT number, id FROM action WHERE number = ?1 OR (id >= ?2 AND id < ?2 || 'g') ORDER BY number LIMIT 4";

impl Reader {
    /// The actions that `selection` means, at most `rows_max` of them, in the order of `first`.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn chosen(
        &mut self,
        selection: &Selection,
        first: First,
        rows_max: usize,
    ) -> Result<Listing<Chosen>, StoreError> {
        let all_open = !selection.states.is_empty() && selection.states.iter().all(|state| state.is_open());
        let [urgent, oldest, count] = match (selection.numbers.is_empty(), all_open) {
            (false, _) => NUMBERED,
            (true, true) => OPEN,
            (true, false) => ANY,
        };
        let list = match first {
            First::Urgent => urgent,
            First::Oldest => oldest,
        };
        let parameters = Parameters::of(selection);
        let failure = self.failed("choose actions");
        let rows = parameters
            .texts()
            .into_iter()
            .fold(sqlx::query(list), Query::bind)
            .bind(selection.planned_before_ms)
            .bind(selection.planned_after_ms)
            .bind(columns::count(rows_max))
            .fetch_all(&mut self.connection)
            .await
            .map_err(failure)?;
        let rows = rows.iter().map(of_row).collect::<Result<Vec<_>, _>>()?;
        let mut total = columns::count(rows.len());
        if rows.len() >= rows_max {
            let failure = self.failed("count actions");
            total = parameters
                .texts()
                .into_iter()
                .fold(sqlx::query_scalar(count), QueryScalar::bind)
                .bind(selection.planned_before_ms)
                .bind(selection.planned_after_ms)
                .fetch_one(&mut self.connection)
                .await
                .map_err(failure)?;
        }
        Ok(Listing { rows, total })
    }

    /// The actions that have `number`, or whose id begins with `prefix`; more than three are cut.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn named(
        &mut self,
        number: Option<i64>,
        prefix: Option<&str>,
    ) -> Result<Vec<Named>, StoreError> {
        let failed = self.failed("look for an action");
        let rows: Vec<(i64, String)> = sqlx::query_as(NAMED)
            .bind(number)
            .bind(prefix)
            .fetch_all(&mut self.connection)
            .await
            .map_err(failed)?;
        Ok(rows.into_iter().map(|(number, id)| Named { number, id }).collect())
    }
}

/// The lists of a selection as JSON, or nothing where they restrict nothing.
struct Parameters([Option<String>; 7]);

impl Parameters {
    fn of(selection: &Selection) -> Self {
        let numbers = |list: &[i64]| (!list.is_empty()).then(|| columns::json_numbers(list));
        let states: Vec<_> = selection.states.iter().map(|state| state.as_str()).collect();
        let reasons: Vec<_> = selection.held_reasons.iter().map(|reason| reason.as_str()).collect();
        Parameters([
            numbers(&selection.numbers),
            words(&states),
            words(&reasons),
            words(&selection.rules),
            words(&selection.operations),
            numbers(&selection.workspaces),
            words(&selection.accounts),
        ])
    }

    fn texts(&self) -> [Option<&str>; 7] {
        self.0.each_ref().map(Option::as_deref)
    }
}

/// Texts as a JSON list; `None` if there are none.
pub(super) fn words<T: AsRef<str>>(list: &[T]) -> Option<String> {
    let words: Vec<serde_json::Value> = list.iter().map(|word| word.as_ref().into()).collect();
    (!words.is_empty()).then(|| serde_json::Value::Array(words).to_string())
}

fn of_row(row: &SqliteRow) -> Result<Chosen, StoreError> {
    let failed = || StoreError::sql("read a chosen action");
    let text = |index: usize| row.try_get::<String, _>(index).map_err(failed());
    let number = |index: usize| row.try_get::<i64, _>(index).map_err(failed());
    let state = text(4)?;
    let reason: Option<String> = row.try_get(5).map_err(failed())?;
    let effect = text(7)?;
    Ok(Chosen {
        number: number(0)?,
        id: text(1)?,
        event: number(2)?,
        rule: text(3)?,
        state: ActionState::from_text(&state)
            .ok_or(StoreError::Corrupt { place: "action.state", found: state })?,
        held_reason: reason
            .map(|reason| {
                HeldReason::from_text(&reason)
                    .ok_or(StoreError::Corrupt { place: "action.held_reason", found: reason })
            })
            .transpose()?,
        operation: text(6)?,
        repeat_effect: RepeatEffect::from_text(&effect)
            .ok_or(StoreError::Corrupt { place: "action.repeat_effect", found: effect })?,
        account: text(8)?,
        workspace: row.try_get(9).map_err(failed())?,
        attempts: number(10)?,
        planned_at_ms: number(11)?,
        due_at_ms: number(12)?,
        expires_at_ms: row.try_get(13).map_err(failed())?,
        requeued_after: number(15)?,
        past: if row.try_get(14).map_err(failed())? { Past::Unknown } else { Past::Clear },
    })
}
