//! The order of actions with one key: who waits for whom, for how long, and what that costs.

use std::collections::{BTreeMap, HashSet};

use openeventd::dispatch::Lookups;
use openeventd::store::outbox::Outcome;
use serde_json::json;

use super::{claimed, ordered, planned};
use crate::harness::{HOUR_MS, Harness, NOW_MS, at, failure, live};

const KEYS: i64 = 50;
const EACH: i64 = 60;

/// A live rule whose key is the instance, without the belt.
fn rule() -> String {
    live("none", "max_calls = 100000").replace("params", "in_order_by = \"{{ instance }}\"\nparams")
}

/// Actions 1, 2, ... for keys 0, 1, ... in turn.
async fn many() -> Harness {
    let store = Harness::with(&rule()).await;
    let payloads: Vec<String> = (0..KEYS * EACH).map(|id| failure(&id.to_string(), id % KEYS)).collect();
    let records: Vec<_> = payloads.iter().zip(0..).map(|(payload, offset)| at(offset, payload)).collect();
    store.accept(&records).await;
    store
}

fn key_of(action: i64) -> i64 {
    (action - 1) % KEYS
}

#[tokio::test]
async fn a_stuck_key_stops_only_itself_and_is_not_looked_at_again() {
    let mut store = many().await;
    let stuck = store.claim(1, NOW_MS).await.remove(0);
    assert_eq!(stuck.action, 1);
    store.settle(stuck.attempt, Outcome::Unresolved, NOW_MS).await;
    let mut done: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for round in 1..=EACH {
        let now_ms = NOW_MS + round;
        let claims = store.claim(100, now_ms).await;
        assert_eq!(claims.len(), usize::try_from(KEYS - 1).expect("small"), "one of each key but one");
        if round > 2 {
            let looked_at = store.count("action WHERE state = 'planned' AND behind = 0").await;
            assert_eq!(looked_at, 0, "round {round}: what waits for its turn is marked");
        }
        for claimed in claims {
            done.entry(key_of(claimed.action)).or_default().push(claimed.action);
            store.settle(claimed.attempt, Outcome::Succeeded, now_ms).await;
        }
        let heads = store.count("action WHERE state = 'planned' AND behind = 0").await;
        let expected = if round == EACH { 0 } else { KEYS - 1 };
        assert!(round < 3 || heads == expected, "round {round}: {heads} stand for the claim");
    }
    assert_eq!(done.len(), 49);
    assert!(done.values().all(|of_key| of_key.is_sorted()), "{done:?}");
    let waits = store.rows("waits_for, count(*)", "actions WHERE state = 'planned' GROUP BY waits_for").await;
    assert_eq!(waits, [json!(["order", EACH - 1])]);
}

#[tokio::test]
async fn an_unresolved_action_keeps_its_key_waiting_for_so_long_and_no_longer() {
    let mut store = planned(&ordered(), &[1, 1]).await;
    let first = store.claim(9, NOW_MS).await.remove(0);
    store.settle(first.attempt, Outcome::Unresolved, NOW_MS).await;
    let release = async |store: &Harness, now_ms: i64| {
        store.writer.release_order(now_ms - HOUR_MS, now_ms).await.expect("it is kept")
    };
    assert_eq!(release(&store, NOW_MS + HOUR_MS - 1).await, []);
    assert_eq!(claimed(&store, 9, NOW_MS + HOUR_MS - 1).await, [] as [i64; 0]);
    let released = release(&store, NOW_MS + HOUR_MS).await;
    assert_eq!(released.iter().map(|it| (it.number, it.key.as_str())).collect::<Vec<_>>(), [(1, "1")]);
    assert_eq!(release(&store, NOW_MS + HOUR_MS).await, [], "once");
    let told = store.rows("state, order_released_at", "actions WHERE number = 1").await;
    assert_eq!(told, [json!(["unresolved", "2026-03-25T09:00:00.000Z"])]);
    assert_eq!(claimed(&store, 9, NOW_MS + HOUR_MS).await, [2]);
}

#[tokio::test]
async fn an_action_that_is_sent_again_and_lost_again_keeps_its_key_waiting_again() {
    let store = planned(&ordered(), &[1, 1]).await;
    let first = store.claim(9, NOW_MS).await.remove(0);
    store.settle(first.attempt, Outcome::Unresolved, NOW_MS).await;
    let released = store.writer.release_order(NOW_MS, NOW_MS).await.expect("it is kept");
    assert_eq!(released.len(), 1);
    store.tamper("UPDATE action SET state = 'planned', settled_at = NULL, requeued_after = attempts WHERE number = 1").await;
    let again = store.claim(9, NOW_MS).await.remove(0);
    assert_eq!(again.action, 1, "an older one that is sent again goes first");
    store.settle(again.attempt, Outcome::Unresolved, NOW_MS).await;
    assert_eq!(claimed(&store, 9, NOW_MS).await, [] as [i64; 0]);
    store.writer.release_order(NOW_MS, NOW_MS).await.expect("it is kept");
    assert_eq!(claimed(&store, 9, NOW_MS).await, [2]);
}

#[tokio::test]
async fn keys_take_turns_however_long_the_queue_of_one_is() {
    let instances: Vec<i64> = std::iter::repeat_n(1, 40).chain([2, 3]).collect();
    let store = planned(&ordered(), &instances).await;
    let mut order = Vec::new();
    for round in 1..=5 {
        let claimed = store.claim(1, NOW_MS + round).await.remove(0);
        order.push(claimed.action);
        store.settle(claimed.attempt, Outcome::Succeeded, NOW_MS + round).await;
    }
    assert_eq!(order, [1, 41, 42, 2, 3]);
}

#[tokio::test]
async fn an_older_action_that_is_sent_again_goes_before_what_waits() {
    let store = planned(&ordered(), &[1, 1, 1]).await;
    let first = store.claim(9, NOW_MS).await.remove(0);
    store.settle(first.attempt, Outcome::Dead, NOW_MS).await;
    let second = store.claim(9, NOW_MS).await.remove(0);
    store.tamper("UPDATE action SET state = 'planned', settled_at = NULL, requeued_after = attempts WHERE number = 1").await;
    assert_eq!(second.action, 2);
    assert_eq!(claimed(&store, 9, NOW_MS).await, [] as [i64; 0], "one of its key is on its way");
    store.settle(second.attempt, Outcome::Succeeded, NOW_MS).await;
    store.writer.mend_order(NOW_MS).await.expect("upkeep finds what waits for nothing");
    let first = store.claim(9, NOW_MS).await.remove(0);
    assert_eq!(first.action, 1);
    store.settle(first.attempt, Outcome::Succeeded, NOW_MS).await;
    assert_eq!(claimed(&store, 9, NOW_MS).await, [3]);
}

#[tokio::test]
async fn whatever_ends_the_waiting_behind_ones_back_the_next_round_of_upkeep_finds_it() {
    for ends in ["held", "cancelled", "dead"] {
        let store = planned(&ordered(), &[1, 1, 2, 2]).await;
        let first = store.claim(9, NOW_MS).await;
        for claimed in &first {
            store.settle(claimed.attempt, Outcome::Unresolved, NOW_MS).await;
        }
        assert_eq!(claimed(&store, 9, NOW_MS).await, [] as [i64; 0]);
        store
            .tamper(match ends {
                "held" => "UPDATE action SET state = 'held', held_reason = 'stopped' WHERE number = 1",
                "cancelled" => "UPDATE action SET state = 'cancelled' WHERE number = 1",
                _ => "UPDATE action SET state = 'dead' WHERE number = 1",
            })
            .await;
        store.writer.mend_order(NOW_MS).await.expect("a round");
        assert_eq!(claimed(&store, 9, NOW_MS).await, [2], "{ends}");
    }
}

#[tokio::test]
async fn upkeep_comes_round_to_every_key_however_many_there_are_and_to_the_empty_one() {
    let instances: Vec<i64> = (0..450).flat_map(|key| [key, key]).collect();
    let mut store = Harness::with(&rule()).await;
    let payloads: Vec<String> =
        instances.iter().zip(0..).map(|(key, id): (_, i64)| failure(&id.to_string(), *key)).collect();
    let records: Vec<_> = payloads.iter().zip(0..).map(|(payload, offset)| at(offset, payload)).collect();
    store.accept(&records).await;
    store.tamper("UPDATE action SET in_order_by = '' WHERE in_order_by = '7'").await;
    assert_eq!(store.claim(900, NOW_MS).await.len(), 450);
    store.tamper("UPDATE action SET state = 'dead', lease_until = NULL WHERE state = 'in_flight'").await;
    for _ in 0..2 {
        assert_eq!(store.count("action WHERE state = 'planned' AND behind = 1").await, 450);
        for _ in 0..3 {
            store.writer.mend_order(NOW_MS).await.expect("a round");
        }
        assert_eq!(store.count("action WHERE state = 'planned' AND behind = 0").await, 450);
        store.tamper("UPDATE action SET behind = 1 WHERE state = 'planned'").await;
    }
}

#[tokio::test]
async fn what_is_recovered_keeps_its_place() {
    let store = planned(&ordered(), &[1, 1]).await;
    store.claim(9, NOW_MS).await;
    let store = store.reopen().await;
    store
        .writer
        .recover(i64::MAX, HashSet::new(), (600_000, Lookups::Off), NOW_MS)
        .await
        .expect("it is kept");
    assert_eq!(claimed(&store, 9, NOW_MS).await, [1]);
}
