//! How long an event takes from Kafka to the call that answers it, while events come at a steady rate.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::daemon::{self, Setting};
use crate::{PARTITIONS, events, harness};

/// Between two events.
const EVERY: Duration = Duration::from_millis(5);

/// Events in all: ten seconds of them.
const EVENTS: usize = 2_000;

/// From the record's time in Kafka to the start of the call, milliseconds.
pub(crate) struct Latency {
    pub(crate) calls: usize,
    pub(crate) median_ms: i64,
    pub(crate) p99_ms: i64,
    pub(crate) worst_ms: i64,
}

/// Measures it with 5 % of the events matching.
pub(crate) fn measure(setting: &Setting<'_>) -> Latency {
    let setting = Setting { topic: "steady", percent: 5, mode: "live", ..*setting };
    harness::admin::create_topic(setting.cluster, setting.topic, PARTITIONS);
    let directory = tempfile::tempdir().expect("a directory");
    let database = directory.path().join("audit.db");
    let mut child = daemon::start(&setting, directory.path());
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", setting.cluster.plaintext())
        .set("linger.ms", "0")
        .create()
        .expect("a producer");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // The first event waits for the group; it is not counted.
    send(&producer, setting.topic, 0);
    runtime.block_on(wait_for_calls(&database, 1));
    let start = Instant::now();
    for number in 1..EVENTS {
        send(&producer, setting.topic, number);
        let next = start + EVERY * u32::try_from(number).expect("a small number");
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        producer.poll(Duration::ZERO);
    }
    producer.flush(Duration::from_secs(10)).expect("all records are acknowledged");
    let mut latencies = runtime.block_on(wait_for_calls(&database, EVENTS / 20));
    daemon::stop(&mut child);
    latencies.remove(0);
    latencies.sort_unstable();
    let at = |share: usize| latencies.get((latencies.len() - 1) * share / 100).copied().unwrap_or_default();
    Latency { calls: latencies.len(), median_ms: at(50), p99_ms: at(99), worst_ms: at(100) }
}

fn send(producer: &BaseProducer, topic: &str, number: usize) {
    let payload = events::payload(number);
    let partition = i32::try_from(number).expect("few records") % PARTITIONS;
    let record: BaseRecord<'_, (), [u8]> = BaseRecord::to(topic).partition(partition).payload(&payload);
    producer.send(record).map_err(|(error, _)| error).expect("the queue has room");
}

/// The latencies of all calls, in their order, once there are `count`.
async fn wait_for_calls(database: &std::path::Path, count: usize) -> Vec<i64> {
    let started = Instant::now();
    loop {
        let options = SqliteConnectOptions::new().filename(database).read_only(true);
        if let Ok(mut connection) = SqliteConnection::connect_with(&options).await {
            let found = sqlx::query_scalar(
                "SELECT t.started_at - e.kafka_at FROM attempt t JOIN action a ON a.number = t.action \
                 JOIN event e ON e.seq = a.event ORDER BY t.id",
            )
            .fetch_all(&mut connection)
            .await;
            let _closed = connection.close().await;
            match found {
                Ok(latencies) if latencies.len() >= count => return latencies,
                _ => {}
            }
        }
        assert!(started.elapsed() < Duration::from_mins(1), "the calls do not come");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
