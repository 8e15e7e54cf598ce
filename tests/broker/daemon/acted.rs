//! What people do to a running daemon: its outbox and its quarantine.

use std::process::Command;

use super::audit::Audit;
use super::calls::Calls;
use super::events::{event, live_rule};
use super::program::Home;
use crate::harness::{admin, on_both, unique};

/// Runs a command beside the daemon of `home`; gives its exit code and what it printed.
fn openeventd(home: &Home, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_openeventd"))
        .args(arguments)
        .args(["--all", "--yes", "--reason", "a test", "--config"])
        .arg(home.path("openeventd.toml"))
        .output()
        .expect("the program runs");
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(printed).expect("the output is UTF-8"))
}

#[test]
fn what_a_person_releases_and_replays_is_called_by_the_running_daemon() {
    on_both(|cluster| {
        let topic = unique("acted");
        admin::create_topic(cluster, &topic, 1);
        let padded = |instance: i64| {
            let event = String::from_utf8(event(instance, 3)).expect("JSON is text");
            let pad = format!("\"data\":{{\"pad\":\"{}\",", "x".repeat(3_000));
            event.replacen("\"data\":{", &pad, 1).into_bytes()
        };
        admin::produce(cluster, &topic, 1, 4, |n| {
            let instance = super::events::instance(n);
            if n % 2 == 0 { event(instance, 3) } else { padded(instance) }
        });
        let calls = Calls::answered();
        let mut home = Home::new(cluster, &[&topic], &unique("group"));
        home.account(calls.url(), &["RerunTaskInstances"]);
        let rule = live_rule("rerun", 3, "RerunTaskInstances", r#"{ Ids = ["{{ instance }}"] }"#);
        home.rules("rerun.toml", &rule.replace("\"live\"", "\"approve\""));
        let more = home.more.clone();
        home.more.push_str("[limits]\nrecord_bytes_max = \"2KiB\"\n");
        let mut daemon = home.start();
        let database = home.database();
        daemon.line("a batch", |line| line.message == "accept");
        let audit = Audit::of(&database);
        audit.until("SELECT count(*) FROM quarantined WHERE reason = 'too_large'", 2);
        audit.until("SELECT count(*) FROM actions WHERE state = 'held'", 2);
        let (code, printed) = openeventd(&home, &["quarantine", "replay"]);
        assert_eq!(code, Some(65), "they still are too large: {printed}");
        daemon.stop();

        home.more = more;
        let mut daemon = home.start();
        daemon.line("the start", |line| line.message == "started");
        let (code, printed) = openeventd(&home, &["quarantine", "replay"]);
        assert_eq!(code, Some(0), "{printed}");
        assert_eq!(audit.number("SELECT count(*) FROM actions WHERE state = 'held'"), 4);
        let (code, printed) = openeventd(&home, &["outbox", "release"]);
        assert_eq!(code, Some(0), "{printed}");
        calls.until(4);
        audit.until("SELECT count(*) FROM actions WHERE state = 'succeeded'", 4);
        daemon.stop();
        assert_eq!(calls.by_object().values().copied().collect::<Vec<_>>(), [1, 1, 1, 1]);
        assert_eq!(audit.positions(&topic), [(0, 4)]);
        assert_eq!(
            audit.texts("SELECT verb FROM operator_actions ORDER BY id"),
            ["replay", "replay", "release"]
        );
    });
}
