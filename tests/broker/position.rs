//! Positions that the broker does not have.

use crate::driver::{Driver, strict};
use crate::harness::{admin, on_both, unique};

fn numbered(number: usize) -> Vec<u8> {
    format!("event {number}").into_bytes()
}

#[test]
fn a_position_that_retention_removed_is_reported_and_can_be_left_by_seeking() {
    on_both(|cluster| {
        let topic = unique("retention");
        admin::create_topic(cluster, &topic, 1);
        admin::produce(cluster, &topic, 1, 20, numbered);
        let mut driver = Driver::new(&strict(cluster, &[&topic], &unique("group")));
        driver.records(20);
        let late = driver.forget();
        driver.consumer.seek(&topic, 0, 3).expect("the partition is ours");
        admin::delete_before(cluster, &topic, 10);
        driver.seen.clear();
        // Either the broker was asked for offset 3 before it forgot it, or it was not.
        driver.consumer.seek(&topic, 0, 3).expect("the partition is ours");
        let found = driver.out_of_range();
        assert_eq!((found.partition, found.offset, found.low, found.high), (0, 3, 10, 20));
        driver.consumer.seek(&topic, 0, found.low).expect("the partition is ours");
        driver.seen.clear();
        driver.records(10);
        assert_eq!(driver.offsets(), (10..20).collect::<Vec<_>>());
        let stored = driver.consumer.store_offsets(&late).expect("the call works");
        assert_eq!(stored.fenced.len(), late.len(), "what was polled before the seek is fenced");
        driver.close();
    });
}

#[test]
fn a_start_out_of_range_stands_still_beside_partitions_that_go_on() {
    on_both(|cluster| {
        let topic = unique("beside");
        admin::create_topic(cluster, &topic, 2);
        admin::produce(cluster, &topic, 2, 20, numbered);
        let mut driver = Driver::new(&strict(cluster, &[&topic], &unique("group")));
        driver.records(20);
        driver.consumer.seek(&topic, 0, 500).expect("the partition is ours");
        let found = driver.out_of_range();
        assert_eq!((found.partition, found.offset, found.low, found.high), (0, 500, 0, 10));
        admin::produce(cluster, &topic, 2, 4, numbered);
        driver.records(22);
        driver.consumer.seek(&topic, 0, 10).expect("the partition is ours");
        driver.records(24);
        driver.close();
    });
}

#[test]
fn a_topic_created_anew_and_shorter_is_reported_with_its_new_range() {
    on_both(|cluster| {
        let topic = unique("anew");
        admin::create_topic(cluster, &topic, 1);
        admin::produce(cluster, &topic, 1, 30, numbered);
        let mut driver = Driver::new(&strict(cluster, &[&topic], &unique("group")));
        driver.records(30);
        driver.store();
        admin::recreate_topic(cluster, &topic, 1);
        admin::produce(cluster, &topic, 1, 4, |n| format!("new {n}").into_bytes());
        // The client may also see the topic vanish and be given it anew; both ways the new records come.
        driver.seen.clear();
        let deadline = std::time::Instant::now() + crate::driver::DEADLINE;
        while driver.seen.len() < 4 {
            assert!(std::time::Instant::now() < deadline, "the new records did not come");
            if let Some(found) = driver.step(std::time::Duration::from_millis(100)) {
                assert_eq!((found.offset, found.low, found.high), (30, 0, 4));
                driver.consumer.seek(&topic, 0, found.low).expect("the partition is ours");
            }
        }
        let payloads: Vec<_> =
            driver.seen.iter().map(|(_, _, offset, payload)| (*offset, payload.clone())).collect();
        let expected: Vec<_> = (0..4).map(|n| (n, format!("new {n}").into_bytes())).collect();
        assert_eq!(payloads, expected);
        driver.close();
    });
}
