//! Many events: the last ones, or those of one object, each with what its rules decided.
//!
//! Numbers are found first, by an index or by a bounded look at the newest rows; the views are then asked
//! for these events only.

use super::super::{Reader, StoreError, columns};
use super::event::ObjectKind;
use super::rows::{Bounds, Extent, Row};

/// Events looked at for a code, where no time says how far to look: well under a second.
pub const LOOKED_AT_MAX: i64 = 100_000;

/// Events whose rows are asked for at once.
const EVENTS_AT_ONCE: usize = 500;

/// Which events.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Accepted at this time or later, milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// Of this code.
    pub code: Option<String>,
    /// Decided on by this rule.
    pub rule: Option<String>,
    /// Whether any rule must have matched.
    pub matching: Matching,
    /// How many at most: the newest.
    pub count_max: usize,
}

/// Whether any rule must have matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Matching {
    /// Events that rules matched, or failed for.
    Matched,
    /// All events.
    #[default]
    Any,
}

/// How much of each event is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// What a line shows.
    Line,
    /// All columns of view `events`, the payload included.
    Whole,
}

/// One event and what its rules decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Columns of view `events`.
    pub event: Row,
    /// Rows of view `decisions`, with `held_reason` of their actions.
    pub decisions: Vec<Row>,
}

/// A list of events.
#[derive(Debug, Clone, PartialEq)]
pub struct List {
    /// The events, the oldest first.
    pub events: Vec<Listed>,
    /// Whether these are all that was wanted.
    pub extent: Extent,
}

const BY_ROW: &str = "SELECT e.seq FROM event e WHERE e.seq >= ?1 \
    AND (?2 IS NULL OR e.origin IN (SELECT id FROM origin WHERE code = ?2)) ORDER BY e.seq DESC LIMIT ?3";
const BY_DECISION: &str = "SELECT DISTINCT d.event FROM decision d WHERE d.event >= ?1 \
    AND (?2 IS NULL OR d.rule = ?2) AND (?3 IS NULL OR \
    (SELECT o.code FROM event e JOIN origin o ON o.id = e.origin WHERE e.seq = d.event) = ?3) \
    ORDER BY d.event DESC LIMIT ?4";
const BY_OBJECT: &str = "SELECT event FROM event_object WHERE kind = ?1 AND id = ?2 AND event >= ?3 \
    ORDER BY event DESC LIMIT ?4";
const BY_SCAN: &str = "SELECT e.seq FROM event e WHERE e.seq >= ?3 AND e.seq < ?5 AND CASE ?1 \
    WHEN 'instance' THEN e.instance = CAST(?2 AS INTEGER) \
        OR EXISTS (SELECT 1 FROM json_each(e.facts, '$.instances') WHERE value = CAST(?2 AS INTEGER)) \
    WHEN 'node' THEN e.node = CAST(?2 AS INTEGER) \
        OR EXISTS (SELECT 1 FROM json_each(e.facts, '$.nodes') WHERE value = CAST(?2 AS INTEGER)) \
    WHEN 'file' THEN e.facts ->> '$.file' = CAST(?2 AS INTEGER) \
    WHEN 'table' THEN e.facts ->> '$.table' = ?2 \
    WHEN 'workspace' THEN e.workspace = CAST(?2 AS INTEGER) \
    WHEN 'operator' THEN e.operator = ?2 END ORDER BY e.seq DESC LIMIT ?4";
const LINES: &str = "SELECT seq, accepted_at, code, type, id, status, workspace, operator, instance, instances, \
    node, nodes, file, \"table\", rows, bytes, flags, matched FROM events \
    WHERE seq IN (SELECT value FROM json_each(?1)) ORDER BY seq DESC";
const EVENTS: &str = "SELECT * FROM events WHERE seq IN (SELECT value FROM json_each(?1)) ORDER BY seq DESC";
pub(super) const DECISIONS: &str = "SELECT d.*, (SELECT a.held_reason FROM action a WHERE a.id = d.action) \
    AS held_reason FROM decisions d WHERE d.event IN (SELECT value FROM json_each(?1)) \
    ORDER BY d.event DESC, d.position";

const LISTING: &str = "list events";

impl Reader {
    /// The last events that are `wanted`.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn last_events(&mut self, wanted: &Wanted, detail: Detail) -> Result<List, StoreError> {
        let by_decision = wanted.rule.is_some() || wanted.matching == Matching::Matched;
        let first = match wanted.since_ms {
            Some(since_ms) => self.first_since(since_ms).await?,
            None if wanted.code.is_some() && !by_decision => self.last_event().await? - LOOKED_AT_MAX,
            None => 0,
        };
        // One more than wanted tells whether there are more.
        let limit = columns::count(wanted.count_max).saturating_add(1);
        let code = wanted.code.clone();
        let numbers = if by_decision {
            let query = sqlx::query(BY_DECISION).bind(first).bind(wanted.rule.clone()).bind(code).bind(limit);
            self.numbers(LISTING, query).await?
        } else {
            self.numbers(LISTING, sqlx::query(BY_ROW).bind(first).bind(code).bind(limit)).await?
        };
        self.listed(numbers, wanted.count_max, detail).await
    }

    /// The last events about an object that a rule matched, by their index.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn matched_events_of(
        &mut self,
        (kind, id): (ObjectKind, &str),
        wanted: &Wanted,
        detail: Detail,
    ) -> Result<List, StoreError> {
        self.events_of(BY_OBJECT, (kind, id), wanted, detail).await
    }

    /// The last events about an object, matched or not: looks at every event of the time that is wanted.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn all_events_of(
        &mut self,
        (kind, id): (ObjectKind, &str),
        wanted: &Wanted,
        detail: Detail,
    ) -> Result<List, StoreError> {
        self.events_of(BY_SCAN, (kind, id), wanted, detail).await
    }

    /// The newest of the events about an object whose numbers are from `first` to before `end`, matched or not: at most
    /// `count_max`, the newest first. Looks at every event of these, by the facts that decoding gave it.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn numbers_about(
        &mut self,
        (kind, id): (ObjectKind, &str),
        (first, end): (i64, i64),
        count_max: usize,
    ) -> Result<Vec<i64>, StoreError> {
        let query = sqlx::query(BY_SCAN).bind(kind.as_str()).bind(id.to_owned()).bind(first);
        self.numbers(LISTING, query.bind(columns::count(count_max)).bind(end)).await
    }

    async fn events_of(
        &mut self,
        statement: &'static str,
        (kind, id): (ObjectKind, &str),
        wanted: &Wanted,
        detail: Detail,
    ) -> Result<List, StoreError> {
        let first = match wanted.since_ms {
            Some(since_ms) => self.first_since(since_ms).await?,
            None => 0,
        };
        let limit = columns::count(wanted.count_max).saturating_add(1);
        let query = sqlx::query(statement).bind(kind.as_str()).bind(id.to_owned()).bind(first).bind(limit);
        // Only the scan has an end.
        let query = if statement == BY_SCAN { query.bind(i64::MAX) } else { query };
        let numbers = self.numbers(LISTING, query).await?;
        self.listed(numbers, wanted.count_max, detail).await
    }

    /// The events with these numbers, of which the newest is first; those beyond `count_max`, and what the
    /// memory has no room for, are left out.
    ///
    /// # Errors
    /// The database cannot be read in time.
    pub async fn listed(
        &mut self,
        mut numbers: Vec<i64>,
        count_max: usize,
        detail: Detail,
    ) -> Result<List, StoreError> {
        let mut extent = if numbers.len() > count_max { Extent::CutByCount } else { Extent::Whole };
        numbers.truncate(count_max);
        let statement = match detail {
            Detail::Line => LINES,
            Detail::Whole => EVENTS,
        };
        let mut events = Vec::with_capacity(numbers.len());
        let mut bytes_max = Bounds::WIDE.bytes_max;
        for part in numbers.chunks(EVENTS_AT_ONCE) {
            let these = columns::json_numbers(part);
            let bounds = Bounds { bytes_max, ..Bounds::WIDE };
            let rows = self.rows(LISTING, sqlx::query(statement).bind(these.clone()), bounds).await?;
            bytes_max = bytes_max.saturating_sub(rows.rows.iter().map(Row::bytes).sum());
            let decisions = self.rows(LISTING, sqlx::query(DECISIONS).bind(these), Bounds::WIDE).await?;
            // Decisions of events up to here may be missing: no event is shown with a part of its own.
            let incomplete_to = match decisions.extent {
                Extent::Whole => i64::MIN,
                _ => decisions.rows.last().and_then(|row| row.integer("event")).unwrap_or(i64::MAX),
            };
            let is_cut = rows.extent != Extent::Whole || decisions.extent != Extent::Whole;
            let mut decisions = decisions.rows.into_iter().peekable();
            for event in rows.rows {
                let seq = event.integer("seq");
                if seq.is_some_and(|seq| seq <= incomplete_to) {
                    break;
                }
                let mut own = Vec::new();
                while let Some(decision) = decisions.next_if(|row| row.integer("event") >= seq) {
                    own.push(decision);
                }
                events.push(Listed { event, decisions: own });
            }
            if is_cut {
                extent = Extent::CutBySize;
                break;
            }
        }
        events.reverse();
        Ok(List { events, extent })
    }
}
