//! What calls meet that others would meet too: they stop, one finds out, and an operator is told once.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openeventd::dispatch::Lookups;
use openeventd::openapi::Account;
use openeventd::quota::{Budget, Edition};
use openeventd::rule::Policy;
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

use super::{Dispatching, now_ms, plan, until_worked_off};
use crate::endpoint::{DataWorksDouble, Reply};
use crate::harness::{Harness, budget, live, policy};
use crate::openapi::account;

/// The account with a budget of its own.
fn with(budget: Budget, endpoint: &str) -> Account {
    Account { budget, ..account(endpoint) }
}

/// Waits until `rest` counts to `expected`.
async fn until(store: &mut Harness, rest: &str, expected: i64) {
    let mut look = tokio::time::interval(Duration::from_millis(10));
    let counted = async {
        while store.count(rest).await != expected {
            look.tick().await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), counted).await.is_ok(), "{expected} of {rest}");
}

/// The lines of one alarm, as (level, kind).
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<(String, String)>>>);

#[derive(Default)]
struct Fields {
    id: String,
    kind: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        match field.name() {
            "id" => self.id = format!("{value:?}"),
            "kind" => self.kind = format!("{value:?}"),
            _ => {}
        }
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        if fields.id.trim_matches('"') == "calls_parked" {
            let line = (event.metadata().level().to_string(), fields.kind.trim_matches('"').to_owned());
            self.0.lock().expect("nobody panics with it").push(line);
        }
    }
}

impl Lines {
    /// Listens to what this thread logs; all of a test runs on it.
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        tracing::subscriber::set_default(tracing_subscriber::registry().with(self.clone()))
    }

    fn told(&self) -> Vec<(String, String)> {
        self.0.lock().expect("nobody panics with it").clone()
    }
}

fn line(level: &str, kind: &str) -> (String, String) {
    (level.to_owned(), kind.to_owned())
}

#[tokio::test]
async fn an_endpoint_that_loses_five_calls_in_a_row_is_left_alone_until_one_finds_out() {
    static AHEAD_MS: AtomicI64 = AtomicI64::new(0);
    fn ahead() -> i64 {
        now_ms() + AHEAD_MS.load(Ordering::Acquire)
    }
    let lines = Lines::default();
    let _listening = lines.listen();
    let mut store = Harness::with(&live("none", "")).await;
    plan(&store, 0..20).await;
    let double = DataWorksDouble::replying(std::iter::repeat_n(Reply::Close, 6)).await;
    let account = with(budget(Edition::Enterprise), &double.url);
    let dispatching = Dispatching::of(&store, account, policy(), (1, Lookups::Off), ahead);
    until(&mut store, "parkings WHERE reason = 'endpoint' AND failures = 1", 1).await;
    assert_eq!(double.received().len(), 5);
    // The pause is 5 to 10 s.
    AHEAD_MS.fetch_add(10_000, Ordering::AcqRel);
    until(&mut store, "parkings WHERE reason = 'endpoint' AND failures = 2", 1).await;
    assert_eq!(double.received().len(), 6, "one call found out");
    AHEAD_MS.fetch_add(20_000, Ordering::AcqRel);
    until_worked_off(&mut store).await;
    dispatching.stop().await;
    assert_eq!(store.count("parkings").await, 0);
    assert_eq!(
        store.count("action WHERE state = 'succeeded'").await,
        20 - store.count("action WHERE state = 'dead'").await
    );
    assert_eq!(lines.told(), [line("ERROR", "endpoint"), line("INFO", "endpoint")]);
}

#[tokio::test]
async fn a_refused_key_costs_one_call_and_is_told_once() {
    let lines = Lines::default();
    let _listening = lines.listen();
    let mut store = Harness::with(&live("duplicates", "")).await;
    plan(&store, 0..20).await;
    let double = DataWorksDouble::start(|_| Reply::refusal(404, "InvalidAccessKeyId.NotFound")).await;
    let account = with(budget(Edition::Enterprise), &double.url);
    let dispatching = Dispatching::of(&store, account, policy(), (1, Lookups::Off), now_ms);
    until(&mut store, "actions WHERE state = 'planned' AND waits_for = 'credentials'", 20).await;
    // The next look of the lane, a second later, tells it.
    let mut look = tokio::time::interval(Duration::from_millis(10));
    let told = async {
        while lines.told().is_empty() {
            look.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told).await.expect("it is told");
    dispatching.stop().await;
    assert_eq!(double.received().len(), 1);
    assert_eq!(store.count("attempt").await, 1);
    let sent = store.rows("sent, succeeded, throttled", "quota_days").await;
    assert_eq!(sent, [json!([1, 0, 0])]);
    assert_eq!(lines.told(), [line("ERROR", "credentials")]);
}

#[tokio::test]
async fn where_every_time_is_refused_the_actions_wait() {
    let mut store = Harness::with(&live("duplicates", "")).await;
    plan(&store, 0..20).await;
    let double = DataWorksDouble::start(|_| Reply::refusal(400, "InvalidTimeStamp.Expired")).await;
    let account = with(budget(Edition::Enterprise), &double.url);
    let dispatching = Dispatching::of(&store, account, policy(), (1, Lookups::Off), now_ms);
    until(&mut store, "actions WHERE state = 'planned' AND waits_for = 'clock'", 20).await;
    dispatching.stop().await;
    assert_eq!(double.received().len(), 2, "by our clock, then by the endpoint's");
}

#[tokio::test]
async fn a_day_that_the_endpoint_says_is_used_up_is_over_for_every_action() {
    let mut store = Harness::with(&live("duplicates", "")).await;
    plan(&store, 0..9).await;
    let double = DataWorksDouble::start(|_| Reply::refusal(400, "Throttling.Api.Risk")).await;
    let budget = budget(Edition::Basic);
    let dispatching = Dispatching::of(&store, with(budget, &double.url), policy(), (1, Lookups::Off), now_ms);
    until(&mut store, "actions WHERE state = 'planned' AND waits_for = 'day_refused'", 9).await;
    dispatching.stop().await;
    assert_eq!(double.received().len(), 1);
    let until_ms = store.rows("until", "parking").await[0][0].as_i64().expect("a number");
    let ends_ms = budget.calendar.day(now_ms()).ends_ms;
    assert!((ends_ms..=ends_ms + 300_000).contains(&until_ms), "{until_ms} {ends_ms}");
    let spent = store.rows("sent, succeeded, throttled", "quota_days").await;
    assert_eq!(spent, [json!([1, 0, 1])]);
}

#[tokio::test]
async fn calls_that_are_refused_for_their_number_are_counted_though_our_own_count_is_lower() {
    let mut store = Harness::with(&live("duplicates", "")).await;
    plan(&store, 0..2).await;
    let throttled = || Reply::refusal(429, "Throttling.User");
    let double = DataWorksDouble::replying([throttled(), throttled(), throttled()]).await;
    let dispatching = Dispatching::start(&store, &double, Edition::Enterprise, policy());
    until_worked_off(&mut store).await;
    dispatching.stop().await;
    let spent = store.rows("sent, succeeded, throttled", "quota_days").await;
    assert_eq!(spent, [json!([5, 2, 3])]);
}

#[tokio::test]
async fn what_never_left_is_given_back() {
    let mut store = Harness::with(&format!("{}{}", live("duplicates", ""), live("none", ""))).await;
    plan(&store, 0..1).await;
    // Nobody listens on this port, and the write is not allowed.
    let account = with(budget(Edition::Basic), "http://127.0.0.1:1");
    let dispatching = Dispatching::of(&store, account, Policy::default(), (1, Lookups::Off), now_ms);
    until_worked_off(&mut store).await;
    dispatching.stop().await;
    let states = store.rows("state, attempts", "action ORDER BY state").await;
    assert_eq!(states, [json!(["dead", 3]), json!(["held", 1])]);
    assert_eq!(store.rows("sent, succeeded", "quota_days").await, [json!([0, 0])]);
}
