//! Which event a person means: by its number, its own id, an action's id, or an object.
//!
//! There is no index on the ids of events. The identity log answers instead: what an event is known by is
//! its source, id and type, of which sources and types are few, so each known pair is tried.

use super::super::identity::{self, search};
use super::super::{Reader, StoreError, columns};
use super::rows::Bounds;

/// What an event's own id leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Events, the newest first.
    Events(Vec<i64>),
    /// It was accepted, and its row has left by retention.
    Retired,
    /// Nobody has seen it.
    Unknown,
}

/// What an event can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// A task instance.
    Instance,
    /// A node.
    Node,
    /// A file.
    File,
    /// A table, by name or GUID.
    Table,
    /// A workspace.
    Workspace,
    /// Who caused it.
    Operator,
}

impl ObjectKind {
    /// All of them.
    pub const ALL: [ObjectKind; 6] = [
        ObjectKind::Instance,
        ObjectKind::Node,
        ObjectKind::File,
        ObjectKind::Table,
        ObjectKind::Workspace,
        ObjectKind::Operator,
    ];

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ObjectKind::Instance => "instance",
            ObjectKind::Node => "node",
            ObjectKind::File => "file",
            ObjectKind::Table => "table",
            ObjectKind::Workspace => "workspace",
            ObjectKind::Operator => "operator",
        }
    }
}

const BY_NUMBER: &str = "SELECT seq FROM event WHERE seq = ?1";
// The event that planned it first; a later acceptance of the same identity refers to the same action.
const BY_ACTION: &str = "SELECT event FROM action WHERE id = lower(?1)";
const KINDS: &str = "SELECT DISTINCT source, type FROM origin WHERE source IS NOT NULL";
const CONFIRM: &str = "SELECT seq FROM event WHERE seq IN (SELECT value FROM json_each(?1)) AND id = ?2 \
    ORDER BY seq DESC";
const SINCE: &str = "SELECT coalesce( \
    (SELECT seq FROM event WHERE accepted_at >= ?1 ORDER BY accepted_at, seq LIMIT 1), \
    (SELECT max(seq) + 1 FROM event), 1)";
const LAST: &str = "SELECT max(seq) FROM event";

const FINDING: &str = "find an event";

impl Reader {
    /// The event `number`, if its row is there.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn event_by_number(&mut self, number: i64) -> Result<Option<i64>, StoreError> {
        Ok(self.numbers(FINDING, sqlx::query(BY_NUMBER).bind(number)).await?.pop())
    }

    /// The event that the action `id` was planned for.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn event_of_action(&mut self, id: &str) -> Result<Option<i64>, StoreError> {
        Ok(self.numbers(FINDING, sqlx::query(BY_ACTION).bind(id)).await?.pop())
    }

    /// The events whose own id is `id`.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn events_by_id(&mut self, id: &str) -> Result<Known, StoreError> {
        // Identities move between tables: one state of them all.
        self.hold_still().await?;
        let kinds = self.rows(FINDING, sqlx::query(KINDS), Bounds::WIDE).await?;
        let hashes: Vec<u64> = kinds
            .rows
            .iter()
            .filter_map(|row| Some(identity::event_hash(id, row.text("source")?, row.text("type"))))
            .collect();
        let numbers = search::numbers_of(&mut self.connection, &hashes)
            .await
            .map_err(self.failed("search identities"))?;
        let confirm = sqlx::query(CONFIRM).bind(columns::json_numbers(&numbers)).bind(id.to_owned());
        let events = self.numbers(FINDING, confirm).await?;
        self.let_go().await?;
        Ok(match (events.is_empty(), numbers.iter().any(|number| *number > 0)) {
            (false, _) => Known::Events(events),
            (true, true) => Known::Retired,
            (true, false) => Known::Unknown,
        })
    }

    /// The number from which on events were accepted at `since_ms` or later.
    pub(super) async fn first_since(&mut self, since_ms: i64) -> Result<i64, StoreError> {
        let found = self.numbers(FINDING, sqlx::query(SINCE).bind(since_ms)).await?;
        Ok(found.first().copied().unwrap_or(1))
    }

    /// The number of the last event, 0 if there is none.
    pub(super) async fn last_event(&mut self) -> Result<i64, StoreError> {
        Ok(self.numbers(FINDING, sqlx::query(LAST)).await?.first().copied().unwrap_or(0))
    }

    /// Sees one state of the database until [`Reader::let_go`]; an error on the way ends the reader's use.
    pub(super) async fn hold_still(&mut self) -> Result<(), StoreError> {
        self.run("begin to read", "BEGIN").await
    }

    /// Sees the newest state again.
    pub(super) async fn let_go(&mut self) -> Result<(), StoreError> {
        self.run("end reading", "COMMIT").await
    }

    async fn run(&mut self, action: &'static str, statement: &'static str) -> Result<(), StoreError> {
        let done = sqlx::query(statement).execute(&mut self.connection).await;
        done.map(drop).map_err(self.failed(action))
    }
}
