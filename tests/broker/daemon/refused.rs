//! What keeps the daemon from starting, each with its exit code and a line that names it.

use std::os::unix::fs::PermissionsExt as _;

use super::program::{Home, Program};
use crate::harness::{Version, admin, shared, unique};

/// Waits for the end and checks exit code and message.
fn refused(mut daemon: Program, code: i32, said: &str) {
    assert_eq!(daemon.exit_code(), code, "{}", daemon.tail());
    assert!(daemon.log().iter().any(|line| line.text.contains(said)), "no `{said}`\n{}", daemon.tail());
}

#[test]
fn a_broken_rule_directory_without_an_earlier_rule_set_is_refused() {
    let Some(cluster) = shared(Version::Current) else { return };
    let home = Home::new(cluster, &["any"], &unique("group"));
    home.rules("broken.toml", "[[rule]]\nname = \"x\"\nmacth = {}\n");
    refused(home.start(), 78, "did you mean `match`?");
}

#[test]
fn a_secret_that_everybody_can_read_is_refused() {
    let Some(cluster) = shared(Version::Current) else { return };
    let home = Home::new(cluster, &["any"], &unique("group"));
    let secret = home.path("kafka-password");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o604)).expect("it is ours");
    refused(home.start(), 78, "kafka-password");
}

#[test]
fn a_database_that_cannot_be_created_is_refused() {
    let Some(cluster) = shared(Version::Current) else { return };
    let mut home = Home::new(cluster, &["any"], &unique("group"));
    // No file can be made there, not even by the superuser, as whom tests may run.
    home.database_at("/proc/audit.db");
    refused(home.start(), 73, "/proc/audit.db");
}

#[test]
fn a_second_daemon_on_the_same_database_is_refused_and_the_first_goes_on() {
    let Some(cluster) = shared(Version::Current) else { return };
    let topic = unique("second");
    admin::create_topic(cluster, &topic, 1);
    let home = Home::new(cluster, &[&topic], &unique("group"));
    let mut first = home.start();
    first.line("the first daemon", |line| line.message == "started");
    refused(home.start(), 75, "audit.db");
    admin::produce(cluster, &topic, 1, 1, |_| super::events::event(1, 1));
    first.line("a batch after that", |line| line.message == "accept");
    first.stop();
}
