//! The outbox: claim, settle, recover.

use std::collections::HashSet;

use openeventd::action::HeldReason;
use openeventd::dispatch::Lookups;
use openeventd::operation::Access;
use openeventd::store::outbox::{Change, Evidence, Outcome, Recovered, Settlement, Wanted};
use serde_json::{Value, json};

use crate::harness::{HOUR_MS, Harness, NOW_MS, STEPS, at, failure, live};

mod order;

/// Within which a call that converges may be repeated.
const WITHIN_MS: i64 = 600_000;

const LEASE_MS: i64 = 60_000;

fn ordered() -> String {
    live("none", "").replace("params", "in_order_by = \"{{ instance }}\"\nparams")
}

/// A store with one planned action for each of `instances`, from events 1, 2, ...
async fn planned(rules: &str, instances: &[i64]) -> Harness {
    let store = Harness::with(rules).await;
    let payloads: Vec<String> =
        instances.iter().enumerate().map(|(id, instance)| failure(&id.to_string(), *instance)).collect();
    let records: Vec<_> = payloads.iter().zip(0..).map(|(payload, offset)| at(offset, payload)).collect();
    store.accept(&records).await;
    store
}

async fn claimed(store: &Harness, limit: usize, now_ms: i64) -> Vec<i64> {
    store.claim(limit, now_ms).await.iter().map(|claimed| claimed.action).collect()
}

async fn states(store: &mut Harness) -> Vec<Value> {
    store.rows("state", "action ORDER BY number").await.into_iter().map(|row| row[0].clone()).collect()
}

#[tokio::test]
async fn the_most_urgent_goes_first_then_what_is_due_longest() {
    let store = planned(&live("none", ""), &[1, 2, 3, 4, 5]).await;
    store.tamper("UPDATE action SET priority = 10 WHERE number IN (4, 5)").await;
    store.tamper("UPDATE action SET due_at = due_at - 5 WHERE number IN (3, 5)").await;
    store.tamper("UPDATE action SET due_at = due_at + 1 WHERE number = 1").await;
    assert_eq!(claimed(&store, 3, NOW_MS).await, [5, 4, 3]);
    assert_eq!(claimed(&store, 3, NOW_MS).await, [2], "the first is not due yet");
    let next = async || {
        let wanted = Harness::wanted("main", 9);
        store.writer.claim(wanted, NOW_MS).await.expect("it claims").next_due_ms
    };
    assert_eq!(next().await, Some(NOW_MS + 1));
    assert_eq!(claimed(&store, 3, NOW_MS + 1).await, [1]);
    assert_eq!(next().await, None);
}

#[tokio::test]
async fn a_claim_makes_a_durable_attempt() {
    let mut store = planned(&live("duplicates", ""), &[71]).await;
    let claimed = store.claim(9, NOW_MS + 7).await.remove(0);
    assert_eq!((claimed.attempt_number, claimed.event, claimed.rule.as_str()), (1, 1, "duplicates"));
    assert_eq!((claimed.params.as_str(), claimed.workspace), (r#"{"Ids":[71]}"#, Some(96384)));
    assert_eq!((claimed.operation.as_str(), claimed.first_sent_at_ms), ("RerunTaskInstances", NOW_MS + 7));
    let attempts = store.rows("id, action, number, outcome, started_at", "attempts").await;
    assert_eq!(attempts, [json!([claimed.attempt, claimed.id, 1, "in_flight", "2026-03-25T08:00:00.007Z"])]);
    let mut store = store.reopen().await;
    let actions = store.rows("state, attempts, lease_until, first_sent_at", "action").await;
    assert_eq!(actions, [json!(["in_flight", 1, NOW_MS + 7 + LEASE_MS, NOW_MS + 7])]);
    assert_eq!(store.writer.last_sent().await.expect("it reads"), Some(NOW_MS + 7));
}

#[tokio::test]
async fn a_claim_may_want_one_kind_of_access_and_takes_one_account_only() {
    let store = planned(&format!("{}{}", live("none", ""), live("converges", "")), &[1]).await;
    let wanted = |account: &str, access| Wanted { access, ..Harness::wanted(account, 9) };
    for (account, access, expected) in [
        ("other", None, vec![]),
        ("main", Some(Access::Write), vec!["StopTaskInstances"]),
        ("main", Some(Access::Read), vec!["GetTaskInstance"]),
    ] {
        let claimed = store.writer.claim(wanted(account, access), NOW_MS).await.expect("it claims").claimed;
        assert_eq!(claimed.iter().map(|claimed| claimed.operation.as_str()).collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn later_actions_of_a_key_wait_for_the_earlier_ones() {
    let store = planned(&ordered(), &[1, 2, 1, 2, 1]).await;
    let mut claims = store.claim(9, NOW_MS).await;
    assert_eq!(claims.iter().map(|claimed| claimed.action).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(claimed(&store, 9, NOW_MS).await, [] as [i64; 0], "in flight");
    let (second, first) = (claims.remove(1), claims.remove(0));
    store.settle(first.attempt, Outcome::DueAgain { due_at_ms: NOW_MS + 50 }, NOW_MS).await;
    assert_eq!(claimed(&store, 9, NOW_MS).await, [] as [i64; 0], "planned for later");
    store.settle(second.attempt, Outcome::Unresolved, NOW_MS).await;
    assert_eq!(claimed(&store, 9, NOW_MS).await, [] as [i64; 0], "unresolved");
    store.tamper("UPDATE action SET state = 'cancelled' WHERE number = 2").await;
    store.writer.mend_order(NOW_MS).await.expect("upkeep finds what waits for nothing");
    assert_eq!(claimed(&store, 9, NOW_MS).await, [4]);
    let again = store.claim(9, NOW_MS + 50).await.remove(0);
    assert_eq!((again.action, again.attempt_number, again.first_sent_at_ms), (1, 2, NOW_MS));
    store.settle(again.attempt, Outcome::Dead, NOW_MS + 60).await;
    let third = store.claim(9, NOW_MS + 60).await.remove(0);
    assert_eq!(third.action, 3);
    store.settle(third.attempt, Outcome::Held(HeldReason::Policy), NOW_MS + 70).await;
    assert_eq!(
        claimed(&store, 9, NOW_MS + 70).await,
        [5],
        "what is held for a person does not stop the others"
    );
}

#[tokio::test]
async fn an_action_whose_time_has_passed_is_held_instead() {
    let mut store = planned(&format!("{}{}", live("none", ""), live("converges", "")), &[1]).await;
    assert_eq!(claimed(&store, 9, NOW_MS + HOUR_MS / 2).await, [1], "a read does not expire");
    let rows = store.rows("state, held_reason", "action WHERE number = 2").await;
    assert_eq!(rows, [json!(["held", "expired"])]);
}

#[tokio::test]
async fn no_late_write_is_sent_however_many_there_are() {
    let instances: Vec<i64> = (1..=600).collect();
    let mut store = planned(&live("duplicates", "max_calls = 1000"), &instances).await;
    assert_eq!(claimed(&store, 600, NOW_MS + HOUR_MS).await, [] as [i64; 0]);
    assert_eq!(claimed(&store, 600, NOW_MS + HOUR_MS).await, [] as [i64; 0]);
    assert_eq!(store.count("action WHERE state = 'held' AND held_reason = 'expired'").await, 600);
}

#[tokio::test]
async fn what_converges_is_not_sent_again_after_its_time_although_it_was_due_before() {
    let mut store = planned(&live("converges", ""), &[1, 2]).await;
    let first = store.claim(9, NOW_MS).await;
    let again = Outcome::DueAgain { due_at_ms: NOW_MS + 1_000 };
    for claimed in &first {
        assert_eq!(store.settle(claimed.attempt, again, NOW_MS + 500).await, Change::Applied);
    }
    assert_eq!(store.claim(1, NOW_MS + 2_000).await.len(), 1, "in time it is");
    assert_eq!(claimed(&store, 9, NOW_MS + WITHIN_MS + 1).await, [] as [i64; 0]);
    assert_eq!(states(&mut store).await, [json!("in_flight"), json!("unresolved")]);
}

#[tokio::test]
async fn an_expired_action_that_may_have_happened_is_unresolved_not_held() {
    let mut store = planned(&live("converges", ""), &[1]).await;
    let first = store.claim(9, NOW_MS).await.remove(0);
    let again = Outcome::DueAgain { due_at_ms: NOW_MS + HOUR_MS };
    assert_eq!(store.settle(first.attempt, again, NOW_MS + 500).await, Change::Applied);
    assert_eq!(claimed(&store, 9, NOW_MS + HOUR_MS).await, [] as [i64; 0]);
    assert_eq!(states(&mut store).await, [json!("unresolved")]);
}

#[tokio::test]
async fn every_outcome_is_settled_with_its_evidence() {
    let cases = [
        (Outcome::Succeeded, "succeeded", json!(["succeeded", null, NOW_MS + 9, NOW_MS])),
        (
            Outcome::DueAgain { due_at_ms: NOW_MS + 500 },
            "due_again",
            json!(["planned", null, null, NOW_MS + 500]),
        ),
        (Outcome::Dead, "dead", json!(["dead", null, NOW_MS + 9, NOW_MS])),
        (Outcome::Unresolved, "unresolved", json!(["unresolved", null, NOW_MS + 9, NOW_MS])),
        (Outcome::Held(HeldReason::Policy), "held", json!(["held", "policy", NOW_MS + 9, NOW_MS])),
    ];
    let mut store = planned(&live("none", ""), &[1, 2, 3, 4, 5]).await;
    let claims = store.claim(5, NOW_MS).await;
    for ((outcome, word, expected), claimed) in cases.into_iter().zip(claims) {
        let evidence = Evidence {
            endpoint: Some("https://host".into()),
            http_status: Some(503),
            request_id: Some("R".into()),
            error_code: Some("C".into()),
            error_message: Some("M".into()),
            recommend: Some("U".into()),
            response: Some("body".into()),
            response_truncated: true,
            latency_ms: Some(12),
        };
        let settlement = Settlement { evidence, ..Settlement::of(&claimed, outcome, "unavailable") };
        let settled = store.writer.settle(settlement, NOW_MS + 9).await.expect("it is kept");
        assert_eq!(settled.change, Change::Applied);
        let action = format!("action WHERE number = {}", claimed.action);
        assert_eq!(store.rows("state, held_reason, settled_at, due_at", &action).await, [expected]);
        let attempt = format!("attempts WHERE id = {}", claimed.attempt);
        let columns = "outcome, class, endpoint, http_status, request_id, error_code, error_message, recommend, response, response_truncated, latency_ms";
        let kept = json!([word, "unavailable", "https://host", 503, "R", "C", "M", "U", "body", 1, 12]);
        assert_eq!(store.rows(columns, &attempt).await, [kept]);
    }
}

#[tokio::test]
async fn a_late_outcome_corrects_a_guess_and_a_superseded_one_changes_nothing() {
    let rules: String = STEPS.iter().map(|(effect, _)| live(effect, "")).collect();
    let mut store = planned(&rules, &[1]).await;
    let first = store.claim(9, NOW_MS).await;
    let over = NOW_MS + LEASE_MS;
    let recovered = store
        .writer
        .recover(over, HashSet::new(), (WITHIN_MS, Lookups::Off), over)
        .await
        .expect("it is kept");
    assert_eq!(recovered, Recovered { due_again: 2, unresolved: 2 });
    assert_eq!(states(&mut store).await, ["planned", "planned", "unresolved", "unresolved"]);
    // Re-planned, then true: it is not sent again.
    assert_eq!(store.settle(first[0].attempt, Outcome::Succeeded, over).await, Change::Late);
    // Re-planned and sent again, then the first answer: the second attempt decides.
    assert_eq!(claimed(&store, 9, over).await, [2]);
    assert_eq!(store.settle(first[1].attempt, Outcome::Dead, over).await, Change::Superseded);
    assert_eq!(store.settle(first[2].attempt, Outcome::Dead, over).await, Change::Late);
    // Still not known: the guess stays.
    assert_eq!(store.settle(first[3].attempt, Outcome::Unresolved, over).await, Change::Superseded);
    assert_eq!(states(&mut store).await, ["succeeded", "in_flight", "dead", "unresolved"]);
    // A person decided meanwhile.
    store.tamper("UPDATE action SET state = 'cancelled' WHERE number = 4").await;
    assert_eq!(store.settle(first[3].attempt, Outcome::Succeeded, over).await, Change::Superseded);
    assert_eq!(states(&mut store).await, ["succeeded", "in_flight", "dead", "cancelled"]);
    assert_eq!(
        store.rows("attempts", "action ORDER BY number").await,
        [json!([1]), json!([2]), json!([1]), json!([1])]
    );
}

#[tokio::test]
async fn what_was_in_flight_at_a_crash_is_recovered_by_what_a_repetition_does() {
    let rules: String = STEPS.iter().map(|(effect, _)| live(effect, "")).collect();
    for (elapsed, converges) in [(WITHIN_MS, "planned"), (WITHIN_MS + 1, "unresolved")] {
        let store = planned(&rules, &[1]).await;
        assert_eq!(store.claim(9, NOW_MS).await.len(), 4);
        let mut store = store.reopen().await;
        let now_ms = NOW_MS + elapsed;
        store
            .writer
            .recover(i64::MAX, HashSet::new(), (WITHIN_MS, Lookups::Off), now_ms)
            .await
            .expect("it is kept");
        assert_eq!(states(&mut store).await, ["planned", converges, "unresolved", "unresolved"]);
        let attempts = store.rows("outcome, class", "attempts ORDER BY id").await;
        assert_eq!(attempts, vec![json!(["interrupted", "lost"]); 4]);
        let again = store.claim(1, now_ms).await.remove(0);
        assert_eq!((again.attempt_number, again.first_sent_at_ms), (2, NOW_MS));
        assert!(again.attempt > 4);
    }
}

#[tokio::test]
async fn the_sweep_takes_only_leases_that_ran_out_and_leaves_living_attempts_alone() {
    let mut store = planned(&live("none", ""), &[1, 2, 3]).await;
    let early = store.claim(2, NOW_MS).await;
    store.claim(1, NOW_MS + 1).await;
    let alive = HashSet::from([early[1].attempt]);
    let over = NOW_MS + LEASE_MS;
    let recovered =
        store.writer.recover(over, alive, (WITHIN_MS, Lookups::Off), over).await.expect("it is kept");
    assert_eq!(recovered, Recovered { due_again: 1, unresolved: 0 });
    assert_eq!(states(&mut store).await, ["planned", "in_flight", "in_flight"]);
    assert_eq!(store.settle(early[1].attempt, Outcome::Succeeded, over).await, Change::Applied);
}
