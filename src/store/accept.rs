//! Accepting a batch: what is new, what is known, what follows, in one commit.
//!
//! Takes the decoded records of one poll and gives the counts of what became of them. Every record
//! ends as an event, a duplicate or a quarantined record, and the batch's row proves it.
//!
//! # Why
//! A position never proves a duplicate: a re-created topic starts its offsets anew. What lies at or
//! below a stream's high-water mark is compared with the row that lies there; everything else is
//! asked of the identity log.

mod bulk;

mod duplicate;

mod replay;

mod rows;

mod tally;

mod write;

pub use replay::{Quarantined, Replayed, ToReplay};

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use self::duplicate::Counts;
use super::StoreError;
use super::identity::{self, Entry as IdentityEntry};
use super::writer::{State, Writer};
use crate::action::plan::{PlanContext, Trust};
use crate::batch::{Content, DecodedBatch, Entry};
use crate::rule::{Policy, RuleSet};

pub use tally::{CodeTally, OTHER, Tally, counted_code};

/// What a batch is decided by.
#[derive(Debug)]
pub struct Deciding {
    /// The rules that matched the batch.
    pub rules: Arc<RuleSet>,
    /// The row of the rule set ([`Writer::remember_rules`]).
    pub rule_set: i64,
    /// The row of the configuration ([`Writer::remember_configuration`]).
    pub configuration: i64,
    /// Which writes may be called.
    pub policy: Policy,
    /// Whose events may cause calls.
    pub trust: Trust,
    /// The account of steps that name none.
    pub default_account: Option<String>,
    /// Region of each account, kept with the action.
    pub regions: HashMap<String, String>,
}

impl Deciding {
    /// What planning depends on at `accepted_at_ms`.
    fn context(&self, accepted_at_ms: i64) -> PlanContext<'_> {
        PlanContext {
            accepted_at_ms,
            policy: &self.policy,
            trust: &self.trust,
            default_account: self.default_account.as_deref(),
        }
    }
}

/// What became of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Its row in `batches`.
    pub batch: i64,
    /// Records in it.
    pub records: usize,
    /// New events.
    pub events: usize,
    /// Of them, those that a rule matched.
    pub matched: usize,
    /// Records known already.
    pub duplicates: usize,
    /// Records that could not be decoded.
    pub quarantined: usize,
    /// Actions due to be sent.
    pub planned: usize,
    /// The counts by code and by reason.
    pub tally: Tally,
    /// What the rules made of its events, for the log.
    pub decisions: Vec<Decided>,
}

/// One decision, as the log tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The event's number.
    pub event: i64,
    /// The event's own id, if it has one.
    pub event_id: Option<String>,
    /// The rule.
    pub rule: String,
    /// `planned`, `recorded`, `untrusted` or `failed`.
    pub outcome: &'static str,
    /// Why it failed.
    pub message: Option<String>,
    /// The action's id and its first state.
    pub action: Option<(String, &'static str)>,
}

/// What is to become of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// New, in this stream.
    Fresh(i64),
    /// Known: repeats this event (negative: this quarantined record).
    Duplicate(i64),
    /// Known, but something deserves a look.
    Doubtful { of: i64, stream: i64, doubt: Doubt },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// The same identity with another payload.
    Conflict,
    /// The row that could confirm it was removed by retention.
    Unconfirmed,
}

/// A stream as the writer remembers it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream {
    pub(super) id: i64,
    pub(super) generation: i64,
    pub(super) next_offset: i64,
}

impl Writer {
    /// Accepts `batch` in one commit; when this returns, the batch is durable.
    ///
    /// # Errors
    /// The commit failed and nothing of the batch was kept: accept it again, or do not store its offsets.
    pub async fn accept(
        &self,
        batch: Arc<DecodedBatch>,
        deciding: Arc<Deciding>,
        now_ms: i64,
    ) -> Result<Accepted, StoreError> {
        self.run(move |state| {
            Box::pin(async move { accept(state, batch.entries(), &deciding, now_ms).await })
        })
        .await
    }
}

async fn accept(
    state: &mut State,
    entries: &[Entry<'_>],
    deciding: &Deciding,
    now_ms: i64,
) -> Result<Accepted, StoreError> {
    let accepted_at = now_ms.max(state.last_accepted_at);
    state.last_accepted_at = accepted_at;
    let hashes: Vec<u64> = entries.iter().map(hash_of).collect();
    let mut fates = duplicate::by_position(state, entries, &hashes, accepted_at).await?;
    duplicate::by_identity(state, entries, &hashes, &mut fates, Counts::All).await?;

    let batch = state.next_batch;
    state.next_batch += 1;
    let mut writing = rows::Writing::new(batch, accepted_at, entries.len());
    let context = deciding.context(accepted_at);
    let mut identities = Vec::with_capacity(entries.len());
    for ((entry, fate), &hash) in entries.iter().zip(&fates).zip(&hashes) {
        match (fate, &entry.content) {
            (Fate::Fresh(stream), Content::Event { .. }) => {
                let seq = state.next_event;
                state.next_event += 1;
                identities.push(IdentityEntry { hash, number: seq });
                writing.event(state, deciding, &context, (seq, *stream), entry).await?;
            }
            (Fate::Fresh(stream), Content::Quarantined(reason)) => {
                let id = state.next_quarantined;
                state.next_quarantined += 1;
                identities.push(IdentityEntry { hash, number: -id });
                writing.quarantined(id, *stream, &entry.record, reason);
            }
            (Fate::Duplicate(_), _) => writing.accepted.duplicates += 1,
            (Fate::Doubtful { of, stream, doubt }, _) => {
                writing.doubtful(*of, *stream, *doubt, &entry.record);
            }
        }
    }
    let records = entries.iter().map(|entry| &entry.record);
    let accepted = writing.write(state, deciding, records, write::Source::Topic).await?;
    let State { identities: log, connection, .. } = state;
    log.append(connection, batch, &identities).await?;
    Ok(accepted)
}

fn hash_of(entry: &Entry<'_>) -> u64 {
    let record = &entry.record;
    if let Content::Event { event, .. } = &entry.content
        && let (Some(id), Some(source)) = (&event.id, &event.source)
    {
        return identity::event_hash(id, source, event.event_type.as_deref());
    }
    identity::record_hash(record.topic, record.partition, record.offset, record.payload)
}

const FIND_STREAM: &str = "SELECT id, generation, next_offset FROM stream \
    WHERE topic = ?1 AND partition = ?2 ORDER BY generation DESC LIMIT 1";
const INSERT_STREAM: &str = "INSERT INTO stream (topic, partition, generation, next_offset, opened_at) \
    VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id";
const UPDATE_STREAM: &str = "UPDATE stream SET next_offset = ?2 WHERE id = ?1 AND next_offset < ?2";

/// The newest generation of a partition, opened if there is none.
async fn newest_stream(
    connection: &mut SqliteConnection,
    topic: &str,
    partition: i32,
    first_offset: i64,
    now_ms: i64,
) -> Result<Stream, StoreError> {
    let failed = || StoreError::sql("read a stream");
    let row = sqlx::query(FIND_STREAM)
        .bind(topic)
        .bind(partition)
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed())?;
    match row {
        Some(row) => Ok(Stream {
            id: row.try_get(0).map_err(failed())?,
            generation: row.try_get(1).map_err(failed())?,
            next_offset: row.try_get(2).map_err(failed())?,
        }),
        None => open_stream(connection, topic, partition, 1, first_offset, now_ms).await,
    }
}

async fn open_stream(
    connection: &mut SqliteConnection,
    topic: &str,
    partition: i32,
    generation: i64,
    first_offset: i64,
    now_ms: i64,
) -> Result<Stream, StoreError> {
    let id = sqlx::query_scalar(INSERT_STREAM)
        .bind(topic)
        .bind(partition)
        .bind(generation)
        .bind(first_offset)
        .bind(now_ms)
        .fetch_one(connection)
        .await
        .map_err(StoreError::sql("open a stream"))?;
    Ok(Stream { id, generation, next_offset: first_offset })
}

async fn advance_stream(connection: &mut SqliteConnection, stream: Stream) -> Result<(), StoreError> {
    sqlx::query(UPDATE_STREAM)
        .bind(stream.id)
        .bind(stream.next_offset)
        .execute(connection)
        .await
        .map(drop)
        .map_err(StoreError::sql("advance a stream"))
}
