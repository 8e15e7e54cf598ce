//! What is known already, and what only looks so.

use openeventd::event::decode::Limits;
use openeventd::record::Record;
use openeventd::store::outbox::Outcome;
use openeventd::store::retention::Horizons;
use serde_json::{Value, json};

use crate::harness::{HOUR_MS, Harness, NOW_MS, at, failure, live, waiting};

/// Events, duplicates and quarantined records of one batch.
async fn counts(store: &Harness, records: &[Record<'_>]) -> (usize, usize, usize) {
    let accepted = store.accept(records).await;
    (accepted.events, accepted.duplicates, accepted.quarantined)
}

async fn doubtful(store: &mut Harness) -> Vec<Value> {
    store.rows("doubt, event, \"offset\", generation", "duplicates ORDER BY id").await
}

#[tokio::test]
async fn a_redelivery_is_a_duplicate_at_its_position_and_at_any_other() {
    let store = Harness::with(&live("duplicates", "")).await;
    let one = failure("1", 71);
    assert_eq!(counts(&store, &[at(10, &one)]).await, (1, 0, 0));
    assert_eq!(counts(&store, &[at(10, &one)]).await, (0, 1, 0));
    assert_eq!(counts(&store, &[at(11, &one)]).await, (0, 1, 0));
    let elsewhere = Record { topic: "copies", partition: 3, ..at(0, &one) };
    assert_eq!(counts(&store, &[elsewhere]).await, (0, 1, 0));
    let mut store = store.reopen().await;
    assert_eq!(counts(&store, &[at(12, &one), at(10, &one)]).await, (0, 2, 0));
    assert_eq!(
        (store.count("event").await, store.count("action").await, store.count("stream").await),
        (1, 1, 2)
    );
    assert_eq!(doubtful(&mut store).await, [] as [Value; 0]);
}

#[tokio::test]
async fn another_identity_at_a_known_position_opens_the_next_generation() {
    let mut store = Harness::with("").await;
    let payloads: Vec<String> = ["1", "2", "3", "4", "5"].map(waiting).to_vec();
    store.accept(&[at(0, &payloads[0]), at(1, &payloads[1])]).await;
    // The topic was created anew: it begins with two new events and then repeats an old one.
    assert_eq!(
        counts(&store, &[at(0, &payloads[2]), at(1, &payloads[3]), at(2, &payloads[0])]).await,
        (2, 1, 0)
    );
    assert_eq!(counts(&store, &[at(1, &payloads[3]), at(3, &payloads[4])]).await, (1, 1, 0));
    let places = store.rows("id, generation, \"offset\"", "events ORDER BY seq").await;
    let expected =
        [json!(["1", 1, 0]), json!(["2", 1, 1]), json!(["3", 2, 0]), json!(["4", 2, 1]), json!(["5", 2, 3])];
    assert_eq!(places, expected);
    assert_eq!(store.positions.next_offset("events", 0).await.expect("it reads"), Some(4));
}

#[tokio::test]
async fn a_topic_created_anew_within_one_batch_opens_the_next_generation() {
    let mut store = Harness::with("").await;
    let (one, two) = (waiting("1"), waiting("2"));
    assert_eq!(counts(&store, &[at(0, &one), at(0, &two)]).await, (2, 0, 0));
    assert_eq!(store.rows("id, generation", "events ORDER BY seq").await, [json!(["1", 1]), json!(["2", 2])]);
}

#[tokio::test]
async fn the_same_identity_with_another_payload_is_kept_as_a_conflict() {
    let mut store = Harness::with(&live("duplicates", "")).await;
    store.accept(&[at(0, &failure("1", 71))]).await;
    let changed = failure("1", 72);
    assert_eq!(counts(&store, &[at(0, &changed)]).await, (0, 1, 0));
    assert_eq!(counts(&store, &[at(5, &changed)]).await, (0, 1, 0));
    // The same within one batch.
    let (three, four) = (failure("3", 1), failure("3", 2));
    assert_eq!(counts(&store, &[at(6, &three), at(7, &four)]).await, (1, 1, 0));
    let expected = [json!(["conflict", 1, 0, 1]), json!(["conflict", 1, 5, 1]), json!(["conflict", 2, 7, 1])];
    assert_eq!(doubtful(&mut store).await, expected);
    assert_eq!(store.count(&format!("duplicates WHERE payload = CAST('{changed}' AS BLOB)")).await, 2);
    assert_eq!(store.count("action").await, 2);
}

#[tokio::test]
async fn a_record_without_identity_is_known_by_its_position_and_payload() {
    let mut store = Harness::with(&live("none", "")).await;
    let data = r#"{"eventCode":"instance-status-changes","taskId":71,"status":5}"#;
    let other = data.replace("71", "72");
    assert_eq!(counts(&store, &[at(0, data)]).await, (1, 0, 0));
    assert_eq!(counts(&store, &[at(0, data)]).await, (0, 1, 0));
    assert_eq!(counts(&store, &[at(1, data)]).await, (1, 0, 0), "the same content is told twice");
    assert_eq!(counts(&store, &[at(1, &other)]).await, (1, 0, 0), "another log under the same name");
    assert_eq!(counts(&store, &[at(0, data)]).await, (0, 1, 0));
    assert_eq!(
        (store.count("action").await, store.rows("max(generation)", "stream").await),
        (3, vec![json!([2])])
    );
}

#[tokio::test]
async fn a_quarantined_record_is_known_when_it_comes_again_even_if_it_decodes_by_then() {
    let mut store = Harness::with(&live("duplicates", "")).await;
    let large = failure("1", 71);
    store.limits = Limits { payload_bytes_max: 10, ..Limits::default() };
    assert_eq!(counts(&store, &[at(0, &large), at(1, "{")]).await, (0, 0, 1 + 1));
    assert_eq!(counts(&store, &[at(0, &large), at(1, "{")]).await, (0, 2, 0));
    store.limits = Limits::default();
    let mut store = store.reopen().await;
    assert_eq!(counts(&store, &[at(0, &large), at(1, "{")]).await, (0, 2, 0));
    assert_eq!((store.count("event").await, store.count("quarantined").await), (0, 2));
}

#[tokio::test]
async fn a_full_replay_plans_nothing_twice() {
    let mut store =
        Harness::with(&format!("{}{}", live("duplicates", "max_calls = 1000"), live("none", ""))).await;
    let payloads: Vec<String> = (0..700)
        .map(|n| if n % 7 == 0 { failure(&n.to_string(), n) } else { waiting(&n.to_string()) })
        .collect();
    let records: Vec<_> = payloads.iter().zip(0..).map(|(payload, offset)| at(offset, payload)).collect();
    for part in records.chunks(300) {
        store.accept(part).await;
    }
    let planned = store.rows("id, number", "action ORDER BY number").await;
    assert_eq!(planned.len(), 200);
    let mut store = store.reopen().await;
    for part in records.chunks(170) {
        assert_eq!(counts(&store, part).await, (0, part.len(), 0));
    }
    assert_eq!(store.rows("id, number", "action ORDER BY number").await, planned);
    assert_eq!((store.count("event").await, store.count("doubtful_duplicate").await), (700, 0));
}

#[tokio::test]
async fn a_hit_whose_row_has_left_is_kept_as_unconfirmed_and_plans_nothing() {
    let mut store = Harness::with(&live("none", "max_event_age = \"10d\"")).await;
    let (matched, unmatched) = (failure("1", 71), waiting("2"));
    store.accept(&[at(0, &matched), at(1, &unmatched), at(2, "{")]).await;
    let claimed = store.claim(1, NOW_MS).await;
    store.settle(claimed[0].attempt, Outcome::Succeeded, NOW_MS).await;
    let horizons = Horizons { unmatched_ms: HOUR_MS, matched_ms: HOUR_MS, dedupe_ms: 100 * HOUR_MS };
    store.retire(horizons, NOW_MS + 2 * HOUR_MS).await;
    assert_eq!(
        (store.count("event").await, store.count("action").await, store.count("batch").await),
        (0, 0, 0)
    );

    // The numbers that the identities name never come again, nor does the time go back.
    let mut store = store.reopen().await;
    let later = waiting("3");
    assert_eq!(counts(&store, &[at(3, &later)]).await, (1, 0, 0));
    let fresh = store.rows("seq, batch, accepted_at", "event").await;
    assert_eq!(fresh, [json!([3, 2, NOW_MS])]);

    assert_eq!(
        counts(&store, &[at(0, &matched), at(1, &unmatched), at(2, "{"), at(9, &matched)]).await,
        (0, 4, 0)
    );
    let expected = [
        json!(["unconfirmed", 1, 0, 1]),
        json!(["unconfirmed", 2, 1, 1]),
        json!(["unconfirmed", -1, 2, 1]),
        json!(["unconfirmed", 1, 9, 1]),
    ];
    assert_eq!(doubtful(&mut store).await, expected);
    assert_eq!((store.count("action").await, store.count("event").await), (0, 1));
    assert_eq!(store.count(&format!("duplicates WHERE payload = CAST('{matched}' AS BLOB)")).await, 2);
    let attempts = store.rows("value", "upkeep WHERE name IN ('last_action', 'last_attempt')").await;
    assert_eq!(attempts, [json!([1]), json!([1])]);
}
