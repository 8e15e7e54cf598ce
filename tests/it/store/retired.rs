//! Retention: what leaves when, in steps.

use openeventd::store::identity::Remaining;
use openeventd::store::outbox::Outcome;
use openeventd::store::retention::Horizons;
use serde_json::json;

use crate::harness::{HOUR_MS, Harness, NOW_MS, at, failure, live, waiting};

const HORIZONS: Horizons =
    Horizons { unmatched_ms: HOUR_MS, matched_ms: 10 * HOUR_MS, dedupe_ms: 100 * HOUR_MS };

/// How many rows each kind of evidence has.
async fn kept(store: &mut Harness) -> [i64; 8] {
    let mut counts = [0; 8];
    let tables = [
        "event",
        "decision",
        "event_object",
        "action",
        "attempt",
        "batch",
        "quarantined_record",
        "doubtful_duplicate",
    ];
    for (count, table) in counts.iter_mut().zip(tables) {
        *count = store.count(table).await;
    }
    counts
}

#[tokio::test]
async fn unmatched_events_leave_first_and_matched_ones_with_all_their_evidence_later() {
    let mut store = Harness::with(&live("none", "")).await;
    let (one, conflict) = (failure("1", 71), failure("1", 72));
    store
        .accept(&[at(0, &one), at(1, &waiting("2")), at(2, &conflict), at(3, "{"), at(4, &failure("3", 73))])
        .await;
    let claimed = store.claim(1, NOW_MS).await;
    store.settle(claimed[0].attempt, Outcome::Succeeded, NOW_MS).await;
    store.accept_at(NOW_MS + HOUR_MS, &[at(5, &waiting("4"))]).await;
    assert_eq!(kept(&mut store).await, [4, 2, 6, 2, 1, 2, 1, 1]);

    store.retire(HORIZONS, NOW_MS + HOUR_MS).await;
    assert_eq!(kept(&mut store).await, [4, 2, 6, 2, 1, 2, 1, 1], "nothing is older than its horizon");
    store.retire(HORIZONS, NOW_MS + HOUR_MS + 1).await;
    assert_eq!(kept(&mut store).await, [3, 2, 6, 2, 1, 2, 1, 0]);
    assert_eq!(store.rows("id", "events ORDER BY seq").await, [json!(["1"]), json!(["3"]), json!(["4"])]);

    // The action that still waits stays without its event, and leaves with the next after its end.
    store.retire(HORIZONS, NOW_MS + 10 * HOUR_MS + 1).await;
    assert_eq!(kept(&mut store).await, [0, 0, 0, 1, 0, 1, 0, 0]);
    store.accept_at(NOW_MS + 11 * HOUR_MS, &[at(6, &failure("5", 75))]).await;
    for claimed in store.claim(2, NOW_MS + 11 * HOUR_MS).await {
        store.settle(claimed.attempt, Outcome::Dead, NOW_MS + 11 * HOUR_MS).await;
    }
    store.retire(HORIZONS, NOW_MS + 30 * HOUR_MS).await;
    assert_eq!(kept(&mut store).await, [0; 8]);
}

#[tokio::test]
async fn retention_goes_in_steps_and_gives_the_space_back() {
    let mut store = Harness::with("").await;
    let payloads: Vec<String> = (0..5_000).map(|id| waiting(&format!("{id}{}", "x".repeat(500)))).collect();
    let records: Vec<_> = payloads.iter().zip(0..).map(|(payload, offset)| at(offset, payload)).collect();
    for part in records.chunks(1_000) {
        store.accept(part).await;
    }
    let pages = |rows: Vec<serde_json::Value>| rows[0][0].as_i64().expect("a number");
    let before = pages(store.rows("page_count", "pragma_page_count").await);
    let mut left = Vec::new();
    while store.writer.retire(HORIZONS, NOW_MS + 2 * HOUR_MS).await.expect("a step") == Remaining::More {
        left.push(store.count("event").await);
    }
    assert_eq!(left, [3_000, 1_000, 0]);
    let after = pages(store.rows("page_count", "pragma_page_count").await);
    assert!(after < before / 2, "{after} of {before} pages");
}

#[tokio::test]
async fn a_round_without_old_rows_writes_nothing() {
    let mut store = Harness::with("").await;
    store.accept(&[at(0, &waiting("1"))]).await;
    let version = |rows: Vec<serde_json::Value>| rows[0].clone();
    let before = version(store.rows("data_version", "pragma_data_version").await);
    store.retire(HORIZONS, NOW_MS).await;
    assert_eq!(store.claim(5, NOW_MS).await, []);
    assert_eq!(version(store.rows("data_version", "pragma_data_version").await), before);
    store.accept(&[at(1, &waiting("2"))]).await;
    assert_ne!(version(store.rows("data_version", "pragma_data_version").await), before, "a write is seen");
}

#[tokio::test]
async fn an_event_that_comes_again_after_the_dedupe_horizon_finds_its_action() {
    let store = Harness::with(&live("none", "")).await;
    store.accept(&[at(0, &failure("1", 71))]).await;
    // As if the segment of its identity had left.
    store.tamper("DELETE FROM identity_batch").await;
    let mut store = store.reopen().await;
    let accepted = store.accept(&[at(7, &failure("1", 71))]).await;
    assert_eq!(accepted.events, 1);
    assert_eq!(store.rows("number, event", "actions").await, [json!([1, 1])]);
    assert_eq!(store.rows("event, action", "decision ORDER BY event").await, [json!([1, 1]), json!([2, 1])]);
}
