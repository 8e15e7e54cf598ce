//! A stop while calls are on their way.

use std::time::Duration;

use super::audit::Audit;
use super::calls::Calls;
use super::endpoint::Reply;
use super::events::{event, instance, live_rule};
use super::program::Home;
use crate::harness::{Version, admin, shared, unique};

const RERUN: &str = r#"{ Ids = ["{{ instance }}"] }"#;
const READ: &str = r#"{ Id = "{{ instance }}" }"#;

#[test]
fn a_stop_waits_for_calls_that_are_answered_in_time() {
    let Some(cluster) = shared(Version::Current) else { return };
    let topic = unique("finishing");
    admin::create_topic(cluster, &topic, 1);
    admin::produce(cluster, &topic, 1, 3, |n| event(instance(n), 1));
    let calls = Calls::answered_by(|_| Reply::Late(Duration::from_secs(2), Box::new(Reply::success())));
    let mut home = Home::new(cluster, &[&topic], &unique("group"));
    home.account(calls.url(), &["RerunTaskInstances"]);
    home.rules("rerun.toml", &live_rule("rerun", 1, "RerunTaskInstances", RERUN));
    let daemon = home.start();
    calls.until(3);
    daemon.stop();
    let database = home.database();
    let audit = Audit::of(&database);
    assert_eq!(audit.texts("SELECT state FROM actions"), ["succeeded"; 3]);
    assert!(calls.by_object().values().all(|times| *times == 1));
}

#[test]
fn a_stop_leaves_calls_that_nobody_answers_and_the_next_start_judges_them() {
    let Some(cluster) = shared(Version::Current) else { return };
    let topic = unique("hanging");
    admin::create_topic(cluster, &topic, 1);
    admin::produce(cluster, &topic, 1, 2, |n| event(instance(n), instance(n)));
    let mut hung = 0;
    let calls = Calls::answered_by(move |_| {
        hung += 1;
        if hung <= 2 { Reply::Hang } else { Reply::success() }
    });
    let mut home = Home::new(cluster, &[&topic], &unique("group"));
    home.account(calls.url(), &["RerunTaskInstances"]);
    home.more.push_str("[service]\nstop_timeout = \"3s\"\n");
    home.rules("read.toml", &live_rule("read", 0, "GetTaskInstance", READ));
    home.rules("rerun.toml", &live_rule("rerun", 1, "RerunTaskInstances", RERUN));
    let daemon = home.start();
    calls.until(2);
    daemon.stop();
    let database = home.database();
    let audit = Audit::of(&database);
    assert_eq!(audit.texts("SELECT state FROM actions"), ["in_flight"; 2]);
    let daemon = home.start();
    audit.until("SELECT count(*) FROM actions WHERE rule = 'read' AND state = 'succeeded'", 1);
    daemon.stop();
    assert_eq!(audit.texts("SELECT state FROM actions WHERE rule = 'rerun'"), ["unresolved"]);
    assert_eq!(calls.count(), 3, "what may not be repeated was not sent again");
}
