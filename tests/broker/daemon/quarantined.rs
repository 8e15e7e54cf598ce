//! Records that are no events stop nothing.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::audit::Audit;
use super::events::{event, instance};
use super::program::Home;
use crate::harness::cluster::Cluster;
use crate::harness::{admin, on_both, unique};

#[test]
fn garbage_is_quarantined_whole_and_the_next_event_is_accepted() {
    on_both(|cluster| {
        let topic = unique("garbage");
        admin::create_topic_with(cluster, &topic, 1, &[("max.message.bytes", "4000000")]);
        let garbage = garbage();
        for payload in &garbage {
            produce_raw(cluster, &topic, payload.as_deref());
        }
        produce_raw(cluster, &topic, Some(&event(1, 1)));
        let mut home = Home::new(cluster, &[&topic], &unique("group"));
        home.more.push_str("[limits]\nrecord_bytes_max = \"512KiB\"\n");
        let mut daemon = home.start();
        daemon.line("a batch", |line| line.message == "accept");
        let database = home.database();
        let audit = Audit::of(&database);
        audit.until("SELECT count(*) FROM events", 1);
        daemon.stop();
        assert_eq!(audit.number("SELECT count(*) FROM quarantined"), 7);
        let kept: i64 = garbage.iter().flatten().map(|payload| instance(payload.len())).sum();
        assert_eq!(audit.number("SELECT sum(payload_bytes) FROM quarantined"), kept, "kept whole");
        let reasons = audit.texts("SELECT reason FROM quarantined ORDER BY offset");
        let expected = ["not_utf8", "too_deep", "too_large", "not_utf8", "empty", "empty", "duplicate_key"];
        assert_eq!(reasons, expected);
    });
}

/// Random bytes, a depth bomb, two megabytes, text that is no UTF-8, nothing, a tombstone, a key twice.
fn garbage() -> [Option<Vec<u8>>; 7] {
    let mut noise = 0x9e37_79b9_u32;
    let mut random = vec![b'{'];
    random.extend((0..3000).map(|_| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.to_be_bytes()[0]
    }));
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(2_000_000)).into_bytes();
    [
        Some(random),
        Some("[".repeat(100_000).into_bytes()),
        Some(large),
        Some(b"{\"id\":\"\xff\xfe\"}".to_vec()),
        Some(Vec::new()),
        None,
        Some(b"{\"specversion\":\"1.0\",\"id\":\"1\",\"id\":\"2\"}".to_vec()),
    ]
}

/// Writes one record of any size, or a tombstone.
fn produce_raw(cluster: &Cluster, topic: &str, payload: Option<&[u8]>) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", cluster.plaintext())
        .set("message.max.bytes", "4000000")
        .create()
        .expect("a producer");
    let record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).partition(0).key(b"key");
    let record = match payload {
        Some(payload) => record.payload(payload),
        None => record,
    };
    producer.send(record).map_err(|(error, _)| error).expect("the queue has room");
    producer.flush(Duration::from_secs(20)).expect("the record is acknowledged");
}
