//! Two members of one group.

use std::collections::BTreeMap;
use std::time::Duration;

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
        driver.fault(openeventd::kafka::fault::FaultKind::Unreachable);
        cluster.restart();
        admin::produce(&cluster, &topic, 1, 50, numbered);
        driver.records(100);
        assert_eq!(driver.offsets(), (0..100).collect::<Vec<_>>());
        driver.until("the recovery", |driver| {
            let changes = driver.conditions.lock().expect("no panic");
            let recovered =
                |change: &_| matches!(change, openeventd::kafka::fault::Condition::Recovered { .. });
            changes.iter().any(recovered)
        });
        driver.close();
    }
}
