//! The running daemon as its surroundings see it: metrics, health, the service manager, its own row.

use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;

use super::audit::Audit;
use super::calls::Calls;
use super::events::{event, instance, live_rule};
use super::exposition::{Exposition, get, scrape};
use super::program::{DEADLINE, Home, Program};
use crate::harness::{Version, admin, shared, unique, wait_for};

/// Where the daemon serves.
fn address(daemon: &mut Program) -> SocketAddr {
    let line = daemon.line("the address", |line| line.message == "metrics and health are served");
    let parsed: serde_json::Value = serde_json::from_str(&line.text).expect("the line is JSON");
    parsed["address"].as_str().and_then(|address| address.parse().ok()).expect("an address")
}

/// Scrapes until `wanted` holds.
fn until(address: SocketAddr, what: &str, wanted: impl Fn(&Exposition) -> bool) -> Exposition {
    wait_for(what, DEADLINE, || Some(scrape(address)).filter(&wanted))
}

/// What an audit question comes to, and the same figure of the page.
fn check_counts(page: &Exposition, audit: &Audit<'_>) {
    let pairs: [(&str, &[(&str, &str)], &'static str); 12] = [
        ("openeventd_records_total", &[("outcome", "event")], "SELECT sum(events) FROM batches"),
        ("openeventd_records_total", &[("outcome", "duplicate")], "SELECT sum(duplicates) FROM batches"),
        ("openeventd_records_total", &[("outcome", "quarantined")], "SELECT count(*) FROM quarantined"),
        ("openeventd_records_total", &[], "SELECT sum(records) FROM batches"),
        ("openeventd_batch_records_sum", &[], "SELECT sum(records) FROM batches"),
        ("openeventd_batch_records_count", &[], "SELECT count(*) FROM batches"),
        ("openeventd_events_total", &[("outcome", "matched")], "SELECT sum(matched) FROM events"),
        (
            "openeventd_events_total",
            &[("outcome", "unmatched")],
            "SELECT count(*) FROM events WHERE matched = 0",
        ),
        (
            "openeventd_decisions_total",
            &[("rule", "rerun")],
            "SELECT count(*) FROM decisions WHERE rule = 'rerun'",
        ),
        (
            "openeventd_attempts_total",
            &[("operation", "RerunTaskInstances"), ("class", "success"), ("outcome", "succeeded")],
            "SELECT count(*) FROM attempts WHERE class = 'success'",
        ),
        ("openeventd_event_to_attempt_seconds_count", &[], "SELECT count(*) FROM actions WHERE attempts > 0"),
        ("openeventd_quarantined_records", &[], "SELECT count(*) FROM quarantined WHERE replayed_at IS NULL"),
    ];
    for (series, labels, question) in pairs {
        let expected = f64::from(u32::try_from(audit.number(question)).expect("few"));
        let found = page.sum(series, labels);
        assert!(
            (found - expected).abs() < f64::EPSILON,
            "{series} {labels:?}: {found}, and {expected}: {question}"
        );
    }
}

#[test]
fn what_is_scraped_is_what_the_audit_holds_and_ready_means_partitions() {
    let Some(cluster) = shared(Version::Current) else { return };
    let (topic, group) = (unique("watched"), unique("group"));
    let calls = Calls::answered();
    let mut home = Home::new(cluster, &[&topic], &group);
    home.account(calls.url(), &["RerunTaskInstances"]);
    home.rules("rerun.toml", &live_rule("rerun", 3, "RerunTaskInstances", r#"{ Ids = ["{{ instance }}"] }"#));
    let mut daemon = home.start();
    let address = address(&mut daemon);

    // The topic does not exist yet, so no partition can be ours.
    let line = daemon.line("the fault", |line| line.id == "kafka_failing");
    assert!(line.text.contains("TopicUnknown"), "{line:?}");
    let ready = get(address, "/readyz");
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("no partition is assigned\nTopicUnknown "), "{}", ready.body);
    assert_eq!(get(address, "/healthz").status, 200);

    admin::create_topic(cluster, &topic, 2);
    admin::produce(cluster, &topic, 2, 30, |n| event(instance(n), instance(n) % 10));
    admin::produce(cluster, &topic, 2, 4, |n| event(instance(n), instance(n) % 10));
    admin::produce(cluster, &topic, 2, 3, |n| format!("no event {n}").into_bytes());
    let database = home.database();
    let audit = Audit::of(&database);
    audit.until("SELECT sum(records) FROM batches", 37);
    calls.until(3);
    audit.until("SELECT count(*) FROM actions WHERE state = 'succeeded'", 3);
    let lags = |page: &Exposition, lag: f64| {
        ["0", "1"].iter().all(|partition| {
            let labels = [("topic", topic.as_str()), ("partition", *partition)];
            page.value("openeventd_lag_records", &labels)
                .is_some_and(|known| (known - lag).abs() < f64::EPSILON)
        })
    };
    let page = until(address, "no lag and nothing to do", |page| {
        lags(page, 0.0)
            && page.sum("openeventd_actions", &[]) == 0.0
            && page.sum("openeventd_quarantined_records", &[]) > 0.0
            && page.value("openeventd_alarm_active", &[("id", "kafka_failing")]) == Some(0.0)
    });
    check_counts(&page, &audit);
    assert_eq!(page.value("openeventd_partitions_assigned", &[]), Some(2.0));
    assert_eq!(page.value("openeventd_ready", &[]), Some(1.0));
    assert_eq!(get(address, "/readyz").body, "ready\n");

    home.rules("rerun.toml", "[[rule]]\nname = ");
    daemon.signal("-HUP");
    let page = until(address, "the degraded state", |page| {
        page.value("openeventd_rules_degraded", &[]) == Some(1.0)
            && page.value("openeventd_reload_success", &[]) == Some(0.0)
    });
    assert_eq!(page.value("openeventd_alarms_total", &[("id", "rules_degraded")]), Some(1.0));
    assert_eq!(page.value("openeventd_alarm_active", &[("id", "rules_degraded")]), Some(1.0));
    let ready = get(address, "/readyz");
    assert_eq!((ready.status, ready.body.starts_with("ready\ndegraded: ")), (200, true), "{ready:?}");
    audit.until("SELECT count(*) FROM daemons WHERE rules_condition = 'degraded' AND intake = 'polling'", 1);

    home.rules("rerun.toml", "");
    daemon.signal("-HUP");
    let page = until(address, "the end of it", |page| page.value("openeventd_rules", &[]) == Some(0.0));
    assert_eq!(page.value("openeventd_alarm_active", &[("id", "rules_degraded")]), Some(0.0));
    assert!(page.sum("openeventd_decisions_total", &[]) == 0.0, "the series of the rule is gone with it");
    daemon.stop();
    let row = "SELECT count(*) FROM daemons WHERE stopped_at IS NOT NULL AND ready_at >= started_at AND lag = 0 \
               AND json_array_length(partitions) = 2 AND failing = '[]' AND rules_condition = 'current'";
    assert_eq!(audit.number(row), 1);
}

/// What the service manager is told.
struct Told(UnixDatagram);

impl Told {
    /// Starts a daemon whose watchdog is to be fed at least every three seconds.
    fn start(home: &Home, variables: &[(&str, &str)]) -> (Program, Told) {
        let socket = home.path("notify");
        let notified = UnixDatagram::bind(&socket).expect("a socket");
        notified.set_read_timeout(Some(DEADLINE)).expect("a limit");
        let socket = socket.to_string_lossy();
        let mut variables = variables.to_vec();
        variables.extend([("NOTIFY_SOCKET", &*socket), ("WATCHDOG_USEC", "3000000")]);
        (home.start_with(&variables), Told(notified))
    }

    /// Waits for a notification that holds `wanted`; none before it may hold `refused`.
    fn until(&self, wanted: &str, refused: &str) -> String {
        let mut buffer = [0; 4096];
        loop {
            let length = self.0.recv(&mut buffer).expect("a notification in time");
            let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
            if text.contains(wanted) {
                return text;
            }
            assert!(!text.contains(refused), "{text}");
        }
    }
}

#[test]
fn an_intake_that_is_paused_for_the_disks_sake_is_alive_and_the_watchdog_is_fed() {
    let Some(cluster) = shared(Version::Current) else { return };
    let topic = unique("paused");
    admin::create_topic(cluster, &topic, 1);
    admin::produce(cluster, &topic, 1, 5, |n| event(instance(n), 1));
    let home = Home::new(cluster, &[&topic], &unique("group"));
    let (mut daemon, told) = Told::start(&home, &[("OPENEVENTD__STORE__DISK_FREE_MIN", "1024GiB")]);
    let address = address(&mut daemon);
    daemon.line("the alarm", |line| line.id == "disk_nearly_full");
    told.until("READY=1", "STOPPING=1");
    let paused = [("state", "paused")];
    let page = until(address, "the pause", |page| page.value("openeventd_intake", &paused) == Some(1.0));
    assert_eq!(page.value("openeventd_alarm_active", &[("id", "disk_nearly_full")]), Some(1.0));
    assert_eq!(page.sum("openeventd_records_total", &[]), 0.0);
    for _ in 0..4 {
        let status = told.until("STATUS=disk_nearly_full: ", "STOPPING=1");
        assert!(status.contains("WATCHDOG=1") && status.contains("intake is paused"), "{status}");
    }
    assert_eq!(get(address, "/healthz").status, 200);
    let ready = get(address, "/readyz");
    assert_eq!((ready.status, ready.body.contains("disk_nearly_full: ")), (503, true), "{ready:?}");
    let database = home.database();
    Audit::of(&database).until("SELECT count(*) FROM daemons WHERE intake = 'paused'", 1);
    daemon.stop();
}

#[test]
fn the_service_manager_is_told_of_the_first_assignment_the_reload_and_the_stop() {
    let Some(cluster) = shared(Version::Current) else { return };
    let topic = unique("notified");
    admin::create_topic(cluster, &topic, 1);
    let home = Home::new(cluster, &[&topic], &unique("group"));
    let (mut daemon, told) = Told::start(&home, &[]);
    told.until("READY=1", "STOPPING=1");
    daemon.line("the assignment", |line| line.message == "partition assigned");
    let status = told.until("STATUS=1 partition, ", "STOPPING=1");
    assert!(status.contains("WATCHDOG=1"), "{status}");
    daemon.signal("-HUP");
    let reloading = told.until("RELOADING=1", "STOPPING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    told.until("READY=1", "STOPPING=1");
    daemon.signal("-TERM");
    told.until("STOPPING=1", "READY=1");
    assert_eq!(daemon.exit_code(), 0);
}
