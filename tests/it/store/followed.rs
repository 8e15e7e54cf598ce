//! Following the daemon: each thing is told once, in its order, when it is durable.

use std::time::Duration;

use openeventd::operation::recipe::Verdict;
use openeventd::store::Reader;
use openeventd::store::follow::{Follower, Standing};
use openeventd::store::outbox::lookup::Due;
use openeventd::store::outbox::{Outcome, Settlement};
use openeventd::store::parking::{Park, ParkReason, Pause};
use openeventd::store::totals::Count;

use crate::harness::{Harness, NOW_MS, at, failure, live, settlement, waiting};

async fn reader(store: &Harness) -> Reader {
    Reader::open(&store.path(), Duration::from_mins(1)).await.expect("a reader")
}

#[tokio::test]
async fn each_thing_is_told_once_and_an_attempt_when_it_is_settled() {
    let store = Harness::with(&live("duplicates", "")).await;
    let mut follower = Follower::new(reader(&store).await);
    assert!(follower.news().await.expect("news").is_empty());

    let (failed, other) = (failure("1", 71), waiting("2"));
    store.accept(&[at(0, &failed), at(1, &other), at(2, "{"), at(3, &failed)]).await;
    let news = follower.news().await.expect("news");
    let events: Vec<_> =
        news.events.iter().map(|event| (event.seq, event.instance, event.decisions.len())).collect();
    assert_eq!(events, [(1, Some(71), 1), (2, Some(5), 0)]);
    let decision = &news.events[0].decisions[0];
    assert_eq!((decision.rule.as_str(), decision.state.as_deref()), ("duplicates", Some("planned")));
    assert_eq!((news.quarantined.len(), news.duplicates.len(), news.attempts.len()), (1, 1, 0));
    assert!(follower.news().await.expect("news").is_empty());
    let reached = std::collections::BTreeMap::from([(0, 3)]);
    assert_eq!(follower.standing().await.expect("counts"), Standing { reached, open: 1 });

    let first = store.claim(1, NOW_MS).await;
    assert!(follower.news().await.expect("news").is_empty(), "an attempt in flight is none yet");
    store.settle(first[0].attempt, Outcome::DueAgain { due_at_ms: NOW_MS + 10 }, NOW_MS).await;
    let told = follower.news().await.expect("news").attempts;
    assert_eq!((told.len(), told[0].outcome.as_deref(), told[0].number), (1, Some("due_again"), 1));
    assert!(follower.news().await.expect("news").is_empty());
    assert_eq!(follower.standing().await.expect("counts").open, 1);
}

#[tokio::test]
async fn attempts_that_settle_out_of_order_are_told_all_the_same() {
    let store = Harness::with(&live("duplicates", "")).await;
    let payloads: Vec<String> = (1..=3).map(|id| failure(&id.to_string(), 70 + id)).collect();
    let records: Vec<_> = payloads.iter().zip(0..).map(|(payload, offset)| at(offset, payload)).collect();
    store.accept(&records).await;
    let claimed = store.claim(3, NOW_MS).await;
    let mut follower = Follower::new(reader(&store).await);
    assert_eq!(follower.news().await.expect("news").events.len(), 3);
    for index in [1, 2, 0] {
        store.settle(claimed[index].attempt, Outcome::Succeeded, NOW_MS).await;
        let told: Vec<i64> =
            follower.news().await.expect("news").attempts.iter().map(|attempt| attempt.id).collect();
        assert_eq!(told, [claimed[index].attempt]);
    }
    assert!(follower.news().await.expect("news").is_empty());
    assert_eq!(follower.standing().await.expect("counts").open, 0);
}

#[tokio::test]
async fn a_lost_call_is_open_until_it_is_looked_up_and_the_first_verdict_is_told() {
    let store = Harness::with(&live("duplicates", "")).await;
    store.accept(&[at(0, &failure("1", 71))]).await;
    let mut follower = Follower::new(reader(&store).await);
    let (claimed, ends_ms) = (store.claim(1, NOW_MS).await, NOW_MS + 1);
    let attempt = claimed[0].attempt;
    let lost = Settlement {
        verify_at_ms: Some(ends_ms + 5_000),
        ..settlement(attempt, Outcome::Unresolved, ends_ms)
    };
    store.writer.settle(lost, ends_ms).await.expect("the settle is kept");
    let news = follower.news().await.expect("news");
    assert_eq!((news.attempts.len(), news.verdicts.len()), (1, 0));
    assert_eq!(follower.standing().await.expect("counts").open, 1);

    let due = store
        .writer
        .to_verify("main".into(), (Due::All, 1), i64::MAX, ends_ms + 5_000)
        .await
        .expect("they are read");
    for reason in ["too early to tell", "nothing is known"] {
        let verdict = (Verdict::Ambiguous, reason.to_owned());
        let of = (due[0].action, due[0].attempt);
        store.writer.verified(of, verdict, Some(i64::MAX), ends_ms + 5_000).await.expect("it is kept");
        let told = follower.news().await.expect("news").verdicts;
        let told: Vec<_> = told.iter().map(|it| (it.attempt, it.event, it.reason.as_str())).collect();
        let expected = [(attempt, 1, "too early to tell")];
        assert_eq!(told, if reason == expected[0].2 { &expected[..] } else { &[] });
        assert_eq!(follower.standing().await.expect("counts").open, 0, "from now on it is a person's");
    }
}

#[tokio::test]
async fn a_parking_is_told_once_and_again_when_it_comes_back() {
    let store = Harness::with(&live("duplicates", "")).await;
    let payloads: Vec<String> = (1..=3).map(|id| failure(&id.to_string(), 70 + id)).collect();
    let records: Vec<_> = payloads.iter().zip(0..).map(|(payload, offset)| at(offset, payload)).collect();
    store.accept(&records).await;
    let claimed = store.claim(3, NOW_MS).await;
    let mut follower = Follower::new(reader(&store).await);
    for (claimed, at_ms, lifts) in [(&claimed[0], 1, false), (&claimed[1], 2, true), (&claimed[2], 3, false)]
    {
        let park = Park {
            reason: ParkReason::Forbidden,
            message: "Forbidden.Access".into(),
            pause: Pause::Until(NOW_MS + 600_000),
        };
        let settled = Settlement {
            workspace: Some(5),
            park: (!lifts).then_some(park),
            lift: if lifts { &[ParkReason::Forbidden] } else { &[] },
            ..settlement(claimed.attempt, Outcome::Dead, NOW_MS + at_ms)
        };
        store.writer.settle(settled, NOW_MS + at_ms).await.expect("the settle is kept");
        let told = follower.news().await.expect("news").parkings;
        let told: Vec<_> = told.iter().map(|it| (it.operation.as_deref(), it.workspace, it.since)).collect();
        let expected = [(Some("GetTaskInstance"), Some(5), NOW_MS + at_ms)];
        assert_eq!(told, if lifts { &[] } else { &expected[..] });
    }
}

#[tokio::test]
async fn the_totals_tell_where_everything_went() {
    let store = Harness::with(&live("duplicates", "")).await;
    let (failed, other) = (failure("1", 71), waiting("2"));
    store.accept(&[at(0, &failed), at(1, &other), at(2, "{"), at(3, &failed)]).await;
    let totals = reader(&store).await.totals().await.expect("totals");
    let records = totals.records;
    assert_eq!((records.records, records.events, records.duplicates, records.quarantined), (4, 2, 1, 1));
    assert_eq!(records.gaps, 0);
    let one = |kind: &str| vec![Count { kind: kind.into(), count: 1 }];
    assert_eq!((totals.decisions, totals.actions, totals.attempts), (one("planned"), one("planned"), vec![]));
    assert_eq!((totals.lookups, totals.sent), (vec![], 0));
    store.claim(1, NOW_MS).await;
    let totals = reader(&store).await.totals().await.expect("totals");
    assert_eq!((totals.attempts, totals.sent), (one("in_flight"), 1));
}
