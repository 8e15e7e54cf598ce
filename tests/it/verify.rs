//! Lost calls are looked up: what was read before, what is read after, and what follows.

#![expect(clippy::expect_used, reason = "clippy knows test functions, but not the helpers beside them")]

use std::collections::HashSet;
use std::time::Duration;

use openeventd::dispatch::Lookups;
use openeventd::quota::Edition;
use serde_json::{Value, json};

use crate::dispatch::{Dispatching, now_ms, plan};
use crate::endpoint::{DataWorksDouble, Received, Reply};
use crate::harness::{Harness, live, policy};

/// One task instance as the endpoint knows it.
fn instance(run_number: i64, status: &str, modified: i64) -> Reply {
    let body = json!({"RequestId": "R-1", "TaskInstance": {
        "Id": 101, "RunNumber": run_number, "Status": status, "ModifyTime": modified,
        "StartedTime": 1_774_000_000_000_i64, "FinishedTime": 1_774_000_100_000_i64,
    }});
    Reply::json(200, &body.to_string())
}

fn operation(request: &Received) -> &str {
    request.query.get("Action").map_or("", String::as_str)
}

/// An endpoint that loses the first `lost` reruns, having executed them or not.
async fn endpoint(lost: usize, executes: bool) -> DataWorksDouble {
    let (mut reruns, mut runs) = (0, 1);
    DataWorksDouble::start(move |request| match operation(request) {
        "RerunTaskInstances" => {
            reruns += 1;
            let is_lost = reruns <= lost;
            if executes || !is_lost {
                runs += 1;
            }
            if is_lost { Reply::Close } else { Reply::success() }
        }
        "GetTaskInstance" if runs == 1 => instance(1, "Failure", 1_774_000_100_001),
        "GetTaskInstance" => instance(runs, "Running", 1_774_000_200_000),
        _ => Reply::json(200, r#"{"RequestId":"R-1","PagingInfo":{"OperationLogs":[],"TotalCount":0}}"#),
    })
    .await
}

async fn until(store: &mut Harness, condition: &str) {
    let mut look = tokio::time::interval(Duration::from_millis(10));
    let reached = async {
        while store.count(condition).await == 0 {
            look.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reached).await.expect(condition);
}

/// Lets so much time pass for what was sent and lost.
async fn later(store: &Harness, statement: &'static str) {
    store.tamper(statement).await;
}

const MINUTES: &str = "UPDATE attempt SET started_at = started_at - 70000, finished_at = finished_at - 70000";
const DUE: &str = "UPDATE action SET verify_at = 0 WHERE verify_at IS NOT NULL";

#[tokio::test]
async fn a_lost_call_that_was_executed_is_found_out_and_not_repeated() {
    let mut store = Harness::with(&live("duplicates", "")).await;
    plan(&store, 1..2).await;
    let double = endpoint(1, true).await;
    let dispatching = Dispatching::looking_up(&store, &double, Edition::Basic, policy());
    until(&mut store, "action WHERE state = 'unresolved'").await;
    assert_eq!(store.count("action WHERE verify_at > 0").await, 1, "it is looked up in a while");
    later(&store, DUE).await;
    until(&mut store, "action WHERE state = 'succeeded'").await;
    dispatching.stop().await;

    let calls: Vec<String> = double.received().iter().map(|it| operation(it).to_owned()).collect();
    assert_eq!(calls, ["GetTaskInstance", "RerunTaskInstances", "GetTaskInstance"]);
    let attempt = store.rows("outcome, class, json(read_before), verdict, verdict_reason", "attempts").await;
    assert_eq!((&attempt[0][0], &attempt[0][1]), (&json!("unresolved"), &json!("lost")));
    assert_eq!(attempt[0][2]["101"]["RunNumber"], 1);
    assert_eq!(attempt[0][3], "happened");
    assert!(attempt[0][4].as_str().is_some_and(|reason| reason.contains("101")), "{attempt:?}");
    let lookups = store.rows("purpose, operation, subject, class", "lookups ORDER BY id").await;
    let read = |purpose: &str| json!([purpose, "GetTaskInstance", "101", "success"]);
    assert_eq!(lookups, [read("before"), read("after")]);
    let spent = store.rows("kind, name, sent, succeeded", "quota_spenders ORDER BY kind").await;
    assert_eq!(spent, [json!(["lookup", "duplicates", 2, 2]), json!(["rule", "duplicates", 1, 1])]);
}

#[tokio::test]
async fn a_lost_call_that_was_not_executed_is_sent_again_when_that_is_certain() {
    let mut store = Harness::with(&live("duplicates", "")).await;
    plan(&store, 1..2).await;
    let double = endpoint(1, false).await;
    let dispatching = Dispatching::looking_up(&store, &double, Edition::Enterprise, policy());
    until(&mut store, "action WHERE state = 'unresolved'").await;
    later(&store, DUE).await;
    until(&mut store, "attempt WHERE verdict = 'ambiguous'").await;
    assert_eq!(store.rows("state", "action").await, [json!(["unresolved"])], "it may still come");
    later(&store, MINUTES).await;
    later(&store, DUE).await;
    until(&mut store, "action WHERE state = 'succeeded'").await;
    dispatching.stop().await;
    let attempts = store.rows("number, class, verdict", "attempts ORDER BY number").await;
    assert_eq!(attempts, [json!([1, "lost", "did_not_happen"]), json!([2, "success", null])]);
    let reruns = double.received().iter().filter(|it| operation(it) == "RerunTaskInstances").count();
    assert_eq!(reruns, 2);
}

#[tokio::test]
async fn what_cannot_be_told_is_left_to_a_person() {
    let mut store = Harness::with(&live("duplicates", "")).await;
    plan(&store, 1..2).await;
    let double = DataWorksDouble::start(|request| match operation(request) {
        "RerunTaskInstances" => Reply::Close,
        "GetTaskInstance" => Reply::refusal(403, "Forbidden.Access"),
        _ => Reply::json(200, "<html>"),
    })
    .await;
    let dispatching = Dispatching::looking_up(&store, &double, Edition::Enterprise, policy());
    until(&mut store, "action WHERE state = 'unresolved'").await;
    later(
        &store,
        "UPDATE attempt SET started_at = started_at - 9000000, finished_at = finished_at - 9000000",
    )
    .await;
    later(&store, DUE).await;
    until(&mut store, "attempt WHERE verdict = 'ambiguous'").await;
    dispatching.stop().await;
    assert_eq!(store.rows("state, verify_at", "action").await, [json!(["unresolved", null])]);
    let classes = store.rows("purpose, class", "lookups WHERE purpose <> 'log' ORDER BY id").await;
    assert_eq!(classes, [json!(["before", "forbidden"])], "asked once: then it is parked");
}

#[tokio::test]
async fn a_call_that_was_on_its_way_at_a_crash_is_looked_up_too() {
    let store = Harness::with(&live("duplicates", "")).await;
    plan(&store, 1..2).await;
    assert_eq!(store.claim(1, now_ms()).await.len(), 1);
    let mut store = store.reopen().await;
    store
        .writer
        .recover(i64::MAX, HashSet::new(), (600_000, Lookups::On), now_ms())
        .await
        .expect("it is kept");
    let double = endpoint(0, false).await;
    let dispatching = Dispatching::looking_up(&store, &double, Edition::Enterprise, policy());
    until(&mut store, "attempt WHERE verdict = 'ambiguous'").await;
    dispatching.stop().await;
    let reason = store.rows("verdict_reason", "attempts").await;
    assert!(reason[0][0].as_str().is_some(), "{reason:?}");
    assert_eq!(store.rows("state", "action").await, [json!(["unresolved"])], "nothing was read before it");
}

#[tokio::test]
async fn what_is_stopped_while_its_look_up_is_read_is_not_sent() {
    let mut store = Harness::with(&live("duplicates", "")).await;
    plan(&store, 1..2).await;
    let double = DataWorksDouble::start(|request| match operation(request) {
        "GetTaskInstance" => Reply::Late(Duration::from_millis(500), Box::new(instance(1, "Failure", 1))),
        _ => Reply::success(),
    })
    .await;
    let dispatching = Dispatching::looking_up(&store, &double, Edition::Enterprise, policy());
    double.wait_for(1).await;
    later(&store, "INSERT INTO stop (rule, who, reason, stopped_at) VALUES ('duplicates', 'alice', 'no', 1)")
        .await;
    until(&mut store, "action WHERE state = 'held'").await;
    dispatching.stop().await;
    assert_eq!(store.rows("state, held_reason", "action").await, [json!(["held", "stopped"])]);
    assert_eq!(double.received().len(), 1, "the read alone");
    let sent: Vec<Value> = store.rows("kind, sent", "quota_spenders ORDER BY kind").await;
    assert_eq!(sent, [json!(["lookup", 1]), json!(["rule", 0])], "what never left is given back");
}
