//! The log under load: flushes, merges, restarts in between, and what leaves.

use super::*;
use crate::store::{Settings, Store};

const ALL: u64 = 420_000;
const BATCH: u64 = 20_000;
const NOW_MS: i64 = 1_774_425_600_000;
const HORIZON_MS: i64 = 1_000_000;

fn hash(of: u64) -> u64 {
    xxh3_64(&of.to_be_bytes())
}

fn number(of: u64) -> i64 {
    i64::try_from(of + 1).expect("small")
}

async fn open(directory: &tempfile::TempDir) -> SqliteConnection {
    let path = directory.path().join("audit.db");
    Store::open(&Settings { path, file_mode: 0o600 }).await.expect("the store opens").connection
}

async fn run(connection: &mut SqliteConnection, statement: &'static str) {
    sqlx::query(statement).execute(connection).await.expect(statement);
}

async fn count(connection: &mut SqliteConnection, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(connection).await.expect(statement)
}

async fn step(log: &mut IdentityLog, connection: &mut SqliteConnection, now_ms: i64) -> Remaining {
    run(connection, "BEGIN").await;
    let remaining = log.step(connection, now_ms, HORIZON_MS).await.expect("a step");
    run(connection, "COMMIT").await;
    remaining
}

async fn append_all(log: &mut IdentityLog, connection: &mut SqliteConnection) {
    for batch in 0..ALL / BATCH {
        let entries: Vec<Entry> = (batch * BATCH..(batch + 1) * BATCH)
            .map(|of| Entry { hash: hash(of), number: number(of) })
            .collect();
        run(connection, "BEGIN").await;
        log.append(connection, number(batch), &entries).await.expect("it is appended");
        run(connection, "COMMIT").await;
        if log.tail.len() >= TAIL_ENTRIES_MAX {
            assert_eq!(step(log, connection, NOW_MS).await, Remaining::More);
        }
    }
}

/// Every accepted hash is found under its number alone, and no other is found.
async fn assert_complete(log: &IdentityLog, connection: &mut SqliteConnection) {
    for from in (0..ALL).step_by(60_000) {
        let hashes: Vec<u64> = (from..from + 60_000).map(hash).collect();
        let mut found = log.find(connection, &hashes).await.expect("it is searched");
        found.sort_unstable();
        let expected: Vec<(usize, i64)> = (from..from + 60_000).map(number).enumerate().collect();
        assert!(found == expected, "from {from}: {} found", found.len());
    }
    let others: Vec<u64> = (ALL..ALL + 100_000).map(hash).collect();
    assert_eq!(log.find(connection, &others).await.expect("it is searched"), []);
    // The same from outside, by the tables alone.
    let some: Vec<u64> = (0..ALL).step_by(5_001).collect();
    let hashes: Vec<u64> = some.iter().copied().map(hash).collect();
    let mut found = search::numbers_of(connection, &hashes).await.expect("it is searched");
    found.sort_unstable();
    assert_eq!(found, some.into_iter().map(number).collect::<Vec<_>>());
    let found = search::numbers_of(connection, &others[..50]).await.expect("it is searched");
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test]
async fn all_identities_are_found_through_flushes_merges_and_restarts_until_their_horizon() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut connection = open(&directory).await;
    let mut log = IdentityLog::load(&mut connection).await.expect("an empty log");
    append_all(&mut log, &mut connection).await;
    assert!(log.segments.len() >= 4, "{} segments", log.segments.len());

    // A restart in the middle of a merge begins it anew.
    for _ in 0..4 {
        assert_eq!(step(&mut log, &mut connection, NOW_MS).await, Remaining::More);
    }
    assert!(log.merge.is_some());
    drop((log, connection));
    let mut connection = open(&directory).await;
    let changes = count(&mut connection, "SELECT total_changes()").await;
    let mut log = IdentityLog::load(&mut connection).await.expect("it loads");
    assert_eq!((log.leftover, log.garbage.len()), (Leftover::Unfinished, 1));
    assert_eq!(
        count(&mut connection, "SELECT total_changes()").await,
        changes,
        "it also loads on a full disk"
    );
    assert_complete(&log, &mut connection).await;

    let before = log.segments.len();
    while step(&mut log, &mut connection, NOW_MS).await == Remaining::More {}
    assert_eq!(log.segments.len(), before - 3, "four have become one");
    assert_complete(&log, &mut connection).await;
    let used: i64 = log.segments.iter().map(|segment| segment.end_page() - segment.first_page).sum();
    assert_eq!(
        count(&mut connection, "SELECT count(*) FROM identity_page").await,
        used,
        "no page is left over"
    );
    assert_eq!(count(&mut connection, "SELECT count(*) FROM identity_segment WHERE complete = 0").await, 0);
    drop((log, connection));
    let mut connection = open(&directory).await;
    let mut log = IdentityLog::load(&mut connection).await.expect("it loads");
    assert_eq!(log.leftover, Leftover::None);
    assert!(log.merge.is_none());
    assert_complete(&log, &mut connection).await;

    // At the horizon everything is still there, after it only the tail.
    while step(&mut log, &mut connection, NOW_MS + HORIZON_MS).await == Remaining::More {}
    assert_eq!(count(&mut connection, "SELECT count(*) FROM identity_page").await, used);
    while step(&mut log, &mut connection, NOW_MS + HORIZON_MS + 1).await == Remaining::More {}
    assert_eq!(count(&mut connection, "SELECT count(*) FROM identity_page").await, 0);
    assert_eq!(log.find(&mut connection, &[hash(0)]).await.expect("it is searched"), []);
    let newest = log.find(&mut connection, &[hash(ALL - 1)]).await.expect("it is searched");
    assert_eq!(newest, [(0, number(ALL - 1))]);
}

#[tokio::test]
async fn entries_of_equal_hash_are_all_found_in_the_tail_and_across_pages() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut connection = open(&directory).await;
    let mut log = IdentityLog::load(&mut connection).await.expect("an empty log");
    let equal = 3 * segment::PAGE_ENTRIES;
    let numbers = (1..=columns::count(equal)).map(|number| Entry { hash: 7, number });
    let others = (0..columns::count(TAIL_ENTRIES_MAX))
        .map(|number| Entry { hash: hash(number.unsigned_abs()), number });
    let entries: Vec<Entry> = numbers.chain(others).collect();
    log.append(&mut connection, 1, &entries).await.expect("it is appended");
    assert_eq!(log.find(&mut connection, &[7]).await.expect("it is searched").len(), equal);
    step(&mut log, &mut connection, NOW_MS).await;
    assert!(log.tail.is_empty() && log.tail_collisions.is_empty());
    let mut found = log.find(&mut connection, &[7]).await.expect("it is searched");
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), equal);
}

#[test]
fn an_identity_hash_is_the_same_for_ever_and_its_high_bits_come_from_the_id() {
    let one = event_hash("1", "acs.dataworks", Some("t"));
    assert_eq!(one, event_hash("1", "acs.dataworks", Some("t")));
    assert_ne!(one >> 24, event_hash("2", "acs.dataworks", Some("t")) >> 24);
    assert_ne!(one, event_hash("1", "elsewhere", Some("t")));
    assert_ne!(record_hash("t", 0, 1, b"x"), record_hash("t", 1, 0, b"x"));
    assert_ne!(record_hash("t", 0, 1, b"x"), record_hash("t", 0, 1, b"y"));
}
