//! Slots that others have: calls of people, and calls that read before they are sent.

use std::num::NonZeroU32;
use std::time::Duration;

use openeventd::dispatch::Lookups;
use openeventd::operation::{self, ApiVersion};
use openeventd::quota::{Budget, Edition, Rate};
use openeventd::store::operator::Operator;
use openeventd::store::operator::outside::{Asked, Ended, Turn};

use super::{Dispatching, now_ms, plan, until_worked_off};
use crate::endpoint::DataWorksDouble;
use crate::harness::{Harness, budget, live, policy};
use crate::openapi::account;

/// A daemon that lives: without one, people's calls take turns by themselves.
const DAEMON: &str = "INSERT INTO daemon (id, version, pid, started_at, alive_at, rule_set, configuration, \
    rules_condition, intake, partitions, failing) \
    VALUES (1, '0', 1, 1, 9000000000000, 1, 1, 'current', 'polling', '[]', '[]')";

#[tokio::test]
async fn more_calls_of_people_than_there_are_slots_keep_nobody_waiting_for_good() {
    let mut store = Harness::with(&live("none", "")).await;
    let double = DataWorksDouble::replying([]).await;
    let budget = budget(Edition::Basic);
    let dispatching = Dispatching::start(&store, &double, Edition::Basic, policy());
    let mut operator = Operator::open(&store.path()).await.expect("the database opens");
    let operation = operation::find("GetTaskInstance", ApiVersion::V2024).expect("it is known");
    let asked = Asked { account: "main", region: "cn-shanghai", operation, who: "a person", budget };
    let mut waiting = Vec::new();
    for _ in 0..7 {
        waiting.push(operator.ask_outside(&asked, now_ms()).await.expect("a write").expect("a budget"));
    }
    store.tamper(DAEMON).await;
    let all = async {
        let mut look = tokio::time::interval(Duration::from_millis(10));
        while !waiting.is_empty() {
            look.tick().await;
            let mut left = Vec::new();
            for id in waiting {
                match operator.turn_outside(id, (budget.rate(), true), now_ms()).await.expect("a read") {
                    Turn::Now => {
                        operator.end_outside(id, &Ended::default(), now_ms()).await.expect("a write");
                    }
                    Turn::NotYet => left.push(id),
                }
            }
            waiting = left;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all).await.expect("each has its turn");
    plan(&store, 0..1).await;
    until_worked_off(&mut store).await;
    dispatching.stop().await;
    assert_eq!(double.received().len(), 1);
}

#[tokio::test]
async fn one_call_at_once_and_one_a_second_still_read_before_what_duplicates() {
    let mut store = Harness::with(&live("duplicates", "")).await;
    plan(&store, 0..3).await;
    let double = DataWorksDouble::replying([]).await;
    let mut budget: Budget = budget(Edition::Basic);
    budget.allowance.rate = Rate::Shared(NonZeroU32::MIN);
    let account = openeventd::openapi::Account { budget, ..account(&double.url) };
    let dispatching = Dispatching::of(&store, account, policy(), (1, Lookups::On), now_ms);
    until_worked_off(&mut store).await;
    dispatching.stop().await;
    assert_eq!(store.count("lookup WHERE finished_at IS NULL").await, 0);
    assert_eq!(double.received().len(), 6);
}
