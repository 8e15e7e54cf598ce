//! Where the daemon goes on when Kafka's positions and the store's disagree.

use super::audit::Audit;
use super::calls::Calls;
use super::events::{event, instance, live_rule};
use super::program::Home;
use crate::harness::cluster::Cluster;
use crate::harness::{Version, admin, on_both, shared, unique};

/// A home whose rule calls for every event of node 1.
fn calling(cluster: &Cluster, topic: &str, group: &str, calls: &Calls) -> Home {
    let mut home = Home::new(cluster, &[topic], group);
    home.account(calls.url(), &["RerunTaskInstances"]);
    home.rules("rerun.toml", &live_rule("rerun", 1, "RerunTaskInstances", r#"{ Ids = ["{{ instance }}"] }"#));
    home
}

/// Every call was received once.
fn each_once(calls: &Calls, count: usize) {
    let received = calls.by_object();
    assert_eq!(received.len(), count, "{received:?}");
    assert!(received.values().all(|times| *times == 1), "{received:?}");
}

const SUCCEEDED: &str = "SELECT count(*) FROM actions WHERE state = 'succeeded'";
const EVENTS: &str = "SELECT count(*) FROM events";

#[test]
fn a_topic_created_anew_while_the_daemon_is_away_is_read_from_its_beginning_and_plans_nothing_twice() {
    on_both(|cluster| {
        let (topic, group) = (unique("away"), unique("group"));
        admin::create_topic(cluster, &topic, 1);
        admin::produce(cluster, &topic, 1, 20, |n| event(instance(n), 1));
        let calls = Calls::answered();
        let home = calling(cluster, &topic, &group, &calls);
        let database = home.database();
        let audit = Audit::of(&database);
        let mut daemon = home.start();
        daemon.line("a batch", |line| line.message == "accept");
        audit.until(SUCCEEDED, 20);
        daemon.stop();

        admin::recreate_topic(cluster, &topic, 1);
        // Five of before, ten new ones.
        admin::produce(cluster, &topic, 1, 15, |n| event(instance(n + 15), 1));
        let daemon = home.start();
        audit.until(EVENTS, 30);
        audit.until(SUCCEEDED, 30);
        daemon.stop();
        each_once(&calls, 30);
        assert_eq!(audit.number("SELECT max(generation) FROM events"), 2);
        assert_eq!(audit.number("SELECT count(*) FROM events WHERE generation = 2"), 10);
    });
}

/// Whether the topic stays away until the daemon has said so.
#[derive(Clone, Copy, PartialEq)]
enum Away {
    UntilNoticed,
    Shortly,
}

/// Creates the topic anew under the running daemon, with `count` new events in it.
fn created_anew_under_it(cluster: &Cluster, away: Away, count: usize) {
    let (topic, group) = (unique("under"), unique("group"));
    admin::create_topic(cluster, &topic, 1);
    admin::produce(cluster, &topic, 1, 20, |n| event(instance(n), 1));
    let calls = Calls::answered();
    let home = calling(cluster, &topic, &group, &calls);
    let database = home.database();
    let audit = Audit::of(&database);
    let mut daemon = home.start();
    daemon.line("a batch", |line| line.message == "accept");
    audit.until(SUCCEEDED, 20);
    admin::delete_topic(cluster, &topic);
    if away == Away::UntilNoticed {
        daemon.line("the fault", |line| line.text.contains("TopicUnknown"));
    }
    admin::create_topic(cluster, &topic, 1);
    admin::produce(cluster, &topic, 1, count, |n| event(instance(n + 20), 1));
    audit.until(EVENTS, 20 + instance(count));
    audit.until(SUCCEEDED, 20 + instance(count));
    daemon.stop();
    each_once(&calls, 20 + count);
    assert_eq!(audit.number("SELECT count(*) FROM events WHERE generation = 2"), instance(count));
}

#[test]
fn a_topic_created_anew_under_the_running_daemon_loses_no_new_event() {
    on_both(|cluster| created_anew_under_it(cluster, Away::Shortly, 5));
}

#[test]
fn a_topic_that_vanished_and_came_back_longer_loses_no_new_event() {
    on_both(|cluster| created_anew_under_it(cluster, Away::UntilNoticed, 30));
}

#[test]
fn a_topic_created_anew_at_once_and_longer_than_before_loses_no_new_event() {
    // Older brokers have no topic ids, by which alone this can be told.
    let Some(cluster) = shared(Version::Current) else { return };
    created_anew_under_it(cluster, Away::Shortly, 30);
}

#[test]
fn records_that_retention_removed_are_a_gap() {
    on_both(|cluster| {
        let (topic, group) = (unique("retention"), unique("group"));
        admin::create_topic(cluster, &topic, 1);
        admin::produce(cluster, &topic, 1, 10, |n| event(instance(n), 2));
        let home = Home::new(cluster, &[&topic], &group);
        let database = home.database();
        let audit = Audit::of(&database);
        let mut daemon = home.start();
        daemon.line("a batch", |line| line.message == "accept");
        audit.until(EVENTS, 10);
        daemon.stop();
        admin::produce(cluster, &topic, 1, 20, |n| event(instance(n + 10), 2));
        admin::delete_before(cluster, &topic, 17);
        let mut daemon = home.start();
        let gap = daemon.line("the gap", |line| line.id == "gap");
        assert_eq!(gap.level, "ERROR");
        audit.until(EVENTS, 23);
        daemon.stop();
        let gaps = audit.texts("SELECT first_offset || ' ' || end_offset || ' ' || reason FROM gaps");
        assert_eq!(gaps, ["10 17 retention"]);
    });
}

#[test]
fn a_first_start_at_latest_leaves_the_past_as_a_gap() {
    let Some(cluster) = shared(Version::Current) else { return };
    let topic = unique("latest");
    admin::create_topic(cluster, &topic, 1);
    admin::produce(cluster, &topic, 1, 10, |n| event(instance(n), 2));
    let mut home = Home::new(cluster, &[&topic], &unique("group"));
    home.kafka.insert("start_at", "\"latest\"".to_owned());
    let mut daemon = home.start();
    daemon.line("the assignment", |line| line.message == "partition assigned");
    let database = home.database();
    let audit = Audit::of(&database);
    audit.until("SELECT count(*) FROM gaps", 1);
    admin::produce(cluster, &topic, 1, 3, |n| event(instance(n + 10), 2));
    audit.until(EVENTS, 3);
    daemon.stop();
    let gaps = audit.texts("SELECT first_offset || ' ' || end_offset || ' ' || reason FROM gaps");
    assert_eq!(gaps, ["0 10 start_at"]);
}

#[test]
fn after_a_restored_backup_records_are_read_again_and_known_calls_are_not_repeated() {
    let Some(cluster) = shared(Version::Current) else { return };
    let (topic, group) = (unique("backup"), unique("group"));
    admin::create_topic(cluster, &topic, 1);
    admin::produce(cluster, &topic, 1, 10, |n| event(instance(n), 1));
    let calls = Calls::answered();
    let home = calling(cluster, &topic, &group, &calls);
    let database = home.database();
    let audit = Audit::of(&database);
    let mut daemon = home.start();
    daemon.line("a batch", |line| line.message == "accept");
    audit.until(SUCCEEDED, 10);
    daemon.stop();
    let copied = home.path("backup.db");
    std::fs::copy(&database, &copied).expect("a stopped daemon's database can be copied");

    // Goes on with events that call for nothing, and is then set back.
    admin::produce(cluster, &topic, 1, 7, |n| event(instance(n + 10), 2));
    let daemon = home.start();
    audit.until(EVENTS, 17);
    daemon.stop();
    assert_eq!(admin::committed(cluster, &group, &topic, 1), [Some(17)]);
    for left in ["audit.db-wal", "audit.db-shm"] {
        if home.path(left).exists() {
            std::fs::remove_file(home.path(left)).expect("it is ours");
        }
    }
    std::fs::copy(&copied, &database).expect("the backup is put back");

    let daemon = home.start();
    audit.until(EVENTS, 17);
    assert_eq!(audit.number("SELECT count(*) FROM gaps"), 0, "nothing is missing");
    daemon.stop();
    each_once(&calls, 10);

    // Without any position of its own in Kafka the whole topic comes again.
    let mut home = home;
    home.kafka.insert("group_id", format!("{:?}", unique("group")));
    let daemon = home.start();
    audit.until("SELECT sum(duplicates) FROM batches", 17);
    daemon.stop();
    assert_eq!(audit.number(EVENTS), 17);
    each_once(&calls, 10);
}
