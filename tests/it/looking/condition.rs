//! The daemon's condition, on one screen and as an exit code.

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
        ("UPDATE daemon SET alive_at = alive_at - 20000", 0, &["● running"]),
        ("UPDATE daemon SET ready_at = NULL, intake = 'starting'", 75, &["● starting"]),
        ("UPDATE daemon SET intake = 'paused'", 75, &["paused, "]),
        ("UPDATE daemon SET intake = 'stalled'", 75, &["stalled, "]),
        ("UPDATE daemon SET rules_condition = 'degraded'", 78, &["degraded: the present files have errors"]),
        ("UPDATE daemon SET rules_condition = 'degraded', intake = 'paused'", 78, &["degraded"]),
        (
            "UPDATE daemon SET intake = 'paused', failing = '[{\"kind\":\"SaslCredentials\",\"subject\":\"kafka:9093\",\
             \"message\":\"refused\",\"fix\":\"correct the password\",\"since\":1774425600000}]'",
            69,
            &["SaslCredentials kafka:9093: refused, for ", "to mend it: correct the password"],
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
