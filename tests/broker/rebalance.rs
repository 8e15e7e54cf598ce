//! Two members of one group.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use openeventd::kafka::KafkaError;
use openeventd::kafka::{Condition, FaultKind};

use crate::driver::{DEADLINE, Driver, strict};
use crate::harness::{Version, admin, on_both, own, unique, wait_for};

fn numbered(number: usize) -> Vec<u8> {
    format!("event {number}").into_bytes()
}

#[test]
fn a_rebalance_loses_nothing_and_doubles_nothing_that_was_stored() {
    on_both(|cluster| {
        let (topic, group) = (unique("two"), unique("group"));
        admin::create_topic(cluster, &topic, 4);
        admin::produce(cluster, &topic, 4, 400, numbered);
        let mut first = Driver::new(&strict(cluster, &[&topic], &group));
        first.records(400);
        first.store();
        let mut second = Driver::new(&strict(cluster, &[&topic], &group));
        wait_for("both members to hold partitions", DEADLINE, || {
            first.step(Duration::from_millis(50));
            second.step(Duration::from_millis(50));
            let held = |driver: &Driver| driver.assigned.lock().expect("no panic").len();
            (held(&first) == 2 && held(&second) == 2).then_some(())
        });
        assert_eq!(first.drained.lock().expect("no panic").len(), 4, "all four were drained before");
        admin::produce(cluster, &topic, 4, 400, numbered);
        wait_for("the second half", DEADLINE, || {
            first.step(Duration::from_millis(50));
            second.step(Duration::from_millis(50));
            (first.seen.len() + second.seen.len() >= 800).then_some(())
        });
        // Both have records in flight; leaving and losing partitions drains them.
        second.close();
        admin::produce(cluster, &topic, 4, 40, numbered);
        let before = first.seen.len();
        first.until("the records after", |driver| driver.seen.len() >= before + 40);
        let mut counts: BTreeMap<(i32, i64), usize> = BTreeMap::new();
        for (_, partition, offset, _) in &first.seen {
            *counts.entry((*partition, *offset)).or_default() += 1;
        }
        let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "the first member saw stored records twice: {twice:?}");
        assert!((0..4).all(|partition| counts.contains_key(&(partition, 209))));
        first.store();
        first.close();
        assert_eq!(admin::committed(cluster, &group, &topic, 4), [Some(210); 4]);
    });
}

#[test]
fn offsets_polled_before_a_rebalance_are_fenced_after_it() {
    on_both(|cluster| {
        let (topic, group) = (unique("fenced"), unique("group"));
        admin::create_topic(cluster, &topic, 2);
        admin::produce(cluster, &topic, 2, 20, numbered);
        let mut first = Driver::new(&strict(cluster, &[&topic], &group));
        first.records(20);
        let late = first.forget();
        // Lost in flight: the drain has nothing to store.
        let mut second = Driver::new(&strict(cluster, &[&topic], &group));
        wait_for("the second member's share", DEADLINE, || {
            first.step(Duration::from_millis(50));
            second.step(Duration::from_millis(50));
            let held = |driver: &Driver| driver.assigned.lock().expect("no panic").len();
            (held(&second) == 1 && held(&first) == 1).then_some(())
        });
        let stored = first.consumer.store_offsets(&late).expect("the call works");
        assert_eq!((stored.stored, stored.fenced.len()), (0, late.len()));
        // Nothing was stored, so both partitions come again, one to each.
        wait_for("the records again", DEADLINE, || {
            first.step(Duration::from_millis(50));
            second.step(Duration::from_millis(50));
            (first.seen.len() >= 30 && second.seen.len() >= 10).then_some(())
        });
        first.close();
        second.close();
    });
}

#[test]
fn a_broker_that_is_stopped_or_killed_loses_and_doubles_nothing() {
    for version in [Version::Current, Version::Legacy] {
        let Some(cluster) = own(version) else { continue };
        let (topic, group) = (unique("restart"), unique("group"));
        admin::create_topic(&cluster, &topic, 1);
        admin::produce(&cluster, &topic, 1, 50, numbered);
        let mut driver = Driver::new(&strict(&cluster, &[&topic], &group));
        driver.records(50);
        driver.store();
        driver.until("the commit", |_| admin::committed(&cluster, &group, &topic, 1) == [Some(50)]);
        cluster.kill();
        driver.fault(FaultKind::Unreachable);
        cluster.restart();
        admin::produce(&cluster, &topic, 1, 50, numbered);
        driver.records(100);
        assert_eq!(driver.offsets(), (0..100).collect::<Vec<_>>());
        driver.until("the recovery", |driver| {
            let changes = driver.conditions.lock().expect("no panic");
            let recovered = |change: &_| matches!(change, Condition::Recovered { .. });
            changes.iter().any(recovered)
        });
        // Leaving a group that cannot be reached ends at the deadline.
        cluster.kill();
        let begun = Instant::now();
        let left = driver.consumer.close(Duration::from_secs(2));
        assert!(left.is_ok() || matches!(left, Err(KafkaError::Close { .. })), "{left:?}");
        drop(driver);
        assert!(begun.elapsed() < Duration::from_secs(10), "leaving took {:?}", begun.elapsed());
    }
}

#[test]
fn a_member_that_polls_too_late_loses_its_partitions_and_commits_nothing() {
    on_both(|cluster| {
        let (topic, group) = (unique("late"), unique("group"));
        admin::create_topic(cluster, &topic, 1);
        admin::produce(cluster, &topic, 1, 10, numbered);
        let mut settings = strict(cluster, &[&topic], &group);
        settings.session_timeout = Duration::from_secs(2);
        settings.properties.insert("max.poll.interval.ms".to_owned(), "2000".to_owned());
        let mut late = Driver::new(&settings);
        late.records(10);
        wait_for("the group to put it out", DEADLINE, || {
            (admin::members(cluster, &group) == 0).then_some(())
        });
        let polled_before = late.forget();
        late.until("the fault", |driver| {
            let changes = driver.conditions.lock().expect("no panic");
            changes.iter().any(
                |change| matches!(change, Condition::Failing(fault) if fault.kind == FaultKind::PollTooLate),
            )
        });
        assert_eq!(*late.drained.lock().expect("no panic"), Vec::<i32>::new());
        let stored = late.consumer.store_offsets(&polled_before).expect("the call works");
        assert_eq!((stored.stored, stored.fenced.len()), (0, polled_before.len()));
        // It joins again by itself, and what was never stored comes again.
        late.records(20);
        assert_eq!(admin::committed(cluster, &group, &topic, 1), [None]);
        late.close();
        assert_eq!(admin::committed(cluster, &group, &topic, 1), [Some(10)]);
    });
}
