//! The quota in the outbox: what a claim pays, what is given back, what waits for another day or month.

use std::collections::HashSet;

use openeventd::dispatch::Lookups;
use openeventd::operation::{self, ApiVersion};
use openeventd::quota::{Budget, Calendar, Edition, Percent};
use openeventd::store::operator::Operator;
use openeventd::store::operator::outside::Asked;
use openeventd::store::outbox::{Change, Claimed, Claims, Outcome, Settlement, Wanted};
use openeventd::store::parking::ParkReason;
use openeventd::store::retention::Horizons;
use openeventd::store::spending::Paid;
use serde_json::json;

use crate::harness::{HOUR_MS, Harness, NOW_MS, at, budget, failure, live};

mod parked;

const DAY_MS: i64 = 24 * HOUR_MS;

/// When the quota's day ends: `NOW_MS` is four in the afternoon at +08:00.
const MIDNIGHT_MS: i64 = NOW_MS + 8 * HOUR_MS;

/// When it is over for a provider whose clock is behind ours.
const OVER_MS: i64 = MIDNIGHT_MS + 5_000;

/// A store with so many planned reads.
async fn planned(count: i64) -> Harness {
    let store = Harness::with(&live("none", "")).await;
    plan(&store, count).await;
    store
}

async fn plan(store: &Harness, count: i64) {
    let payloads: Vec<String> = (0..count).map(|id| failure(&id.to_string(), 100 + id)).collect();
    let records: Vec<_> = payloads.iter().zip(0..).map(|(payload, offset)| at(offset, payload)).collect();
    store.accept(&records).await;
}

/// The Basic edition with so many calls a day.
fn a_day(calls: u64) -> Budget {
    Budget { calls_per_day_max: Some(calls), ..budget(Edition::Basic) }
}

/// The Enterprise edition with so many successful calls a month.
fn a_month(calls: u64) -> Budget {
    Budget { calls_per_month_max: Some(calls), ..budget(Edition::Enterprise) }
}

async fn claim(store: &Harness, budget: Budget, limit: usize, now_ms: i64) -> Claims {
    let wanted = Wanted { budget, ..Harness::wanted("main", limit) };
    store.writer.claim(wanted, now_ms).await.expect("the claim is kept")
}

async fn settle(store: &Harness, claimed: &Claimed, paid: Paid, now_ms: i64) -> Change {
    let (outcome, class) = match paid {
        Paid::Succeeded => (Outcome::Succeeded, "success"),
        Paid::Failed => (Outcome::Dead, "rejected"),
        Paid::Throttled => (Outcome::DueAgain { due_at_ms: now_ms + DAY_MS }, "throttled"),
        Paid::NotSent => (Outcome::DueAgain { due_at_ms: now_ms + DAY_MS }, "unreachable"),
    };
    let settlement = Settlement { paid, ..Settlement::of(claimed, outcome, class) };
    store.writer.settle(settlement, now_ms).await.expect("the settle is kept").change
}

fn why(claims: &Claims) -> Option<(ParkReason, i64)> {
    claims.parked.as_ref().map(|parked| (parked.reason, parked.until_ms))
}

#[tokio::test]
async fn a_claim_is_paid_in_its_own_commit_and_what_never_left_is_given_back() {
    let rules = format!("{}{}", live("none", ""), live("converges", ""));
    let store = Harness::with(&rules).await;
    plan(&store, 3).await;
    let claimed = claim(&store, budget(Edition::Basic), 5, NOW_MS).await.claimed;
    assert_eq!(claimed.len(), 5);
    // Nobody settles: the daemon dies here.
    let mut store = store.reopen().await;
    let days = "account, region, begins_at, ends_at, sent, succeeded, throttled";
    let day = |sent, succeeded, throttled| {
        let (begins, ends) = ("2026-03-24T16:00:00.000Z", "2026-03-25T16:00:00.000Z");
        [json!(["main", "cn-shanghai", begins, ends, sent, succeeded, throttled])]
    };
    let spenders = "kind, name, sent, succeeded";
    assert_eq!(store.rows(days, "quota_days").await, day(5, 0, 0));
    let by_rule = store.rows(spenders, "quota_spenders ORDER BY name").await;
    assert_eq!(by_rule, [json!(["rule", "converges", 2, 0]), json!(["rule", "none", 3, 0])]);
    for (claimed, paid) in claimed.iter().zip([Paid::Succeeded, Paid::Failed, Paid::Throttled, Paid::NotSent])
    {
        assert_eq!(settle(&store, claimed, paid, NOW_MS + 1).await, Change::Applied);
    }
    assert_eq!(store.rows(days, "quota_days").await, day(4, 1, 1));
    let sent = store.rows("sum(sent), sum(succeeded)", "quota_spenders").await;
    assert_eq!(sent, [json!([4, 1])]);
}

#[tokio::test]
async fn a_claim_takes_no_more_than_there_is_room_for() {
    let mut store = planned(9).await;
    for (limit, expected) in [(2, 2), (9, 3), (9, 0)] {
        assert_eq!(claim(&store, a_day(5), limit, NOW_MS).await.claimed.len(), expected, "{limit}");
    }
    assert_eq!(store.rows("sent", "quota_days").await, [json!([5])]);
    assert_eq!(store.count("attempt").await, 5);
}

#[tokio::test]
async fn what_waits_for_the_next_day_says_so_and_goes_then() {
    let mut store = planned(7).await;
    assert_eq!(claim(&store, a_day(3), 9, NOW_MS).await.claimed.len(), 3);
    for now_ms in [NOW_MS, NOW_MS + HOUR_MS, MIDNIGHT_MS - 1] {
        let nothing = claim(&store, a_day(3), 9, now_ms).await;
        assert_eq!((nothing.claimed.len(), why(&nothing)), (0, Some((ParkReason::DaySpent, OVER_MS))));
    }
    let waiting =
        store.rows("waits_for, runs_at", "actions WHERE state = 'planned' GROUP BY waits_for, runs_at").await;
    assert_eq!(waiting, [json!(["day_spent", "2026-03-25T16:00:05.000Z"])]);
    // A restart forgets neither.
    let mut store = store.reopen().await;
    store.writer.lift_parkings_at_start(NOW_MS).await.expect("it is kept");
    let nothing = claim(&store, a_day(3), 9, NOW_MS).await;
    assert_eq!((nothing.claimed.len(), why(&nothing)), (0, Some((ParkReason::DaySpent, OVER_MS))));
    let next = claim(&store, a_day(3), 9, OVER_MS).await;
    assert_eq!((next.claimed.len(), why(&next)), (3, None));
    assert_eq!(claim(&store, a_day(3), 9, OVER_MS + DAY_MS).await.claimed.len(), 1);
    let days = store.rows("sent", "quota_days ORDER BY begins_at").await;
    assert_eq!(days, [json!([3]), json!([3]), json!([1])]);
}

#[tokio::test]
async fn near_midnight_a_call_counts_in_both_days() {
    let mut store = planned(9).await;
    assert_eq!(claim(&store, a_day(4), 2, MIDNIGHT_MS - 15_000).await.claimed.len(), 2);
    let days = store.rows("sent", "quota_days ORDER BY begins_at").await;
    assert_eq!(days, [json!([2]), json!([2])], "it may arrive in either");
    assert_eq!(claim(&store, a_day(4), 9, MIDNIGHT_MS).await.claimed.len(), 2);
    let spent = claim(&store, a_day(4), 9, MIDNIGHT_MS + 4_999).await;
    assert_eq!((spent.claimed.len(), why(&spent).map(|(reason, _)| reason)), (0, Some(ParkReason::DaySpent)));
    let days = store.rows("sent", "quota_days ORDER BY begins_at").await;
    assert_eq!(days, [json!([4]), json!([4])]);
}

#[tokio::test]
async fn a_day_of_another_offset_counts_as_far_as_it_reaches_into_ours() {
    let store = planned(9).await;
    assert_eq!(claim(&store, a_day(3), 2, NOW_MS).await.claimed.len(), 2);
    let moved = Budget { calendar: "+00:00".parse::<Calendar>().expect("an offset"), ..a_day(3) };
    assert_eq!(claim(&store, moved, 9, NOW_MS).await.claimed.len(), 1);
    assert_eq!(claim(&store, moved, 9, NOW_MS).await.claimed.len(), 0);
}

#[tokio::test]
async fn what_is_given_back_can_be_spent_on_the_same_day() {
    let mut store = planned(5).await;
    let claimed = claim(&store, a_day(2), 9, NOW_MS).await.claimed;
    assert_eq!(why(&claim(&store, a_day(2), 9, NOW_MS).await), Some((ParkReason::DaySpent, OVER_MS)));
    settle(&store, &claimed[0], Paid::NotSent, NOW_MS + 1).await;
    let again = claim(&store, a_day(2), 9, NOW_MS + 1).await;
    assert_eq!((again.claimed.len(), why(&again)), (1, None));
    settle(&store, &claimed[1], Paid::Failed, NOW_MS + 2).await;
    assert_eq!(claim(&store, a_day(2), 9, NOW_MS + 2).await.claimed.len(), 0, "what was sent is spent");
    assert_eq!(store.rows("sent", "quota_days").await, [json!([2])]);
}

#[tokio::test]
async fn shares_are_left_to_others_and_to_what_is_urgent() {
    let mut store = planned(20).await;
    store.tamper("UPDATE action SET priority = 1 WHERE number > 15").await;
    // Of 100 ten are ours, of those two are left to verdicts.
    let budget =
        Budget { others_share: Percent::new(90), verdict_share: Percent::new(20), ..budget(Edition::Basic) };
    let numbers = async |limit| {
        let claims = claim(&store, budget, limit, NOW_MS).await;
        claims.claimed.iter().map(|claimed| claimed.action).collect::<Vec<_>>()
    };
    assert_eq!(numbers(1).await, [16]);
    assert_eq!(numbers(20).await, [17, 18, 19, 20, 1, 2, 3], "eight in all");
    assert_eq!(numbers(20).await, [] as [i64; 0], "the rest is left to what is urgent");
    store.tamper("UPDATE action SET priority = 1 WHERE number > 10 AND state = 'planned'").await;
    assert_eq!(numbers(20).await, [11, 12]);
    assert_eq!(numbers(20).await, [] as [i64; 0]);
    let parked = store.rows("reason", "parkings").await;
    assert_eq!(parked, [json!(["day_spent"])], "only now is nothing left to anybody");
}

#[tokio::test]
async fn a_month_counts_what_succeeded_and_what_still_may() {
    let mut store = planned(12).await;
    let claimed = claim(&store, a_month(5), 9, NOW_MS).await.claimed;
    assert_eq!(claimed.len(), 5);
    let nothing = claim(&store, a_month(5), 9, NOW_MS).await;
    assert_eq!((nothing.claimed.len(), why(&nothing)), (0, None), "those on their way may come to nothing");
    for refused in &claimed[..2] {
        settle(&store, refused, Paid::Failed, NOW_MS).await;
    }
    let further = claim(&store, a_month(5), 9, NOW_MS).await.claimed;
    assert_eq!(further.len(), 2);
    for succeeded in claimed[2..].iter().chain(&further) {
        settle(&store, succeeded, Paid::Succeeded, NOW_MS).await;
    }
    let ends_ms = a_month(5).calendar.month(NOW_MS).surely_over_ms();
    for now_ms in [NOW_MS, NOW_MS + DAY_MS] {
        let nothing = claim(&store, a_month(5), 9, now_ms).await;
        assert_eq!((nothing.claimed.len(), why(&nothing)), (0, Some((ParkReason::MonthSpent, ends_ms))));
    }
    let waiting =
        store.rows("waits_for, runs_at", "actions WHERE state = 'planned' GROUP BY waits_for, runs_at").await;
    assert_eq!(waiting, [json!(["month_spent", "2026-03-31T16:00:05.000Z"])]);
    assert_eq!(claim(&store, a_month(5), 9, ends_ms).await.claimed.len(), 5);
}

#[tokio::test]
async fn a_spent_day_is_no_spent_month_while_calls_are_on_their_way() {
    let store = planned(5).await;
    let both = Budget { calls_per_day_max: Some(2), ..a_month(2) };
    assert_eq!(claim(&store, both, 9, NOW_MS).await.claimed.len(), 2);
    let nothing = claim(&store, both, 9, NOW_MS).await;
    assert_eq!(why(&nothing), Some((ParkReason::DaySpent, OVER_MS)));
}

#[tokio::test]
async fn what_was_cut_off_counts_as_succeeded_once() {
    let store = planned(4).await;
    let claimed = claim(&store, a_month(2), 9, NOW_MS).await.claimed;
    let mut store = store.reopen().await;
    // The restart is on another day; the day that paid counts.
    let later = MIDNIGHT_MS + HOUR_MS;
    store.writer.recover(i64::MAX, HashSet::new(), (600_000, Lookups::Off), later).await.expect("it is kept");
    let counted = "sent, succeeded";
    assert_eq!(store.rows(counted, "quota_days").await, [json!([2, 2])]);
    assert_eq!(store.rows(counted, "quota_spenders").await, [json!([2, 2])]);
    let nothing = claim(&store, a_month(2), 9, later).await;
    assert_eq!(nothing.claimed.len(), 0);
    assert_eq!(why(&nothing).map(|(reason, _)| reason), Some(ParkReason::MonthSpent));
    // Its response comes after all.
    assert_eq!(settle(&store, &claimed[0], Paid::Succeeded, later).await, Change::Late);
    assert_eq!(store.rows(counted, "quota_days").await, [json!([2, 2])]);
}

#[tokio::test]
async fn a_short_retention_does_not_forget_what_the_month_has_spent() {
    let mut store = planned(4).await;
    for claimed in claim(&store, a_month(2), 9, NOW_MS).await.claimed {
        settle(&store, &claimed, Paid::Succeeded, NOW_MS).await;
    }
    let hour = Horizons { unmatched_ms: HOUR_MS, matched_ms: HOUR_MS, dedupe_ms: HOUR_MS };
    let later = NOW_MS + 3 * DAY_MS;
    store.retire(hour, later).await;
    assert_eq!(store.rows("sent, succeeded", "quota_days").await, [json!([2, 2])]);
    assert_eq!(store.rows("sent, succeeded", "quota_spenders").await, [json!([2, 2])]);
    let nothing = claim(&store, a_month(2), 9, later).await;
    assert_eq!(why(&nothing).map(|(reason, _)| reason), Some(ParkReason::MonthSpent));
    store.retire(hour, NOW_MS + 64 * DAY_MS).await;
    assert_eq!(store.count("quota_days").await + store.count("quota_spenders").await, 0);
}

#[tokio::test]
async fn a_read_that_was_cut_off_and_a_call_of_a_person_who_died_count_once_too() {
    let store = planned(1).await;
    let claimed = store.claim(1, NOW_MS).await;
    settle(&store, &claimed[0], Paid::Failed, NOW_MS).await;
    let mut operator = Operator::open(&store.path()).await.expect("the database opens");
    let operation = operation::find("GetTaskInstance", ApiVersion::V2024).expect("it is known");
    let budget = budget(Edition::Basic);
    let asked = Asked { account: "main", region: "cn-shanghai", operation, who: "a person", budget };
    operator.ask_outside(&asked, NOW_MS).await.expect("a write").expect("a budget");
    store
        .tamper(
            "INSERT INTO lookup (attempt, purpose, subject, operation, version, params, started_at) \
             SELECT id, 'after', '1', 'GetTaskInstance', '2024-05-18', '{}', started_at FROM attempt",
        )
        .await;
    let mut store = store.reopen().await;
    for _ in 0..2 {
        let later = NOW_MS + HOUR_MS;
        let recovering = store.writer.recover(i64::MAX, HashSet::new(), (600_000, Lookups::Off), later).await;
        recovering.expect("it is kept");
        assert_eq!(store.rows("sent, succeeded", "quota_days").await, [json!([2, 2])]);
        assert_eq!(store.count("lookups WHERE class = 'lost' AND finished_at IS NOT NULL").await, 1);
        assert_eq!(store.count("outside_calls WHERE class = 'lost' AND ended_at IS NOT NULL").await, 1);
    }
}

#[tokio::test]
async fn more_actions_than_one_step_holds_are_told_apart_when_their_time_has_passed() {
    let mut store = Harness::with(&live("converges", "max_calls = 1000")).await;
    plan(&store, 600).await;
    let claimed = store.claim(600, NOW_MS).await;
    let again = Outcome::DueAgain { due_at_ms: NOW_MS + 1 };
    for (at, claimed) in claimed.iter().enumerate() {
        if at % 500 < 50 {
            store.settle(claimed.attempt, again, NOW_MS).await;
        } else {
            settle(&store, claimed, Paid::NotSent, NOW_MS).await;
        }
    }
    for _ in 0..2 {
        assert_eq!(store.claim(600, NOW_MS + HOUR_MS).await, []);
    }
    let states = store.rows("state, count(*)", "action GROUP BY state").await;
    assert_eq!(states, [json!(["held", 500]), json!(["unresolved", 100])]);
}
