//! Which records are known already.

use std::collections::HashMap;

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::{Doubt, Fate, advance_stream, newest_stream, open_stream};
use crate::batch::{Content, Entry};
use crate::event::Envelope;
use crate::store::StoreError;
use crate::store::columns;
use crate::store::writer::State;

/// Rows read at once to confirm hits of the identity log: bounds memory when all records are known.
const ROWS_READ_MAX: usize = 256;

/// An accepted record as its row tells it.
struct Known {
    /// The event's number, or the negative of the quarantined record's.
    number: i64,
    id: Option<String>,
    source: Option<String>,
    event_type: Option<String>,
    payload: Vec<u8>,
}

const EVENTS_IN_RANGE: &str = "SELECT e.seq, e.id, o.source, o.type, CAST(e.payload AS BLOB), e.\"offset\" \
    FROM event e JOIN origin o ON o.id = e.origin WHERE e.stream = ?1 AND e.\"offset\" BETWEEN ?2 AND ?3";
const QUARANTINED_IN_RANGE: &str = "SELECT -id, NULL, NULL, NULL, payload, \"offset\" \
    FROM quarantined_record WHERE stream = ?1 AND \"offset\" BETWEEN ?2 AND ?3";
const EVENTS_BY_NUMBER: &str = "SELECT e.seq, e.id, o.source, o.type, CAST(e.payload AS BLOB) \
    FROM event e JOIN origin o ON o.id = e.origin WHERE e.seq IN (SELECT value FROM json_each(?1))";
const QUARANTINED_BY_NUMBER: &str = "SELECT -id, NULL, NULL, NULL, payload FROM quarantined_record \
    WHERE id IN (SELECT -value FROM json_each(?1))";

/// Compares what lies at or below each stream's high-water mark with the rows that lie there.
///
/// What is not decided here is `Fresh` until [`by_identity`] has looked.
pub(super) async fn by_position(
    state: &mut State,
    entries: &[Entry<'_>],
    hashes: &[u64],
    now_ms: i64,
) -> Result<Vec<Fate>, StoreError> {
    let mut fates = vec![Fate::Fresh(0); entries.len()];
    let mut partitions: HashMap<(&str, i32), Vec<usize>> = HashMap::new();
    for (index, entry) in entries.iter().enumerate() {
        partitions.entry((entry.record.topic, entry.record.partition)).or_default().push(index);
    }
    for ((topic, partition), indexes) in partitions {
        let offset_of = |index: &usize| entries.get(*index).map_or(0, |entry| entry.record.offset);
        let lowest = indexes.iter().map(offset_of).min().unwrap_or(0);
        let highest = indexes.iter().map(offset_of).max().unwrap_or(0);
        let key = (topic.to_owned(), partition);
        let mut stream = match state.streams.get(&key) {
            Some(stream) => *stream,
            None => newest_stream(&mut state.connection, topic, partition, lowest, now_ms).await?,
        };
        let mut known = if lowest < stream.next_offset {
            rows_in_range(&mut state.connection, stream.id, lowest, highest).await?
        } else {
            HashMap::new()
        };
        // Positions of this batch in the present generation, kept only where the log runs backwards.
        let mut taken: HashMap<i64, usize> = HashMap::new();
        for index in indexes {
            let (Some(entry), Some(fate)) = (entries.get(index), fates.get_mut(index)) else { continue };
            let offset = entry.record.offset;
            let mut renewed = false;
            if offset < stream.next_offset {
                if let Some(rows) = known.get(&offset) {
                    if let Some(row) = rows.iter().find(|row| row.is_same_as(entry)) {
                        *fate = row.fate(entry, stream.id);
                        continue;
                    }
                    renewed = true;
                } else if let Some(earlier) = taken.get(&offset) {
                    // The same position twice in one batch: a repetition, or a new topic.
                    renewed = hashes.get(*earlier) != hashes.get(index);
                }
            }
            if renewed {
                advance_stream(&mut state.connection, stream).await?;
                stream = open_stream(
                    &mut state.connection,
                    topic,
                    partition,
                    stream.generation + 1,
                    offset,
                    now_ms,
                )
                .await?;
                known.clear();
                taken.clear();
            }
            taken.insert(offset, index);
            stream.next_offset = stream.next_offset.max(offset.saturating_add(1));
            *fate = Fate::Fresh(stream.id);
        }
        advance_stream(&mut state.connection, stream).await?;
        state.streams.insert(key, stream);
    }
    Ok(fates)
}

/// Which entries of the identity log count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counts {
    All,
    /// Not those of quarantined records: a record that leaves the quarantine would find itself.
    EventsOnly,
}

/// Asks the identity log about every record that is `Fresh` so far, and confirms each hit at its row.
pub(super) async fn by_identity(
    state: &mut State,
    entries: &[Entry<'_>],
    hashes: &[u64],
    fates: &mut [Fate],
    counts: Counts,
) -> Result<(), StoreError> {
    let open: Vec<usize> = fates
        .iter()
        .enumerate()
        .filter(|(_, fate)| matches!(fate, Fate::Fresh(_)))
        .map(|(index, _)| index)
        .collect();
    let open_hashes: Vec<u64> = open.iter().filter_map(|&index| hashes.get(index).copied()).collect();
    let mut hits = state.identities.find(&mut state.connection, &open_hashes).await?;
    hits.retain(|(_, number)| counts == Counts::All || *number > 0);
    confirm(&mut state.connection, entries, fates, &open, &hits).await?;
    within_batch(entries, hashes, fates, state.next_event, state.next_quarantined);
    Ok(())
}

async fn confirm(
    connection: &mut SqliteConnection,
    entries: &[Entry<'_>],
    fates: &mut [Fate],
    open: &[usize],
    hits: &[(usize, i64)],
) -> Result<(), StoreError> {
    for part in hits.chunks(ROWS_READ_MAX) {
        let numbers: Vec<i64> = part.iter().map(|(_, number)| *number).collect();
        let rows = rows_by_number(connection, &numbers).await?;
        for (position, number) in part {
            let Some(&index) = open.get(*position) else { continue };
            let (Some(entry), Some(fate)) = (entries.get(index), fates.get_mut(index)) else { continue };
            let Fate::Fresh(stream) = *fate else { continue };
            match rows.get(number) {
                Some(row) if row.is_same_as(entry) => *fate = row.fate(entry, stream),
                // The hashes are equal and the identities are not: another event.
                Some(_) => {}
                None => *fate = Fate::Doubtful { of: *number, stream, doubt: Doubt::Unconfirmed },
            }
        }
    }
    Ok(())
}

/// The same identity twice in one batch.
fn within_batch(
    entries: &[Entry<'_>],
    hashes: &[u64],
    fates: &mut [Fate],
    mut next_event: i64,
    mut next_quarantined: i64,
) {
    let mut first: HashMap<u64, (usize, i64)> = HashMap::with_capacity(entries.len());
    for (index, (entry, &hash)) in entries.iter().zip(hashes).enumerate() {
        let Some(Fate::Fresh(stream)) = fates.get(index).copied() else { continue };
        let earlier = first.get(&hash).and_then(|(at, number)| Some((entries.get(*at)?, *number)));
        match earlier {
            Some((same, number)) if same_identity(same, entry) => {
                if let Some(fate) = fates.get_mut(index) {
                    *fate = if same.record.payload == entry.record.payload {
                        Fate::Duplicate(number)
                    } else {
                        Fate::Doubtful { of: number, stream, doubt: Doubt::Conflict }
                    };
                }
            }
            _ => {
                let number = match entry.content {
                    Content::Event { .. } => {
                        next_event += 1;
                        next_event - 1
                    }
                    Content::Quarantined(_) => {
                        next_quarantined += 1;
                        1 - next_quarantined
                    }
                };
                first.insert(hash, (index, number));
            }
        }
    }
}

fn same_identity(one: &Entry<'_>, other: &Entry<'_>) -> bool {
    match (&one.content, &other.content) {
        (Content::Event { event: a, .. }, Content::Event { event: b, .. })
            if a.id.is_some() || b.id.is_some() =>
        {
            (&a.id, &a.source, &a.event_type) == (&b.id, &b.source, &b.event_type)
        }
        _ => {
            (one.record.topic, one.record.partition, one.record.offset, one.record.payload)
                == (other.record.topic, other.record.partition, other.record.offset, other.record.payload)
        }
    }
}

impl Known {
    fn of_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Known {
            number: row.try_get(0)?,
            id: row.try_get(1)?,
            source: row.try_get(2)?,
            event_type: row.try_get(3)?,
            payload: row.try_get(4)?,
        })
    }

    /// Whether the row and the record have the same identity. A record without one is known by its
    /// position, which the caller has compared or hashed, and its payload.
    fn is_same_as(&self, entry: &Entry<'_>) -> bool {
        let was_quarantined = self.number < 0;
        match &entry.content {
            // Limits change: what was quarantined may decode today, and the reverse.
            // (In Kafka's binary mode the headers tell who an event is, and equal payloads tell nothing.)
            Content::Event { event, .. } if was_quarantined => {
                event.envelope != Envelope::CloudEventsBinary && self.payload == entry.record.payload
            }
            Content::Quarantined(_) => {
                (was_quarantined || entry.record.headers.is_empty()) && self.payload == entry.record.payload
            }
            Content::Event { event, .. } if event.id.is_some() => {
                self.id.as_deref() == event.id.as_deref()
                    && self.source.as_deref() == event.source.as_deref()
                    && self.event_type.as_deref() == event.event_type.as_deref()
            }
            Content::Event { .. } => self.id.is_none() && self.payload == entry.record.payload,
        }
    }

    fn fate(&self, entry: &Entry<'_>, stream: i64) -> Fate {
        if self.payload == entry.record.payload {
            Fate::Duplicate(self.number)
        } else {
            Fate::Doubtful { of: self.number, stream, doubt: Doubt::Conflict }
        }
    }
}

async fn rows_in_range(
    connection: &mut SqliteConnection,
    stream: i64,
    lowest: i64,
    highest: i64,
) -> Result<HashMap<i64, Vec<Known>>, StoreError> {
    let failed = || StoreError::sql("read the records at known positions");
    // What was quarantined and is an event by now has two rows; the event comes first.
    let mut known: HashMap<i64, Vec<Known>> = HashMap::new();
    for statement in [EVENTS_IN_RANGE, QUARANTINED_IN_RANGE] {
        let rows = sqlx::query(statement)
            .bind(stream)
            .bind(lowest)
            .bind(highest)
            .fetch_all(&mut *connection)
            .await
            .map_err(failed())?;
        for row in rows {
            let offset: i64 = row.try_get(5).map_err(failed())?;
            known.entry(offset).or_default().push(Known::of_row(&row).map_err(failed())?);
        }
    }
    Ok(known)
}

async fn rows_by_number(
    connection: &mut SqliteConnection,
    numbers: &[i64],
) -> Result<HashMap<i64, Known>, StoreError> {
    let failed = || StoreError::sql("confirm duplicates");
    let mut known = HashMap::new();
    let (events, quarantined): (Vec<i64>, Vec<i64>) = numbers.iter().partition(|number| **number > 0);
    for (statement, numbers) in [(EVENTS_BY_NUMBER, events), (QUARANTINED_BY_NUMBER, quarantined)] {
        if numbers.is_empty() {
            continue;
        }
        let rows = sqlx::query(statement)
            .bind(columns::json_numbers(&numbers))
            .fetch_all(&mut *connection)
            .await
            .map_err(failed())?;
        for row in rows {
            let row = Known::of_row(&row).map_err(failed())?;
            known.insert(row.number, row);
        }
    }
    Ok(known)
}
