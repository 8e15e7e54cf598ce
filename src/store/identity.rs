//! The identity log: which identities were accepted, for longer than their rows are kept.
//!
//! Entries of (64-bit hash, number) are appended as one BLOB a batch and held in memory as the tail;
//! a full tail becomes a sorted segment of fixed-size pages, and segments of like size are merged in
//! small steps. A lookup asks the tail, then each segment's Bloom filter, and reads a page only on a
//! hit. A hash proves nothing: the caller confirms every hit at the row that the number names.
//!
//! # Why
//! A unique key over random ids falls to a third of the insert rate at a million rows; this
//! structure holds the rate, and its horizon is not bound to the retention of the events.

mod merge;

pub(crate) mod search;

mod segment;

use std::collections::HashMap;

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;
use xxhash_rust::xxh3::xxh3_64;

use self::merge::Merge;
use self::segment::Segment;
use super::StoreError;
use super::columns;

/// Entries in the tail before it becomes a segment: about 2 MB of memory.
const TAIL_ENTRIES_MAX: usize = 65_536;

/// Pages removed in one step after a merge.
const PAGES_REMOVED_MAX: u64 = 256;

/// One accepted identity: its hash, and the event (or, negative, the quarantined record) that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) hash: u64,
    pub(crate) number: i64,
}

/// The hash of an event's identity. All bits depend on all parts: an identity outlives its row, and a hit
/// that no row confirms keeps an event from being acted on.
#[must_use]
pub fn event_hash(id: &str, source: &str, event_type: Option<&str>) -> u64 {
    let parts = [id, source, event_type.unwrap_or("")];
    let mut identity = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        identity.extend_from_slice(&part.len().to_be_bytes());
        identity.extend_from_slice(part.as_bytes());
    }
    xxh3_64(&identity)
}

/// The hash of a record without an identity of its own: where it lies and what it holds.
#[must_use]
pub fn record_hash(topic: &str, partition: i32, offset: i64, payload: &[u8]) -> u64 {
    let mut place = Vec::with_capacity(topic.len() + 21);
    place.extend_from_slice(topic.as_bytes());
    place.push(0);
    place.extend_from_slice(&partition.to_be_bytes());
    place.extend_from_slice(&offset.to_be_bytes());
    place.extend_from_slice(&xxh3_64(payload).to_be_bytes());
    xxh3_64(&place)
}

/// All accepted identities within the dedupe horizon.
#[derive(Debug, Default)]
pub(crate) struct IdentityLog {
    tail: HashMap<u64, i64>,
    /// Entries whose hash is already in the tail under another number: next to never any.
    tail_collisions: Vec<Entry>,
    segments: Vec<Segment>,
    merge: Option<Merge>,
    leftover: Leftover,
    /// Ranges of pages that belong to no segment any more.
    garbage: Vec<(i64, i64)>,
    next_page: i64,
    next_segment: i64,
}

/// Whether the row of a merge that a stop or a failed commit interrupted is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Leftover {
    #[default]
    None,
    Unfinished,
}

/// Whether periodic work remains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remaining {
    /// Call again soon.
    More,
    /// Nothing to do for now.
    Nothing,
}

const LOAD_TAIL: &str = "SELECT entries FROM identity_batch ORDER BY batch";
const LOAD_SEGMENTS: &str = "SELECT id, entries, first_page, pages, newest_at, fences, filter FROM identity_segment WHERE complete = 1 ORDER BY id";
const DELETE_INCOMPLETE: &str = "DELETE FROM identity_segment WHERE complete = 0";
const LAST_NUMBERS: &str = "SELECT (SELECT coalesce(max(id), 0) FROM identity_page), \
    (SELECT coalesce(max(id), 0) FROM identity_segment), \
    (SELECT count(*) FROM identity_segment WHERE complete = 0)";
const INSERT_BATCH: &str = "INSERT INTO identity_batch (batch, entries) VALUES (?1, ?2)";
const DELETE_BATCHES: &str = "DELETE FROM identity_batch";
const DELETE_PAGES: &str = "DELETE FROM identity_page WHERE id IN \
    (SELECT id FROM identity_page WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3)";
const DELETE_SEGMENT: &str = "DELETE FROM identity_segment WHERE id = ?1";

impl IdentityLog {
    /// Reads the log into memory: the tail's entries, and of each segment its fences and filter. Writes
    /// nothing, since it also runs after a commit that the disk did not take.
    pub(crate) async fn load(connection: &mut SqliteConnection) -> Result<Self, StoreError> {
        let mut log = IdentityLog::default();
        let rows = sqlx::query(LOAD_SEGMENTS)
            .fetch_all(&mut *connection)
            .await
            .map_err(StoreError::sql("read the identity segments"))?;
        for row in rows {
            log.segments.push(Segment::load(connection, &row).await?);
        }
        let (last_page, last_segment, unfinished) = last_numbers(connection).await?;
        log.next_segment = last_segment + 1;
        log.leftover = if unfinished > 0 { Leftover::Unfinished } else { Leftover::None };
        log.next_page = log.segments.iter().map(Segment::end_page).max().unwrap_or(1).max(last_page + 1);
        log.garbage = uncovered(&log.segments, last_page);
        let rows = sqlx::query(LOAD_TAIL)
            .fetch_all(&mut *connection)
            .await
            .map_err(StoreError::sql("read the newest identities"))?;
        for row in rows {
            let entries: &[u8] = row.try_get(0).map_err(StoreError::sql("read the newest identities"))?;
            for entry in decode_entries(entries) {
                log.remember(entry);
            }
        }
        Ok(log)
    }

    /// The numbers that each of `hashes` was accepted under, as (index into `hashes`, number).
    pub(crate) async fn find(
        &self,
        connection: &mut SqliteConnection,
        hashes: &[u64],
    ) -> Result<Vec<(usize, i64)>, StoreError> {
        let mut found = Vec::new();
        let mut wanted: Vec<(i64, usize, u64)> = Vec::new();
        for (index, &hash) in hashes.iter().enumerate() {
            if let Some(&number) = self.tail.get(&hash) {
                found.push((index, number));
                found.extend(
                    self.tail_collisions.iter().filter(|e| e.hash == hash).map(|e| (index, e.number)),
                );
            }
            for segment in &self.segments {
                segment.pages_that_may_hold(hash, |page| wanted.push((page, index, hash)));
            }
        }
        wanted.sort_unstable();
        segment::search_pages(connection, &wanted, &mut found).await?;
        Ok(found)
    }

    /// Appends the identities of one batch, in the transaction that accepts it.
    pub(crate) async fn append(
        &mut self,
        connection: &mut SqliteConnection,
        batch: i64,
        entries: &[Entry],
    ) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(entries.len() * 16);
        for entry in entries {
            encode_entry(*entry, &mut bytes);
            self.remember(*entry);
        }
        sqlx::query(INSERT_BATCH)
            .bind(batch)
            .bind(bytes)
            .execute(connection)
            .await
            .map_err(StoreError::sql("append identities"))?;
        Ok(())
    }

    /// Does one small step of the log's own upkeep within the caller's transaction.
    pub(crate) async fn step(
        &mut self,
        connection: &mut SqliteConnection,
        now_ms: i64,
        horizon_ms: i64,
    ) -> Result<Remaining, StoreError> {
        if self.leftover == Leftover::Unfinished {
            sqlx::query(DELETE_INCOMPLETE)
                .execute(connection)
                .await
                .map_err(StoreError::sql("drop an unfinished identity segment"))?;
            self.leftover = Leftover::None;
        } else if self.tail.len() >= TAIL_ENTRIES_MAX {
            self.flush(connection, now_ms).await?;
        } else if self.merge.is_some() {
            self.merge_on(connection).await?;
        } else if let Some((first, last)) = self.garbage.pop() {
            // Most of a range that an earlier run left is empty by now: only pages count.
            if delete_pages(connection, first, last).await? == PAGES_REMOVED_MAX {
                self.garbage.push((first, last));
            }
        } else if let Some(expired) = self.segments.iter().position(|s| s.newest_at < now_ms - horizon_ms) {
            let segment = self.segments.remove(expired);
            self.retire(connection, &segment).await?;
        } else if let Some(inputs) = merge::choose(&self.segments) {
            let entries: usize = inputs.iter().map(|s| s.entries).sum();
            let merge = Merge::begin(connection, &inputs, self.next_segment, self.next_page, entries).await?;
            self.next_segment += 1;
            self.next_page = merge.reserved_end();
            self.merge = Some(merge);
        } else {
            return Ok(Remaining::Nothing);
        }
        Ok(Remaining::More)
    }

    fn remember(&mut self, entry: Entry) {
        match self.tail.entry(entry.hash) {
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(entry.number);
            }
            std::collections::hash_map::Entry::Occupied(held) if *held.get() == entry.number => {}
            std::collections::hash_map::Entry::Occupied(_) => self.tail_collisions.push(entry),
        }
    }

    /// Turns the tail into a segment.
    async fn flush(&mut self, connection: &mut SqliteConnection, now_ms: i64) -> Result<(), StoreError> {
        let mut entries: Vec<Entry> =
            self.tail.iter().map(|(&hash, &number)| Entry { hash, number }).collect();
        entries.append(&mut self.tail_collisions);
        entries.sort_unstable();
        let segment = Segment::write(connection, self.next_segment, self.next_page, now_ms, &entries).await?;
        self.next_segment += 1;
        self.next_page = segment.end_page();
        self.segments.push(segment);
        sqlx::query(DELETE_BATCHES)
            .execute(connection)
            .await
            .map_err(StoreError::sql("drop flushed identity batches"))?;
        self.tail.clear();
        Ok(())
    }

    async fn merge_on(&mut self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let Some(merge) = self.merge.as_mut() else { return Ok(()) };
        let Some(merged) = merge.step(connection).await? else { return Ok(()) };
        let inputs = merge.inputs();
        self.merge = None;
        let mut at = self.segments.len();
        for id in inputs {
            if let Some(position) = self.segments.iter().position(|segment| segment.id == id) {
                at = at.min(position);
                let segment = self.segments.remove(position);
                self.retire(connection, &segment).await?;
            }
        }
        self.segments.insert(at.min(self.segments.len()), merged);
        Ok(())
    }

    /// Drops a segment; its pages are removed in later steps.
    async fn retire(
        &mut self,
        connection: &mut SqliteConnection,
        segment: &Segment,
    ) -> Result<(), StoreError> {
        sqlx::query(DELETE_SEGMENT)
            .bind(segment.id)
            .execute(connection)
            .await
            .map_err(StoreError::sql("drop an identity segment"))?;
        self.garbage.push((segment.first_page, segment.end_page() - 1));
        Ok(())
    }
}

/// The last page, the last segment, and how many segments are unfinished.
async fn last_numbers(connection: &mut SqliteConnection) -> Result<(i64, i64, i64), StoreError> {
    sqlx::query_as(LAST_NUMBERS)
        .fetch_one(connection)
        .await
        .map_err(StoreError::sql("read where the identity log stands"))
}

/// Removes pages of a range, up to [`PAGES_REMOVED_MAX`]; gives how many.
async fn delete_pages(connection: &mut SqliteConnection, first: i64, last: i64) -> Result<u64, StoreError> {
    sqlx::query(DELETE_PAGES)
        .bind(first)
        .bind(last)
        .bind(i64::try_from(PAGES_REMOVED_MAX).unwrap_or(i64::MAX))
        .execute(connection)
        .await
        .map(|done| done.rows_affected())
        .map_err(StoreError::sql("remove identity pages"))
}

/// The page ranges up to `last_page` that no segment covers.
fn uncovered(segments: &[Segment], last_page: i64) -> Vec<(i64, i64)> {
    let mut covered: Vec<(i64, i64)> = segments.iter().map(|s| (s.first_page, s.end_page())).collect();
    covered.sort_unstable();
    let mut garbage = Vec::new();
    let mut next = 1;
    for (first, end) in covered {
        if next < first {
            garbage.push((next, first - 1));
        }
        next = next.max(end);
    }
    if next <= last_page {
        garbage.push((next, last_page));
    }
    garbage
}

fn encode_entry(entry: Entry, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&entry.hash.to_be_bytes());
    bytes.extend_from_slice(&entry.number.to_be_bytes());
}

/// The entries of a BLOB; SQLite's CHECK guarantees whole ones.
fn decode_entries(bytes: &[u8]) -> impl Iterator<Item = Entry> + '_ {
    bytes.as_chunks::<16>().0.iter().map(|chunk| {
        let both = u128::from_be_bytes(*chunk);
        Entry { hash: columns::high_half(both), number: columns::low_half(both).cast_signed() }
    })
}

#[cfg(test)]
mod tests;
