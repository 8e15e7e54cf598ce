//! What takes too long for the fast suite: `cargo test --test slow`.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]
#![allow(dead_code, reason = "of the harness, these tests use a part")]

#[path = "../it/harness.rs"]
mod harness;

#[path = "../it/exposition.rs"]
mod exposition;

#[path = "../it/watched/daemon.rs"]
mod daemon;

#[path = "../it/endpoint.rs"]
mod endpoint;

mod demo;

mod quota;

mod writes;

use openeventd::store::wal::{self, WalSize};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::harness::{Harness, at, waiting};

const EVENTS: i64 = 500_000;
const BATCH: i64 = 5_000;

/// The alarm's default threshold.
const WAL_BYTES_MAX: u64 = 256 << 20;

#[tokio::test]
async fn a_reader_held_open_for_half_a_million_events_raises_the_alarm_and_its_end_lowers_it() {
    let store = Harness::with("").await;
    let filler = "x".repeat(800);
    store.accept(&[at(0, &waiting("first"))]).await;
    let options = SqliteConnectOptions::new().filename(store.path()).read_only(true);
    let mut reader = SqliteConnection::connect_with(&options).await.expect("a reader");
    let mut reading = reader.begin().await.expect("a transaction");
    let seen: i64 =
        sqlx::query_scalar("SELECT count(*) FROM event").fetch_one(&mut *reading).await.expect("rows");

    for first in (1..=EVENTS).step_by(usize::try_from(BATCH).expect("small")) {
        let payloads: Vec<String> =
            (first..first + BATCH).map(|id| waiting(&format!("{id}{filler}"))).collect();
        let records: Vec<_> =
            payloads.iter().zip(first..).map(|(payload, offset)| at(offset, payload)).collect();
        assert_eq!(store.accept(&records).await.events, payloads.len());
    }
    let size = wal::measure(&store.path(), WAL_BYTES_MAX);
    assert!(matches!(size, WalSize::Alarming { .. }), "{size:?}");
    let still: i64 =
        sqlx::query_scalar("SELECT count(*) FROM event").fetch_one(&mut *reading).await.expect("rows");
    assert_eq!((seen, still), (1, 1), "the reader sees what it began with");
    reading.rollback().await.expect("it ends");

    let mut look = tokio::time::interval(std::time::Duration::from_millis(100));
    let emptied = async {
        while !matches!(wal::measure(&store.path(), 0), WalSize::Normal { .. }) {
            look.tick().await;
            assert_eq!(store.claim(1, harness::NOW_MS).await, []);
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(2), emptied).await.expect("the log is emptied");
}
