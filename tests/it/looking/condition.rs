//! The daemon's condition, on one screen and as an exit code.

use openeventd::store::daemon::{Daemon, Failing, Intake, Partition, RulesCondition};

use super::openeventd;
use crate::harness::{Harness, at, failure, live, waiting};

/// A daemon that was heard of this second, started an hour ago, and is well.
const WELL: &str = "INSERT INTO daemon SELECT 1, '0.1.0', 4242, now - 3600000, now - 3590000, now, NULL, 1, 1, \
    'current', NULL, 'polling', '[{\"topic\":\"events\",\"partition\":0,\"committed\":40,\"end\":1274,\"lag\":1234}]', '[]' \
    FROM (SELECT unixepoch() * 1000 AS now)";

#[tokio::test]
async fn the_exit_code_says_how_the_daemon_does() {
    for (change, exit, told) in [
        (
            "SELECT 1",
            0,
            &["● running", "pid is 4242", "polling, 1,234 records behind", "events/0   1234"][..],
        ),
        ("DELETE FROM daemon", 69, &["● never started"]),
        ("UPDATE daemon SET stopped_at = alive_at", 69, &["● stopped  at ", "pid was 4242"]),
        ("UPDATE daemon SET alive_at = alive_at - 46000", 69, &["● not responding  since"]),
        (
            "UPDATE daemon SET alive_at = alive_at + 86400000",
            69,
            &["● not responding  its last sign of life, ", "ahead of this machine's clock"],
        ),
        ("UPDATE daemon SET alive_at = alive_at + 20000", 0, &["● running"]),
        (
            "UPDATE daemon SET failing = '[{\"kind\":5},{\"kind\":\"Dns\"}]'",
            69,
            &["unreadable: something is wrong", "Dns"],
        ),
        (
            "UPDATE daemon SET failing = '{}'",
            69,
            &["unreadable: something is wrong", "use the version of the daemon"],
        ),
        ("UPDATE daemon SET alive_at = alive_at - 20000", 0, &["● running"]),
        (
            "UPDATE daemon SET ready_at = NULL, intake = 'starting'",
            75,
            &["● not ready", "no partition is assigned"],
        ),
        ("UPDATE daemon SET intake = 'paused'", 75, &["paused, "]),
        ("UPDATE daemon SET intake = 'stalled'", 75, &["stalled, "]),
        ("UPDATE daemon SET rules_condition = 'degraded'", 65, &["degraded: the present files have errors"]),
        ("UPDATE daemon SET rules_condition = 'degraded', intake = 'paused'", 65, &["degraded"]),
        (
            "UPDATE daemon SET intake = 'paused', failing = '[{\"kind\":\"SaslCredentials\",\"subject\":\"kafka:9093\",\
             \"message\":\"refused\",\"fix\":\"correct the password\",\"since\":1774425600000}]'",
            69,
            &["SaslCredentials kafka:9093: refused, for ", "to mend it: correct the password"],
        ),
        (
            "UPDATE daemon SET failing = '[{\"kind\":\"wal_too_large\",\"subject\":\"\",\"message\":\"it grows\",\"fix\":\"\",\"since\":1}]'",
            75,
            &["Alarm ", "wal_too_large: it grows, for "],
        ),
        (
            "UPDATE daemon SET failing = '[{\"kind\":\"rules_degraded\",\"message\":\"2 errors\"}]'",
            65,
            &["rules_degraded: 2 errors\n"],
        ),
        (
            "UPDATE daemon SET failing = '[{\"kind\":\"endpoint\",\"subject\":\"main\",\"message\":\"it fails\",\"fix\":\"look\"}]'",
            75,
            &["Parked ", "endpoint main: it fails", "to mend it: look"],
        ),
        ("UPDATE daemon SET partitions = '[]'", 0, &["lag not known"]),
        ("UPDATE daemon SET partitions = '{\"of\": {\"another\": \"form\"}}'", 0, &["● running"]),
    ] {
        let store = Harness::with("").await;
        store.tamper(WELL).await;
        store.tamper(change).await;
        openeventd(&store.path(), &["status"]).assert(exit, told);
        let json = openeventd(&store.path(), &["status", "--json"]);
        assert_eq!(json.objects()[0]["exit"], exit, "{change}");
    }
}

#[tokio::test]
async fn what_waits_for_a_person_counts_only_if_asked_for() {
    let store =
        Harness::with(&live("duplicates", "mode = \"approve\"").replacen("mode = \"live\"\n", "", 1)).await;
    store.tamper(WELL).await;
    openeventd(&store.path(), &["status", "--attention"]).assert(0, &["0 held, 0 unresolved, 0 dead"]);
    store.accept(&[at(0, &failure("1", 71)), at(1, "no JSON"), at(2, &waiting("2"))]).await;
    openeventd(&store.path(), &["status"]).assert(
        0,
        &[
            "1 held (1 approve), 0 unresolved",
            "Quarantined",
            "1 not replayed",
            "LAST EVENT",
            "instance-status-changes",
        ],
    );
    openeventd(&store.path(), &["status", "--attention"]).assert(75, &["1 held"]);
}

#[tokio::test]
async fn the_backlog_tells_what_is_due_and_since_when() {
    let store = Harness::with(&format!("{}{}", live("none", ""), live("converges", ""))).await;
    store.tamper(WELL).await;
    store.accept(&[at(0, &failure("1", 71)), at(1, &failure("2", 72))]).await;
    store.tamper("UPDATE action SET due_at = unixepoch() * 1000 + 3600000 WHERE number = 1").await;
    store.claim(1, 1_774_425_600_000).await;
    openeventd(&store.path(), &["status"]).assert(0, &["2 due (the oldest for ", "1 later, 1 in flight"]);
    let json = openeventd(&store.path(), &["status", "--json"]).objects();
    assert_eq!(json[0]["backlog"]["due"], 2);
    assert_eq!(json[0]["codes"][0]["seq"], 2);
    assert_eq!(json[0]["daemon"]["lag"], 1234);
}

#[tokio::test]
async fn what_the_daemon_writes_of_itself_is_read_whole() {
    let store = Harness::with("").await;
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let failing = |kind: &str, subject: &str| Failing {
        kind: kind.into(),
        subject: subject.into(),
        message: "a message".into(),
        fix: "a fix".into(),
        since: now_ms - 200_000,
    };
    let mut daemon = Daemon {
        version: "0.1.0",
        pid: 4242,
        started_at_ms: now_ms - 3_600_000,
        ready_at_ms: Some(now_ms - 3_590_000),
        alive_at_ms: now_ms,
        stopped_at_ms: None,
        rule_set: 1,
        configuration: 1,
        rules: RulesCondition::Current,
        reloaded_at_ms: None,
        intake: Intake::Polling,
        partitions: vec![Partition {
            topic: "events".into(),
            partition: 3,
            committed: Some(40),
            end: Some(1_274),
            lag: Some(1_234),
        }],
        failing: vec![failing("wal_too_large", "")],
    };
    store.writer.renew_daemon(daemon.clone()).await.expect("it is written");
    openeventd(&store.path(), &["status"]).assert(
        75,
        &[
            "Alarm ",
            "wal_too_large: a message, for 3m20s",
            "to mend it: a fix",
            "events/3   1234    40         1274",
        ],
    );
    daemon.failing.push(failing("Dns", "kafka:9093"));
    store.writer.renew_daemon(daemon.clone()).await.expect("it is written");
    openeventd(&store.path(), &["status"])
        .assert(69, &["wal_too_large", "Dns kafka:9093: a message, for 3m2"]);
    daemon.failing.clear();
    store.writer.renew_daemon(daemon).await.expect("it is written");
    openeventd(&store.path(), &["status"]).assert(0, &["● running"]);
}
