//! Merging segments of like size into one, a few pages at a time.

use std::collections::VecDeque;

use sqlx::sqlite::SqliteConnection;

use super::Entry;
use super::segment::{Building, PAGE_ENTRIES, Segment, read_page};
use crate::store::StoreError;
use crate::store::columns;

/// Segments merged into one.
const FAN_IN: usize = 4;

/// Entries written in one step: a few milliseconds.
const STEP_ENTRIES: usize = 16 * PAGE_ENTRIES;

/// Larger segments are left alone, so that the oldest can leave by the dedupe horizon.
const SEGMENT_ENTRIES_MAX: usize = 32 * 1024 * 1024;

/// A merge under way; a restart begins it anew.
#[derive(Debug)]
pub(super) struct Merge {
    inputs: Vec<Input>,
    building: Option<Building>,
    output: i64,
    newest_at: i64,
    reserved_end: i64,
}

#[derive(Debug)]
struct Input {
    segment: i64,
    next_page: i64,
    end_page: i64,
    entries: VecDeque<Entry>,
}

const INSERT_INCOMPLETE: &str = "INSERT INTO identity_segment \
    (id, complete, entries, first_page, pages, newest_at, fences, filter) VALUES (?1, 0, 0, ?2, ?3, ?4, x'', x'')";
const DELETE_INCOMPLETE: &str = "DELETE FROM identity_segment WHERE id = ?1 AND complete = 0";

/// The oldest segments of the smallest size class that has enough of them.
pub(super) fn choose(segments: &[Segment]) -> Option<Vec<&Segment>> {
    let class = |segment: &Segment| segment.entries.max(1).ilog2() / 2;
    let mut classes: Vec<u32> = segments.iter().map(class).collect();
    classes.sort_unstable();
    classes.dedup();
    classes.into_iter().find_map(|wanted| {
        let same: Vec<&Segment> = segments
            .iter()
            .filter(|segment| class(segment) == wanted && segment.entries <= SEGMENT_ENTRIES_MAX)
            .take(FAN_IN)
            .collect();
        (same.len() == FAN_IN).then_some(same)
    })
}

impl Merge {
    /// Reserves the output's pages and marks it incomplete, so that a restart drops it.
    pub(super) async fn begin(
        connection: &mut SqliteConnection,
        inputs: &[&Segment],
        output: i64,
        first_page: i64,
        entries: usize,
    ) -> Result<Merge, StoreError> {
        let pages = entries.div_ceil(PAGE_ENTRIES);
        let newest_at = inputs.iter().map(|segment| segment.newest_at).max().unwrap_or(0);
        sqlx::query(INSERT_INCOMPLETE)
            .bind(output)
            .bind(first_page)
            .bind(columns::count(pages))
            .bind(newest_at)
            .execute(connection)
            .await
            .map_err(StoreError::sql("begin an identity merge"))?;
        Ok(Merge {
            inputs: inputs
                .iter()
                .map(|segment| Input {
                    segment: segment.id,
                    next_page: segment.first_page,
                    end_page: segment.end_page(),
                    entries: VecDeque::new(),
                })
                .collect(),
            building: Some(Building::new(first_page, entries)),
            output,
            newest_at,
            reserved_end: first_page + columns::count(pages),
        })
    }

    pub(super) fn reserved_end(&self) -> i64 {
        self.reserved_end
    }

    pub(super) fn inputs(&self) -> Vec<i64> {
        self.inputs.iter().map(|input| input.segment).collect()
    }

    /// Merges on for a while; gives the finished segment at the end.
    pub(super) async fn step(
        &mut self,
        connection: &mut SqliteConnection,
    ) -> Result<Option<Segment>, StoreError> {
        let Some(mut building) = self.building.take() else { return Ok(None) };
        for _ in 0..STEP_ENTRIES {
            let Some(entry) = self.next(connection).await? else {
                sqlx::query(DELETE_INCOMPLETE)
                    .bind(self.output)
                    .execute(&mut *connection)
                    .await
                    .map_err(StoreError::sql("finish an identity merge"))?;
                return building.finish(connection, self.output, self.newest_at).await.map(Some);
            };
            building.push(connection, entry).await?;
        }
        self.building = Some(building);
        Ok(None)
    }

    /// The smallest entry of all inputs.
    async fn next(&mut self, connection: &mut SqliteConnection) -> Result<Option<Entry>, StoreError> {
        for input in &mut self.inputs {
            if input.entries.is_empty() && input.next_page < input.end_page {
                input.entries = read_page(connection, input.next_page).await?.into();
                input.next_page += 1;
            }
        }
        let smallest = self
            .inputs
            .iter_mut()
            .filter(|input| !input.entries.is_empty())
            .min_by_key(|input| input.entries.front().copied());
        Ok(smallest.and_then(|input| input.entries.pop_front()))
    }
}
