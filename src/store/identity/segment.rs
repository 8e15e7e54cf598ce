//! One sorted, immutable segment of the identity log.
//!
//! Its entries lie in pages of fixed size with consecutive ids; in memory it keeps the first hash of
//! each page (the fences) and a Bloom filter.

use fastbloom::BloomFilter;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::{Entry, decode_entries, encode_entry};
use crate::store::StoreError;
use crate::store::columns;

/// Entries of a page: with its row header it fills one database page of 8192 bytes.
pub(super) const PAGE_ENTRIES: usize = 508;

/// Bits of the filter for each entry, and probes for each look: about 1 % false hits.
const FILTER_BITS_PER_ENTRY: usize = 10;
const FILTER_PROBES: u32 = 6;

/// Pages read at once while searching: bounds the memory of a batch whose every record is known.
const PAGES_READ_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Segment {
    pub(super) id: i64,
    pub(super) entries: usize,
    pub(super) first_page: i64,
    pub(super) newest_at: i64,
    fences: Vec<u64>,
    filter: BloomFilter,
}

const INSERT_SEGMENT: &str = "INSERT INTO identity_segment \
    (id, complete, entries, first_page, pages, newest_at, fences, filter) VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7)";
const INSERT_PAGE: &str = "INSERT INTO identity_page (id, entries) VALUES (?1, ?2)";
const READ_PAGE: &str = "SELECT entries FROM identity_page WHERE id = ?1";
const READ_PAGES: &str =
    "SELECT id, entries FROM identity_page WHERE id IN (SELECT value FROM json_each(?1)) ORDER BY id";

impl Segment {
    pub(super) fn end_page(&self) -> i64 {
        self.first_page + columns::count(self.fences.len())
    }

    /// Calls `visit` with each page that may hold `hash`: none, one, or two when equal hashes
    /// straddle a page's end.
    pub(super) fn pages_that_may_hold(&self, hash: u64, mut visit: impl FnMut(i64)) {
        if !self.filter.contains_hash(hash) {
            return;
        }
        pages_between(&self.fences, hash, |page| visit(self.first_page + columns::count(page)));
    }

    /// Writes sorted `entries` as a new segment.
    pub(super) async fn write(
        connection: &mut SqliteConnection,
        id: i64,
        first_page: i64,
        newest_at: i64,
        entries: &[Entry],
    ) -> Result<Segment, StoreError> {
        let mut building = Building::new(first_page, entries.len());
        for entry in entries {
            building.push(connection, *entry).await?;
        }
        building.finish(connection, id, newest_at).await
    }

    /// The segment of a row; a filter that this version computes otherwise is built anew.
    pub(super) async fn load(
        connection: &mut SqliteConnection,
        row: &SqliteRow,
    ) -> Result<Segment, StoreError> {
        let corrupt = StoreError::sql("read an identity segment");
        let (id, entries, first_page, newest_at, fences, filter) = (|| {
            Ok::<_, sqlx::Error>((
                row.try_get::<i64, _>(0)?,
                row.try_get::<i64, _>(1)?,
                row.try_get::<i64, _>(2)?,
                row.try_get::<i64, _>(4)?,
                row.try_get::<&[u8], _>(5)?,
                row.try_get::<&[u8], _>(6)?,
            ))
        })()
        .map_err(corrupt)?;
        let words = |bytes: &[u8]| {
            bytes.as_chunks::<8>().0.iter().map(|c| u64::from_be_bytes(*c)).collect::<Vec<_>>()
        };
        let fences = words(fences);
        let filter_words = words(filter);
        let entries = usize::try_from(entries).map_err(|_| StoreError::Corrupt {
            place: "identity_segment.entries",
            found: entries.to_string(),
        })?;
        let mut segment = Segment {
            id,
            entries,
            first_page,
            newest_at,
            fences,
            filter: if filter_words.is_empty() { empty_filter(entries) } else { filter_of(filter_words) },
        };
        if !segment.fences.iter().all(|&fence| segment.filter.contains_hash(fence)) {
            segment.filter = empty_filter(entries);
            for page in segment.first_page..segment.end_page() {
                for entry in read_page(connection, page).await? {
                    segment.filter.insert_hash(entry.hash);
                }
            }
        }
        Ok(segment)
    }
}

/// A segment under construction: pages are written as they fill.
#[derive(Debug)]
pub(super) struct Building {
    first_page: i64,
    entries: usize,
    fences: Vec<u64>,
    filter: BloomFilter,
    page: Vec<u8>,
}

impl Building {
    pub(super) fn new(first_page: i64, entries_expected: usize) -> Self {
        Building {
            first_page,
            entries: 0,
            fences: Vec::with_capacity(entries_expected / PAGE_ENTRIES + 1),
            filter: empty_filter(entries_expected),
            page: Vec::with_capacity(PAGE_ENTRIES * 16),
        }
    }

    pub(super) async fn push(
        &mut self,
        connection: &mut SqliteConnection,
        entry: Entry,
    ) -> Result<(), StoreError> {
        if self.page.is_empty() {
            self.fences.push(entry.hash);
        }
        encode_entry(entry, &mut self.page);
        self.filter.insert_hash(entry.hash);
        self.entries += 1;
        if self.page.len() >= PAGE_ENTRIES * 16 { self.write_page(connection).await } else { Ok(()) }
    }

    pub(super) async fn finish(
        mut self,
        connection: &mut SqliteConnection,
        id: i64,
        newest_at: i64,
    ) -> Result<Segment, StoreError> {
        if !self.page.is_empty() {
            self.write_page(connection).await?;
        }
        sqlx::query(INSERT_SEGMENT)
            .bind(id)
            .bind(columns::count(self.entries))
            .bind(self.first_page)
            .bind(columns::count(self.fences.len()))
            .bind(newest_at)
            .bind(bytes_of(&self.fences))
            .bind(bytes_of(self.filter.as_slice()))
            .execute(connection)
            .await
            .map_err(StoreError::sql("write an identity segment"))?;
        Ok(Segment {
            id,
            entries: self.entries,
            first_page: self.first_page,
            newest_at,
            fences: self.fences,
            filter: self.filter,
        })
    }

    async fn write_page(&mut self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let page = self.first_page + columns::count(self.fences.len()) - 1;
        let bytes = std::mem::replace(&mut self.page, Vec::with_capacity(PAGE_ENTRIES * 16));
        sqlx::query(INSERT_PAGE)
            .bind(page)
            .bind(bytes)
            .execute(connection)
            .await
            .map(drop)
            .map_err(StoreError::sql("write an identity page"))
    }
}

/// The entries of one page.
pub(super) async fn read_page(
    connection: &mut SqliteConnection,
    page: i64,
) -> Result<Vec<Entry>, StoreError> {
    let row = sqlx::query(READ_PAGE)
        .bind(page)
        .fetch_one(connection)
        .await
        .map_err(StoreError::sql("read an identity page"))?;
    let bytes: &[u8] = row.try_get(0).map_err(StoreError::sql("read an identity page"))?;
    Ok(decode_entries(bytes).collect())
}

/// Calls `visit` with the index of each page that may hold `hash`, by the first hashes of all pages.
pub(super) fn pages_between(fences: &[u64], hash: u64, visit: impl FnMut(usize)) {
    let end = fences.partition_point(|&fence| fence <= hash);
    let begin = fences.partition_point(|&fence| fence < hash).saturating_sub(1);
    (begin..end).for_each(visit);
}

/// Looks for `wanted` (page, index, hash), sorted by page, and appends (index, number) for each hit.
pub(super) async fn search_pages(
    connection: &mut SqliteConnection,
    wanted: &[(i64, usize, u64)],
    found: &mut Vec<(usize, i64)>,
) -> Result<(), StoreError> {
    search(connection, wanted, found).await.map_err(StoreError::sql("search the identity pages"))
}

/// [`search_pages`], for a caller with its own error.
pub(super) async fn search(
    connection: &mut SqliteConnection,
    wanted: &[(i64, usize, u64)],
    found: &mut Vec<(usize, i64)>,
) -> Result<(), sqlx::Error> {
    for part in wanted.chunks(PAGES_READ_MAX) {
        let mut pages: Vec<i64> = part.iter().map(|(page, _, _)| *page).collect();
        pages.dedup();
        let rows =
            sqlx::query(READ_PAGES).bind(columns::json_numbers(&pages)).fetch_all(&mut *connection).await?;
        for row in rows {
            let page: i64 = row.try_get(0)?;
            let bytes: &[u8] = row.try_get(1)?;
            let entries: Vec<Entry> = decode_entries(bytes).collect();
            for (_, index, hash) in part.iter().filter(|(wanted_page, _, _)| *wanted_page == page) {
                let from = entries.partition_point(|entry| entry.hash < *hash);
                let equal = entries.iter().skip(from).take_while(|entry| entry.hash == *hash);
                found.extend(equal.map(|entry| (*index, entry.number)));
            }
        }
    }
    Ok(())
}

fn empty_filter(entries: usize) -> BloomFilter {
    BloomFilter::with_num_bits((entries * FILTER_BITS_PER_ENTRY).max(64)).seed(&0).hashes(FILTER_PROBES)
}

fn filter_of(words: Vec<u64>) -> BloomFilter {
    BloomFilter::from_vec(words).seed(&0).hashes(FILTER_PROBES)
}

fn bytes_of(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}
