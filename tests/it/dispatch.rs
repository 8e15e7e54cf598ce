//! Dispatch, end to end: from the outbox to a loopback endpoint and back.

#![expect(clippy::expect_used, reason = "clippy knows test functions, but not the helpers beside them")]

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openeventd::dispatch::judge::Retry;
use openeventd::dispatch::{self, Alive, Lookups, Settings, Shared, Watch};
use openeventd::ingest::Gate;
use openeventd::openapi::call::Client;
use openeventd::openapi::{Account, Secrets};
use openeventd::quota::Edition;
use openeventd::rule::Policy;
use openeventd::store::StoreError;
use openeventd::store::retention::Horizons;
use openeventd::upkeep::{self, Upkeep};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::endpoint::{DataWorksDouble, Reply, Signature};
use crate::harness::{Harness, STEPS, at, budget, failure, live, policy};
use crate::openapi::{account, settings};

mod parked;

mod taken;

const SECRET: &str = "correct/horse battery";

pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("before the year 292278994")
}

/// A dispatch at work.
pub(crate) struct Dispatching {
    changed: Arc<Notify>,
    stop: watch::Sender<bool>,
    running: JoinHandle<Result<(), StoreError>>,
}

fn retry() -> Retry {
    Retry {
        attempts_max: 3,
        backoff_min: Duration::from_millis(1),
        backoff_max: Duration::from_millis(5),
        repeat_within: Duration::from_mins(10),
    }
}

impl Dispatching {
    pub(crate) fn start(store: &Harness, double: &DataWorksDouble, edition: Edition, policy: Policy) -> Self {
        Self::with(store, account_of(double, edition), policy, Lookups::Off)
    }

    /// The same, and lost calls are looked up.
    pub(crate) fn looking_up(
        store: &Harness,
        double: &DataWorksDouble,
        edition: Edition,
        policy: Policy,
    ) -> Self {
        Self::with(store, account_of(double, edition), policy, Lookups::On)
    }

    pub(crate) fn start_for(store: &Harness, account: Account, policy: Policy) -> Self {
        Self::with(store, account, policy, Lookups::Off)
    }

    fn with(store: &Harness, account: Account, policy: Policy, lookups: Lookups) -> Self {
        Self::of(store, account, policy, (16, lookups), now_ms)
    }

    fn of(
        store: &Harness,
        account: Account,
        policy: Policy,
        (concurrency, lookups): (usize, Lookups),
        now_ms: fn() -> i64,
    ) -> Self {
        let (changed, (stop, stopping)) = (Arc::new(Notify::new()), watch::channel(false));
        let shared = Shared {
            writer: store.writer.clone(),
            client: Client::new(&settings()).expect("a client"),
            secrets: Secrets { by_name: [("comment".to_owned(), SecretString::from(SECRET))].into() },
            policy,
            settings: Settings { concurrency, lease: Duration::from_mins(1), retry: retry(), lookups },
            alive: Alive::default(),
            changed: Arc::clone(&changed),
            watch: Watch::default(),
            metrics: Arc::default(),
            now_ms,
        };
        let running = tokio::spawn(dispatch::run(Arc::new(shared), vec![Arc::new(account)], stopping));
        Dispatching { changed, stop, running }
    }

    /// Lets the calls in flight end.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        self.running.await.expect("no panic").expect("no failure");
    }
}

/// The account that the endpoint knows, of this edition.
fn account_of(double: &DataWorksDouble, edition: Edition) -> Account {
    Account { budget: budget(edition), ..account(&double.url) }
}

pub(crate) async fn plan(store: &Harness, ids: std::ops::Range<i64>) {
    let payloads: Vec<String> = ids.clone().map(|id| failure(&id.to_string(), 100 + id)).collect();
    let records: Vec<_> = payloads.iter().zip(ids).map(|(payload, offset)| at(offset, payload)).collect();
    store.accept_at(now_ms(), &records).await;
}

/// Waits until no action is planned or in flight, for at most 20 seconds.
pub(crate) async fn until_worked_off(store: &mut Harness) {
    let mut look = tokio::time::interval(Duration::from_millis(10));
    let worked_off = async {
        while store.count("action WHERE state IN ('planned', 'in_flight')").await > 0 {
            look.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), worked_off).await.expect("everything is worked off");
}

/// One event for the rules of these effects; the endpoint answers by `replies`, then with success.
/// Gives the actions as (state, held reason, attempts) with the class of the last attempt.
async fn outcome(rules: &str, replies: Vec<Reply>, policy: Policy) -> (Vec<Value>, usize) {
    let mut store = Harness::with(rules).await;
    plan(&store, 1..2).await;
    let double = DataWorksDouble::replying(replies).await;
    let dispatching = Dispatching::start(&store, &double, Edition::Enterprise, policy);
    until_worked_off(&mut store).await;
    dispatching.stop().await;
    let columns = "a.state, a.held_reason, a.attempts, t.class";
    let rest = "action a JOIN attempt t ON t.action = a.number AND t.number = a.attempts ORDER BY a.number";
    (store.rows(columns, rest).await, double.received().len())
}

#[tokio::test]
async fn each_response_has_its_outcome() {
    let throttled = || Reply::refusal(400, "Throttling.User");
    let cases = [
        ("duplicates", vec![], json!(["succeeded", null, 1, "success"]), 1),
        (
            "duplicates",
            vec![Reply::refusal(400, "InvalidParameter")],
            json!(["dead", null, 1, "rejected"]),
            1,
        ),
        ("duplicates", vec![Reply::failure("1101080008")], json!(["dead", null, 1, "failed_in_body"]), 1),
        ("duplicates", vec![throttled(), throttled()], json!(["succeeded", null, 3, "success"]), 3),
        (
            "duplicates",
            vec![Reply::refusal(400, "InvalidTimeStamp.Expired"); 1],
            json!(["succeeded", null, 2, "success"]),
            2,
        ),
        ("none", vec![Reply::Close], json!(["succeeded", null, 2, "success"]), 2),
        ("converges", vec![Reply::Close], json!(["succeeded", null, 2, "success"]), 2),
        ("none", vec![Reply::Close, Reply::Close, Reply::Close], json!(["dead", null, 3, "lost"]), 3),
        ("duplicates", vec![Reply::Close], json!(["unresolved", null, 1, "lost"]), 1),
        ("unknown", vec![Reply::Close], json!(["unresolved", null, 1, "lost"]), 1),
    ];
    let tested = cases.into_iter().map(async |(effect, replies, expected, calls)| {
        let shown = format!("{effect} {replies:?}");
        assert_eq!(outcome(&live(effect, ""), replies, policy()).await, (vec![expected], calls), "{shown}");
    });
    for case in tested {
        case.await;
    }
}

#[tokio::test]
async fn what_the_policy_no_longer_allows_is_held_and_not_sent() {
    let rules = format!("{}{}", live("converges", ""), live("none", ""));
    let held = json!(["held", "policy", 1, "unsendable"]);
    let sent = json!(["succeeded", null, 1, "success"]);
    assert_eq!(outcome(&rules, vec![], Policy::default()).await, (vec![held, sent], 1));
}

#[tokio::test]
async fn a_secret_is_on_the_wire_and_nowhere_in_the_database() {
    let rules =
        live("duplicates", "").replace("params = {", "params = { Comment = \"{{ secret('comment') }}\",");
    let mut store = Harness::with(&rules).await;
    plan(&store, 1..2).await;
    let echo =
        format!(r#"{{"RequestId":"R-1","Success":false,"ErrorCode":"7","ErrorMessage":"no {SECRET}"}}"#);
    let double = DataWorksDouble::replying([Reply::json(200, &echo)]).await;
    let dispatching = Dispatching::start(&store, &double, Edition::Enterprise, policy());
    until_worked_off(&mut store).await;
    dispatching.stop().await;
    let received = double.received().remove(0);
    assert_eq!(received.signature, Signature::Valid("v1"));
    let sent = received.form.get("Comment").or_else(|| received.query.get("Comment"));
    assert_eq!(sent.map(String::as_str), Some(SECRET));
    let params = store.rows("json(params)", "actions").await;
    assert_eq!(params, [json!([{"Comment": {"$secret": "comment"}, "Ids": [101]}])]);
    assert_eq!(store.rows("state", "actions").await, [json!(["dead"])]);
    let directory = store.close().await;
    for file in std::fs::read_dir(directory.path()).expect("the directory") {
        let bytes = std::fs::read(file.expect("a file").path()).expect("it reads");
        assert!(!bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
    }
}

#[tokio::test]
async fn actions_of_one_key_are_sent_in_their_order_one_at_a_time() {
    let rules = live("none", "").replace("params", "in_order_by = \"{{ workspace }}\"\nparams");
    let mut store = Harness::with(&rules).await;
    plan(&store, 0..20).await;
    // The third is refused for a while: the others wait for it.
    let mut count = 0;
    let double = DataWorksDouble::start(move |_| {
        count += 1;
        if count == 3 { Reply::refusal(503, "ServiceUnavailable") } else { Reply::success() }
    })
    .await;
    let dispatching = Dispatching::start(&store, &double, Edition::Enterprise, policy());
    until_worked_off(&mut store).await;
    dispatching.stop().await;
    let sent: Vec<String> = double.received().iter().map(|received| received.query["Id"].clone()).collect();
    let mut expected: Vec<String> = (100..120).map(|id| id.to_string()).collect();
    expected.insert(3, "102".into());
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn the_endpoint_never_sees_more_than_five_calls_in_any_second() {
    let mut store = Harness::with(&live("none", "")).await;
    plan(&store, 0..18).await;
    let double = DataWorksDouble::replying([]).await;
    let dispatching = Dispatching::start(&store, &double, Edition::Basic, policy());
    double.wait_for(8).await;
    // A restart in the middle does not forget the calls of the last second.
    dispatching.stop().await;
    let dispatching = Dispatching::start(&store, &double, Edition::Basic, policy());
    until_worked_off(&mut store).await;
    dispatching.stop().await;
    let arrivals: Vec<_> = double.received().iter().map(|received| received.at).collect();
    assert_eq!(arrivals.len(), 18);
    for six in arrivals.windows(6) {
        assert!(six[5] - six[0] > Duration::from_secs(1), "{:?}", six[5] - six[0]);
    }
}

#[tokio::test]
async fn calls_in_flight_at_a_crash_are_recovered_and_only_harmless_ones_are_sent_again() {
    let rules: String = STEPS.iter().map(|(effect, _)| live(effect, "")).collect();
    let mut store = Harness::with(&rules).await;
    plan(&store, 1..2).await;
    let mut count = 0;
    let double = DataWorksDouble::start(move |_| {
        count += 1;
        if count <= 4 { Reply::Hang } else { Reply::success() }
    })
    .await;
    let dispatching = Dispatching::start(&store, &double, Edition::Enterprise, policy());
    double.wait_for(4).await;
    dispatching.running.abort();
    assert!(dispatching.running.await.is_err_and(|ended| ended.is_cancelled()));
    assert_eq!(store.count("action WHERE state = 'in_flight'").await, 4);

    let mut store = store.reopen().await;
    store
        .writer
        .recover(i64::MAX, HashSet::new(), (600_000, Lookups::Off), now_ms())
        .await
        .expect("it is kept");
    let dispatching = Dispatching::start(&store, &double, Edition::Enterprise, policy());
    until_worked_off(&mut store).await;
    dispatching.stop().await;
    let states = store.rows("repeat_effect, state, attempts", "actions ORDER BY number").await;
    let expected = [
        json!(["none", "succeeded", 2]),
        json!(["converges", "succeeded", 2]),
        json!(["duplicates", "unresolved", 1]),
        json!(["unknown", "unresolved", 1]),
    ];
    assert_eq!(states, expected);
    assert_eq!(double.received().len(), 6);
}

#[tokio::test]
async fn an_action_planned_later_is_sent_as_soon_as_dispatch_is_told() {
    let mut store = Harness::with(&live("none", "")).await;
    let double = DataWorksDouble::replying([]).await;
    let dispatching = Dispatching::start(&store, &double, Edition::Enterprise, policy());
    for id in 0..5 {
        plan(&store, id..id + 1).await;
        dispatching.changed.notify_waiters();
        double.wait_for(usize::try_from(id).expect("small") + 1).await;
    }
    until_worked_off(&mut store).await;
    dispatching.stop().await;
    assert_eq!(store.rows("outcome, count(*)", "attempts GROUP BY outcome").await, [json!(["succeeded", 5])]);
}

fn upkeep(store: &Harness, disk_free_min: u64) -> Upkeep {
    let day_ms = 86_400_000;
    let horizons = Horizons { unmatched_ms: 7 * day_ms, matched_ms: 400 * day_ms, dedupe_ms: 400 * day_ms };
    let settings = upkeep::Settings {
        path: store.path(),
        horizons,
        wal_bytes_max: 1 << 30,
        disk_free_min,
        repeat_within: Duration::from_mins(10),
        lookups: Lookups::Off,
        order_block_max: Duration::from_hours(1),
    };
    let (alive, gate) = (Alive::default(), Arc::new(Gate::default()));
    Upkeep { writer: store.writer.clone(), settings, alive, gate, now_ms }
}

#[tokio::test]
async fn upkeep_recovers_leases_that_ran_out() {
    let mut store = Harness::with(&format!("{}{}", live("none", ""), live("unknown", ""))).await;
    plan(&store, 1..2).await;
    assert_eq!(store.claim(9, now_ms()).await.len(), 2);
    let upkeep = upkeep(&store, 0);
    upkeep.step().await.expect("a round");
    assert_eq!(store.count("action WHERE state = 'in_flight'").await, 2, "both leases hold");
    store.tamper("UPDATE action SET lease_until = lease_until - 60001").await;
    upkeep.step().await.expect("a round");
    let states = store.rows("state", "action ORDER BY number").await;
    assert_eq!(states, [json!(["planned"]), json!(["unresolved"])]);
}

#[tokio::test]
async fn intake_is_gated_while_the_disk_is_nearly_full() {
    let store = Harness::with("").await;
    for (free_min, closed) in [(u64::MAX, true), (0, false)] {
        let upkeep = upkeep(&store, free_min);
        let gate = Arc::clone(&upkeep.gate);
        let (stop, stopping) = watch::channel(false);
        let running = tokio::spawn(upkeep.run(stopping));
        let mut look = tokio::time::interval(Duration::from_millis(10));
        let gated = async {
            while gate.is_closed() != closed {
                look.tick().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), gated).await.expect("the gate follows the disk");
        stop.send_replace(true);
        running.await.expect("no panic").expect("no failure");
        assert_eq!(gate.is_closed(), closed);
    }
}

#[tokio::test]
async fn a_stop_waits_for_the_calls_in_flight_and_settles_them() {
    let mut store = Harness::with(&live("duplicates", "")).await;
    plan(&store, 1..2).await;
    let late = Reply::Late(Duration::from_millis(300), Box::new(Reply::success()));
    let double = DataWorksDouble::replying([late]).await;
    let dispatching = Dispatching::start(&store, &double, Edition::Enterprise, policy());
    let in_flight = async {
        let mut look = tokio::time::interval(Duration::from_millis(5));
        while store.count("attempt").await == 0 {
            look.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), in_flight).await.expect("the call is made");
    dispatching.stop().await;
    assert_eq!(store.rows("state, attempts", "actions").await, [json!(["succeeded", 1])]);
    assert_eq!(double.received().len(), 1);
}

#[tokio::test]
async fn what_was_planned_for_another_region_is_held() {
    let mut store = Harness::with(&live("none", "")).await;
    plan(&store, 1..2).await;
    store.tamper("UPDATE action SET region = 'cn-beijing'").await;
    let double = DataWorksDouble::replying([]).await;
    let dispatching = Dispatching::start(&store, &double, Edition::Enterprise, policy());
    until_worked_off(&mut store).await;
    dispatching.stop().await;
    let held = store.rows("state, held_reason, attempts", "action").await;
    assert_eq!(held, [json!(["held", "policy", 1])]);
    assert_eq!(store.count("quota_day WHERE sent > 0").await, 0);
    assert!(double.received().is_empty());
}
