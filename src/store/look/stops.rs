//! What people stopped, and what is parked: few rows, the newest last.

use super::super::stop::Stop;
use super::super::{Reader, StoreError};
use super::rows::{Bounds, Row};

/// More are not shown; nobody makes so many.
const ROWS_MAX: i64 = 1_000;

/// Actions of one kind that are counted: no count takes longer.
pub const COUNTED_MAX: i64 = 100_000;

/// What a stop meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Met {
    /// Planned actions that it is for.
    pub planned: i64,
    /// Calls on their way that it comes too late for.
    pub in_flight: i64,
    /// Actions that are held since a stop was for them, those that other stops held included.
    pub held: i64,
}

const STOPS: &str = "SELECT id, rule, workspace, operation, who, reason, stopped_at FROM stops \
    WHERE resumed_at IS NULL ORDER BY id LIMIT ?1";
const PARKINGS: &str = "SELECT account, operation, workspace, reason, message, since, until, failures \
    FROM parkings ORDER BY since, account LIMIT ?1";
// A partial index is taken only where its own condition stands in the statement, word for word.
const MET: &str = "SELECT \
    (SELECT count(*) FROM (SELECT 1 FROM action WHERE state = 'planned' AND (?1 IS NULL OR rule = ?1) \
        AND (?2 IS NULL OR workspace = ?2) AND (?3 IS NULL OR operation = ?3) LIMIT ?4)) AS planned, \
    (SELECT count(*) FROM action WHERE state = 'in_flight' AND (?1 IS NULL OR rule = ?1) \
        AND (?2 IS NULL OR workspace = ?2) AND (?3 IS NULL OR operation = ?3)) AS in_flight, \
    (SELECT count(*) FROM (SELECT 1 FROM action \
        WHERE state IN ('held', 'dead', 'unresolved', 'waiting') AND state = 'held' AND held_reason = 'stopped' \
        AND (?1 IS NULL OR rule = ?1) AND (?2 IS NULL OR workspace = ?2) AND (?3 IS NULL OR operation = ?3) \
        LIMIT ?4)) AS held";
/// Rules whose actions are not finished.
const RULES_AT_WORK: &str = "SELECT rule FROM action WHERE state = 'planned' \
    UNION SELECT rule FROM action WHERE state = 'in_flight' \
    UNION SELECT rule FROM action WHERE state IN ('held', 'dead', 'unresolved', 'waiting')";

const LOOKING: &str = "look for what is stopped";

impl Reader {
    /// The stops in force, the oldest first: columns of view `stops`.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn stops(&mut self) -> Result<Vec<Row>, StoreError> {
        Ok(self.rows(LOOKING, sqlx::query(STOPS).bind(ROWS_MAX), Bounds::WIDE).await?.rows)
    }

    /// What is parked, the oldest first: columns of view `parkings`.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn parkings(&mut self) -> Result<Vec<Row>, StoreError> {
        Ok(self
            .rows("look for what is parked", sqlx::query(PARKINGS).bind(ROWS_MAX), Bounds::WIDE)
            .await?
            .rows)
    }

    /// What `stop` meets now, counted up to [`COUNTED_MAX`].
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn met_by(&mut self, stop: &Stop) -> Result<Met, StoreError> {
        let Stop { rule, workspace, operation } = stop.clone();
        let query = sqlx::query(MET).bind(rule).bind(workspace).bind(operation).bind(COUNTED_MAX);
        let row = self.row("count what a stop meets", query).await?;
        let number = |column| row.as_ref().and_then(|row| row.integer(column)).unwrap_or_default();
        Ok(Met { planned: number("planned"), in_flight: number("in_flight"), held: number("held") })
    }

    /// The names of the rules that the daemon last had in force, and of those whose actions are not finished.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn rule_names(&mut self) -> Result<Vec<String>, StoreError> {
        let failed = self.failed("read the names of rules");
        let files: Vec<(String, String)> = sqlx::query_as(super::super::versions::LAST_RULES)
            .fetch_all(&mut self.connection)
            .await
            .map_err(failed)?;
        let failed = self.failed("read the names of rules");
        let mut names: Vec<String> =
            sqlx::query_scalar(RULES_AT_WORK).fetch_all(&mut self.connection).await.map_err(failed)?;
        names.extend(files.iter().flat_map(|(_, text)| crate::rule::parse::names(text).unwrap_or_default()));
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }
}

/// What the stop in a row of view `stops` is for.
#[must_use]
pub fn stop_of(row: &Row) -> Stop {
    let text = |column| row.text(column).map(str::to_owned);
    Stop { rule: text("rule"), workspace: row.integer("workspace"), operation: text("operation") }
}
