//! Actions by state: how many, since when, and which.
//!
//! What waits is counted whole, by the indexes that the outbox works with. What is done is counted over a
//! time, since it is kept for more than a year.

use super::super::{Reader, StoreError, columns};
use super::rows::{Bounds, Extent, Row, Rows};

/// Which actions.
#[derive(Debug, Clone, Default)]
pub struct WantedActions {
    /// In one of these states.
    pub states: Vec<&'static str>,
    /// Planned by this rule.
    pub rule: Option<String>,
    /// Planned at this time or later, milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// How many at most: the newest.
    pub count_max: usize,
}

/// How many actions stand where.
#[derive(Debug, Clone, PartialEq)]
pub struct Counts {
    /// What is not done: `state`, `held_reason`, `actions`, `oldest_at`.
    pub open: Vec<Row>,
    /// What was planned in the time asked for, in whatever state: the same columns.
    pub planned: Vec<Row>,
}

// Each part by its own partial index; held reasons are in the rows.
const OPEN: &str = "SELECT state, held_reason, count(*) AS actions, \
    strftime('%Y-%m-%dT%H:%M:%fZ', min(planned_at) / 1000.0, 'unixepoch') AS oldest_at FROM ( \
    SELECT state, held_reason, planned_at FROM action INDEXED BY action_attention \
        WHERE state IN ('held', 'dead', 'unresolved', 'waiting') \
    UNION ALL SELECT state, NULL, planned_at FROM action INDEXED BY action_due WHERE state = 'planned' \
    UNION ALL SELECT state, NULL, planned_at FROM action INDEXED BY action_in_flight WHERE state = 'in_flight') \
    GROUP BY state, held_reason ORDER BY state, held_reason";
const PLANNED: &str = "SELECT state, held_reason, count(*) AS actions, \
    strftime('%Y-%m-%dT%H:%M:%fZ', min(planned_at) / 1000.0, 'unixepoch') AS oldest_at \
    FROM action WHERE event >= ?1 AND planned_at >= ?2 GROUP BY state, held_reason ORDER BY state, held_reason";
/// What is not done: each part by its own partial index.
const OPEN_NUMBERS: &str = "SELECT n.number FROM ( \
    SELECT number, state, rule, planned_at FROM action INDEXED BY action_attention \
        WHERE state IN ('held', 'dead', 'unresolved', 'waiting') \
    UNION ALL SELECT number, state, rule, planned_at FROM action INDEXED BY action_due WHERE state = 'planned' \
    UNION ALL SELECT number, state, rule, planned_at FROM action INDEXED BY action_in_flight WHERE state = 'in_flight' \
    ) n WHERE n.state IN (SELECT value FROM json_each(?1)) AND (?2 IS NULL OR n.rule = ?2) \
    AND (?3 IS NULL OR n.planned_at >= ?3) ORDER BY n.number DESC LIMIT ?4";
/// From the newest on.
const NUMBERS: &str = "SELECT n.number FROM action n WHERE n.state IN (SELECT value FROM json_each(?1)) \
    AND (?2 IS NULL OR n.rule = ?2) AND (?3 IS NULL OR n.planned_at >= ?3) ORDER BY n.number DESC LIMIT ?4";
const ACTIONS: &str = "SELECT a.*, \
    (SELECT t.class FROM attempt t WHERE t.action = a.number ORDER BY t.number DESC LIMIT 1) AS last_class, \
    (SELECT coalesce(t.error_code, t.error_message) FROM attempt t WHERE t.action = a.number \
     ORDER BY t.number DESC LIMIT 1) AS last_error \
    FROM actions a WHERE a.number IN (SELECT value FROM json_each(?1)) ORDER BY a.number DESC";

/// The states of what is not done.
const OPEN_STATES: [&str; 6] = ["planned", "in_flight", "held", "dead", "unresolved", "waiting"];

const COUNTING: &str = "count actions";
const LISTING: &str = "list actions";

impl Reader {
    /// How many actions stand where, and what became of those planned at `since_ms` or later.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn action_counts(&mut self, since_ms: i64) -> Result<Counts, StoreError> {
        let open = self.rows(COUNTING, sqlx::query(OPEN), Bounds::WIDE).await?.rows;
        let first = self.first_since(since_ms).await?;
        let planned = sqlx::query(PLANNED).bind(first).bind(since_ms);
        let planned = self.rows(COUNTING, planned, Bounds::WIDE).await?.rows;
        Ok(Counts { open, planned })
    }

    /// The newest actions that are `wanted`, the oldest of them first.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn actions_in(&mut self, wanted: &WantedActions) -> Result<Rows, StoreError> {
        let is_open = wanted.states.iter().all(|state| OPEN_STATES.contains(state));
        let query = sqlx::query(if is_open { OPEN_NUMBERS } else { NUMBERS })
            .bind(serde_json::Value::from(wanted.states.clone()).to_string())
            .bind(wanted.rule.clone())
            .bind(wanted.since_ms)
            .bind(columns::count(wanted.count_max).saturating_add(1));
        let mut numbers = self.numbers(LISTING, query).await?;
        let extent = if numbers.len() > wanted.count_max { Extent::CutByCount } else { Extent::Whole };
        numbers.truncate(wanted.count_max);
        let query = sqlx::query(ACTIONS).bind(columns::json_numbers(&numbers));
        // The newest first, so that what the memory has no room for is the oldest.
        let mut found = self.rows(LISTING, query, Bounds::WIDE).await?;
        found.rows.reverse();
        Ok(if found.extent == Extent::Whole { Rows { extent, ..found } } else { found })
    }
}
