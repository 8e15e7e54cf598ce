//! Accepting: one commit a batch, and its proof.

use openeventd::store::StoreError;
use openeventd::store::positions::{Gap, GapReason};
use serde_json::json;

use crate::harness::{HOUR_MS, Harness, NOW_MS, at, failure, live, waiting};

#[tokio::test]
async fn every_record_ends_as_event_duplicate_or_quarantined_and_the_batch_proves_it() {
    let mut store = Harness::with(&live("duplicates", "")).await;
    let (one, two) = (failure("1", 71), waiting("2"));
    let accepted = store.accept(&[at(4, &one), at(5, &two), at(6, &one), at(7, "{"), at(8, "")]).await;
    assert_eq!((accepted.records, accepted.events, accepted.matched), (5, 2, 1));
    assert_eq!((accepted.duplicates, accepted.quarantined, accepted.planned), (1, 2, 1));
    assert_eq!(accepted.decisions.len(), 1);

    let batches = store
        .rows("records, events, duplicates, quarantined, first_event, last_event, json(ranges)", "batches")
        .await;
    let ranges = json!([{"topic": "events", "partition": 0, "first": 4, "last": 8, "records": 5}]);
    assert_eq!(batches, [json!([5, 2, 1, 2, 1, 2, ranges])]);
    assert_eq!(
        store.rows("reason, \"offset\"", "quarantined").await,
        [json!(["not_json", 7]), json!(["empty", 8])]
    );
    let objects = store.rows("kind, id", "event_objects ORDER BY kind").await;
    assert_eq!(objects, [json!(["instance", "71"]), json!(["node", "12"]), json!(["workspace", "96384"])]);
    let decided = store.rows("event, rule, outcome, action_state, calls_in_hour", "decisions").await;
    assert_eq!(decided, [json!([1, "duplicates", "planned", "planned", 0])]);
    assert_eq!(store.positions.next_offset("events", 0).await.expect("it reads"), Some(9));
    assert_eq!(store.positions.next_offset("events", 1).await.expect("it reads"), None);
}

#[tokio::test]
async fn a_batch_of_any_size_is_written_whole_and_numbered_in_order() {
    let mut store = Harness::with("").await;
    let payloads: Vec<String> = (0..1_400).map(|id| waiting(&id.to_string())).collect();
    let records: Vec<_> = payloads.iter().zip(0..).map(|(payload, offset)| at(offset, payload)).collect();
    for part in [&records[..3], &records[3..90], &records[90..]] {
        store.accept(part).await;
    }
    let wrong = store.count("event WHERE seq <> \"offset\" + 1 OR id <> CAST(\"offset\" AS TEXT)").await;
    assert_eq!((store.count("event").await, wrong), (1_400, 0));
}

#[tokio::test]
async fn a_failing_batch_is_undone_whole_and_later_work_goes_on() {
    let mut store = Harness::with(&live("duplicates", "")).await;
    store.accept(&[at(0, &failure("1", 71))]).await;
    // Another program took the number of the next event.
    store
        .tamper(
            "INSERT INTO event SELECT 2, stream, 99, batch, accepted_at, kafka_at, origin, envelope, flags, \
        matched, id, workspace, operator, instance, node, status, facts, key, headers, payload FROM event",
        )
        .await;
    let (two, three) = (failure("2", 72), failure("3", 73));
    let records = [at(1, &two), at(2, &three)];
    let gap = |first_offset| {
        let (topic, reason) = ("events".to_owned(), GapReason::Retention);
        vec![Gap { topic, partition: 0, first_offset, end_offset: 9, reason }]
    };
    // The three wait together: what stands before the refused one shares its commit and comes again, what
    // stands behind it gets the next.
    let (before, refused, behind) = tokio::join!(
        store.writer.record_gaps(gap(1), NOW_MS),
        store.try_accept(&records, NOW_MS),
        store.writer.record_gaps(gap(2), NOW_MS),
    );
    assert!(matches!(refused, Err(StoreError::Sql { .. })), "{refused:?}");
    assert!(before.is_ok() && behind.is_ok(), "only who failed has failed: {before:?}, {behind:?}");
    assert_eq!(store.rows("first_offset", "gap ORDER BY 1").await, [json!([1]), json!([2])]);
    assert_eq!((store.count("batch").await, store.count("action").await), (1, 1));
    assert_eq!(store.rows("next_offset", "stream").await, [json!([1])]);

    let accepted = store.accept(&records).await;
    assert_eq!((accepted.events, accepted.planned), (2, 2));
    assert_eq!(
        store.rows("seq", "event ORDER BY seq").await,
        [json!([1]), json!([2]), json!([3]), json!([4])]
    );
}

#[tokio::test]
async fn a_batch_that_shares_its_commit_with_failing_ones_is_accepted_once() {
    let mut store = Harness::with(&live("duplicates", "")).await;
    store.tamper("CREATE TRIGGER planted BEFORE INSERT ON gap BEGIN SELECT RAISE(ABORT, 'no'); END").await;
    let refused = |first_offset| {
        let (topic, reason) = ("events".to_owned(), GapReason::Retention);
        let gap = Gap { topic, partition: 0, first_offset, end_offset: 9, reason };
        store.writer.record_gaps(vec![gap], NOW_MS)
    };
    let (one, two) = (failure("1", 71), failure("2", 72));
    let (first, second) = ([at(0, &one)], [at(1, &two)]);
    let (first, no, second, nor) = tokio::join!(
        store.try_accept(&first, NOW_MS),
        refused(1),
        store.try_accept(&second, NOW_MS),
        refused(2),
    );
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    assert!(no.is_err() && nor.is_err(), "{no:?} {nor:?}");
    assert_eq!((store.count("event").await, store.count("action").await), (2, 2));
    assert!(StoreError::Undone.is_passing());
}

#[tokio::test]
async fn accept_times_never_go_back_even_if_the_clock_does() {
    let store = Harness::with("").await;
    store.accept_at(NOW_MS, &[at(0, &waiting("0"))]).await;
    store.accept_at(NOW_MS - HOUR_MS, &[at(1, &waiting("1"))]).await;
    let mut store = store.reopen().await;
    store.accept_at(NOW_MS - 2 * HOUR_MS, &[at(2, &waiting("2"))]).await;
    assert_eq!(store.rows("accepted_at", "event").await, vec![json!([NOW_MS]); 3]);
    assert_eq!(store.count("batch WHERE accepted_at = (SELECT max(accepted_at) FROM event)").await, 3);
}

#[tokio::test]
async fn max_calls_counts_over_a_restart() {
    let store = Harness::with(&live("none", "max_calls = 2")).await;
    store.accept(&[at(0, &failure("0", 1)), at(1, &failure("1", 2))]).await;
    let mut store = store.reopen().await;
    store.accept_at(NOW_MS + HOUR_MS - 1, &[at(2, &failure("2", 3))]).await;
    store.accept_at(NOW_MS + HOUR_MS, &[at(3, &failure("3", 4))]).await;
    let states = store.rows("state, held_reason", "actions ORDER BY number").await;
    let planned = json!(["planned", null]);
    assert_eq!(states, [planned.clone(), planned.clone(), json!(["held", "max_calls"]), planned]);
}
