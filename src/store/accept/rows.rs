//! The rows of one batch, collected while it is walked and written in few statements.
//!
//! # Why
//! Each statement is a round trip to the database client's thread, so events go in by the thousand;
//! the statements have fixed sizes, so that all of them stay prepared.

use std::sync::{Arc, LazyLock};

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use sqlx::Arguments as _;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};

use super::{Accepted, Decided, Deciding, Doubt};
use crate::action::plan::{self, PlanContext};
use crate::action::{Decision, DecisionOutcome, EventIdentity, PlannedAction, PlannedState};
use crate::batch::{Content, Entry};
use crate::event::Event;
use crate::event::decode::DecodeError;
use crate::operation::Access;
use crate::record::Record;
use crate::store::StoreError;
use crate::store::columns;
use crate::store::writer::State;

const EVENT_COLUMNS: usize = 20;
const INSERT_EVENTS: &str = "INSERT INTO event (seq, stream, \"offset\", batch, accepted_at, kafka_at, origin, \
    envelope, flags, matched, id, workspace, operator, instance, node, status, facts, key, headers, payload) VALUES ";

/// Rows of one statement, largest first; the largest stays below SQLite's limit of 32766 parameters.
const CHUNKS: [usize; 6] = [1024, 256, 64, 16, 4, 1];

static INSERT_EVENTS_BY_CHUNK: LazyLock<[Arc<str>; 6]> = LazyLock::new(|| {
    let row = format!("({})", vec!["?"; EVENT_COLUMNS].join(","));
    CHUNKS.map(|rows| [INSERT_EVENTS, &vec![row.as_str(); rows].join(",")].concat().into())
});

const INSERT_QUARANTINED: &str = "INSERT INTO quarantined_record (id, stream, \"offset\", batch, quarantined_at, \
    kafka_at, reason, message, key, headers, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
const INSERT_DOUBTFUL: &str = "INSERT INTO doubtful_duplicate (doubt, event, stream, \"offset\", batch, noticed_at, \
    payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
// By the action's id: it may be one of an earlier acceptance.
const INSERT_DECISION: &str = "INSERT INTO decision (event, position, rule, rule_path, rule_set, configuration, \
    outcome, message, age_ms, calls_in_hour, action, decided_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, (SELECT number FROM action WHERE id = ?11), ?12)";
// An identity may leave the log before the action that its event once caused leaves the outbox; should the
// event come again then, the action that stands is the one.
const INSERT_ACTION: &str = "INSERT INTO action (number, id, event, rule, rule_path, rule_set, configuration, step, \
    operation, version, access, repeat_effect, account, region, workspace, params, in_order_by, priority, state, \
    held_reason, planned_at, due_at, expires_at, settled_at) VALUES \
    (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?21, ?22, ?23) \
    ON CONFLICT (id) DO NOTHING";
const INSERT_OBJECT: &str = "INSERT OR IGNORE INTO event_object (kind, id, event) VALUES (?1, ?2, ?3)";
const INSERT_BATCH: &str = "INSERT INTO batch (id, accepted_at, rule_set, configuration, ranges, records, events, \
    duplicates, quarantined, first_event, last_event) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

/// One statement that waits for its turn.
type Waiting = (&'static str, SqliteArguments);

/// The rows of one batch.
pub(super) struct Writing {
    pub(super) accepted: Accepted,
    accepted_at: i64,
    first_event: Option<i64>,
    last_event: Option<i64>,
    /// Rows of event chunks not begun yet.
    events_left: usize,
    /// One element a statement, with the statement's place in [`CHUNKS`].
    events: Vec<(usize, SqliteArguments)>,
    others: Vec<Waiting>,
    refused: Option<sqlx::error::BoxDynError>,
}

/// A range of positions in a batch, as `batches.ranges` shows it.
#[derive(Serialize)]
struct Range<'a> {
    topic: &'a str,
    partition: i32,
    first: i64,
    last: i64,
    records: usize,
}

impl Writing {
    pub(super) fn new(batch: i64, accepted_at: i64, events: usize) -> Self {
        Writing {
            accepted: Accepted { batch, ..Accepted::default() },
            accepted_at,
            first_event: None,
            last_event: None,
            events_left: events,
            events: Vec::new(),
            others: Vec::new(),
            refused: None,
        }
    }

    /// A new event: its row, and what its matched rules decide.
    pub(super) async fn event(
        &mut self,
        state: &mut State,
        deciding: &Deciding,
        context: &PlanContext<'_>,
        seq: i64,
        stream: i64,
        entry: &Entry<'_>,
    ) -> Result<(), StoreError> {
        let Content::Event { event, matched, failed } = &entry.content else { return Ok(()) };
        let origin = state.origin(event).await?;
        let decided = !(matched.is_empty() && failed.is_empty());
        self.accepted.events += 1;
        self.first_event.get_or_insert(seq);
        self.last_event = Some(seq);
        self.event_row(seq, stream, origin, decided, event, &entry.record);
        if !decided {
            return Ok(());
        }
        self.accepted.matched += 1;
        let record = &entry.record;
        let payload_hash = Sha256::digest(record.payload);
        let identity = match (&event.id, &event.source) {
            (Some(id), Some(source)) => {
                EventIdentity::Named { source, id, event_type: event.event_type.as_deref().unwrap_or("") }
            }
            _ => EventIdentity::Position {
                topic: record.topic,
                partition: record.partition,
                offset: record.offset,
                payload_hash: &payload_hash,
            },
        };
        let decisions = plan::plan(
            event,
            &identity,
            record.timestamp_ms,
            matched,
            failed,
            &deciding.rules,
            context,
            &mut state.plan,
        );
        for (position, decision) in decisions.iter().enumerate() {
            if let Some(action) = &decision.action {
                let number = state.next_action;
                state.next_action += 1;
                self.action(deciding, seq, number, event.workspace, decision, action);
            }
            self.decision(deciding, seq, position, decision);
            self.accepted.decisions.push(Decided {
                event: seq,
                event_id: event.id.as_deref().map(str::to_owned),
                rule: decision.rule.clone(),
                outcome: decision.outcome.as_str(),
                message: message_of(&decision.outcome).map(str::to_owned),
                action: decision.action.as_ref().map(|action| (action.id.to_string(), action.state.as_str())),
            });
        }
        self.objects(seq, event);
        Ok(())
    }

    /// A record that could not be decoded.
    pub(super) fn quarantined(&mut self, id: i64, stream: i64, record: &Record<'_>, reason: &DecodeError) {
        self.accepted.quarantined += 1;
        let (batch, at) = (self.accepted.batch, self.accepted_at);
        self.push(INSERT_QUARANTINED, |row| {
            row.add(id)?;
            row.add(stream)?;
            row.add(record.offset)?;
            row.add(batch)?;
            row.add(at)?;
            row.add(record.timestamp_ms)?;
            row.add(reason.reason)?;
            row.add(reason.message.as_str())?;
            row.add(record.key)?;
            row.add(columns::headers(record.headers))?;
            row.add(record.payload)
        });
    }

    /// A known record that deserves a look.
    pub(super) fn doubtful(&mut self, of: i64, stream: i64, doubt: Doubt, record: &Record<'_>) {
        self.accepted.duplicates += 1;
        let (batch, at) = (self.accepted.batch, self.accepted_at);
        let doubt = match doubt {
            Doubt::Conflict => "conflict",
            Doubt::Unconfirmed => "unconfirmed",
        };
        self.push(INSERT_DOUBTFUL, |row| {
            row.add(doubt)?;
            row.add(of)?;
            row.add(stream)?;
            row.add(record.offset)?;
            row.add(batch)?;
            row.add(at)?;
            row.add(record.payload)
        });
    }

    /// Writes all rows, the batch's own last.
    pub(super) async fn write(
        mut self,
        state: &mut State,
        deciding: &Deciding,
        entries: &[Entry<'_>],
    ) -> Result<Accepted, StoreError> {
        let connection = &mut state.connection;
        self.accepted.records = entries.len();
        self.batch_row(deciding, entries);
        if let Some(error) = self.refused {
            return Err(StoreError::Sql {
                action: "encode a row",
                source: sqlx::Error::Encode(error).into(),
            });
        }
        write_events(connection, self.events).await?;
        for (statement, row) in self.others {
            sqlx::query_with(statement, row)
                .execute(&mut *connection)
                .await
                .map_err(StoreError::sql("write the rows of a batch"))?;
        }
        Ok(self.accepted)
    }

    fn push(
        &mut self,
        statement: &'static str,
        fill: impl FnOnce(&mut SqliteArguments) -> Result<(), sqlx::error::BoxDynError>,
    ) {
        let mut row = SqliteArguments::default();
        match fill(&mut row) {
            Ok(()) => self.others.push((statement, row)),
            Err(error) => self.refused = Some(error),
        }
    }

    fn event_row(
        &mut self,
        seq: i64,
        stream: i64,
        origin: i64,
        matched: bool,
        event: &Event<'_>,
        record: &Record<'_>,
    ) {
        let (batch, accepted_at) = (self.accepted.batch, self.accepted_at);
        let Some(row) = self.event_arguments() else { return };
        let facts = &event.facts;
        let filled = (|| {
            row.add(seq)?;
            row.add(stream)?;
            row.add(record.offset)?;
            row.add(batch)?;
            row.add(accepted_at)?;
            row.add(record.timestamp_ms)?;
            row.add(origin)?;
            row.add(columns::envelope(event.envelope))?;
            row.add(i64::from(event.flags.to_bits()))?;
            row.add(i64::from(matched))?;
            row.add(event.id.as_deref())?;
            row.add(event.workspace)?;
            row.add(event.operator.as_deref())?;
            row.add(facts.instance)?;
            row.add(facts.node)?;
            row.add(facts.status.map(columns::status))?;
            row.add(columns::facts(facts))?;
            row.add(record.key)?;
            row.add(columns::headers(record.headers))?;
            // Only UTF-8 decodes to an event.
            row.add(std::str::from_utf8(record.payload)?)
        })();
        if let Err(error) = filled {
            self.refused = Some(error);
        }
    }

    /// The arguments of the statement that the next event row belongs to.
    fn event_arguments(&mut self) -> Option<&mut SqliteArguments> {
        let full = self.events.last().is_none_or(|(chunk, arguments)| {
            CHUNKS.get(*chunk).is_none_or(|rows| arguments.len() >= rows * EVENT_COLUMNS)
        });
        if full {
            let chunk = CHUNKS.iter().position(|rows| *rows <= self.events_left)?;
            let rows = CHUNKS.get(chunk)?;
            self.events_left -= rows;
            let mut arguments = SqliteArguments::default();
            arguments.reserve(rows * EVENT_COLUMNS, 0);
            self.events.push((chunk, arguments));
        }
        self.events.last_mut().map(|(_, arguments)| arguments)
    }

    fn decision(&mut self, deciding: &Deciding, seq: i64, position: usize, decision: &Decision) {
        let at = self.accepted_at;
        self.push(INSERT_DECISION, |row| {
            row.add(seq)?;
            row.add(columns::count(position))?;
            row.add(decision.rule.as_str())?;
            row.add(decision.rule_path.as_str())?;
            row.add(deciding.rule_set)?;
            row.add(deciding.configuration)?;
            row.add(decision.outcome.as_str())?;
            row.add(message_of(&decision.outcome))?;
            row.add(decision.age_ms)?;
            row.add(i64::from(decision.calls_in_hour))?;
            row.add(decision.action.as_ref().map(|action| action.id.as_str()))?;
            row.add(at)
        });
    }

    fn action(
        &mut self,
        deciding: &Deciding,
        seq: i64,
        number: i64,
        workspace: Option<i64>,
        decision: &Decision,
        action: &PlannedAction,
    ) {
        let (state, held_reason) = (action.state.as_str(), held_reason(action.state));
        if state == "planned" {
            self.accepted.planned += 1;
        }
        let at = self.accepted_at;
        let operation = action.operation;
        let access = match operation.access {
            Access::Read => "read",
            Access::Write => "write",
        };
        self.push(INSERT_ACTION, |row| {
            row.add(number)?;
            row.add(action.id.as_str())?;
            row.add(seq)?;
            row.add(action.rule.as_str())?;
            row.add(decision.rule_path.as_str())?;
            row.add(deciding.rule_set)?;
            row.add(deciding.configuration)?;
            row.add(i64::from(action.step))?;
            row.add(operation.name)?;
            row.add(operation.version.as_str())?;
            row.add(access)?;
            row.add(operation.repeat_effect.as_str())?;
            row.add(action.account.as_str())?;
            row.add(deciding.regions.get(&action.account).map(String::as_str))?;
            row.add(workspace)?;
            row.add(serde_json::to_string(&action.params)?)?;
            row.add(action.in_order_by.as_deref())?;
            row.add(i64::from(action.priority))?;
            row.add(state)?;
            row.add(held_reason)?;
            row.add(at)?;
            row.add(action.expires_at_ms)?;
            row.add((state == "observed").then_some(at))
        });
    }

    fn objects(&mut self, seq: i64, event: &Event<'_>) {
        let facts = &event.facts;
        let numbers = [
            ("instance", facts.instance.iter().chain(&facts.instances)),
            ("node", facts.node.iter().chain(&facts.nodes)),
            ("file", facts.file.iter().chain(&[])),
            ("workspace", event.workspace.iter().chain(&[])),
        ];
        for (kind, ids) in numbers {
            for id in ids {
                self.object(kind, &id.to_string(), seq);
            }
        }
        for (kind, id) in [("table", &facts.table), ("operator", &event.operator)] {
            if let Some(id) = id {
                self.object(kind, id, seq);
            }
        }
    }

    fn object(&mut self, kind: &'static str, id: &str, seq: i64) {
        self.push(INSERT_OBJECT, |row| {
            row.add(kind)?;
            row.add(id)?;
            row.add(seq)
        });
    }

    fn batch_row(&mut self, deciding: &Deciding, entries: &[Entry<'_>]) {
        let ranges = ranges(entries);
        let (first, last, at) = (self.first_event, self.last_event, self.accepted_at);
        let accepted = self.accepted.clone();
        self.push(INSERT_BATCH, |row| {
            row.add(accepted.batch)?;
            row.add(at)?;
            row.add(deciding.rule_set)?;
            row.add(deciding.configuration)?;
            row.add(serde_json::to_string(&ranges)?)?;
            row.add(columns::count(accepted.records))?;
            row.add(columns::count(accepted.events))?;
            row.add(columns::count(accepted.duplicates))?;
            row.add(columns::count(accepted.quarantined))?;
            row.add(first)?;
            row.add(last)
        });
    }
}

/// Why a decision came to nothing.
fn message_of(outcome: &DecisionOutcome) -> Option<&str> {
    match outcome {
        DecisionOutcome::Failed(message) => Some(message),
        _ => None,
    }
}

/// Why an action is held, if it is.
fn held_reason(state: PlannedState) -> Option<&'static str> {
    match state {
        PlannedState::Planned | PlannedState::Observed => None,
        PlannedState::Held(reason) => Some(reason.as_str()),
    }
}

async fn write_events(
    connection: &mut SqliteConnection,
    chunks: Vec<(usize, SqliteArguments)>,
) -> Result<(), StoreError> {
    for (chunk, arguments) in chunks {
        let Some(statement) = INSERT_EVENTS_BY_CHUNK.get(chunk) else { continue };
        // Safe: the text is one constant and question marks.
        sqlx::query_with(AssertSqlSafe(Arc::clone(statement)), arguments)
            .execute(&mut *connection)
            .await
            .map_err(StoreError::sql("write events"))?;
    }
    Ok(())
}

/// What part of which partitions a batch holds.
fn ranges<'a>(entries: &[Entry<'a>]) -> Vec<Range<'a>> {
    let mut ranges: Vec<Range<'a>> = Vec::new();
    for Entry { record, .. } in entries {
        let known = ranges
            .iter_mut()
            .find(|range| (range.topic, range.partition) == (record.topic, record.partition));
        match known {
            Some(range) => {
                range.first = range.first.min(record.offset);
                range.last = range.last.max(record.offset);
                range.records += 1;
            }
            None => ranges.push(Range {
                topic: record.topic,
                partition: record.partition,
                first: record.offset,
                last: record.offset,
                records: 1,
            }),
        }
    }
    ranges
}
