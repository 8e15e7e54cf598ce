//! What bounds the daemon, and what users would run instead.

use std::process::Command;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use crate::events;
use crate::harness::cluster::Cluster;

/// Records a second of a consumer that only counts.
pub(crate) fn bare_consumer(cluster: &Cluster, topic: &str, count: usize) -> f64 {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", cluster.plaintext())
        .set("group.id", "bench-bare")
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "10")
        .create()
        .expect("a consumer");
    consumer.subscribe(&[topic]).expect("a subscription");
    let (mut seen, began) = (0, Instant::now());
    let mut started = began;
    while seen < count {
        match consumer.poll(Duration::from_secs(1)) {
            Some(Ok(_)) if seen == 0 => {
                started = Instant::now();
                seen = 1;
            }
            Some(Ok(_)) => seen += 1,
            Some(Err(error)) => println!("{error}"),
            None => {
                assert!(began.elapsed() < Duration::from_mins(2), "{seen} of {count} records in two minutes");
            }
        }
    }
    count as f64 / started.elapsed().as_secs_f64()
}

const ROWS: usize = 1000;

/// Rows a second of SQLite alone: the same payloads, an ordered unique key, WAL, FULL.
pub(crate) fn sqlite_alone(count: usize) -> f64 {
    let directory = tempfile::tempdir().expect("a directory");
    let options = SqliteConnectOptions::new()
        .filename(directory.path().join("alone.db"))
        .create_if_missing(true)
        .page_size(8192)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let payloads: Vec<String> =
        (0..count).map(|number| String::from_utf8(events::payload(number)).expect("text")).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.expect("a database");
        let table = "CREATE TABLE event (seq INTEGER PRIMARY KEY, stream INTEGER NOT NULL, position INTEGER NOT NULL, \
            payload TEXT NOT NULL) STRICT";
        connection.execute(table).await.expect("a table");
        connection.execute("CREATE UNIQUE INDEX at ON event (stream, position)").await.expect("an index");
        let insert: std::sync::Arc<str> =
            ["INSERT INTO event (stream, position, payload) VALUES ", &vec!["(?,?,?)"; ROWS].join(",")].concat().into();
        let started = Instant::now();
        let mut position = 0_i64;
        for chunk in payloads.chunks_exact(ROWS) {
            connection.execute("BEGIN IMMEDIATE").await.expect("a transaction");
            let mut query = sqlx::query(AssertSqlSafe(std::sync::Arc::clone(&insert)));
            for payload in chunk {
                query = query.bind(position % 4).bind(position).bind(payload.as_str());
                position += 1;
            }
            query.execute(&mut connection).await.expect("rows");
            connection.execute("COMMIT").await.expect("a commit");
        }
        position as f64 / started.elapsed().as_secs_f64()
    })
}

/// Events a second of the Python script beside this file; `None` without Python and its packages.
pub(crate) fn python_script(cluster: &Cluster, topic: &str, count: usize) -> Option<f64> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/throughput/rival.py");
    let database = tempfile::tempdir().expect("a directory");
    let output = Command::new("python3")
        .arg(script)
        .args([&cluster.plaintext(), topic, &count.to_string()])
        .arg(database.path().join("rival.db"))
        .output()
        .ok()?;
    if !output.status.success() {
        println!("{}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}
