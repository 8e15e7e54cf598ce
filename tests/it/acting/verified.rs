//! Lost calls that a person has looked up: beside a dispatch at work, and where no daemon runs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use openeventd::quota::Edition;
use openeventd::store::outbox::Outcome;
use serde_json::json;

use super::{Ran, deeds, openeventd, settle_all, states, store};
use crate::dispatch::{Dispatching, now_ms};
use crate::endpoint::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, DataWorksDouble, Received, Reply};
use crate::harness::{Harness, live, policy};

const VERIFY: [&str; 6] = ["outbox", "verify", "--all", "--yes", "--reason", "r"];

async fn verify(database: &Path, more: &[&str]) -> Ran {
    openeventd(database, &[&VERIFY[..], more].concat()).await
}

/// One task instance as the endpoint knows it.
fn instance(run_number: i64, status: &str) -> Reply {
    let body = json!({"RequestId": "R-1", "TaskInstance": {
        "Id": 100, "RunNumber": run_number, "Status": status, "ModifyTime": run_number,
        "StartedTime": 1_774_000_000_000_i64, "FinishedTime": 1_774_000_100_000_i64,
    }});
    Reply::json(200, &body.to_string())
}

fn log(rows: &serde_json::Value) -> Reply {
    let body = json!({"RequestId": "R-1", "PagingInfo": {"OperationLogs": rows, "TotalCount": 1}});
    Reply::json(200, &body.to_string())
}

fn operation(request: &Received) -> &str {
    request.query.get("Action").map_or("", String::as_str)
}

/// An endpoint that loses the first rerun; it is executed if the instance is `read` so often after it.
async fn losing(executed_at_read: usize) -> DataWorksDouble {
    let (mut reruns, mut reads) = (0, 0);
    DataWorksDouble::start(move |request| match operation(request) {
        "RerunTaskInstances" => {
            reruns += 1;
            if reruns == 1 { Reply::Close } else { Reply::success() }
        }
        "GetTaskInstance" => {
            reads += usize::from(reruns > 0);
            let is_executed = reruns > 0 && reads >= executed_at_read;
            if is_executed { instance(2, "Running") } else { instance(1, "Failure") }
        }
        _ => log(&json!([])),
    })
    .await
}

const NEVER: usize = usize::MAX;

async fn until(store: &mut Harness, condition: &str) {
    let mut look = tokio::time::interval(Duration::from_millis(10));
    let reached = async {
        while store.count(condition).await == 0 {
            look.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reached).await.expect(condition);
}

/// A store with one call that was lost, and the dispatch that sent it at work; it looks by itself in an hour.
async fn lost(double: &DataWorksDouble) -> (Harness, PathBuf, Dispatching) {
    let (mut store, path) = store(&live("duplicates", ""), 1).await;
    let dispatching = Dispatching::looking_up(&store, double, Edition::Enterprise, policy());
    until(&mut store, "action WHERE state = 'unresolved'").await;
    store.tamper("UPDATE action SET verify_at = verify_at + 3600000").await;
    (store, path, dispatching)
}

#[tokio::test]
async fn what_was_executed_has_succeeded_without_waiting_for_the_daemon_to_look() {
    let double = losing(0).await;
    let (mut store, path, dispatching) = lost(&double).await;
    let ran = verify(&path, &[]).await;
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.starts_with("verify: 1 action\n"), "{}", ran.out);
    assert!(ran.out.contains("2 reads at most, which count in the quota\n"), "{}", ran.out);
    let told = "action  1  happened, so it has succeeded: RunNumber of 100 went from 1 to 2\n";
    assert!(ran.out.ends_with(told), "{}", ran.out);
    dispatching.stop().await;
    assert_eq!(states(&mut store).await, [json!(["succeeded", null])]);
    assert_eq!(deeds(&mut store).await, [json!(["verify", "r", 1, [1]])]);
    let spent = store.rows("sent", "quota_spenders WHERE kind = 'lookup'").await;
    assert_eq!(spent, [json!([2])], "one before, one after");
    let ran = openeventd(&path, &["outbox", "verify", "1", "--yes", "--reason", "r"]).await;
    assert_eq!(ran.code, 66, "{}", ran.err);
    assert!(ran.out.contains("it has succeeded"), "{}", ran.out);
}

#[tokio::test]
async fn what_was_not_executed_is_sent_again() {
    let double = losing(NEVER).await;
    let (mut store, path, dispatching) = lost(&double).await;
    store
        .tamper("UPDATE attempt SET started_at = started_at - 70000, finished_at = finished_at - 70000")
        .await;
    let ran = verify(&path, &[]).await;
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains("action  1  did not happen, so it is sent again: 100 is as before"),
        "{}",
        ran.out
    );
    until(&mut store, "action WHERE state = 'succeeded'").await;
    dispatching.stop().await;
    let attempts = store.rows("number, verdict", "attempts ORDER BY number").await;
    assert_eq!(attempts, [json!([1, "did_not_happen"]), json!([2, null])]);
}

#[tokio::test]
async fn what_is_too_early_to_tell_is_waited_for_only_as_long_as_was_said() {
    let double = losing(3).await;
    let (mut store, path, dispatching) = lost(&double).await;
    // The next look is 65 seconds after the end of the attempt.
    store.tamper("UPDATE attempt SET finished_at = finished_at - 6000").await;
    let ran = verify(&path, &["--wait", "20s"]).await;
    assert_eq!(ran.code, 65, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("action  1  cannot be told yet, looked up again in "), "{}", ran.out);
    let first = store.count("lookup WHERE purpose = 'after'").await;
    assert_eq!((first, states(&mut store).await), (1, vec![json!(["unresolved", null])]));
    // The one after the next is soon, and by then the rerun shows.
    store.tamper("UPDATE attempt SET finished_at = finished_at - 56000").await;
    let ran = verify(&path, &["--wait", "20s"]).await;
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("RunNumber of 100 went from 1 to 2"), "{}", ran.out);
    assert_eq!(store.count("lookup WHERE purpose = 'after'").await, 3);
    dispatching.stop().await;
}

#[tokio::test]
async fn with_automatic_look_ups_off_only_what_a_person_asks_for_is_looked_up() {
    let (mut store, path) = store(&live("duplicates", ""), 2).await;
    assert_eq!(settle_all(&store, Outcome::Unresolved, "lost").await, 2);
    // One of them was to be looked up when that was on.
    store.tamper("UPDATE action SET verify_at = 1 WHERE number = 2").await;
    let rerun =
        json!([{"TaskInstanceId": 100, "OperationContent": "Rerun", "CreateTime": now_ms() + 60_000}]);
    let double = DataWorksDouble::start(move |request| match operation(request) {
        "GetTaskInstance" => instance(2, "Running"),
        _ => log(&rerun),
    })
    .await;
    let dispatching = Dispatching::start(&store, &double, Edition::Enterprise, policy());
    let ran = openeventd(&path, &["outbox", "verify", "1", "--yes", "--reason", "r"]).await;
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("the operation log of 100 has a rerun"), "{}", ran.out);
    assert_eq!(store.count("attempts WHERE verdict IS NOT NULL").await, 1);
    // What cannot be told is not looked at again by itself.
    let ran = verify(&path, &["--wait", "30s"]).await;
    assert_eq!(ran.code, 65, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("action  2  cannot be told: "), "{}", ran.out);
    dispatching.stop().await;
    assert_eq!(store.rows("verify_at", "action ORDER BY number").await, vec![json!([null]); 2]);
}

#[tokio::test]
async fn what_cannot_be_looked_up_is_left_alone_and_a_dry_run_asks_nothing() {
    let rules = format!("{}{}", live("duplicates", ""), live("unknown", ""));
    let (mut store, path) = store(&rules, 1).await;
    assert_eq!(settle_all(&store, Outcome::Unresolved, "lost").await, 2);
    let ran = openeventd(&path, &["outbox", "verify", "--all", "--dry-run"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("verify: 1 action\n  1  unresolved  duplicates"), "{}", ran.out);
    assert!(ran.out.contains("left alone:\n  1  unresolved  unknown"), "{}", ran.out);
    assert!(ran.out.contains("no read of the API tells"), "{}", ran.out);
    let ran = openeventd(&path, &["outbox", "verify", "2", "--yes", "--reason", "r"]).await;
    assert_eq!(ran.code, 66, "{}", ran.err);
    let ran = verify(&path, &["--no-wait"]).await;
    assert_eq!((ran.code, ran.out.ends_with("asked for 1 look-up\n")), (0, true), "{}{}", ran.out, ran.err);
    let ran = verify(&path, &["--wait", "0s"]).await;
    assert_eq!((ran.code, ran.err.contains("stay asked for")), (75, true), "{}{}", ran.out, ran.err);
    assert_eq!(deeds(&mut store).await.len(), 2);
    let ran = openeventd(&path, &["outbox", "show", "2"]).await;
    assert!(ran.out.contains("outbox verify 2   does nothing: no read of the API tells"), "{}", ran.out);
}

/// A configuration beside the database, with these accounts.
fn configure(directory: &Path, accounts: &str) -> String {
    fs::create_dir_all(directory.join("rules.d")).expect("it is made");
    let secret = directory.join("secret");
    fs::write(&secret, ACCESS_KEY_SECRET).expect("it is written");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("it is private");
    let kafka = "bootstrap_servers = [\"127.0.0.1:1\"]\ntopics = [\"events\"]\ngroup_id = \"g\"\nsecurity_protocol = \"plaintext\"";
    let text = format!("[kafka]\n{kafka}\n[store]\npath = \"audit.db\"\n{accounts}");
    let path = directory.join("openeventd.toml");
    fs::write(&path, text).expect("it is written");
    path.to_str().expect("text").to_owned()
}

fn account(endpoint: &str, secret: &str) -> String {
    format!(
        "[account.main]\nregion = \"cn-shanghai\"\nedition = \"enterprise\"\nendpoint = \"{endpoint}\"\n\
         access_key_id = \"{ACCESS_KEY_ID}\"\naccess_key_secret = {{ {secret} }}\n"
    )
}

#[tokio::test]
async fn without_a_daemon_the_command_looks_by_itself() {
    let double = losing(0).await;
    let (store, path, dispatching) = lost(&double).await;
    dispatching.stop().await;
    let directory = store.close().await;
    let cases = [
        ("", 78, "the account main is not in the configuration"),
        (&account(&double.url, "env = \"ABSENT\""), 78, "ABSENT"),
    ];
    for (accounts, code, told) in cases {
        let config = configure(directory.path(), accounts);
        let ran = verify(&path, &["--config", &config]).await;
        assert_eq!(ran.code, code, "{}{}", ran.out, ran.err);
        assert!(ran.err.contains("cannot do the look-up: it stays asked for"), "{}", ran.err);
        assert!(ran.err.contains(told), "{}", ran.err);
    }
    let before = double.received().len();
    let secret = format!("file = \"{}\"", directory.path().join("secret").display());
    let config = configure(directory.path(), &account(&double.url, &secret));
    let ran = verify(&path, &["--config", &config]).await;
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("action  1  happened, so it has succeeded"), "{}", ran.out);
    assert_eq!(double.received().len(), before + 1);
    let mut store = Harness::open(directory, "", 0o600).await;
    assert_eq!(states(&mut store).await, [json!(["succeeded", null])]);
    assert_eq!(deeds(&mut store).await, vec![json!(["verify", "r", 1, [1]]); 3]);
    let spent = store.rows("sent", "quota_spenders WHERE kind = 'lookup'").await;
    assert_eq!(spent, [json!([2])]);
}

#[tokio::test]
async fn what_was_asked_for_without_a_daemon_is_done_by_the_next_start() {
    let double = losing(0).await;
    let (store, path, dispatching) = lost(&double).await;
    dispatching.stop().await;
    let mut store = store.reopen().await;
    let ran = verify(&path, &["--no-wait"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let dispatching = Dispatching::start(&store, &double, Edition::Enterprise, policy());
    until(&mut store, "action WHERE state = 'succeeded'").await;
    dispatching.stop().await;
}
