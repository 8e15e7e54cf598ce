//! One event from record to response: what arrived, what was decided, planned, called and heard back, what
//! people did about it, and whether it came again.

use super::super::{Reader, StoreError, columns};
use super::list::DECISIONS;
use super::rows::{Bounds, Row};

/// Everything that the database knows of one event.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    /// The row of view `events`.
    pub event: Row,
    /// Rows of view `decisions`, with `held_reason`.
    pub decisions: Vec<Row>,
    /// Rows of view `actions`.
    pub actions: Vec<Row>,
    /// Rows of view `attempts`.
    pub attempts: Vec<Row>,
    /// Rows of view `lookups` that concern these attempts.
    pub lookups: Vec<Row>,
    /// Rows of view `operator_targets` that concern these actions, or the replay that made the event.
    pub operator_targets: Vec<Row>,
    /// Rows of view `duplicates`, without their payloads.
    pub duplicates: Vec<Row>,
}

const EVENT: &str = "SELECT * FROM events WHERE seq = ?1";
// An action may be one of an earlier acceptance of the same identity: then only the decision tells.
const ACTIONS: &str = "SELECT * FROM actions WHERE number IN \
    (SELECT action FROM decision WHERE event = ?1 UNION SELECT number FROM action WHERE event = ?1) ORDER BY number";
const ATTEMPTS: &str = "SELECT t.* FROM json_each(?1) n JOIN action a ON a.number = n.value \
    JOIN attempts t ON t.id IN (SELECT x.id FROM attempt x WHERE x.action = a.number) ORDER BY t.id";
const LOOKUPS: &str = "SELECT l.* FROM json_each(?1) n JOIN attempt t ON t.action = n.value \
    JOIN lookup r ON r.attempt = t.id JOIN lookups l ON l.id = r.id ORDER BY l.id";
// From what was replayed to the event, since there is no index the other way.
const OPERATORS: &str = "SELECT * FROM operator_targets WHERE (kind = 'action' \
    AND number IN (SELECT value FROM json_each(?1))) OR (kind = 'quarantined' AND number IN \
    (SELECT q.id FROM operator_target o JOIN quarantined_record q ON q.id = o.id \
     WHERE o.kind = 'quarantined' AND q.replayed_event = ?2)) ORDER BY operator_action";
// There is no index on the event: only the newest are looked at, should they be very many.
const DUPLICATES: &str = "SELECT id, doubt, event, topic, partition, \"offset\", generation, noticed_at, batch \
    FROM duplicates WHERE event = ?1 AND id > (SELECT max(id) - 50000 FROM doubtful_duplicate) ORDER BY id";

const TELLING: &str = "tell an event's story";

impl Reader {
    /// The story of the event `number`, if its row is there.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn story(&mut self, number: i64) -> Result<Option<Story>, StoreError> {
        self.hold_still().await?;
        let Some(event) = self.row(TELLING, sqlx::query(EVENT).bind(number)).await? else {
            self.let_go().await?;
            return Ok(None);
        };
        let only = columns::json_numbers(&[number]);
        let decisions = self.rows(TELLING, sqlx::query(DECISIONS).bind(only), Bounds::WIDE).await?.rows;
        let actions = self.rows(TELLING, sqlx::query(ACTIONS).bind(number), Bounds::WIDE).await?.rows;
        let numbers: Vec<i64> = actions.iter().filter_map(|action| action.integer("number")).collect();
        let numbers = columns::json_numbers(&numbers);
        let attempts = sqlx::query(ATTEMPTS).bind(numbers.clone());
        let attempts = self.rows(TELLING, attempts, Bounds::WIDE).await?.rows;
        let lookups = sqlx::query(LOOKUPS).bind(numbers.clone());
        let lookups = self.rows(TELLING, lookups, Bounds::WIDE).await?.rows;
        let operator_targets = sqlx::query(OPERATORS).bind(numbers).bind(number);
        let operator_targets = self.rows(TELLING, operator_targets, Bounds::WIDE).await?.rows;
        let duplicates = self.rows(TELLING, sqlx::query(DUPLICATES).bind(number), Bounds::WIDE).await?.rows;
        self.let_go().await?;
        Ok(Some(Story { event, decisions, actions, attempts, lookups, operator_targets, duplicates }))
    }
}
