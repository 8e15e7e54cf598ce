//! Releasing slowly: one after the other, each with its own time.

use serde_json::{Value, json};

use super::{approve, openeventd, store};
use crate::dispatch::now_ms;

#[tokio::test]
async fn a_rate_spaces_due_times_and_the_time_each_action_has() {
    for (rate, apart_ms, last) in [("2/s", 500, "1s"), ("30/m", 2_000, "6s"), ("4/h", 900_000, "45m")] {
        let (mut store, path) = store(&approve("duplicates", ""), 4).await;
        let before = now_ms();
        let release = ["outbox", "release", "--all", "--yes", "--rate", rate, "--reason", "slowly"];
        let ran = openeventd(&path, &release).await;
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.out.contains(&format!("let out at {rate}, the last of them in {last}\n")), "{}", ran.out);
        let rows = store.rows("due_at, expires_at, state", "action ORDER BY number").await;
        let first = rows[0][0].as_i64().expect("a time");
        assert!((before..=now_ms()).contains(&first));
        for (row, number) in rows.iter().zip(0..) {
            let due = first + number * apart_ms;
            assert_eq!(row[0], due, "{rate} {number}");
            assert!(row[1].as_i64().expect("a time") >= due + 1_800_000, "{rate} {number}");
            assert_eq!(row[2], "planned");
        }
        let target = store.rows("target", "operator_actions").await;
        assert_eq!(target, [json!([format!("all: 4 held (approve); at {rate}")])]);
        assert_eq!(store.claim(9, first).await.len(), 1);
        assert_eq!(store.claim(9, first + 2 * apart_ms).await.len(), 2);
    }
}

#[tokio::test]
async fn only_a_release_takes_a_rate_and_only_a_right_one() {
    let (mut store, path) = store(&approve("none", ""), 1).await;
    for arguments in [
        &["release", "--rate", "2"][..],
        &["release", "--rate", "0/s"],
        &["release", "--rate", "2/d"],
        &["cancel", "--rate", "2/s"],
        &["requeue", "--rate", "2/s"],
    ] {
        let how = ["--all", "--yes", "--reason", "r"];
        let ran = openeventd(&path, &[&["outbox"], arguments, &how].concat()).await;
        assert_eq!(ran.code, 64, "{arguments:?}: {}", ran.out);
    }
    assert_eq!(store.count("action WHERE state = 'held'").await, 1);
}

#[tokio::test]
async fn what_will_be_held_before_it_runs_says_so() {
    let (store, path) = store(&approve("duplicates", ""), 1).await;
    openeventd(&path, &["outbox", "release", "--all", "--yes", "--reason", "r"]).await;
    store
        .tamper(
            "INSERT INTO parking VALUES (1, 'main', NULL, NULL, 'day_spent', '100 calls were sent today', \
             unixepoch() * 1000, unixepoch() * 1000 + 7200000, 1)",
        )
        .await;
    let shown = openeventd(&path, &["outbox", "show", "1"]).await;
    assert!(shown.out.contains("day_spent: the account's calls of the day are used up"), "{}", shown.out);
    assert!(shown.out.contains("its time is over before it can run: at "), "{}", shown.out);
    let listed = openeventd(&path, &["outbox", "list", "--json"]).await;
    let action: Value = serde_json::from_str(&listed.out).expect("one object");
    assert_eq!(action["waits_for"], "day_spent");
    assert!(action["runs_at"].as_str() > action["expires_at"].as_str(), "{action}");
    assert_eq!(action["will_be_held_at"], action["expires_at"]);
    store.close().await;
}
