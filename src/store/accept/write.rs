//! Writing the rows of one batch, each kind by few statements.

use serde::Serialize;
use sqlx::Arguments as _;

use super::bulk::Bulk;
use super::rows::{DecisionRow, EventRow, Writing, message_of};
use super::{Accepted, Deciding, Doubt};
use crate::action::{PlannedAction, PlannedState};
use crate::record::Record;
use crate::store::StoreError;
use crate::store::columns;
use crate::store::writer::State;

static EVENTS: Bulk = Bulk::new(
    "INSERT INTO event (seq, stream, \"offset\", batch, accepted_at, kafka_at, origin, envelope, flags, matched, id, \
     workspace, operator, instance, node, status, facts, key, headers, payload) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    "",
);
static QUARANTINED: Bulk = Bulk::new(
    "INSERT INTO quarantined_record (id, stream, \"offset\", batch, quarantined_at, kafka_at, reason, message, key, \
     headers, payload) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?,?)",
    "",
);
static DOUBTFUL: Bulk = Bulk::new(
    "INSERT INTO doubtful_duplicate (doubt, event, stream, \"offset\", batch, noticed_at, payload) VALUES ",
    "(?,?,?,?,?,?,?)",
    "",
);
// An identity may leave the log before the action that its event once caused leaves the outbox; should the
// event come again then, the action that stands is the one.
static ACTIONS: Bulk = Bulk::new(
    "INSERT INTO action (number, id, event, rule, rule_path, rule_set, configuration, step, operation, version, \
     access, repeat_effect, account, region, workspace, params, in_order_by, priority, state, held_reason, \
     planned_at, due_at, expires_at, settled_at) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    " ON CONFLICT (id) DO NOTHING",
);
// By the action's id: it may be one of an earlier acceptance.
static DECISIONS: Bulk = Bulk::new(
    "INSERT INTO decision (event, position, rule, rule_path, rule_set, configuration, outcome, message, age_ms, \
     calls_in_hour, action, decided_at) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?,(SELECT number FROM action WHERE id = ?),?)",
    "",
);
static OBJECTS: Bulk =
    Bulk::new("INSERT OR IGNORE INTO event_object (kind, id, event) VALUES ", "(?,?,?)", "");
static BATCHES: Bulk = Bulk::new(
    "INSERT INTO batch (id, accepted_at, rule_set, configuration, ranges, records, events, duplicates, quarantined, \
     first_event, last_event) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?,?)",
    "",
);

/// A range of positions in a batch, as `batches.ranges` shows it.
#[derive(Serialize)]
struct Range<'a> {
    topic: &'a str,
    partition: i32,
    first: i64,
    last: i64,
    records: usize,
    /// Only where they came from quarantine: an earlier batch has counted them once.
    #[serde(skip_serializing_if = "Source::is_topic")]
    replayed: Source,
}

/// Where the records of a batch came from; in `batches.ranges`, whether they were replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "bool")]
pub(super) enum Source {
    Topic,
    Quarantine,
}

impl Source {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_topic(&self) -> bool {
        *self == Source::Topic
    }
}

impl From<Source> for bool {
    fn from(source: Source) -> bool {
        source == Source::Quarantine
    }
}

impl Writing<'_> {
    /// Writes all rows; `records` are those of the batch.
    pub(super) async fn write<'r>(
        self,
        state: &mut State,
        deciding: &Deciding,
        records: impl Iterator<Item = &'r Record<'r>>,
        source: Source,
    ) -> Result<Accepted, StoreError> {
        self.write_records(state).await?;
        self.write_decisions(state, deciding).await?;
        let ranges = serde_json::to_string(&ranges(records, source));
        let (first, last) = (self.events.first().map(|row| row.seq), self.events.last().map(|row| row.seq));
        BATCHES
            .insert(&mut state.connection, &[&self.accepted], |accepted, row| {
                row.add(accepted.batch)?;
                row.add(self.accepted_at)?;
                row.add(deciding.rule_set)?;
                row.add(deciding.configuration)?;
                row.add(ranges.as_deref().map_err(ToString::to_string)?)?;
                row.add(columns::count(accepted.records))?;
                row.add(columns::count(accepted.events))?;
                row.add(columns::count(accepted.duplicates))?;
                row.add(columns::count(accepted.quarantined))?;
                row.add(first)?;
                row.add(last)
            })
            .await?;
        Ok(self.accepted)
    }

    async fn write_records(&self, state: &mut State) -> Result<(), StoreError> {
        let connection = &mut state.connection;
        let (batch, at) = (self.accepted.batch, self.accepted_at);
        EVENTS
            .insert(
                connection,
                &self.events,
                |EventRow { seq, stream, origin, matched, event, record }, row| {
                    let facts = &event.facts;
                    row.add(*seq)?;
                    row.add(*stream)?;
                    row.add(record.offset)?;
                    row.add(batch)?;
                    row.add(at)?;
                    row.add(record.timestamp_ms)?;
                    row.add(*origin)?;
                    row.add(columns::envelope(event.envelope))?;
                    row.add(i64::from(event.flags.to_bits()))?;
                    row.add(i64::from(*matched))?;
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
                },
            )
            .await?;
        QUARANTINED
            .insert(connection, &self.quarantined, |(id, stream, record, reason), row| {
                row.add(*id)?;
                row.add(*stream)?;
                row.add(record.offset)?;
                row.add(batch)?;
                row.add(at)?;
                row.add(record.timestamp_ms)?;
                row.add(reason.reason)?;
                row.add(reason.message.as_str())?;
                row.add(record.key)?;
                row.add(columns::headers(record.headers))?;
                row.add(record.payload)
            })
            .await?;
        DOUBTFUL
            .insert(connection, &self.doubtful, |(of, stream, doubt, record), row| {
                row.add(match doubt {
                    Doubt::Conflict => "conflict",
                    Doubt::Unconfirmed => "unconfirmed",
                })?;
                row.add(*of)?;
                row.add(*stream)?;
                row.add(record.offset)?;
                row.add(batch)?;
                row.add(at)?;
                row.add(record.payload)
            })
            .await
    }

    async fn write_decisions(&self, state: &mut State, deciding: &Deciding) -> Result<(), StoreError> {
        let connection = &mut state.connection;
        let at = self.accepted_at;
        let actions: Vec<_> = self
            .actions
            .iter()
            .filter_map(|row| {
                let DecisionRow { seq, decision, .. } = self.decisions.get(row.decision)?;
                Some((row.number, *seq, row.workspace, decision, decision.action.as_ref()?))
            })
            .collect();
        ACTIONS
            .insert(connection, &actions, |(number, seq, workspace, decision, action), row| {
                let PlannedAction { operation, state, .. } = action;
                row.add(*number)?;
                row.add(action.id.as_str())?;
                row.add(*seq)?;
                row.add(action.rule.as_str())?;
                row.add(decision.rule_path.as_str())?;
                row.add(deciding.rule_set)?;
                row.add(deciding.configuration)?;
                row.add(i64::from(action.step))?;
                row.add(operation.name)?;
                row.add(operation.version.as_str())?;
                row.add(operation.access.as_str())?;
                row.add(operation.repeat_effect.as_str())?;
                row.add(action.account.as_str())?;
                row.add(deciding.regions.get(&action.account).map(String::as_str))?;
                row.add(*workspace)?;
                row.add(serde_json::to_string(&action.params)?)?;
                row.add(action.in_order_by.as_deref())?;
                row.add(i64::from(action.priority))?;
                row.add(state.as_str())?;
                row.add(held_reason(*state))?;
                row.add(at)?;
                row.add(at)?;
                row.add(action.expires_at_ms)?;
                row.add((*state == PlannedState::Observed).then_some(at))
            })
            .await?;
        DECISIONS
            .insert(connection, &self.decisions, |DecisionRow { seq, position, decision }, row| {
                row.add(*seq)?;
                row.add(columns::count(*position))?;
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
            })
            .await?;
        OBJECTS
            .insert(connection, &self.objects, |(kind, id, seq), row| {
                row.add(*kind)?;
                row.add(id.as_str())?;
                row.add(*seq)
            })
            .await
    }
}

/// Why an action is held, if it is.
fn held_reason(state: PlannedState) -> Option<&'static str> {
    match state {
        PlannedState::Planned | PlannedState::Observed => None,
        PlannedState::Held(reason) => Some(reason.as_str()),
    }
}

/// What part of which partitions a batch holds.
fn ranges<'a>(records: impl Iterator<Item = &'a Record<'a>>, replayed: Source) -> Vec<Range<'a>> {
    let mut ranges: Vec<Range<'a>> = Vec::new();
    for record in records {
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
                replayed,
            }),
        }
    }
    ranges
}
