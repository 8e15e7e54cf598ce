//! The whole story of an event, for people and for programs.

use std::collections::BTreeSet;

use openeventd::store::outbox::{Evidence, Outcome, Settlement};
use serde_json::Value;

use super::openeventd;
use crate::harness::{Harness, NOW_MS, at, failure, live};

/// An event whose call was throttled, then refused, then asked for again by a person; and its conflict.
async fn told() -> Harness {
    let store =
        Harness::with(&format!("{}{}", live("converges", ""), live("none", "max_event_age = \"1m\""))).await;
    let timestamp_ms = Some(NOW_MS - 120_000);
    let payload = failure("the-event", 73_910_042_265);
    let mut record = at(7, &payload);
    record.timestamp_ms = timestamp_ms;
    store.accept(&[record]).await;
    store.accept_at(NOW_MS + 1, &[at(8, &failure("the-event", 5))]).await;
    let again = Outcome::DueAgain { due_at_ms: NOW_MS + 600_000 };
    for (now_ms, outcome, class, http_status) in
        [(NOW_MS + 2, again, "throttled", 429), (NOW_MS + 600_000, Outcome::Dead, "rejected", 400)]
    {
        let claimed = store.claim(1, now_ms).await;
        let evidence = Evidence {
            endpoint: Some("https://dataworks.cn-shanghai.aliyuncs.com".into()),
            http_status: Some(http_status),
            request_id: Some("REQUEST".into()),
            error_code: Some("Refused".into()),
            error_message: Some("no \u{1b}[2J way".into()),
            response: Some(format!("{{\"long\":\"{}\"}}", "x".repeat(1_000))),
            latency_ms: Some(120),
            ..Evidence::default()
        };
        let settlement = Settlement { evidence, ..Settlement::of(&claimed[0], outcome, class) };
        store.writer.settle(settlement, now_ms + 120).await.expect("it is settled");
    }
    store
        .tamper(
            "INSERT INTO operator_action VALUES (1, 1774425660000, 'alice', 'requeue', 'by id', 'mended', 1)",
        )
        .await;
    store
        .tamper("INSERT INTO operator_target SELECT 1, 'action', number FROM action WHERE state = 'dead'")
        .await;
    store
}

#[tokio::test]
async fn the_story_goes_from_the_record_to_the_last_response() {
    let store = told().await;
    openeventd(&store.path(), &["audit", "the-event"]).assert(
        0,
        &[
            "event 1  instance-status-changes  Failure",
            "Accepted   2026-03-25 08:00:00.000 UTC, ",
            "events/0 offset 7, stamped 2026-03-25 07:58:00.000",
            "Workspace  96384",
            "Instance   73910042265",
            "came again with another payload at events/0 offset 8",
            "rule converges  dead (test.toml)",
            "StopTaskInstances 2024-05-18, a write; sent again it leads to the same state",
            "{\"Ids\":[73910042265]}",
            "dead, 2 attempts, settled 2026-03-25 08:10:00.120 UTC",
            "an age of 120 s; calls planned in the hour before: 0",
            "attempt 1 due_again  throttled, HTTP 429, Refused, 120 ms",
            "REQUEST",
            "no \\u{1b}[2J way",
            "xxx…",
            "requeue by alice, 2026-03-25 08:01:00.000 UTC",
            ": mended",
            "attempt 2 dead  rejected, HTTP 400",
            "rule none  held (stale) (test.toml)",
        ],
    );
}

/// An event whose call was lost and looked up twice, once so far without a verdict that is certain.
async fn looked_up() -> Harness {
    let store = Harness::with(&live("duplicates", "")).await;
    store.accept(&[at(0, &failure("lost", 101))]).await;
    let claimed = store.claim(1, NOW_MS).await.remove(0);
    let settlement = Settlement {
        verify_at_ms: Some(NOW_MS + 65_000),
        ..Settlement::of(&claimed, Outcome::Unresolved, "lost")
    };
    store.writer.settle(settlement, NOW_MS + 120).await.expect("it is settled");
    store
        .tamper(
            r#"INSERT INTO lookup (attempt, purpose, subject, operation, version, params, started_at, finished_at,
                class, found)
            VALUES (1, 'before', '101', 'GetTaskInstance', '2024-05-18', '{"Id":101}', 1774425600001, 1774425600031,
                'success', '{"101":{"RunNumber":1,"Status":"Failure"}}'),
            (1, 'after', '101', 'GetTaskInstance', '2024-05-18', '{"Id":101}', 1774425605000, 1774425605030,
                'forbidden', NULL)"#,
        )
        .await;
    store.tamper("UPDATE lookup SET error_message = 'no \u{1b}[2J way' WHERE purpose = 'after'").await;
    store
        .tamper(
            r#"UPDATE attempt SET read_before = '{"101":{"RunNumber":1,"Status":"Failure"}}', verdict = 'ambiguous',
            verdict_reason = 'nothing is known of 101', verified_at = 1774425605040"#,
        )
        .await;
    store
}

#[tokio::test]
async fn look_ups_are_told_with_what_they_found_and_when_the_next_is() {
    let store = looked_up().await;
    openeventd(&store.path(), &["audit", "lost"]).assert(
        0,
        &[
            "rule duplicates  unresolved",
            "it was sent, and it is not known whether it was executed",
            "Next look   2026-03-25 08:01:05.000 UTC, ",
            "attempt 1 unresolved  lost",
            "Known before  101: RunNumber 1, Status Failure",
            "before, GetTaskInstance of 101, ",
            " ago, success: RunNumber 1, Status Failure",
            "after, GetTaskInstance of 101, ",
            " ago, forbidden: no \\u{1b}[2J way",
            "ambiguous, 2026-03-25 08:00:05.040 UTC, ",
            ": nothing is known of 101",
        ],
    );
    openeventd(&store.path(), &["audit", "instance:101"]).assert(0, &["looked up: ambiguous"]);
    openeventd(&store.path(), &["outbox", "show", "1"]).assert(
        0,
        &[
            "action 1 unresolved",
            "looked up      by the daemon, as soon as it gets to it",
            "known before  1  101: RunNumber 1, Status Failure",
            "look-ups\n",
            "before  GetTaskInstance  101  success    RunNumber 1, Status Failure",
            "after   GetTaskInstance  101  forbidden  no \\u{1b}[2J way",
            "ambiguous  nothing is known of 101",
            "outbox verify 1   it is found out what became of it, and that decides",
        ],
    );
    let said = openeventd(&store.path(), &["outbox", "show", "1", "--json"]);
    let attempt = &said.objects()[0]["attempted"][0];
    assert_eq!(
        (&attempt["verdict"], &attempt["read_before"]["101"]["RunNumber"]),
        (&"ambiguous".into(), &1.into())
    );
    let purposes: Vec<_> =
        attempt["lookups"].as_array().expect("a list").iter().map(|it| &it["purpose"]).collect();
    assert_eq!(purposes, ["before", "after"]);
    assert_eq!(attempt["lookups"][0]["found"]["101"]["Status"], "Failure");
    let said = openeventd(&store.path(), &["audit", "1", "--json"]);
    assert_eq!(said.objects()[0]["lookups"][1]["class"], "forbidden");
}

#[tokio::test]
async fn an_action_without_its_decision_is_told_as_well() {
    let store = told().await;
    store.tamper("DELETE FROM decision").await;
    openeventd(&store.path(), &["audit", "1"])
        .assert(0, &["event 1", "action of rule converges", "attempt 1 due_again", "action of rule none"]);
}

#[tokio::test]
async fn a_replay_from_quarantine_is_told_with_the_event_that_it_made() {
    let store = Harness::with("").await;
    store.accept(&[at(0, "no JSON"), at(1, &failure("other", 1))]).await;
    store.tamper("UPDATE quarantined_record SET replayed_at = 1, replayed_event = 1").await;
    store
        .tamper("INSERT INTO operator_action VALUES (1, 1774425660000, 'bob', 'replay', 'all', 'mended', 1)")
        .await;
    store.tamper("INSERT INTO operator_target VALUES (1, 'quarantined', 1)").await;
    openeventd(&store.path(), &["audit", "1"])
        .assert(0, &["event 1", "replay by bob, 2026-03-25 08:01:00.000 UTC", ": mended", "no rule matched"]);
}

#[tokio::test]
async fn programs_get_the_columns_of_the_views() {
    let mut store = told().await;
    let said = openeventd(&store.path(), &["audit", "1", "--json"]);
    let [told] = &said.objects()[..] else { panic!("not one line: {}", said.stdout) };
    for (list, view, rows, more) in [
        ("decisions", "pragma_table_info('decisions')", 2, &["held_reason"][..]),
        ("actions", "pragma_table_info('actions')", 2, &[]),
        ("attempts", "pragma_table_info('attempts')", 2, &[]),
        ("operator_targets", "pragma_table_info('operator_targets')", 1, &[]),
        ("duplicates", "pragma_table_info('duplicates') WHERE name <> 'payload'", 1, &[]),
    ] {
        let columns = store.rows("name", view).await;
        let mut columns: BTreeSet<&str> = columns.iter().filter_map(|row| row[0].as_str()).collect();
        columns.extend(more);
        let rows_told = told[list].as_array().expect(list);
        assert_eq!(rows_told.len(), rows, "{list}");
        let names: BTreeSet<&str> =
            rows_told[0].as_object().expect(list).keys().map(String::as_str).collect();
        assert_eq!(names, columns, "{list}");
    }
    let columns = store.rows("name", "pragma_table_info('events')").await;
    for column in &columns {
        assert!(told.get(column[0].as_str().expect("text")).is_some(), "{column}");
    }
    assert_eq!(told["instance"], Value::from(73_910_042_265_i64));
    assert_eq!(told["attempts"][0]["response"].as_str().map(str::len), Some(1_011));
}

#[tokio::test]
async fn what_an_event_holds_cannot_drive_the_terminal() {
    let store = Harness::with("").await;
    store.accept(&[at(0, &failure("\\u001b[31mred\\nforged", 1))]).await;
    for arguments in [&["audit"][..], &["audit", "1"], &["sql", "select id from events"]] {
        let said = openeventd(&store.path(), arguments);
        assert!(!said.stdout.contains('\u{1b}') && !said.stdout.contains("\nforged"), "{}", said.stdout);
    }
}

#[tokio::test]
async fn the_few_events_of_an_object_are_shown_with_what_came_of_them() {
    let store = told().await;
    let said = openeventd(&store.path(), &["audit", "instance:73910042265"]);
    said.assert(
        0,
        &[
            "1      2026-03-25 08:00:00",
            "converges: dead, none: held (stale)\n",
            "       converges  dead  StopTaskInstances  {\"Ids\":[73910042265]}\n",
            "         attempt 1 due_again  throttled, HTTP 429, Refused, request REQUEST, ",
            "         requeue by alice, ",
            ": mended\n",
            "         attempt 2 dead  rejected, HTTP 400, Refused, request REQUEST, ",
            "       none  held (stale)  GetTaskInstance",
        ],
    );
    assert!(said.stderr.contains("only events that a rule matched"), "{}", said.stderr);
}

#[tokio::test]
async fn many_events_of_an_object_get_a_line_each() {
    let store = Harness::with(&live("none", "")).await;
    let payloads: Vec<String> = (0..11).map(|number| failure(&format!("event {number}"), 71)).collect();
    let records: Vec<_> = (0..).zip(&payloads).map(|(offset, payload)| at(offset, payload)).collect();
    store.accept(&records).await;
    let said = openeventd(&store.path(), &["audit", "instance:71"]);
    assert_eq!((said.exit, said.stdout.lines().count()), (0, 12), "{}", said.stdout);
    let said = openeventd(&store.path(), &["audit", "instance:71", "-n", "10"]);
    assert_eq!((said.exit, said.stdout.lines().count()), (0, 21), "{}", said.stdout);
}
