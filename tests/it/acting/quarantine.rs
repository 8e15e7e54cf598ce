//! The quarantine: looking, and replaying what decodes by now.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use openeventd::event::decode::Limits;
use openeventd::ingest::decode_batch;
use openeventd::ingest::replaying::Replaying;
use openeventd::record::{Header, Headers, Record};
use openeventd::store::identity::Remaining;
use openeventd::store::retention::Horizons;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use super::{command, deeds, openeventd};
use crate::dispatch::now_ms;
use crate::harness::{HOUR_MS, Harness, at, failure, live};

/// Nothing is shallow enough.
const NARROW: Limits = Limits { payload_bytes_max: 1_000_000, depth_max: 1 };

/// A store whose limits have quarantined `records`, and would take them by now.
async fn quarantined(rules: &str, records: &[Record<'_>]) -> Harness {
    let mut store = Harness::with(rules).await;
    store.limits = NARROW;
    let accepted = store.accept_at(now_ms(), records).await;
    assert_eq!(accepted.quarantined, records.len());
    store.limits = Limits::default();
    store
}

const SEEN: &str = "[[rule]]\nname = \"seen\"\nmatch = { status = \"Failure\" }\n";

/// A configuration in `directory`, whose database is `audit.db` there, with these rules.
fn configure(directory: &Path, rules: &str) {
    fs::create_dir(directory.join("rules.d")).expect("it is made");
    fs::write(directory.join("rules.d/rules.toml"), rules).expect("it is written");
    let kafka = "bootstrap_servers = [\"127.0.0.1:1\"]\ntopics = [\"events\"]\ngroup_id = \"g\"\nsecurity_protocol = \"plaintext\"";
    let text = format!("[kafka]\n{kafka}\n[store]\npath = \"audit.db\"\n");
    fs::write(directory.join("openeventd.toml"), text).expect("it is written");
}

/// What the daemon does about replays.
fn replaying(
    store: &Harness,
    limits: Limits,
) -> (watch::Sender<Arc<openeventd::store::accept::Deciding>>, Replaying) {
    let (in_force, deciding) = watch::channel(Arc::clone(&store.deciding));
    let (writer, planned) = (store.writer.clone(), Arc::new(Notify::new()));
    let (metrics, gate) = (Arc::default(), Arc::default());
    (in_force, Replaying { writer, limits, deciding, planned, metrics, gate, now_ms })
}

async fn replay_all(store: &Harness, limits: Limits) {
    let (_in_force, replaying) = replaying(store, limits);
    while replaying.step().await.expect("the step is kept") == Remaining::More {}
}

const ASK: &str = "UPDATE quarantined_record SET replay_requested_at = 1";

/// Event and problem of each record.
async fn outcomes(store: &mut Harness) -> Vec<Value> {
    store.rows("replay_requested_at, replayed_event, replay_problem", "quarantined_record ORDER BY id").await
}

#[tokio::test]
async fn a_replayed_record_becomes_an_event_at_its_own_place() {
    let (one, two) = (failure("1", 71), failure("2", 72));
    let mut store = quarantined(&live("duplicates", ""), &[at(5, &one), at(6, &two)]).await;
    store.tamper(ASK).await;
    replay_all(&store, store.limits).await;
    assert_eq!(outcomes(&mut store).await, [json!([null, 1, null]), json!([null, 2, null])]);
    let places =
        store.rows("topic, partition, \"offset\", generation, id, batch", "events ORDER BY seq").await;
    assert_eq!(places, [json!(["events", 0, 5, 1, "1", 2]), json!(["events", 0, 6, 1, "2", 2])]);
    let batch =
        store.rows("records, events, duplicates, quarantined, json(ranges)", "batches WHERE id = 2").await;
    let range =
        json!([{"topic": "events", "partition": 0, "first": 5, "last": 6, "records": 2, "replayed": true}]);
    assert_eq!(batch, [json!([2, 2, 0, 0, range])]);
    assert_eq!(store.rows("next_offset", "stream").await, [json!([7])]);
    assert_eq!(store.count("action WHERE state = 'planned'").await, 2);
    // Asked for once more, and delivered once more: nothing is planned again.
    store.tamper(ASK).await;
    replay_all(&store, store.limits).await;
    let mut store = store.reopen().await;
    for limits in [Limits::default(), NARROW] {
        store.limits = limits;
        let again = store.accept_at(now_ms(), &[at(5, &one), at(6, &two)]).await;
        assert_eq!((again.events, again.duplicates), (0, 2), "{limits:?}");
    }
    assert_eq!(
        (store.count("event").await, store.count("action").await, store.count("stream").await),
        (2, 2, 1)
    );
}

#[tokio::test]
async fn an_event_that_was_accepted_meanwhile_is_not_planned_again() {
    let one = failure("1", 71);
    let mut store = quarantined(&live("duplicates", ""), &[at(5, &one), at(6, &one)]).await;
    assert_eq!(store.accept_at(now_ms(), &[at(9, &one)]).await.events, 1);
    store.tamper(ASK).await;
    replay_all(&store, store.limits).await;
    assert_eq!(outcomes(&mut store).await, vec![json!([null, 1, null]); 2]);
    assert_eq!((store.count("event").await, store.count("action").await), (1, 1));
    let batches = store.rows("records, events, duplicates, quarantined", "batches ORDER BY id").await;
    assert_eq!(batches, [json!([2, 0, 0, 2]), json!([1, 1, 0, 0]), json!([2, 0, 2, 0])]);
}

#[tokio::test]
async fn two_records_of_one_identity_become_one_event() {
    let (one, other) = (failure("1", 71), failure("1", 72));
    let mut store = quarantined(&live("duplicates", ""), &[at(5, &one), at(6, &one), at(7, &other)]).await;
    store.tamper(ASK).await;
    replay_all(&store, store.limits).await;
    assert_eq!(outcomes(&mut store).await, vec![json!([null, 1, null]); 3]);
    assert_eq!((store.count("event").await, store.count("action").await), (1, 1));
    assert_eq!(store.rows("doubt, event, \"offset\"", "duplicates").await, [json!(["conflict", 1, 7])]);
}

#[tokio::test]
async fn a_record_without_identity_is_replayed_once() {
    let payload = r#"{"eventCode":"instance-status-changes","taskId":71,"status":5}"#;
    let mut store = Harness::with(&live("duplicates", "")).await;
    store.limits = Limits { payload_bytes_max: 10, depth_max: 64 };
    store.accept_at(now_ms(), &[at(5, payload)]).await;
    store.limits = Limits::default();
    for _ in 0..2 {
        store.tamper(ASK).await;
        replay_all(&store, store.limits).await;
    }
    assert_eq!(store.accept_at(now_ms(), &[at(5, payload)]).await.duplicates, 1);
    assert_eq!(store.rows("replayed_event", "quarantined_record").await, [json!([1])]);
    assert_eq!((store.count("event").await, store.count("action").await), (1, 1));
}

#[tokio::test]
async fn key_headers_and_time_come_back_byte_for_byte() {
    let headers = [
        Header { name: "ce_id", value: Some(b"b1") },
        Header { name: "ce_source", value: Some(b"acs.dataworks") },
        Header { name: "ce_specversion", value: Some(b"1.0") },
        Header { name: "ce_type", value: Some(b"dataworks:InstanceStatusChanges:InstanceStatusChanges") },
        Header { name: "content-type", value: Some(b"application/json") },
        Header { name: "odd", value: Some(b"\xff\x00") },
        Header { name: "none", value: None },
    ];
    let payload = r#"{"taskId":71,"status":5,"more":[[1]]}"#;
    let old = now_ms() - 5 * HOUR_MS;
    let record = Record {
        headers: Headers::from(&headers),
        key: Some(b"\xfek"),
        timestamp_ms: Some(old),
        ..at(5, payload)
    };
    let mut store = quarantined(&live("duplicates", ""), &[record]).await;
    store.tamper(ASK).await;
    replay_all(&store, store.limits).await;
    let kept = "e.id, e.kafka_at, hex(e.key) = hex(q.key), e.headers = q.headers, e.payload = CAST(q.payload AS TEXT)";
    let rows = store.rows(kept, "event e, quarantined_record q").await;
    assert_eq!(rows, [json!(["b1", old, 1, 1, 1])]);
    assert_eq!(store.rows("state, held_reason", "action").await, [json!(["held", "stale"])]);
    assert_eq!(store.accept_at(now_ms(), &[record]).await.duplicates, 1);
    assert_eq!(store.count("stream").await, 1);
}

#[tokio::test]
async fn a_replay_that_fails_half_way_changes_nothing_and_stops_nothing() {
    let (one, two) = (failure("1", 71), failure("2", 72));
    let mut store = quarantined(&live("duplicates", ""), &[at(5, &one), at(6, &two)]).await;
    store.tamper(ASK).await;
    store
        .tamper("CREATE TRIGGER planted BEFORE INSERT ON identity_batch BEGIN SELECT RAISE(ABORT, 'no'); END")
        .await;
    replay_all(&store, store.limits).await;
    for outcome in outcomes(&mut store).await {
        let problem = outcome[2].as_str().expect("a problem");
        assert!(problem.starts_with("not_replayed: cannot append identities"), "{problem}");
        assert_eq!((&outcome[0], &outcome[1]), (&Value::Null, &Value::Null));
    }
    assert_eq!(
        (store.count("event").await, store.count("action").await, store.count("batch").await),
        (0, 0, 1)
    );
    store.tamper("DROP TRIGGER planted").await;
    store.tamper(ASK).await;
    replay_all(&store, store.limits).await;
    assert_eq!(store.rows("seq, batch", "events ORDER BY seq").await, [json!([1, 2]), json!([2, 2])]);
    assert_eq!(store.rows("number, event", "actions ORDER BY number").await, [json!([1, 1]), json!([2, 2])]);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_given_up_and_the_others_are_replayed() {
    let payloads: Vec<String> = (1..=4).map(|id| failure(&id.to_string(), 70 + id)).collect();
    let records: Vec<_> = payloads.iter().zip(5..).map(|(payload, offset)| at(offset, payload)).collect();
    let mut store = quarantined("", &records).await;
    store.tamper("UPDATE quarantined_record SET headers = '{}' WHERE id = 1").await;
    store.tamper("UPDATE quarantined_record SET headers = CAST(x'ff' AS TEXT) WHERE id = 2").await;
    store.tamper("UPDATE quarantined_record SET stream = 99 WHERE id = 4").await;
    store.tamper(ASK).await;
    replay_all(&store, store.limits).await;
    let outcomes = outcomes(&mut store).await;
    assert_eq!(outcomes[2], json!([null, 1, null]));
    for (outcome, why) in
        [(&outcomes[0], "headers"), (&outcomes[1], "utf-8"), (&outcomes[3], "no such stream")]
    {
        let problem = outcome[2].as_str().expect("a problem");
        assert!(problem.starts_with("not_replayed: ") && problem.contains(why), "{problem}");
        assert_eq!((&outcome[0], &outcome[1]), (&Value::Null, &Value::Null));
    }
}

#[tokio::test]
async fn one_record_that_cannot_be_accepted_is_given_up_alone() {
    let payloads: Vec<String> = (0..9).map(|id| failure(&id.to_string(), 70 + id)).collect();
    let records: Vec<_> = payloads.iter().zip(0..).map(|(payload, offset)| at(offset, payload)).collect();
    let mut store = quarantined(&live("duplicates", ""), &records).await;
    store.tamper(ASK).await;
    store
        .tamper(
            "CREATE TRIGGER planted BEFORE INSERT ON event WHEN new.\"offset\" = 6 \
             BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
        .await;
    replay_all(&store, store.limits).await;
    let given_up = "quarantined_record WHERE replay_problem LIKE 'not_replayed: %'";
    assert_eq!(store.rows("\"offset\", replayed_event", given_up).await, [json!([6, null])]);
    assert_eq!(store.count("quarantined_record WHERE replayed_event IS NOT NULL").await, 8);
    assert_eq!((store.count("event").await, store.count("action").await), (8, 8));
    let replayed: Vec<_> = [0, 1, 2, 3, 4, 5, 7, 8].map(|offset| json!([offset])).into();
    assert_eq!(store.rows("\"offset\"", "event ORDER BY seq").await, replayed);
}

#[tokio::test]
async fn a_replay_without_any_event_is_no_batch() {
    let mut store = quarantined("", &[at(5, "{"), at(6, &failure("1", 71))]).await;
    store.tamper(ASK).await;
    let wanted = store.writer.to_replay(10, 1_000).await.expect("they are read");
    let batch = Arc::new(decode_batch(wanted.records, &store.limits, &store.deciding.rules));
    let mut replayed = Vec::new();
    for part in [0..1, 1..2] {
        let (batch, records) = (Arc::clone(&batch), wanted.quarantined.as_slice().into());
        let deciding = Arc::clone(&store.deciding);
        let replay = store.writer.replay(batch, records, part, deciding, now_ms()).await;
        replayed.push(replay.expect("it is kept"));
    }
    assert_eq!((&replayed[0].accepted, replayed[0].undecodable), (&None, 1));
    let accepted = replayed[1].accepted.as_ref().expect("a batch");
    assert_eq!((accepted.events, accepted.records, replayed[1].undecodable), (1, 1, 0));
    assert_eq!(store.count("batch").await, 2);
}

#[tokio::test]
async fn a_replay_waits_for_room_on_the_disk_as_intake_does() {
    let mut store = quarantined("", &[at(5, &failure("1", 71))]).await;
    store.tamper(ASK).await;
    let (_in_force, replaying) = replaying(&store, store.limits);
    replaying.gate.close();
    assert_eq!(replaying.step().await.expect("nothing fails"), Remaining::Nothing);
    assert_eq!(outcomes(&mut store).await, [json!([1, null, null])], "it is still asked for");
    replaying.gate.open();
    assert_eq!(replaying.step().await.expect("it is kept"), Remaining::More);
    assert_eq!(outcomes(&mut store).await, [json!([null, 1, null])]);
}

#[tokio::test]
async fn a_record_without_any_time_is_as_old_as_its_quarantine() {
    let mut store = quarantined(&live("duplicates", ""), &[at(5, &failure("1", 71))]).await;
    store.tamper("UPDATE quarantined_record SET quarantined_at = quarantined_at - 18000000").await;
    store.tamper(ASK).await;
    replay_all(&store, store.limits).await;
    assert_eq!(store.rows("state, held_reason", "action").await, [json!(["held", "stale"])]);
}

#[tokio::test]
async fn what_still_is_no_event_stays_with_the_reason_and_waits_out_retention_only_once_done() {
    let mut store = quarantined("", &[at(5, "{"), at(6, &failure("1", 71))]).await;
    store.tamper("UPDATE quarantined_record SET replay_requested_at = 1 WHERE id = 1").await;
    let horizons = Horizons { unmatched_ms: HOUR_MS, matched_ms: HOUR_MS, dedupe_ms: HOUR_MS };
    store.retire(horizons, now_ms() + 2 * HOUR_MS).await;
    assert_eq!(store.rows("id", "quarantined_record").await, [json!([1])], "it is to be replayed");
    replay_all(&store, store.limits).await;
    let outcome = outcomes(&mut store).await;
    assert_eq!((&outcome[0][0], &outcome[0][1]), (&Value::Null, &Value::Null));
    assert!(outcome[0][2].as_str().is_some_and(|problem| problem.starts_with("not_json: ")), "{outcome:?}");
    assert_eq!(store.count("batches WHERE quarantined = 0").await, 0, "nothing was accepted");
    store.retire(horizons, now_ms() + 2 * HOUR_MS).await;
    assert_eq!(store.count("quarantined_record").await, 0);
}

#[tokio::test]
async fn the_command_asks_the_daemon_and_tells_what_came_of_it() {
    let mut store = quarantined(&live("duplicates", ""), &[at(5, &failure("1", 71)), at(6, "{")]).await;
    let path = store.path();
    let (_in_force, replaying) = replaying(&store, store.limits);
    let (stop, stopping) = watch::channel(false);
    let running = tokio::spawn(replaying.run(stopping));
    let ran = openeventd(&path, &["quarantine", "replay", "--all", "--yes", "--reason", "deeper now"]).await;
    assert_eq!(ran.code, 65, "{}", ran.err);
    assert!(
        ran.out.starts_with("replay: 2 records\n  1  not_json  events\n  1  too_deep  events\n"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("record  1  is event 1\nrecord  2  still is no event: not_json"), "{}", ran.out);
    assert_eq!(deeds(&mut store).await, [json!(["replay", "deeper now", 2, [1, 2]])]);
    let ran = openeventd(&path, &["quarantine", "replay", "1", "--yes", "--reason", "again"]).await;
    assert_eq!(ran.code, 66, "{}", ran.err);
    stop.send_replace(true);
    running.await.expect("no panic").expect("no failure");
    // Nobody replays any more: the request stands.
    let asked = ["quarantine", "replay", "2", "--yes", "--reason", "r", "--wait", "0s"];
    let ran = openeventd(&path, &asked).await;
    assert_eq!((ran.code, ran.err.contains("stay asked for")), (75, true), "{}", ran.err);
    assert_eq!(store.count("action").await, 1);
}

#[tokio::test]
async fn without_a_daemon_the_command_replays_by_itself() {
    let store = quarantined("", &[at(5, &failure("1", 71))]).await;
    let path = store.path();
    let directory = store.close().await;
    let config = directory.path().join("openeventd.toml");
    let act = ["quarantine", "replay", "1", "--yes", "--reason", "r"];
    let ran = openeventd(&path, &[&act[..], &["--config", "absent.toml"]].concat()).await;
    assert_eq!((ran.code, ran.err.contains("the next start does it")), (78, true), "{}", ran.err);
    configure(directory.path(), SEEN);
    let ran = openeventd(&path, &[&act[..], &["--config", config.to_str().expect("text")]].concat()).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(ran.out.ends_with("record  1  is event 1\n"), "{}", ran.out);
    let mut store = Harness::open(directory, "", 0o600).await;
    assert_eq!(store.rows("rule, outcome", "decisions").await, [json!(["seen", "recorded"])]);
    assert_eq!(store.count("operator_targets WHERE kind = 'quarantined'").await, 2);
}

#[tokio::test]
async fn a_replay_without_a_daemon_goes_by_the_configuration_of_its_database_only() {
    let store = quarantined("", &[at(5, &failure("1", 71))]).await;
    let path = store.path();
    let directory = store.close().await;
    let elsewhere = tempfile::tempdir().expect("a directory");
    configure(elsewhere.path(), SEEN);
    let config = elsewhere.path().join("openeventd.toml");
    let act = ["quarantine", "replay", "1", "--yes", "--reason", "r", "--config"];
    let ran = openeventd(&path, &[&act[..], &[config.to_str().expect("text")]].concat()).await;
    assert_eq!((ran.code, ran.err.contains("is not the database of")), (64, true), "{}", ran.err);
    let mut store = Harness::open(directory, "", 0o600).await;
    assert_eq!(store.count("quarantined_record WHERE replay_requested_at IS NOT NULL").await, 1);
    assert_eq!((store.count("event").await, store.count("rule_set").await), (0, 1), "nothing of it came in");
}

#[tokio::test]
async fn with_a_broken_directory_the_rules_of_the_daemon_decide_and_not_the_newest() {
    let store = quarantined(SEEN, &[at(5, &failure("1", 71))]).await;
    store
        .tamper(
            "INSERT INTO daemon SELECT 1, 'v', 1, 1, 1, 1, 1, id, 1, 'current', 1, 'polling', '[]', '[]' FROM rule_set",
        )
        .await;
    store
        .tamper(
            "INSERT INTO rule_set (hash, files, rules, loaded_at) SELECT replace(hash, '0', '1'), \
             replace(files, 'seen', 'newest'), rules, loaded_at + 1 FROM rule_set",
        )
        .await;
    let path = store.path();
    let directory = store.close().await;
    configure(directory.path(), "[[rule]]");
    let config = directory.path().join("openeventd.toml");
    let act = ["quarantine", "replay", "1", "--yes", "--reason", "r", "--config"];
    let ran = openeventd(&path, &[&act[..], &[config.to_str().expect("text")]].concat()).await;
    assert_eq!((ran.code, ran.err.contains("last in force decided")), (0, true), "{}", ran.err);
    let mut store = Harness::open(directory, SEEN, 0o600).await;
    assert_eq!(store.rows("rule, outcome", "decisions").await, [json!(["seen", "recorded"])]);
}

#[tokio::test]
async fn a_record_that_is_gone_meanwhile_is_told() {
    let store = quarantined("", &[at(5, &failure("1", 71))]).await;
    store
        .tamper(
            "CREATE TRIGGER planted AFTER UPDATE OF replay_requested_at ON quarantined_record \
             BEGIN DELETE FROM quarantined_record WHERE id = new.id; END",
        )
        .await;
    let ran = openeventd(&store.path(), &["quarantine", "replay", "1", "--yes", "--reason", "r"]).await;
    assert_eq!((ran.code, ran.err.contains("1 of the records are gone")), (66, true), "{}", ran.err);
    assert!(ran.out.ends_with("record  1  is gone\n"), "{}", ran.out);
}

#[tokio::test]
async fn list_and_show_give_the_record_escaped_bounded_or_raw() {
    let payload = format!("\u{1b}[2J{}", "x".repeat(5_000));
    let store = quarantined("", &[at(5, &payload)]).await;
    let path = store.path();
    let ran = openeventd(&path, &["quarantine", "list"]).await;
    assert!(ran.out.contains("1       not_json  events  0          5       5004   -"), "{}", ran.out);
    let ran = openeventd(&path, &["quarantine", "list", "--json", "--quarantine-reason", "not_json"]).await;
    let row: Value = serde_json::from_str(&ran.out).expect("one object");
    assert_eq!((&row["offset"], &row["payload_bytes"]), (&json!(5), &json!(5_004)));
    let ran = openeventd(&path, &["quarantine", "show", "1"]).await;
    assert!(ran.out.contains("\\u{1b}[2Jxxx") && ran.out.contains("--raw gives it whole"), "{}", ran.out);
    assert!(!ran.out.contains('\u{1b}'));
    let raw = command(&path, &["quarantine", "show", "1", "--raw"]).output().expect("it runs");
    assert_eq!(raw.stdout, payload.as_bytes());
    let ran = openeventd(&path, &["quarantine", "show", "7"]).await;
    assert_eq!(ran.code, 66, "{}", ran.err);
    drop(store);
}
