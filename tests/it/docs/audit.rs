//! An audit database that holds one of each thing that a query of the documentation asks for, made by
//! the store itself.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use openeventd::action::plan::Trust;
use openeventd::batch::RecordBatch;
use openeventd::event::decode::Limits;
use openeventd::ingest::decode_batch;
use openeventd::record::Record;
use openeventd::rule::parse::{self, KnownAccount, Surroundings};
use openeventd::rule::policy::Allow;
use openeventd::rule::{Policy, RuleFile, RuleSet};
use openeventd::store::accept::Deciding;
use openeventd::store::outbox::{Evidence, Outcome, Settlement};
use openeventd::store::positions::{Gap, GapReason};
use openeventd::store::spending::Paid;
use openeventd::store::{Settings, Writer};

use crate::harness::{Harness, opened};

const RULES: &str = r#"
[[rule]]
name = "rerun-failed"
mode = "live"
match = { code = "instance-status-changes", status = "Failure" }
[[rule.steps]]
operation = "RerunTaskInstances"
params = { Ids = ["{{ instance }}"], Comment = "rerun by {{ rule }}" }

[[rule]]
name = "try-out"
match = { code = "instance-status-changes", status = "Failure" }
[[rule.steps]]
operation = "GetTaskInstance"
params = { Id = "{{ instance }}" }

[[rule]]
name = "mistaken"
match = { code = "instance-status-changes", status = "Failure" }
[[rule.steps]]
operation = "GetTaskInstance"
params = { Id = "{{ data.absent }}" }

[[rule]]
name = "ask-first"
mode = "approve"
match = { code = "commit-file" }
[[rule.steps]]
operation = "GetNode"
version = "2024-05-18"
params = { Id = "1" }

[[rule]]
name = "large-download"
match = { code = "download-resources", rows = { numeric = [">", 100000] } }
"#;

/// Published long ago: held for its age.
const STALE: &str = "2026-03-12T10:30:00.179PRC";

/// Writes the database to `path` and closes it.
pub(super) fn write(path: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(fill(path));
    let output = Command::new("sqlite3").args(["-bail"]).arg(path).arg(PEOPLE).output();
    let output = output.expect("sqlite3 is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What the running daemon and people have written down. Its sign of life is as far ahead as still counts, so that it is
/// alive for all blocks.
const PEOPLE: &str = r#"
INSERT INTO daemon SELECT 1, '0.1.0', 4242, accepted_at, accepted_at, accepted_at + 40000, NULL, 1, 1, 'current', NULL,
    'polling', '[{"topic":"dataworks-openevent","partition":0,"committed":12,"end":12,"lag":0}]', '[]' FROM batch;
INSERT INTO operator_action SELECT 1, accepted_at, 'alice', 'requeue', 'by id', 'the node was mended', 1 FROM batch;
INSERT INTO operator_target SELECT 1, 'action', number FROM action WHERE state = 'dead';
INSERT INTO operator_action SELECT 2, accepted_at, 'alice', 'replay', 'all', 'after the update', 1 FROM batch;
INSERT INTO operator_target VALUES (2, 'quarantined', 1);
INSERT INTO stop SELECT 1, 'rerun-failed', NULL, NULL, 'alice', 'it reran what was broken', accepted_at, accepted_at + 1 FROM batch;
"#;

async fn fill(path: &Path) {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_millis();
    let now_ms = i64::try_from(now_ms).expect("it fits");
    let store = opened(&Settings { path: path.to_owned(), file_mode: 0o600 }).await;
    let (writer, _, closing) = store.into_writer(now_ms).await.expect("it can be written");
    let closing = tokio::spawn(closing.run());
    let deciding = Arc::new(deciding(&writer, now_ms).await);
    let of_workspace = |workspace: i64, id: &str, instance: i64, published: &str| {
        format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"acs.dataworks","type":"dataworks:InstanceStatusChanges:InstanceStatusChanges","time":"2026-11-22T10:30:00+08:00","aliyunaccountid":"1460982254730185","aliyunregionid":"cn-hangzhou","aliyunpublishtime":"{published}","data":{{"eventCode":"instance-status-changes","appId":{workspace},"nodeId":700005183003,"taskId":{instance},"dagType":0,"status":5}}}}"#
        )
    };
    let failure = |id: &str, instance: i64, published: &str| of_workspace(96_384, id, instance, published);
    let mut payloads: Vec<String> =
        (0..4).map(|at| failure(&format!("failed-{at}"), 73_910_042_265 + at, "")).collect();
    payloads.push(failure("failed-0", 1, ""));
    payloads.push(payloads[1].clone());
    payloads.push(failure("stale", 73_910_042_300, STALE));
    payloads.push(of_workspace(7, "elsewhere", 73_910_042_400, ""));
    payloads.push("no JSON".to_owned());
    for sample in ["download-resources", "commit-file"] {
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/samples");
        let file = samples.join(format!("{sample}.cloudevents.json"));
        payloads.push(std::fs::read_to_string(file).expect("the sample is read"));
    }
    payloads
        .push(r#"{"eventCode":"instance-status-changes","appId":96384,"taskId":5,"status":6}"#.to_owned());
    accept(&writer, &deciding, &payloads, now_ms).await;
    settle(&writer, now_ms).await;
    let gap = Gap {
        topic: "dataworks-openevent".into(),
        partition: 1,
        first_offset: 40,
        end_offset: 90,
        reason: GapReason::Retention,
    };
    writer.record_gaps(vec![gap], now_ms).await.expect("it is written");
    drop((writer, deciding));
    closing.await.expect("no panic").expect("it closes");
}

async fn deciding(writer: &Writer, now_ms: i64) -> Deciding {
    let policy = Policy {
        allow: vec![Allow {
            operation: "RerunTaskInstances".into(),
            workspaces: vec![],
            rules: String::new(),
        }],
    };
    let files = vec![RuleFile { path: "team-a/first.toml".into(), text: RULES.into() }];
    let surroundings = Surroundings { accounts: &[KnownAccount::named("main")], policy: &policy };
    let (rules, _): (RuleSet, _) = parse::parse(files, &surroundings).expect("the rules are right");
    let rule_set = writer.remember_rules(&rules, now_ms).await.expect("it is written");
    let configuration = writer.remember_configuration("0".repeat(64), "{}".into(), now_ms).await;
    Deciding {
        rules: Arc::new(rules),
        rule_set,
        configuration: configuration.expect("it is written"),
        policy,
        trust: Trust { accounts: vec![], workspaces: vec![96_384] },
        default_account: Some("main".into()),
        regions: [("main".to_owned(), "cn-hangzhou".to_owned())].into(),
    }
}

async fn accept(writer: &Writer, deciding: &Arc<Deciding>, payloads: &[String], now_ms: i64) {
    let mut records = RecordBatch::new();
    for (offset, payload) in (0..).zip(payloads) {
        let timestamp_ms = Some(now_ms - 1_000);
        let place =
            Record { topic: "dataworks-openevent", partition: 0, ..Record::of_payload(payload.as_bytes()) };
        records.push(&Record { offset, timestamp_ms, ..place });
    }
    let batch = decode_batch(records, &Limits::default(), &deciding.rules);
    let accepted =
        writer.accept(Arc::new(batch), Arc::clone(deciding), now_ms).await.expect("it is accepted");
    assert_eq!((accepted.quarantined, accepted.duplicates, accepted.planned), (1, 2, 4));
}

/// One call is throttled first and then succeeds, one is refused, one is lost, and one is left to be sent.
async fn settle(writer: &Writer, now_ms: i64) {
    let again = Outcome::DueAgain { due_at_ms: now_ms };
    attempt(writer, now_ms, &[(again, "throttled", Some(429), Some("Throttling.User"))]).await;
    let ends = [
        (Outcome::Succeeded, "success", Some(200), None),
        (Outcome::Dead, "rejected", Some(400), Some("InvalidTaskInstance.NotFound")),
        (Outcome::Unresolved, "lost", None, None),
    ];
    attempt(writer, now_ms, &ends).await;
}

/// Claims as many actions as there are `ends`, the earliest due first, and ends them so.
async fn attempt(writer: &Writer, now_ms: i64, ends: &[(Outcome, &'static str, Option<u16>, Option<&str>)]) {
    let wanted = Harness::wanted("main", ends.len());
    let claimed = writer.claim(wanted, now_ms).await.expect("there are actions").claimed;
    assert_eq!(claimed.len(), ends.len());
    for (action, (outcome, class, http_status, error_code)) in claimed.into_iter().zip(ends) {
        let evidence = Evidence {
            endpoint: Some("https://dataworks.cn-hangzhou.aliyuncs.com".into()),
            http_status: *http_status,
            request_id: http_status.map(|_| "0FF53D2C-7DA8-4A5B-8F60-0B7B6D3A11E2".into()),
            error_code: error_code.map(str::to_owned),
            latency_ms: Some(120),
            ..Evidence::default()
        };
        let paid = match (outcome, *class) {
            (Outcome::Succeeded, _) => Paid::Succeeded,
            (_, "throttled") => Paid::Throttled,
            _ => Paid::Failed,
        };
        let settlement = Settlement { evidence, paid, ..Settlement::of(&action, *outcome, class) };
        writer.settle(settlement, now_ms + 120).await.expect("it is settled");
    }
}
