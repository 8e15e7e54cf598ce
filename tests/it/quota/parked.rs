//! Parking: what is not tried for a while, who finds out, and what lifts it.

use openeventd::store::outbox::{Claimed, Outcome, Settled, Settlement};
use openeventd::store::parking::{Park, ParkReason, Pause};
use openeventd::store::spending::Paid;
use serde_json::json;

use super::{MIDNIGHT_MS, claim, plan, planned, why};
use crate::harness::{Harness, NOW_MS, budget, live};
use openeventd::quota::Edition;

const PAUSE: Pause = Pause::Growing { first_ms: 60_000, max_ms: 200_000 };

/// The call fails for `reason`; the action comes again unless it is forbidden.
async fn fails(store: &Harness, claimed: &Claimed, reason: ParkReason, pause: Pause, now_ms: i64) -> Settled {
    let outcome = match reason {
        ParkReason::Forbidden => Outcome::Dead,
        _ => Outcome::DueAgain { due_at_ms: now_ms },
    };
    let park = Some(Park { reason, message: "it says no".into(), pause });
    let settlement = Settlement { park, ..Settlement::of(claimed, outcome, "credentials") };
    store.writer.settle(settlement, now_ms).await.expect("the settle is kept")
}

/// The call succeeds, which disproves `lift`.
async fn succeeds(store: &Harness, claimed: &Claimed, lift: &'static [ParkReason], now_ms: i64) -> Settled {
    let ended = Settlement::of(claimed, Outcome::Succeeded, "success");
    let settlement = Settlement { paid: Paid::Succeeded, lift, ..ended };
    store.writer.settle(settlement, now_ms).await.expect("the settle is kept")
}

async fn claims(store: &Harness, now_ms: i64) -> (Vec<Claimed>, Option<(ParkReason, i64)>) {
    let claims = claim(store, budget(Edition::Enterprise), 9, now_ms).await;
    let why = why(&claims);
    (claims.claimed, why)
}

#[tokio::test]
async fn a_parked_account_is_tried_by_one_call_after_pauses_that_grow_until_one_succeeds() {
    let mut store = planned(20).await;
    let reason = ParkReason::Credentials;
    let first = store.claim(2, NOW_MS).await;
    assert!(fails(&store, &first[0], reason, PAUSE, NOW_MS).await.parked.is_some());
    // One that was on its way already says nothing new.
    assert_eq!(fails(&store, &first[1], reason, PAUSE, NOW_MS + 1).await.parked, None);
    let mut now_ms = NOW_MS;
    for (pause_ms, failures) in [(60_000, 1), (120_000, 2), (200_000, 3), (200_000, 4)] {
        let until_ms = now_ms + pause_ms;
        assert_eq!(store.rows("failures, message", "parkings").await, [json!([failures, "it says no"])]);
        assert_eq!(claims(&store, until_ms - 1).await, (vec![], Some((reason, until_ms))));
        let (probe, parked) = claims(&store, until_ms).await;
        assert_eq!((probe.len(), parked.map(|(reason, _)| reason)), (1, Some(reason)));
        assert_eq!(claims(&store, until_ms).await.0, [], "one call finds out");
        now_ms = until_ms + 5;
        assert_eq!(fails(&store, &probe[0], reason, PAUSE, now_ms).await.parked, None, "told once");
    }
    let probe = claims(&store, now_ms + 200_000).await.0.remove(0);
    let settled = succeeds(&store, &probe, &[ParkReason::Credentials], now_ms + 200_001).await;
    assert_eq!(settled.lifted.iter().map(|lifted| lifted.reason).collect::<Vec<_>>(), [reason]);
    let (all, parked) = claims(&store, now_ms + 200_001).await;
    assert_eq!((all.len(), parked), (9, None));
    assert_eq!(store.count("parkings").await, 0);
}

#[tokio::test]
async fn after_a_probe_that_tells_nothing_the_next_one_finds_out_a_second_later() {
    let store = planned(5).await;
    let first = store.claim(1, NOW_MS).await.remove(0);
    fails(&store, &first, ParkReason::Credentials, PAUSE, NOW_MS).await;
    let probe = claims(&store, NOW_MS + 60_000).await.0.remove(0);
    succeeds(&store, &probe, &[ParkReason::Endpoint], NOW_MS + 60_001).await;
    let until_ms = NOW_MS + 60_001 + 1_000;
    assert_eq!(claims(&store, until_ms - 1).await, (vec![], Some((ParkReason::Credentials, until_ms))));
    assert_eq!(claims(&store, until_ms).await.0.len(), 1);
}

#[tokio::test]
async fn a_probe_that_never_left_lets_the_next_one_find_out_at_once() {
    let store = planned(5).await;
    let first = store.claim(1, NOW_MS).await.remove(0);
    fails(&store, &first, ParkReason::Credentials, PAUSE, NOW_MS).await;
    let mut now_ms = NOW_MS + 60_000;
    for _ in 0..2 {
        let probe = claims(&store, now_ms).await.0.remove(0);
        assert_eq!(claims(&store, now_ms).await.0, [], "one call finds out");
        let ended = Settlement::of(&probe, Outcome::Dead, "unsendable");
        let settlement = Settlement { paid: Paid::NotSent, ..ended };
        now_ms += 1;
        store.writer.settle(settlement, now_ms).await.expect("the settle is kept");
    }
    assert_eq!(claims(&store, now_ms).await.0.len(), 1);
}

#[tokio::test]
async fn a_probe_that_may_not_be_repeated_any_more_lets_the_next_one_find_out() {
    let store = Harness::with(&live("converges", "")).await;
    plan(&store, 3).await;
    let first = store.claim(1, NOW_MS).await.remove(0);
    let lost = Outcome::DueAgain { due_at_ms: NOW_MS };
    let park = Some(Park { reason: ParkReason::Endpoint, message: String::new(), pause: PAUSE });
    let settlement = Settlement { park, ..Settlement::of(&first, lost, "lost") };
    store.writer.settle(settlement, NOW_MS).await.expect("the settle is kept");
    let later_ms = NOW_MS + 11 * 60_000;
    assert_eq!(claims(&store, later_ms).await.0, [], "it is left to a person");
    assert_eq!(claims(&store, later_ms).await.0.len(), 1);
}

#[tokio::test]
async fn what_a_wrong_clock_parked_for_years_is_tried_after_a_restart() {
    let store = planned(2).await;
    let first = store.claim(1, NOW_MS).await.remove(0);
    let years_ms = 3 * 365 * 86_400_000;
    fails(&store, &first, ParkReason::DayRefused, Pause::Until(NOW_MS + years_ms), NOW_MS).await;
    let store = store.reopen().await;
    assert_eq!(claims(&store, NOW_MS + 1).await.0, []);
    store.writer.lift_parkings_at_start(NOW_MS + 1).await.expect("it is kept");
    assert_eq!(claims(&store, NOW_MS + 1).await.0.len(), 2);
}

#[tokio::test]
async fn what_waits_says_for_what_and_the_longer_of_two_reasons_counts() {
    let mut store = planned(5).await;
    let first = store.claim(2, NOW_MS).await;
    fails(&store, &first[0], ParkReason::Credentials, PAUSE, NOW_MS).await;
    fails(&store, &first[1], ParkReason::DayRefused, Pause::Until(MIDNIGHT_MS), NOW_MS).await;
    assert_eq!(claims(&store, NOW_MS + 60_000).await, (vec![], Some((ParkReason::DayRefused, MIDNIGHT_MS))));
    let waiting = store.rows("waits_for, runs_at, count(*)", "actions GROUP BY waits_for, runs_at").await;
    assert_eq!(waiting, [json!(["day_refused", "2026-03-25T16:00:00.000Z", 5])]);
    // The day is over, which nobody has to find out; the key is still to be tried.
    let (probe, parked) = claims(&store, MIDNIGHT_MS).await;
    assert_eq!((probe.len(), parked.map(|(reason, _)| reason)), (1, Some(ParkReason::Credentials)));
}

#[tokio::test]
async fn a_restart_keeps_what_the_endpoint_said_of_the_day_and_tries_everything_else_anew() {
    let store = planned(9).await;
    let first = store.claim(4, NOW_MS).await;
    let until = Pause::Until(MIDNIGHT_MS);
    fails(&store, &first[0], ParkReason::Credentials, PAUSE, NOW_MS).await;
    fails(&store, &first[1], ParkReason::Endpoint, PAUSE, NOW_MS).await;
    fails(&store, &first[2], ParkReason::Forbidden, PAUSE, NOW_MS).await;
    fails(&store, &first[3], ParkReason::DayRefused, until, NOW_MS).await;
    let mut store = store.reopen().await;
    assert_eq!(store.count("parkings").await, 4);
    store.writer.lift_parkings_at_start(NOW_MS + 1).await.expect("it is kept");
    assert_eq!(store.rows("reason", "parkings").await, [json!(["day_refused"])]);
    assert_eq!(claims(&store, NOW_MS + 1).await, (vec![], Some((ParkReason::DayRefused, MIDNIGHT_MS))));
    let store = store.reopen().await;
    store.writer.lift_parkings_at_start(MIDNIGHT_MS).await.expect("it is kept");
    assert_eq!(claims(&store, MIDNIGHT_MS).await.1, None);
}

#[tokio::test]
async fn what_is_forbidden_parks_its_operation_and_workspace_and_nothing_else() {
    let mut store = Harness::with(&format!("{}{}", live("none", ""), live("converges", ""))).await;
    plan(&store, 4).await;
    // Events 1 to 4, each with a read and a write; the last is of another workspace.
    store.tamper("UPDATE action SET workspace = 7 WHERE event = 4").await;
    let read = store.claim(1, NOW_MS).await.remove(0);
    assert_eq!(read.operation, "GetTaskInstance");
    let parked = fails(&store, &read, ParkReason::Forbidden, PAUSE, NOW_MS).await.parked.expect("it is new");
    assert_eq!((parked.operation.as_deref(), parked.workspace), (Some("GetTaskInstance"), Some(96384)));
    let (others, parked) = claims(&store, NOW_MS + 1).await;
    let mut gone: Vec<_> = others.iter().map(|it| (it.operation.as_str(), it.workspace)).collect();
    gone.sort_unstable();
    let write = |workspace| ("StopTaskInstances", Some(workspace));
    assert_eq!(gone, [("GetTaskInstance", Some(7)), write(7), write(96384), write(96384), write(96384)]);
    assert_eq!(parked, None, "the account is not");
    let waiting = "waits_for, runs_at, count(*)";
    let planned = "actions WHERE state = 'planned' GROUP BY waits_for, runs_at";
    let until = json!(["forbidden", "2026-03-25T08:01:00.000Z", 2]);
    assert_eq!(store.rows(waiting, planned).await, [until], "put off until one finds out");
    // A write of the same workspace that succeeds proves nothing about the read.
    succeeds(&store, &others[0], &[ParkReason::Endpoint], NOW_MS + 2).await;
    assert_eq!(claims(&store, NOW_MS + 2).await.0, []);
    let (probe, _) = claims(&store, NOW_MS + 60_000).await;
    assert_eq!(probe.len(), 1);
    assert_eq!(claims(&store, NOW_MS + 60_000).await.0, []);
    let lifted = succeeds(&store, &probe[0], &[ParkReason::Forbidden], NOW_MS + 60_001).await.lifted;
    assert_eq!(lifted.len(), 1);
    assert_eq!(claims(&store, NOW_MS + 60_001).await.0.len(), 1, "the other one is pulled back");
}

#[tokio::test]
async fn what_was_put_off_as_forbidden_is_tried_at_once_after_a_restart() {
    let store = planned(5).await;
    let first = store.claim(1, NOW_MS).await.remove(0);
    fails(&store, &first, ParkReason::Forbidden, PAUSE, NOW_MS).await;
    assert_eq!(claims(&store, NOW_MS + 1).await, (vec![], None));
    let store = store.reopen().await;
    store.writer.lift_parkings_at_start(NOW_MS + 2).await.expect("it is kept");
    assert_eq!(claims(&store, NOW_MS + 2).await.0.len(), 4);
}

#[tokio::test]
async fn another_account_is_not_parked_with_the_first() {
    let store = planned(2).await;
    store.tamper("UPDATE action SET account = 'other' WHERE number = 2").await;
    let first = store.claim(1, NOW_MS).await.remove(0);
    fails(&store, &first, ParkReason::Credentials, PAUSE, NOW_MS).await;
    let claims = store.writer.claim(Harness::wanted("other", 9), NOW_MS).await.expect("it claims");
    assert_eq!((claims.claimed.len(), claims.parked), (1, None));
}
