//! What people see: the views, in the sqlite3 program that they have.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use openeventd::event::decode::{Limits, decode};
use openeventd::record::{Header, Headers, Record};
use serde_json::Value;

use crate::harness::{Harness, NOW_MS, at, failure, live};

const COLUMNS: [&str; 22] = [
    "id",
    "source",
    "type",
    "time",
    "subject",
    "code",
    "kind",
    "workspace",
    "operator",
    "account",
    "region",
    "instance",
    "instances",
    "node",
    "nodes",
    "file",
    "table",
    "status",
    "rows",
    "bytes",
    "envelope",
    "flags",
];

/// What Debian's program answers, each row an object.
fn ask(path: &Path, question: &str) -> Vec<BTreeMap<String, Value>> {
    let output = Command::new("sqlite3").args(["-readonly", "-json"]).arg(path).arg(question).output();
    let output = output.expect("the sqlite3 program is installed");
    assert!(output.status.success(), "{question}: {}", String::from_utf8_lossy(&output.stderr));
    if output.stdout.is_empty() {
        vec![]
    } else {
        serde_json::from_slice(&output.stdout).expect("it writes JSON")
    }
}

#[tokio::test]
async fn every_view_runs_in_the_sqlite3_program() {
    let mut store = Harness::with(&format!("{}{}", live("none", ""), live("converges", ""))).await;
    store.accept(&[at(0, &failure("1", 71)), at(1, &failure("1", 72)), at(2, "{")]).await;
    store.claim(1, NOW_MS).await;
    let views = store.rows("name", "sqlite_schema WHERE type = 'view' ORDER BY name").await;
    let names: Vec<&str> = views.iter().filter_map(|row| row[0].as_str()).collect();
    let expected = [
        ("actions", 2),
        ("attempts", 1),
        ("batches", 1),
        ("configurations", 1),
        ("daemons", 0),
        ("decisions", 2),
        ("duplicates", 1),
        ("event_objects", 3),
        ("events", 1),
        ("gaps", 0),
        ("lookups", 0),
        ("operator_actions", 0),
        ("operator_targets", 0),
        ("outside_calls", 0),
        ("parkings", 0),
        ("quarantined", 1),
        ("quota_days", 1),
        ("quota_spenders", 1),
        ("rule_sets", 1),
        ("stops", 0),
    ];
    assert_eq!(names, expected.map(|(name, _)| name));
    for (name, rows) in expected {
        assert_eq!(ask(&store.path(), &format!("SELECT * FROM {name}")).len(), rows, "{name}");
    }
    let actions = ask(&store.path(), "SELECT state, planned_at FROM actions ORDER BY number");
    assert_eq!(actions[0]["state"], "in_flight");
    assert_eq!(actions[0]["planned_at"], "2026-03-25T08:00:00.000Z");
}

/// The samples, and what else the envelopes allow.
fn payloads() -> Vec<(String, String)> {
    let mut payloads: Vec<(String, String)> = fs::read_dir("tests/fixtures/samples")
        .expect("the samples")
        .map(|entry| entry.expect("a file").path())
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).expect("a sample")))
        .collect();
    payloads.sort();
    assert!(payloads.len() > 80);
    let others = [
        ("only data", r#"{"eventCode":"instance-status-changes", "taskId":71,"status":5}"#),
        (
            "data as text",
            r#"{"data":"{\"taskId\":71,\"status\":5}","id":"text","source":"acs.dataworks","specversion":"1.0","type":"dataworks:InstanceStatusChanges:InstanceStatusChanges"}"#,
        ),
        (
            "generation 1",
            r#"{"messageId":"g1","messageType":"SCHEDULE_TASK","messageBody":{"taskId":71,"status":6}}"#,
        ),
        (
            "unknown type",
            r#"{"data":{"a":[1, 9007199254740993,"\u00e4"]},"id":"u","source":"acs.other","specversion":"1.0","type":"other:Thing:Happened","subject":"s"}"#,
        ),
    ];
    payloads.extend(others.map(|(name, text)| (name.to_owned(), text.to_owned())));
    payloads
}

/// What the view shows, in the form of the event's own line.
fn shown(row: &BTreeMap<String, Value>, name: &str) -> Value {
    match (name, &row[name]) {
        ("instances" | "nodes" | "flags" | "data", Value::String(text)) => {
            serde_json::from_str(text).unwrap_or_else(|_| panic!("{name} is JSON: {text}"))
        }
        (_, value) => value.clone(),
    }
}

fn assert_same(name: &str, record: &Record<'_>, row: &BTreeMap<String, Value>) {
    let event = decode(record, &Limits::default()).expect(name);
    let line: BTreeMap<String, Value> = serde_json::from_str(&event.to_json_line()).expect("a line");
    for column in COLUMNS.into_iter().chain(["data"]) {
        assert_eq!(shown(row, column), line.get(column).cloned().unwrap_or_default(), "{column} of {name}");
    }
}

#[tokio::test]
async fn the_view_of_events_agrees_with_the_decoded_event_for_every_sample() {
    let mut left = payloads();
    // Samples of one event in two envelopes have one identity: each database takes one of them.
    while !left.is_empty() {
        let store = Harness::with("").await;
        let (mut taken, mut repeated) = (Vec::new(), Vec::new());
        for (name, payload) in left {
            let offset = i64::try_from(taken.len()).expect("few samples");
            let accepted = store.accept(&[at(offset, &payload)]).await;
            assert_eq!(accepted.quarantined, 0, "{name}");
            if accepted.events == 1 { taken.push((name, payload)) } else { repeated.push((name, payload)) }
        }
        let rows = ask(&store.path(), "SELECT * FROM events ORDER BY seq");
        assert_eq!(rows.len(), taken.len());
        for ((name, payload), row) in taken.iter().zip(&rows) {
            assert_same(name, &at(0, payload), row);
        }
        left = repeated;
    }
}

#[tokio::test]
async fn the_view_of_events_agrees_for_binary_cloudevents() {
    let store = Harness::with("").await;
    let headers = [
        ("ce_id", "b1"),
        ("ce_source", "acs.dataworks"),
        ("ce_specversion", "1.0"),
        ("ce_time", "2026-03-12T10:30:00+08:00"),
        ("ce_type", "dataworks:InstanceStatusChanges:InstanceStatusChanges"),
        ("ce_subject", "s"),
        ("content-type", "application/json"),
    ];
    let headers = headers.map(|(name, value)| Header { name, value: Some(value.as_bytes()) });
    let record = Record { headers: Headers::from(&headers), ..at(0, r#"{"taskId":71,"status":5}"#) };
    assert_eq!(store.accept(&[record]).await.events, 1);
    let rows = ask(&store.path(), "SELECT * FROM events");
    assert_eq!(rows[0]["envelope"], "cloudevents_binary");
    assert_same("binary", &record, &rows[0]);
}
