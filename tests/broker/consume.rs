//! Consuming, storing, coming back.

use std::time::Duration;

use openeventd::batch::RecordBatch;
use openeventd::kafka::{BatchLimits, Consumer, Hooks, Polled};
use openeventd::kafka::{EndpointIdentification, SaslMechanism, SecurityProtocol};
use openeventd::record::Header;
use rdkafka::message::{Header as SentHeader, OwnedHeaders};

use crate::driver::{DEADLINE, Driver, strict, user};
use crate::harness::cluster::ALICE;
use crate::harness::{Version, admin, on_both, shared, unique, wait_for, wire};

fn numbered(number: usize) -> Vec<u8> {
    format!("event {number}").into_bytes()
}

#[test]
fn records_come_in_order_through_sasl_ssl_with_plain() {
    on_both(|cluster| {
        let topic = unique("order");
        admin::create_topic(cluster, &topic, 1);
        admin::produce(cluster, &topic, 1, 2_500, numbered);
        let mut driver = Driver::new(&strict(cluster, &[&topic], &unique("group")));
        driver.records(2_500);
        let expected: Vec<_> =
            (0..2_500).map(|n| (topic.clone(), 0, i64::try_from(n).expect("small"), numbered(n))).collect();
        assert_eq!(driver.seen, expected);
        driver.close();
    });
}

#[test]
fn a_v1_root_and_a_certificate_without_names_work_with_endpoint_identification_none() {
    on_both(|cluster| {
        let topic = unique("cloud");
        admin::create_topic(cluster, &topic, 1);
        admin::produce(cluster, &topic, 1, 3, numbered);
        let mut settings = strict(cluster, &[&topic], &unique("group"));
        settings.bootstrap_servers = vec![format!("localhost:{}", cluster.ports().cloud)];
        settings.ssl_ca_location = Some(cluster.path("cloud-ca.pem"));
        settings.ssl_endpoint_identification = EndpointIdentification::None;
        let mut driver = Driver::new(&settings);
        driver.records(3);
        assert_eq!(*driver.conditions.lock().expect("no panic"), []);
        driver.close();
    });
}

#[test]
fn scram_users_and_clusters_without_tls_work() {
    for version in [Version::Current, Version::Legacy] {
        let Some(cluster) = shared(version) else { continue };
        let topic = unique("login");
        admin::create_topic(cluster, &topic, 1);
        admin::produce(cluster, &topic, 1, 2, numbered);
        let mechanisms: &[_] = match version {
            Version::Current => {
                &[SaslMechanism::ScramSha256, SaslMechanism::ScramSha512, SaslMechanism::Plain]
            }
            Version::Legacy => &[SaslMechanism::Plain],
        };
        for mechanism in mechanisms {
            for (protocol, port) in [
                (SecurityProtocol::SaslSsl, cluster.ports().strict),
                (SecurityProtocol::SaslPlaintext, cluster.ports().sasl_plaintext),
                (SecurityProtocol::Plaintext, cluster.ports().plaintext),
            ] {
                let mut settings = strict(cluster, &[&topic], &unique("group"));
                settings.protocol = protocol;
                settings.bootstrap_servers = vec![format!("127.0.0.1:{port}")];
                settings.sasl = Some(user(ALICE, *mechanism));
                let mut driver = Driver::new(&settings);
                driver.records(2);
                driver.close();
            }
        }
    }
}

#[test]
fn key_headers_and_time_arrive() {
    on_both(|cluster| {
        let topic = unique("headers");
        admin::create_topic(cluster, &topic, 1);
        let headers = OwnedHeaders::new()
            .insert(SentHeader { key: "ce_id", value: Some("7") })
            .insert(SentHeader::<&str> { key: "empty", value: None });
        admin::produce_one(cluster, &topic, b"key", headers, b"payload");
        let driver = Driver::new(&strict(cluster, &[&topic], &unique("group")));
        let mut batch = RecordBatch::new();
        wait_for("the record", DEADLINE, || {
            let polled = driver.consumer.poll_batch(&mut batch, &driver.limits, Duration::from_millis(100));
            (polled.expect("the poll works") == Polled::Records).then_some(())
        });
        let record = batch.records().next().expect("one record");
        assert_eq!((record.key, record.payload), (Some(&b"key"[..]), &b"payload"[..]));
        assert!(record.timestamp_ms.is_some_and(|ms| ms > 1_600_000_000_000));
        let expected = [Header { name: "ce_id", value: Some(b"7") }, Header { name: "empty", value: None }];
        assert_eq!(record.headers.iter().collect::<Vec<_>>(), expected);
        driver.close();
    });
}

#[test]
fn batches_keep_their_limits_and_a_record_larger_than_all_of_them_arrives() {
    on_both(|cluster| {
        let topic = unique("limits");
        let large = ("max.message.bytes", "4000000");
        admin::create_topic_with(cluster, &topic, 1, &[large]);
        admin::produce(
            cluster,
            &topic,
            1,
            100,
            |n| if n == 50 { vec![b'x'; 900_000] } else { vec![b'y'; 1000] },
        );
        let mut settings = strict(cluster, &[&topic], &unique("group"));
        settings.queue_bytes_max = 256 * 1024;
        let mut driver = Driver::new(&settings);
        driver.limits.records_max = 7;
        driver.limits.bytes_max = 5_000;
        let (mut batch, mut total) = (RecordBatch::new(), 0);
        wait_for("all records", DEADLINE, || {
            let polled = driver.consumer.poll_batch(&mut batch, &driver.limits, Duration::from_millis(100));
            assert!(!matches!(polled.expect("the poll works"), Polled::OutOfRange(_)));
            assert!(batch.len() <= 5, "five records of 1000 bytes reach the limit: {}", batch.len());
            total += batch.len();
            (total == 100).then_some(())
        });
        driver.close();
    });
}

#[test]
fn what_was_stored_is_not_delivered_again_and_what_was_not_is() {
    on_both(|cluster| {
        let (topic, group) = (unique("resume"), unique("group"));
        admin::create_topic(cluster, &topic, 2);
        admin::produce(cluster, &topic, 2, 200, numbered);
        let mut first = Driver::new(&strict(cluster, &[&topic], &group));
        first.records(200);
        first.store();
        admin::produce(cluster, &topic, 2, 20, numbered);
        first.records(220);
        first.forget();
        first.close();
        assert_eq!(admin::committed(cluster, &group, &topic, 2), [Some(100), Some(100)]);

        let mut second = Driver::new(&strict(cluster, &[&topic], &group));
        second.records(20);
        assert!(second.offsets().iter().all(|offset| (100..110).contains(offset)), "{:?}", second.offsets());
        let assigned = second.assigned.lock().expect("no panic").clone();
        let facts: Vec<_> = assigned.iter().map(|a| (a.partition, a.committed, a.low, a.high)).collect();
        assert_eq!(facts, [(0, Some(100), 0, 110), (1, Some(100), 0, 110)]);
        second.store();
        second.close();
        assert_eq!(admin::committed(cluster, &group, &topic, 2), [Some(110), Some(110)]);
    });
}

#[test]
fn stored_offsets_are_committed_in_the_background_and_never_go_back() {
    on_both(|cluster| {
        let (topic, group) = (unique("background"), unique("group"));
        admin::create_topic(cluster, &topic, 1);
        admin::produce(cluster, &topic, 1, 10, numbered);
        let mut driver = Driver::new(&strict(cluster, &[&topic], &group));
        driver.limits.records_max = 5;
        driver.records(10);
        let mut late = driver.forget();
        assert_eq!(late.len(), 2, "two batches of one partition");
        late.reverse();
        let stored = driver.consumer.store_offsets(&late).expect("offsets are stored");
        assert_eq!((stored.stored, stored.fenced), (1, vec![]));
        driver.until("the commit", |_| admin::committed(cluster, &group, &topic, 1) == [Some(10)]);
        driver.until("the lag", |driver| {
            driver.consumer.lag().iter().any(|l| l.lag == Some(0) && l.committed == Some(10))
        });
        driver.close();
        assert_eq!(admin::committed(cluster, &group, &topic, 1), [Some(10)]);
    });
}

#[test]
fn a_paused_consumer_stays_in_the_group_and_goes_on_where_it_was() {
    on_both(|cluster| {
        let topic = unique("pause");
        admin::create_topic(cluster, &topic, 1);
        admin::produce(cluster, &topic, 1, 5, numbered);
        let mut driver = Driver::new(&strict(cluster, &[&topic], &unique("group")));
        driver.records(5);
        driver.consumer.pause().expect("it can be paused");
        admin::produce(cluster, &topic, 1, 5, numbered);
        for _ in 0..10 {
            assert_eq!(driver.step(Duration::from_millis(100)), None);
        }
        assert_eq!(driver.seen.len(), 5, "nothing is fetched while paused");
        driver.consumer.resume().expect("it can be resumed");
        driver.records(10);
        assert_eq!(driver.offsets(), (0..10).collect::<Vec<_>>());
        driver.close();
    });
}

#[test]
fn a_header_name_that_is_no_text_stops_nothing() {
    on_both(|cluster| {
        let topic = unique("bad-header");
        admin::create_topic(cluster, &topic, 1);
        wire::produce_with_header(&cluster.plaintext(), &topic, b"bad \xff", b"value", b"first");
        wire::produce_with_header(&cluster.plaintext(), &topic, b"good", b"value", b"second");
        let mut driver = Driver::new(&strict(cluster, &[&topic], &unique("group")));
        driver.limits.records_max = 2;
        driver.limits.linger = DEADLINE;
        let mut batch = RecordBatch::new();
        wait_for("both records", DEADLINE, || {
            let polled = driver.consumer.poll_batch(&mut batch, &driver.limits, Duration::from_millis(100));
            (polled.expect("the poll works") == Polled::Records).then_some(())
        });
        let shown: Vec<_> = batch
            .records()
            .map(|record| (record.payload, record.headers.iter().next().expect("one header")))
            .collect();
        let unreadable = Header { name: "\u{fffd}", value: None };
        let good = Header { name: "good", value: Some(b"value") };
        assert_eq!(shown, [(&b"first"[..], unreadable), (&b"second"[..], good)]);
        driver.close();
    });
}

#[test]
fn a_start_that_cannot_be_decided_comes_back_from_the_poll_and_is_tried_again() {
    on_both(|cluster| {
        let topic = unique("undecided");
        admin::create_topic(cluster, &topic, 1);
        admin::produce(cluster, &topic, 1, 5, numbered);
        let mut asked = 0;
        let hooks = Hooks {
            start: Box::new(move |partitions| {
                asked += 1;
                if asked == 1 {
                    Err("the database is busy".to_owned())
                } else {
                    Ok(vec![3; partitions.len()])
                }
            }),
            drain: Box::new(|_| {}),
            condition: Box::new(|_| {}),
        };
        let settings = strict(cluster, &[&topic], &unique("group"));
        let consumer = Consumer::new(&settings, hooks).expect("a consumer");
        let limits = BatchLimits { records_max: 2, bytes_max: 1 << 20, linger: DEADLINE };
        let (mut batch, mut errors) = (RecordBatch::new(), Vec::new());
        wait_for("the records", DEADLINE, || {
            match consumer.poll_batch(&mut batch, &limits, Duration::from_millis(100)) {
                Ok(polled) => (polled == Polled::Records).then_some(()),
                Err(error) => {
                    errors.push(error.to_string());
                    None
                }
            }
        });
        assert_eq!(errors, ["cannot decide where to start: the database is busy"]);
        assert_eq!(batch.records().map(|record| record.offset).collect::<Vec<_>>(), [3, 4]);
        consumer.close(DEADLINE).expect("the group is left");
    });
}
