//! Looking an identity up from outside of the daemon: from the tables alone, without loading the log.
//!
//! The filters are left alone: they spare the daemon a read for every new event, and cost far more to
//! load than the few pages that one question reads.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::{LOAD_TAIL, columns, decode_entries, segment};

const FENCES: &str = "SELECT first_page, fences FROM identity_segment WHERE complete = 1 ORDER BY id";

/// The numbers that any of `hashes` was accepted under. The caller holds one state of the database
/// throughout, and confirms each number at its row.
pub(crate) async fn numbers_of(
    connection: &mut SqliteConnection,
    hashes: &[u64],
) -> Result<Vec<i64>, sqlx::Error> {
    let mut numbers = Vec::new();
    let mut wanted: Vec<(i64, usize, u64)> = Vec::new();
    for row in sqlx::query(FENCES).fetch_all(&mut *connection).await? {
        let first_page: i64 = row.try_get(0)?;
        let fences: &[u8] = row.try_get(1)?;
        let fences: Vec<u64> = fences.as_chunks::<8>().0.iter().map(|c| u64::from_be_bytes(*c)).collect();
        for (index, &hash) in hashes.iter().enumerate() {
            segment::pages_between(&fences, hash, |page| {
                wanted.push((first_page + columns::count(page), index, hash));
            });
        }
    }
    wanted.sort_unstable();
    let mut found = Vec::new();
    segment::search(connection, &wanted, &mut found).await?;
    numbers.extend(found.into_iter().map(|(_, number)| number));
    for row in sqlx::query(LOAD_TAIL).fetch_all(connection).await? {
        let entries: &[u8] = row.try_get(0)?;
        numbers.extend(decode_entries(entries).filter(|e| hashes.contains(&e.hash)).map(|e| e.number));
    }
    Ok(numbers)
}
