//! Replaying quarantined records: what decodes by now becomes an event, in one commit with all it causes.
//!
//! A replayed record keeps its stream and offset, and the position of its stream stays. It is planned as if
//! it came now, so its age holds what would be called too late. If an event of its identity was accepted
//! meanwhile, nothing is planned, and the record points to that event. What still does not decode stays
//! in quarantine with the reason. A crash leaves it asked for, or done.

use std::ops::Range;
use std::sync::Arc;

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::duplicate::{self, Counts};
use super::{Accepted, Deciding, Fate, hash_of, rows, write};
use crate::batch::{Content, DecodedBatch, Entry, RecordBatch};
use crate::diagnostic::chain;
use crate::store::identity::Entry as IdentityEntry;
use crate::store::writer::{State, Writer};
use crate::store::{StoreError, columns};

/// A quarantined record whose replay is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quarantined {
    /// Its row.
    pub id: i64,
    /// The stream it belongs to.
    stream: i64,
}

/// What is to be replayed next.
#[derive(Debug, Default)]
pub struct ToReplay {
    /// The records.
    pub records: RecordBatch,
    /// Their rows, in the same order.
    pub quarantined: Vec<Quarantined>,
    /// Rows that cannot be read as a record, and why.
    pub unreadable: Vec<(i64, String)>,
}

/// What replays came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// What those that decode by now came to; `None` if there are none, and thus no batch.
    pub accepted: Option<Accepted>,
    /// Records that still are no event.
    pub undecodable: usize,
}

// Sizes first, so that few large records are not read by the hundred.
const WANTED: &str = "SELECT id, length(payload) FROM quarantined_record \
    WHERE replay_requested_at IS NOT NULL AND replayed_at IS NULL ORDER BY id LIMIT ?1";
// A record that Kafka gave no time is as old as its quarantine, never new: its age belt has to hold.
const RECORD: &str = "SELECT q.id, q.stream, s.topic, s.partition, q.\"offset\", \
    coalesce(q.kafka_at, q.quarantined_at), q.key, q.headers, q.payload \
    FROM quarantined_record q JOIN stream s ON s.id = q.stream WHERE q.id = ?1";
const STILL_WANTED: &str = "SELECT count(*) FROM quarantined_record WHERE id IN (SELECT value FROM json_each(?1)) \
    AND replay_requested_at IS NOT NULL AND replayed_at IS NULL";
const DONE: &str = "UPDATE quarantined_record SET replayed_at = ?2, replayed_event = ?3, replay_requested_at = NULL, \
    replay_problem = NULL WHERE id = ?1";
const FAILED: &str =
    "UPDATE quarantined_record SET replay_requested_at = NULL, replay_problem = ?2 WHERE id = ?1";

impl Writer {
    /// The next records whose replay is asked for: at most `records_max`, and together at most `bytes_max`
    /// unless the first alone is larger.
    ///
    /// # Errors
    /// The database cannot be read; a single row that cannot be is none of them.
    pub async fn to_replay(&self, records_max: usize, bytes_max: usize) -> Result<ToReplay, StoreError> {
        self.run(move |state| {
            Box::pin(async move { to_replay(&mut state.connection, records_max, bytes_max).await })
        })
        .await
    }

    /// Accepts the replayed records of `part` of `batch`, which are `quarantined` in the same order, in one
    /// commit.
    ///
    /// # Errors
    /// The commit failed; the replays are still asked for.
    pub async fn replay(
        &self,
        batch: Arc<DecodedBatch>,
        quarantined: Arc<[Quarantined]>,
        part: Range<usize>,
        deciding: Arc<Deciding>,
        now_ms: i64,
    ) -> Result<Replayed, StoreError> {
        self.run(move |state| {
            Box::pin(async move {
                let entries = batch.entries().get(part.clone()).unwrap_or_default();
                let quarantined = quarantined.get(part).unwrap_or_default();
                replay(state, entries, quarantined, &deciding, now_ms).await
            })
        })
        .await
    }

    /// Ends the request of the record `id` without a replay: it stays in quarantine, with `problem`.
    ///
    /// # Errors
    /// The commit failed; the replay is still asked for.
    pub async fn refuse_replay(&self, id: i64, problem: String) -> Result<(), StoreError> {
        self.run(move |state| {
            Box::pin(async move { set_failed(&mut state.connection, id, "not_replayed", &problem).await })
        })
        .await
    }
}

async fn to_replay(
    connection: &mut SqliteConnection,
    records_max: usize,
    bytes_max: usize,
) -> Result<ToReplay, StoreError> {
    let failed = || StoreError::sql("read the records to replay");
    let wanted: Vec<(i64, i64)> = sqlx::query_as(WANTED)
        .bind(columns::count(records_max))
        .fetch_all(&mut *connection)
        .await
        .map_err(failed())?;
    let (mut found, mut bytes) = (ToReplay::default(), 0_usize);
    for (id, payload_bytes) in wanted {
        bytes = bytes.saturating_add(usize::try_from(payload_bytes).unwrap_or(usize::MAX));
        if bytes > bytes_max && !found.quarantined.is_empty() {
            break;
        }
        // One by one, so that a row that cannot be read keeps no other from its replay.
        match read(connection, id, &mut found.records).await {
            Ok(record) => found.quarantined.push(record),
            Err(error) if error.is_passing() => return Err(error),
            Err(error) => found.unreadable.push((id, chain(&error))),
        }
    }
    Ok(found)
}

async fn read(
    connection: &mut SqliteConnection,
    id: i64,
    records: &mut RecordBatch,
) -> Result<Quarantined, StoreError> {
    let failed = StoreError::sql("read a record to replay");
    let row = sqlx::query(RECORD).bind(id).fetch_optional(connection).await.map_err(failed)?;
    let place = "quarantined_record.stream";
    let row = row.ok_or_else(|| StoreError::Corrupt { place, found: "no such stream".into() })?;
    push(&row, records)
}

/// Makes the row a record again, and tells which quarantined one it was.
fn push(row: &SqliteRow, records: &mut RecordBatch) -> Result<Quarantined, StoreError> {
    const READING: &str = "read a record to replay";
    let failed = || StoreError::sql(READING);
    let (id, stream) = (row.try_get(0).map_err(failed())?, row.try_get(1).map_err(failed())?);
    columns::push_record(row, 2, READING, records)?;
    Ok(Quarantined { id, stream })
}

async fn replay(
    state: &mut State,
    entries: &[Entry<'_>],
    quarantined: &[Quarantined],
    deciding: &Deciding,
    now_ms: i64,
) -> Result<Replayed, StoreError> {
    let ids: Vec<i64> = quarantined.iter().map(|record| record.id).collect();
    let wanted: i64 = sqlx::query_scalar(STILL_WANTED)
        .bind(columns::json_numbers(&ids))
        .fetch_one(&mut state.connection)
        .await
        .map_err(StoreError::sql("look which replays are still wanted"))?;
    if wanted != columns::count(ids.len()) {
        // Somebody else was faster: what is left is read again.
        return Ok(Replayed::default());
    }
    let mut fates: Vec<Fate> = quarantined.iter().map(|record| Fate::Fresh(record.stream)).collect();
    let hashes: Vec<u64> = entries.iter().map(hash_of).collect();
    duplicate::by_identity(state, entries, &hashes, &mut fates, Counts::EventsOnly).await?;
    let (mut events, mut undecodable) = (Vec::new(), 0);
    for (((entry, fate), hash), record) in entries.iter().zip(fates).zip(hashes).zip(quarantined) {
        match &entry.content {
            Content::Event { .. } => events.push(Decodable { id: record.id, entry, fate, hash }),
            Content::Quarantined(reason) => {
                undecodable += 1;
                set_failed(&mut state.connection, record.id, reason.reason, &reason.message).await?;
            }
        }
    }
    let accepted =
        if events.is_empty() { None } else { Some(accept(state, &events, deciding, now_ms).await?) };
    Ok(Replayed { accepted, undecodable })
}

/// A record that is an event by now.
struct Decodable<'a> {
    id: i64,
    entry: &'a Entry<'a>,
    fate: Fate,
    hash: u64,
}

/// Accepts `events` as a batch of its own.
async fn accept(
    state: &mut State,
    events: &[Decodable<'_>],
    deciding: &Deciding,
    now_ms: i64,
) -> Result<Accepted, StoreError> {
    let accepted_at = now_ms.max(state.last_accepted_at);
    state.last_accepted_at = accepted_at;
    let batch = state.next_batch;
    state.next_batch += 1;
    let mut writing = rows::Writing::new(batch, accepted_at, events.len());
    let context = deciding.context(accepted_at);
    let (mut identities, mut done) = (Vec::with_capacity(events.len()), Vec::with_capacity(events.len()));
    for Decodable { id, entry, fate, hash } in events {
        let event = match *fate {
            Fate::Fresh(stream) => {
                let seq = state.next_event;
                state.next_event += 1;
                identities.push(IdentityEntry { hash: *hash, number: seq });
                writing.event(state, deciding, &context, (seq, stream), entry).await?;
                seq
            }
            Fate::Duplicate(of) => {
                writing.accepted.duplicates += 1;
                of
            }
            Fate::Doubtful { of, stream, doubt } => {
                writing.doubtful(of, stream, doubt, &entry.record);
                of
            }
        };
        done.push((*id, event));
    }
    let records = events.iter().map(|event| &event.entry.record);
    let accepted = writing.write(state, deciding, records, write::Source::Quarantine).await?;
    let State { identities: log, connection, .. } = state;
    log.append(connection, batch, &identities).await?;
    for (id, event) in done {
        set_done(connection, id, event, accepted_at).await?;
    }
    Ok(accepted)
}

async fn set_done(
    connection: &mut SqliteConnection,
    id: i64,
    event: i64,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(DONE)
        .bind(id)
        .bind(now_ms)
        .bind(event)
        .execute(connection)
        .await
        .map(drop)
        .map_err(StoreError::sql("mark a record as replayed"))
}

async fn set_failed(
    connection: &mut SqliteConnection,
    id: i64,
    reason: &str,
    message: &str,
) -> Result<(), StoreError> {
    sqlx::query(FAILED)
        .bind(id)
        .bind([reason, ": ", message].concat())
        .execute(connection)
        .await
        .map(drop)
        .map_err(StoreError::sql("keep why a replay failed"))
}
