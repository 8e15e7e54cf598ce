//! Following the daemon: each thing is told once, in its order, when it is durable.

use std::time::Duration;

use openeventd::store::Reader;
use openeventd::store::follow::{Follower, Standing};
use openeventd::store::outbox::Outcome;
use openeventd::store::totals::Count;

use crate::harness::{Harness, NOW_MS, at, failure, live, waiting};

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
}
