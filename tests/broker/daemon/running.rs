//! From the start to an orderly end.

use std::time::Instant;

use super::audit::Audit;
use super::calls::Calls;
use super::events::{event, instance, live_rule};
use super::program::Home;
use crate::harness::{admin, on_both, unique};

#[test]
fn events_are_accepted_and_called_for_and_a_stop_leaves_offsets_equal_to_the_store() {
    on_both(|cluster| {
        let (topic, group) = (unique("running"), unique("group"));
        admin::create_topic(cluster, &topic, 3);
        admin::produce(cluster, &topic, 3, 30, |n| event(instance(n), instance(n) % 10));
        let calls = Calls::answered();
        let mut home = Home::new(cluster, &[&topic], &group);
        home.account(calls.url(), &["RerunTaskInstances"]);
        home.rules(
            "rerun.toml",
            &live_rule("rerun", 3, "RerunTaskInstances", r#"{ Ids = ["{{ instance }}"] }"#),
        );
        let started = Instant::now();
        let mut daemon = home.start();
        daemon.line("the first accepted batch", |line| line.message == "accept");
        eprintln!("   start to first accepted event: {} ms", started.elapsed().as_millis());
        let database = home.database();
        let audit = Audit::of(&database);
        audit.until("SELECT count(*) FROM events", 30);
        calls.until(3);
        audit.until("SELECT count(*) FROM actions WHERE state = 'succeeded'", 3);
        assert_eq!(admin::members(cluster, &group), 1);
        let log = daemon.stop();
        assert_eq!(admin::members(cluster, &group), 0, "the group was left");
        let at = |message: &str| log.iter().position(|line| line.message.starts_with(message));
        assert!(
            at("stopping")
                .is_some_and(|stopping| Some(stopping) < at("partitions given up, all of them accepted"))
        );
        assert_eq!(calls.by_object().values().copied().collect::<Vec<_>>(), [1, 1, 1]);
        assert_eq!(audit.positions(&topic), [(0, 10), (1, 10), (2, 10)]);
        assert_eq!(admin::committed(cluster, &group, &topic, 3), [Some(10), Some(10), Some(10)]);
        assert_eq!(audit.number("SELECT sum(records - events - duplicates - quarantined) FROM batches"), 0);
    });
}
