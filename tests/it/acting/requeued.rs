//! The second life of an action: attempts before a requeue no longer count.

use openeventd::action::HeldReason;
use openeventd::dispatch::Lookups;
use openeventd::store::operator::act::Verb;
use openeventd::store::operator::select::{Chosen, First, Selection};
use openeventd::store::operator::{Deed, Operator};
use openeventd::store::outbox::{Change, Outcome, Past, Settlement};
use openeventd::store::retention::Horizons;
use openeventd::store::{Reader, StoreError};
use serde_json::json;

use super::{approve, states};
use crate::harness::{HOUR_MS, Harness, NOW_MS, at, failure, live, settlement};

const WITHIN_MS: i64 = 600_000;

async fn chosen(store: &Harness) -> Vec<Chosen> {
    let limit = std::time::Duration::from_secs(10);
    let mut reader = Reader::open(&store.path(), limit).await.expect("it opens");
    let chosen = reader.chosen(&Selection::default(), First::Urgent, 100).await.expect("it is read");
    reader.close().await.expect("it closes");
    chosen.rows
}

async fn act(store: &Harness, verb: Verb, shown: &[Chosen], now_ms: i64) -> Vec<i64> {
    let mut operator = Operator::open(&store.path()).await.expect("it opens");
    let deed = Deed { who: "alice", target: "all", reason: "r", now_ms };
    let changed = operator.act(verb, shown, None, &deed).await.expect("it is done");
    operator.close().await.expect("it closes");
    changed
}

#[tokio::test]
async fn a_requeued_action_has_all_its_attempts_anew() {
    let mut store = Harness::with(&live("converges", "")).await;
    store.accept(&[at(0, &failure("1", 71))]).await;
    let first = store.claim(1, NOW_MS).await.remove(0);
    store.settle(first.attempt, Outcome::DueAgain { due_at_ms: NOW_MS }, NOW_MS).await;
    let second = store.claim(1, NOW_MS).await.remove(0);
    assert_eq!((second.earlier_tries, second.past, second.attempt_of_life), (1, Past::Unknown, 2));
    store.settle(second.attempt, Outcome::Unresolved, NOW_MS).await;
    // Long after the time in which it would be repeated blindly, and after its own time.
    let later = NOW_MS + WITHIN_MS + HOUR_MS;
    assert_eq!(act(&store, Verb::Requeue, &chosen(&store).await, later).await, [1]);
    let third = store.claim(1, later).await.remove(0);
    assert_eq!((third.attempt_number, third.attempt_of_life), (3, 1));
    assert_eq!((first.requeued_after, second.requeued_after, third.requeued_after), (0, 0, 2));
    assert_eq!((third.earlier_tries, third.past, third.first_sent_at_ms), (0, Past::Clear, later));
    let expires = store.rows("expires_at", "action").await;
    assert_eq!(expires, [json!([later + HOUR_MS / 2])]);
    // In its new life the old rules hold again.
    store.settle(third.attempt, Outcome::DueAgain { due_at_ms: later + 1 }, later).await;
    assert_eq!(store.claim(1, later + HOUR_MS).await.len(), 0);
    assert_eq!(states(&mut store).await, [json!(["unresolved", null])]);
}

#[tokio::test]
async fn a_late_success_makes_a_requeue_needless_and_a_late_refusal_does_not_end_it() {
    for (outcome, settled, state) in
        [(Outcome::Succeeded, Change::Late, "succeeded"), (Outcome::Dead, Change::Superseded, "planned")]
    {
        let mut store = Harness::with(&live("duplicates", "")).await;
        store.accept(&[at(0, &failure("1", 71))]).await;
        let first = store.claim(1, NOW_MS).await.remove(0);
        let over = NOW_MS + 60_000;
        store.writer.recover(over, [].into(), (WITHIN_MS, Lookups::Off), over).await.expect("it is kept");
        assert_eq!(act(&store, Verb::Requeue, &chosen(&store).await, over).await, [1]);
        assert_eq!(store.settle(first.attempt, outcome, over).await, settled);
        assert_eq!(states(&mut store).await, [json!([state, null])]);
    }
}

#[tokio::test]
async fn what_has_moved_on_since_it_was_shown_stays_as_it_is() {
    let mut store = Harness::with(&format!("{}{}", approve("none", ""), live("duplicates", ""))).await;
    store.accept(&[at(0, &failure("1", 71)), at(1, &failure("2", 72))]).await;
    let shown = chosen(&store).await;
    let held = |shown: &[Chosen]| -> Vec<Chosen> {
        shown.iter().filter(|row| row.held_reason.is_some()).cloned().collect()
    };
    assert_eq!(act(&store, Verb::Cancel, &held(&shown)[..1], NOW_MS).await.len(), 1);
    store.claim(9, NOW_MS).await;
    // One held is left; the others were cancelled and claimed meanwhile.
    assert_eq!(act(&store, Verb::Cancel, &shown, NOW_MS).await.len(), 1);
    assert_eq!(act(&store, Verb::Release, &shown, NOW_MS).await, [] as [i64; 0]);
    assert_eq!(store.count("operator_actions").await, 2);
    assert_eq!(store.count("action WHERE state = 'in_flight'").await, 2);
}

#[tokio::test]
async fn a_dead_action_that_died_again_is_not_the_one_that_was_shown() {
    let store = Harness::with(&live("duplicates", "")).await;
    store.accept(&[at(0, &failure("1", 71))]).await;
    let die = async || {
        let claimed = store.claim(1, NOW_MS).await.remove(0);
        store.settle(claimed.attempt, Outcome::Dead, NOW_MS).await;
    };
    die().await;
    let shown = chosen(&store).await;
    assert_eq!(act(&store, Verb::Requeue, &shown, NOW_MS).await, [1]);
    die().await;
    assert_eq!(act(&store, Verb::Requeue, &shown, NOW_MS).await, [] as [i64; 0]);
}

#[tokio::test]
async fn what_people_did_to_an_action_leaves_with_it() {
    let mut store = Harness::with(&approve("none", "")).await;
    store.accept(&[at(0, &failure("1", 71)), at(1, &failure("2", 72))]).await;
    let shown = chosen(&store).await;
    assert_eq!(act(&store, Verb::Cancel, &shown[..1], NOW_MS).await.len(), 1);
    assert_eq!(act(&store, Verb::Release, &shown[1..], NOW_MS).await.len(), 1);
    let horizons = Horizons { unmatched_ms: HOUR_MS, matched_ms: HOUR_MS, dedupe_ms: HOUR_MS };
    store.retire(horizons, NOW_MS + 2 * HOUR_MS).await;
    assert_eq!(store.count("action").await, 1, "what still waits stays");
    assert_eq!(store.rows("verb", "operator_targets").await, [json!(["release"])]);
    assert_eq!(store.count("operator_actions").await, 2, "that somebody acted is kept");
}

#[tokio::test]
async fn what_is_no_database_of_ours_is_refused_and_not_made() {
    let directory = tempfile::tempdir().expect("a directory");
    let absent = directory.path().join("absent.db");
    assert!(matches!(Operator::open(&absent).await, Err(StoreError::Missing { .. })));
    assert!(!absent.exists());
    std::fs::write(&absent, "").expect("it is written");
    assert!(matches!(Operator::open(&absent).await, Err(StoreError::Older { .. })));
}

#[tokio::test]
async fn what_is_requeued_waits_for_the_newer_call_of_its_key_that_is_on_its_way() {
    let ordered = live("duplicates", "").replace("params", "in_order_by = \"{{ workspace }}\"\nparams");
    let store = Harness::with(&ordered).await;
    store.accept(&[at(0, &failure("1", 71)), at(1, &failure("2", 72))]).await;
    let first = store.claim(9, NOW_MS).await.remove(0);
    store.settle(first.attempt, Outcome::Dead, NOW_MS).await;
    let second = store.claim(9, NOW_MS).await.remove(0);
    assert_eq!((first.action, second.action), (1, 2));
    let dead: Vec<Chosen> = chosen(&store).await.into_iter().filter(|row| row.number == 1).collect();
    assert_eq!(act(&store, Verb::Requeue, &dead, NOW_MS).await, [1]);
    assert_eq!(store.claim(9, NOW_MS).await, [], "the newer one is in flight");
    store.settle(second.attempt, Outcome::DueAgain { due_at_ms: NOW_MS }, NOW_MS).await;
    let next: Vec<i64> = store.claim(9, NOW_MS).await.iter().map(|claimed| claimed.action).collect();
    assert_eq!(next, [1], "one at a time, the older first");
}

#[tokio::test]
async fn within_a_limit_people_act_on_the_oldest_and_look_at_the_newest() {
    let store = Harness::with(&approve("none", "")).await;
    store.accept(&[at(0, &failure("1", 71)), at(1, &failure("2", 72)), at(2, &failure("3", 73))]).await;
    let limit = std::time::Duration::from_secs(10);
    let mut reader = Reader::open(&store.path(), limit).await.expect("it opens");
    for (first, expected) in [(First::Oldest, [1, 2]), (First::Urgent, [3, 2])] {
        let listing = reader.chosen(&Selection::default(), first, 2).await.expect("it is read");
        let numbers: Vec<i64> = listing.rows.iter().map(|row| row.number).collect();
        assert_eq!((numbers.as_slice(), listing.total), (&expected[..], 3), "{first:?}");
    }
    reader.close().await.expect("it closes");
}

#[tokio::test]
async fn what_the_policy_refused_was_no_try_and_begins_no_time() {
    let mut store = Harness::with(&live("converges", "")).await;
    store.accept(&[at(0, &failure("1", 71))]).await;
    for refusal in 0..3 {
        let refused = store.claim(1, NOW_MS + refusal).await.remove(0);
        assert_eq!((refused.attempt_number, refused.attempt_of_life), (refusal + 1, 1));
        assert_eq!((refused.earlier_tries, refused.earlier_sent), (0, 0));
        assert_eq!(refused.first_sent_at_ms, NOW_MS + refusal);
        settle_as(&store, refused.attempt, Outcome::Held(HeldReason::Policy), "unsendable").await;
        assert_eq!(act(&store, Verb::Release, &chosen(&store).await, NOW_MS).await, [1]);
    }
    assert_eq!(store.rows("first_sent_at", "action").await, [json!([null])]);
    let later = NOW_MS + WITHIN_MS + 1;
    let sent = store.claim(1, later).await.remove(0);
    assert_eq!((sent.attempt_number, sent.attempt_of_life, sent.first_sent_at_ms), (4, 1, later));
    settle_as(&store, sent.attempt, Outcome::DueAgain { due_at_ms: later }, "lost").await;
    let again = store.claim(1, later + 1).await.remove(0);
    assert_eq!((again.attempt_of_life, again.earlier_tries, again.earlier_sent), (2, 1, 1));
    // What was sent keeps its time, whoever releases it.
    settle_as(&store, again.attempt, Outcome::Held(HeldReason::Policy), "unsendable").await;
    assert_eq!(act(&store, Verb::Release, &chosen(&store).await, later).await, [1]);
    assert_eq!(store.rows("first_sent_at", "action").await, [json!([later])]);
}

async fn settle_as(store: &Harness, attempt: i64, outcome: Outcome, class: &'static str) {
    let settlement = Settlement { class, ..settlement(attempt, outcome, NOW_MS) };
    store.writer.settle(settlement, NOW_MS).await.expect("it is kept");
}

#[tokio::test]
async fn what_is_held_for_another_reason_or_lives_again_is_not_what_was_shown() {
    let store = Harness::with(&approve("none", "")).await;
    store.accept(&[at(0, &failure("1", 71)), at(1, &failure("2", 72)), at(2, &failure("3", 73))]).await;
    let shown = chosen(&store).await;
    store.tamper("UPDATE action SET held_reason = 'stale' WHERE number = 1").await;
    store.tamper("UPDATE action SET requeued_after = 1 WHERE number = 2").await;
    assert_eq!(act(&store, Verb::Release, &shown, NOW_MS).await, [3]);
    assert_eq!(act(&store, Verb::Cancel, &shown, NOW_MS).await, [] as [i64; 0]);
}
