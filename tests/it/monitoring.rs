//! Metrics, health and the row of the daemon, over real HTTP and a real store; Kafka's side is data.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use openeventd::monitoring::alarms::{ALARMS, Alarms, Ends, Told};
use openeventd::monitoring::board::{
    Board, Condition, Observed, Reload, ReloadOutcome, RulesInForce, Stage, Verdict,
};
use openeventd::monitoring::metrics::Attempted;
use openeventd::monitoring::server;
use openeventd::monitoring::watch::{
    Paused, Pulse, STALLED_AFTER, Seen, Spender, WRITER_LIFELESS_AFTER, Watching, lifeless,
};
use openeventd::quota::Edition;
use openeventd::record::Record;
use openeventd::store::daemon::{Intake, Partition, RulesCondition};
use openeventd::store::outbox::Outcome;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::exposition::{Exposition, ask, get, scrape};
use crate::harness::{HOUR_MS, Harness, NOW_MS, at, budget, failure, live, waiting};

fn condition(store: &Harness) -> Condition {
    Condition {
        started_at_ms: NOW_MS - HOUR_MS,
        ready_at_ms: None,
        stage: Stage::Running,
        rules: RulesInForce {
            row: store.deciding.rule_set,
            hash: store.deciding.rules.hash.clone(),
            count: store.deciding.rules.rules.len(),
            condition: RulesCondition::Current,
        },
        configuration: store.deciding.configuration,
        reload: None,
    }
}

fn board(store: &Harness) -> Arc<Board> {
    Arc::new(Board::new(Alarms::default(), condition(store)))
}

fn partition(lag: i64) -> Partition {
    Partition { topic: "events".into(), partition: 0, committed: Some(5), end: Some(5 + lag), lag: Some(lag) }
}

/// A server for a test; it ends with this.
struct Served {
    address: SocketAddr,
    _serving: JoinSet<()>,
}

impl Served {
    async fn of(board: &Arc<Board>) -> Self {
        let listener = server::bind("127.0.0.1:0".parse().expect("an address")).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let mut serving = JoinSet::new();
        serving.spawn(server::serve(listener, Arc::clone(board)));
        Served { address, _serving: serving }
    }

    async fn scrape(&self) -> Exposition {
        let address = self.address;
        tokio::task::spawn_blocking(move || scrape(address)).await.expect("the page is right")
    }

    async fn get(&self, path: &'static str) -> (u16, String) {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n")).await
    }

    async fn ask(&self, request: String) -> (u16, String) {
        let address = self.address;
        let answer = tokio::task::spawn_blocking(move || ask(address, &request)).await.expect("an answer");
        (answer.status, answer.body)
    }
}

/// A clock that never says the same twice: a row that says the same is not written again.
fn later() -> i64 {
    static LOOKS: AtomicI64 = AtomicI64::new(NOW_MS);
    LOOKS.fetch_add(1, Ordering::Relaxed)
}

/// The watching part at work, fed with `seen`.
struct Watched {
    board: Arc<Board>,
    seen: Arc<Mutex<Seen>>,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Watched {
    fn start(store: &Harness, board: &Arc<Board>) -> Self {
        let seen = Seen { assigned: 0, partitions: Vec::new(), paused: Paused::No };
        let seen = Arc::new(Mutex::new(seen));
        let (stop, stops) = watch::channel(false);
        let see = Arc::clone(&seen);
        let watching = Watching {
            board: Arc::clone(board),
            writer: store.writer.clone(),
            backlogs: store.backlogs.clone(),
            spenders: vec![Spender {
                account: "main".into(),
                region: "cn-shanghai".into(),
                budget: budget(Edition::Basic),
            }],
            see: Box::new(move || see.lock().expect("no test panics while it looks").clone()),
            pulses: vec![Pulse::new("the writer", store.writer.beats())],
            path: store.path(),
            now_ms: later,
        };
        let running = tokio::spawn(async move { watching.run(stops).await.expect("it never fails") });
        Watched { board: Arc::clone(board), seen, stop, running }
    }

    fn see(&self, seen: Seen) {
        *self.seen.lock().expect("no test panics while it looks") = seen;
    }

    /// Waits until the board holds what is wanted.
    async fn until(&self, wanted: impl Fn(&Observed) -> bool) {
        let mut look = tokio::time::interval(Duration::from_millis(50));
        let seen = async {
            while !wanted(&self.board.observed()) {
                look.tick().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), seen).await.expect("it is observed");
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.running.await.expect("it ends in order");
    }
}

/// Waits until `rest` gives this row.
async fn until_row(store: &mut Harness, columns: &str, expected: serde_json::Value) {
    let mut look = tokio::time::interval(Duration::from_millis(50));
    let mut last = Vec::new();
    let found = async {
        loop {
            last = store.rows(columns, "daemons").await;
            if last == [expected.clone()] {
                break;
            }
            look.tick().await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), found).await;
    assert!(in_time.is_ok(), "expected {expected}, at last {last:?}");
}

#[tokio::test]
async fn the_counts_are_those_of_the_database_and_every_line_is_right() {
    let rules = format!("{}{}", live("none", ""), live("duplicates", "max_calls = 1"));
    let mut store = Harness::with(&rules).await;
    let board = board(&store);
    let strange = r#"{"data":{},"id":"x","source":"s","specversion":"1.0","type":"made:up:type"}"#;
    let payloads =
        [failure("a", 1), waiting("b"), waiting("b"), "no JSON".into(), strange.into(), failure("c", 2)];
    let records: Vec<_> = payloads.iter().zip(0..).map(|(payload, offset)| at(offset, payload)).collect();
    board.metrics.accepted(&store.accept(&records).await, Duration::from_millis(3));
    for claimed in store.claim(1, NOW_MS).await {
        store.settle(claimed.attempt, Outcome::Succeeded, NOW_MS).await;
        board.metrics.attempted(&Attempted {
            operation: "GetTaskInstance",
            class: "success",
            outcome: Outcome::Succeeded.as_str(),
            latency: Some(Duration::from_millis(80)),
            since_event: Some(Duration::from_millis(300)),
        });
    }
    board.metrics.looked_up("GetTaskInstance", "before", "success");
    board.metrics.looked_up("GetTaskInstance", "after", "forbidden");
    board.metrics.verified("RerunTaskInstances", "ambiguous");
    board.change(|condition| {
        condition.reload = Some(Reload { at_ms: NOW_MS, outcome: ReloadOutcome::Done });
    });
    store.tamper("INSERT INTO stop VALUES (1, 'nobody', NULL, NULL, 'alice', 'why', 1, NULL), (2, NULL, NULL, NULL, 'alice', 'why', 1, 2)").await;
    store.tamper("INSERT INTO parking VALUES (1, 'main', NULL, NULL, 'endpoint', 'm', 1, 2, 3)").await;
    let watched = Watched::start(&store, &board);
    watched.see(Seen { assigned: 1, partitions: vec![partition(7)], paused: Paused::No });
    watched.until(|observed| observed.assigned == 1 && observed.backlog.is_some()).await;
    let page = Served::of(&board).await.scrape().await;

    for (series, labels, question) in [
        ("openeventd_records_total", vec![("outcome", "event")], "events"),
        ("openeventd_records_total", vec![("outcome", "quarantined")], "quarantined"),
        ("openeventd_events_total", vec![("outcome", "matched")], "events WHERE matched = 1"),
        ("openeventd_events_total", vec![("outcome", "unmatched")], "events WHERE matched = 0"),
        (
            "openeventd_events_total",
            vec![("code", "instance-status-changes")],
            "events WHERE code IS NOT NULL",
        ),
        ("openeventd_events_total", vec![("code", "other")], "events WHERE code IS NULL"),
        (
            "openeventd_quarantined_total",
            vec![("reason", "not_json")],
            "quarantined WHERE reason = 'not_json'",
        ),
        ("openeventd_quarantined_records", vec![], "quarantined WHERE replayed_at IS NULL"),
        ("openeventd_decisions_total", vec![("rule", "none")], "decisions WHERE rule = 'none'"),
        ("openeventd_decisions_total", vec![("outcome", "planned")], "decisions WHERE outcome = 'planned'"),
        ("openeventd_attempts_total", vec![("class", "success")], "attempts WHERE outcome = 'succeeded'"),
        ("openeventd_actions", vec![("state", "planned")], "actions WHERE state = 'planned'"),
        ("openeventd_actions", vec![("state", "held")], "actions WHERE state = 'held'"),
        ("openeventd_actions_held", vec![("reason", "max_calls")], "actions WHERE held_reason = 'max_calls'"),
        ("openeventd_gaps", vec![], "gaps"),
        ("openeventd_stops", vec![], "stops WHERE resumed_at IS NULL"),
        ("openeventd_parked", vec![("account", "main"), ("reason", "endpoint")], "parkings"),
        ("openeventd_quota_sent", vec![("account", "main"), ("region", "cn-shanghai")], "attempts"),
        (
            "openeventd_quota_succeeded_month",
            vec![("account", "main")],
            "attempts WHERE outcome = 'succeeded'",
        ),
    ] {
        let expected = u32::try_from(store.count(question).await).expect("few rows");
        let found = page.sum(series, &labels);
        assert!(
            (found - f64::from(expected)).abs() < f64::EPSILON,
            "{series} {labels:?}: {found}, {question}"
        );
    }
    assert_eq!(page.value("openeventd_records_total", &[("outcome", "duplicate")]), Some(1.0));
    let after = [("operation", "GetTaskInstance"), ("purpose", "after"), ("class", "forbidden")];
    assert_eq!(page.value("openeventd_lookups_total", &after), Some(1.0));
    let verdict = [("operation", "RerunTaskInstances"), ("verdict", "ambiguous")];
    assert_eq!(page.value("openeventd_verdicts_total", &verdict), Some(1.0));
    assert!(store.count("actions WHERE state = 'held'").await > 0 && store.count("attempts").await > 0);
    assert_eq!(page.value("openeventd_lag_records", &[("topic", "events"), ("partition", "0")]), Some(7.0));
    let main = [("account", "main"), ("region", "cn-shanghai")];
    assert_eq!(page.value("openeventd_quota_limit", &main), Some(100.0));
    assert_eq!(page.value("openeventd_quota_limit_month", &main), Some(3_100.0));
    let hash = store.deciding.rules.hash.clone();
    assert_eq!(page.value("openeventd_rule_set_info", &[("hash", &hash)]), Some(1.0));
    assert_eq!(page.value("openeventd_accept_duration_seconds_count", &[]), Some(1.0));
    assert!(page.value("process_resident_memory_bytes", &[]).is_some_and(|bytes| bytes > 1_000_000.0));
    assert!(page.value("process_cpu_seconds_total", &[]).is_some_and(|seconds| seconds > 0.0));
    assert!(page.value("openeventd_oldest_due_seconds", &[]).is_some_and(|seconds| seconds > 0.0));
    assert_eq!(page.names(), documented(), "docs/operations.md lists them all");
    watched.stop().await;
    store.close().await;
}

/// The metrics that the documentation lists.
fn documented() -> BTreeSet<&'static str> {
    let text = include_str!("../../docs/operations.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let metrics = |name: &&str| name.starts_with("openeventd_") || name.starts_with("process_");
    rows.map(|(name, _)| name).filter(metrics).collect()
}

#[tokio::test]
async fn a_rule_that_is_gone_takes_its_series_with_it() {
    let store = Harness::with(&live("none", "")).await;
    let board = board(&store);
    board.metrics.accepted(&store.accept(&[at(0, &failure("a", 1))]).await, Duration::ZERO);
    let served = Served::of(&board).await;
    let decisions = [("rule", "none"), ("outcome", "planned")];
    assert_eq!(served.scrape().await.value("openeventd_decisions_total", &decisions), Some(1.0));
    board.metrics.rules_changed(["another"].into_iter());
    assert_eq!(served.scrape().await.value("openeventd_decisions_total", &decisions), None);
}

#[tokio::test]
async fn ready_is_who_has_partitions_and_does_not_stop_and_says_what_is_wrong_even_so() {
    let store = Harness::with("").await;
    let board = board(&store);
    let served = Served::of(&board).await;
    let (status, text) = served.get("/readyz").await;
    assert_eq!((status, text.as_str()), (503, "not ready\nno partition is assigned\n"));
    let partitions = vec![partition(0), Partition { partition: 1, ..partition(0) }];
    board.observe(Observed { assigned: 2, partitions, intake: Intake::Polling, ..Observed::default() });
    assert_eq!(served.get("/readyz").await, (200, "ready\n".to_owned()));
    board.change(|condition| {
        condition.rules.condition = RulesCondition::Degraded;
        condition.reload = Some(Reload { at_ms: NOW_MS, outcome: ReloadOutcome::Refused });
    });
    let told = Told {
        id: "kafka_failing".into(),
        kind: "Unreachable".into(),
        subject: "broker-1:9093".into(),
        message: "refused\n503 forged".into(),
        fix: "start it".into(),
    };
    board.alarms.raise(told.clone(), NOW_MS);
    let (status, text) = served.get("/readyz").await;
    let lines: Vec<_> = text.lines().collect();
    let degraded = "degraded: the rule directory has errors, earlier rules are in force";
    let failing = "Unreachable broker-1:9093: refused\\n503 forged; start it";
    assert_eq!((status, lines), (200, vec!["ready", degraded, failing]));
    assert_eq!(board.status(), format!("{degraded}; {failing}; 2 partitions, 0 records behind"));
    let page = served.scrape().await;
    assert_eq!(page.value("openeventd_alarm_active", &[("id", "kafka_failing")]), Some(1.0));
    assert_eq!(page.value("openeventd_alarms_total", &[("id", "kafka_failing")]), Some(1.0));
    assert_eq!(page.value("openeventd_rules_degraded", &[]), Some(1.0));
    assert_eq!(page.value("openeventd_reload_success", &[]), Some(0.0));
    assert_eq!(page.value("openeventd_ready", &[]), Some(1.0));
    board.alarms.end(&told);
    board.change(|condition| condition.stage = Stage::Stopping);
    let (status, text) = served.get("/readyz").await;
    assert_eq!((status, text), (503, format!("not ready\nthe daemon is stopping\n{degraded}\n")));
}

#[tokio::test]
async fn what_stands_still_is_not_alive() {
    let store = Harness::with("").await;
    let board = board(&store);
    let served = Served::of(&board).await;
    assert_eq!(served.get("/healthz").await, (200, "alive\n".to_owned()));
    let stalled = vec!["the writer has not moved for 21 s".to_owned()];
    let lifeless = Vec::new();
    let observed =
        Observed { assigned: 1, intake: Intake::Stalled, stalled, lifeless, ..Observed::default() };
    board.observe(observed.clone());
    assert_eq!(served.get("/healthz").await, (200, "alive\nthe writer has not moved for 21 s\n".to_owned()));
    assert_eq!(served.get("/readyz").await.0, 503);
    board.observe(Observed { lifeless: observed.stalled.clone(), ..observed });
    let expected = (503, "not alive\nthe writer has not moved for 21 s\n".to_owned());
    assert_eq!(served.get("/healthz").await, expected);
    assert!(matches!(board.readiness(), Verdict::No(_)));
    let states = [("state", "stalled")];
    assert_eq!(served.scrape().await.value("openeventd_intake", &states), Some(1.0));
}

#[tokio::test]
async fn an_intake_that_is_paused_for_the_disk_is_not_ready_and_what_it_does_not_know_is_not_zero() {
    let store = Harness::with("").await;
    let board = board(&store);
    let served = Served::of(&board).await;
    let unknown = Partition { end: None, lag: None, ..partition(0) };
    let partitions = vec![unknown.clone()];
    board.observe(Observed { assigned: 1, partitions, intake: Intake::Paused, ..Observed::default() });
    assert_eq!(board.status(), "intake is paused; 1 partition, lag unknown");
    let told = Told { id: "disk_nearly_full".into(), message: "paused".into(), ..Told::default() };
    board.alarms.raise(told.clone(), NOW_MS);
    let expected = (503, "not ready\ndisk_nearly_full: paused\n".to_owned());
    assert_eq!(served.get("/readyz").await, expected);
    assert_eq!(served.get("/healthz").await.0, 200);
    let page = served.scrape().await;
    assert_eq!(page.value("openeventd_lag_unknown_partitions", &[]), Some(1.0));
    assert_eq!(page.value("openeventd_ready", &[]), Some(0.0));
    board.alarms.end(&told);
    let partitions = vec![Partition { partition: 1, ..partition(3) }, unknown];
    board.observe(Observed { assigned: 2, partitions, intake: Intake::Polling, ..Observed::default() });
    assert_eq!(served.get("/readyz").await.0, 200);
    assert_eq!(board.status(), "2 partitions, 3 records behind, lag of 1 unknown");
}

#[tokio::test]
async fn a_clock_that_is_ahead_makes_no_event_newer_than_its_acceptance_after_a_restart_either() {
    let store = Harness::with("").await;
    let text = failure("a", 1);
    let ahead = Record { timestamp_ms: Some(NOW_MS + HOUR_MS), ..at(0, &text) };
    let behind = Record { timestamp_ms: Some(NOW_MS - HOUR_MS), ..at(1, &text) };
    store.accept(&[behind]).await;
    let last = async || {
        store.backlogs.last_events().await.expect("it is read").iter().map(|of| of.1).collect::<Vec<_>>()
    };
    assert_eq!(last().await, [NOW_MS - HOUR_MS]);
    let text = failure("b", 1);
    store.accept(&[Record { payload: text.as_bytes(), offset: 2, ..ahead }]).await;
    assert_eq!(last().await, [NOW_MS]);
}

#[tokio::test]
async fn writes_that_fail_for_a_while_stop_the_work_and_are_no_reason_for_a_restart() {
    let store = Harness::with("").await;
    let board = board(&store);
    let served = Served::of(&board).await;
    board.observe(Observed { assigned: 1, intake: Intake::Polling, ..Observed::default() });
    let told = Told {
        id: "store_write_failed".into(),
        message: "accepting a batch fails".into(),
        ..Told::default()
    };
    let now_ms = || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        i64::try_from(since.as_millis()).expect("not that late")
    };
    let line = "store_write_failed: accepting a batch fails\n";
    board.alarms.raise(told.clone(), now_ms());
    assert_eq!(served.get("/readyz").await, (200, format!("ready\n{line}")), "it may be over soon");
    board.alarms.end(&told);
    board.alarms.raise(told.clone(), now_ms() - 21_000);
    assert_eq!(served.get("/readyz").await, (503, format!("not ready\n{line}")));
    assert_eq!(served.get("/healthz").await.0, 200);
    assert_eq!((board.row(NOW_MS).intake, board.row(NOW_MS).failing.len()), (Intake::Stalled, 1));
    assert!(board.status().starts_with("store_write_failed: accepting"), "{}", board.status());
    board.alarms.end(&told);
    assert_eq!(served.get("/readyz").await, (200, "ready\n".to_owned()));
    assert_eq!(board.row(NOW_MS).intake, Intake::Polling);
}

#[tokio::test]
async fn nothing_else_is_served() {
    let store = Harness::with("").await;
    let served = Served::of(&board(&store)).await;
    for (request, expected) in [
        ("GET / HTTP/1.1\r\nHost: here\r\n\r\n".to_owned(), 404),
        ("GET /metrics/../etc HTTP/1.1\r\nHost: here\r\n\r\n".to_owned(), 404),
        ("POST /metrics HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n".to_owned(), 405),
        ("DELETE /readyz HTTP/1.1\r\nHost: here\r\n\r\n".to_owned(), 405),
        (format!("GET /healthz HTTP/1.1\r\nHost: here\r\nX: {}\r\n\r\n", "x".repeat(64 << 10)), 431),
    ] {
        let (status, _) = served.ask(request.clone()).await;
        assert_eq!(status, expected, "{}", request.chars().take(60).collect::<String>());
    }
}

#[tokio::test]
async fn connections_that_say_nothing_keep_nobody_waiting_and_are_closed_soon() {
    let store = Harness::with("").await;
    let served = Served::of(&board(&store)).await;
    let address = served.address;
    let (waited, lasted) = tokio::task::spawn_blocking(move || {
        let mut silent: Vec<_> =
            (0..200).map(|_| TcpStream::connect(address).expect("somebody listens")).collect();
        let begun = Instant::now();
        assert_eq!(get(address, "/healthz").status, 200);
        let waited = begun.elapsed();
        let last = silent.last_mut().expect("there are 200");
        // Closed, with an answer that says so or without.
        let _closed = last.read_to_end(&mut Vec::new());
        (waited, begun.elapsed())
    })
    .await
    .expect("an answer");
    assert!(waited < Duration::from_secs(4), "{waited:?}");
    assert!(lasted < Duration::from_secs(4), "a silent connection lasted {lasted:?}");
}

#[tokio::test]
async fn the_row_of_the_daemon_follows_its_states_and_ends_with_the_stop() {
    let mut store = Harness::with(&live("none", "")).await;
    let board = board(&store);
    let watched = Watched::start(&store, &board);
    let columns = "pid, intake, rules_condition, ready_at IS NULL, stopped_at IS NULL";
    let pid = std::process::id();
    until_row(&mut store, columns, json!([pid, "starting", "current", 1, 1])).await;
    watched.see(Seen { assigned: 1, partitions: vec![partition(4)], paused: Paused::No });
    board.change(|condition| condition.ready_at_ms = Some(NOW_MS));
    until_row(&mut store, columns, json!([pid, "polling", "current", 0, 1])).await;
    watched.see(Seen { assigned: 1, partitions: vec![partition(9)], paused: Paused::Yes });
    board.change(|condition| condition.rules.condition = RulesCondition::Degraded);
    board
        .alarms
        .raise(Told { id: "disk_nearly_full".into(), message: "full".into(), ..Told::default() }, NOW_MS);
    until_row(&mut store, columns, json!([pid, "paused", "degraded", 0, 1])).await;
    until_row(&mut store, "lag", json!([9])).await;
    let first = "failing ->> '$[0].kind', failing ->> '$[0].message', partitions ->> '$[0].end'";
    until_row(&mut store, first, json!(["disk_nearly_full", "full", 14])).await;
    let hash = store.deciding.rules.hash.clone();
    until_row(&mut store, "rule_set, version", json!([hash, env!("CARGO_PKG_VERSION")])).await;
    board.change(|condition| condition.stage = Stage::Stopped { at_ms: NOW_MS });
    watched.stop().await;
    assert_eq!(store.rows("stopped_at", "daemons").await, [json!(["2026-03-25T08:00:00.000Z"])]);
    store.close().await;
}

#[tokio::test]
async fn an_idle_daemon_renews_its_row_and_still_empties_its_log() {
    let store = Harness::with("").await;
    let board = board(&store);
    store.accept(&[at(0, &waiting("a"))]).await;
    let watched = Watched::start(&store, &board);
    let mut look = tokio::time::interval(Duration::from_millis(50));
    let mut log = store.path().into_os_string();
    log.push("-wal");
    let emptied_twice = async {
        for _ in 0..2 {
            for wanted in [false, true] {
                while std::fs::metadata(&log).is_ok_and(|log| log.len() == 0) != wanted {
                    look.tick().await;
                    store.claim(1, NOW_MS).await;
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), emptied_twice).await.expect("the log is emptied each time");
    watched.stop().await;
}

#[tokio::test]
async fn the_writer_moves_with_work_and_without() {
    let store = Harness::with("").await;
    let beats = store.writer.beats();
    let mut look = tokio::time::interval(Duration::from_millis(50));
    for _ in 0..2 {
        let before = beats.load(Ordering::Relaxed);
        store.claim(1, NOW_MS).await;
        // The claim moves it once; from then on nobody asks for anything.
        let moved_twice = async {
            while beats.load(Ordering::Relaxed) < before + 2 {
                look.tick().await;
            }
        };
        tokio::time::timeout(STALLED_AFTER, moved_twice).await.expect("it moves before it is called stalled");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pulse_that_stops_is_told_of_after_a_while_and_no_more_once_it_moves() {
    let beats = Arc::new(AtomicU64::new(0));
    let mut pulse = Pulse::new("the writer", Arc::clone(&beats));
    tokio::time::advance(Duration::from_secs(19)).await;
    assert_eq!(pulse.stalled(), None);
    beats.fetch_add(1, Ordering::Relaxed);
    assert_eq!(pulse.stalled(), None);
    tokio::time::advance(Duration::from_secs(21)).await;
    assert_eq!(pulse.stalled().map(|stall| stall.text).as_deref(), Some("the writer has not moved for 21 s"));
    beats.fetch_add(1, Ordering::Relaxed);
    assert_eq!(pulse.stalled(), None);
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_moves_a_large_log_is_given_more_time_and_those_who_wait_for_it_too() {
    let polls = Arc::new(AtomicU64::new(0));
    let mut pulses = [
        Pulse::new("polling", Arc::clone(&polls)),
        Pulse::new("the writer", Arc::default()).lifeless_after(WRITER_LIFELESS_AFTER),
    ];
    let mut look = || pulses.iter_mut().filter_map(Pulse::stalled).collect::<Vec<_>>();
    tokio::time::advance(Duration::from_mins(1)).await;
    assert_eq!(look().len(), 2);
    assert!(lifeless(&look()).is_empty(), "polling may wait for the writer");
    tokio::time::advance(WRITER_LIFELESS_AFTER).await;
    assert_eq!(lifeless(&look()).len(), 2);
    // Polling alone has nothing to wait for.
    let mut pulse = Pulse::new("polling", polls);
    tokio::time::advance(STALLED_AFTER).await;
    let stalls: Vec<_> = pulse.stalled().into_iter().collect();
    assert_eq!(lifeless(&stalls), ["polling has not moved for 20 s"]);
}

#[test]
fn every_alarm_is_known_from_the_start_and_has_one_place() {
    let raised: Vec<_> = Alarms::default().raised().collect();
    assert_eq!(raised.len(), ALARMS.len());
    assert!(raised.iter().all(|(_, times)| *times == 0));
    let ids: BTreeSet<_> = raised.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids.len(), raised.len());
    let ending = ALARMS.iter().filter(|(_, ends)| *ends == Ends::WhenOver).count();
    assert_eq!(Alarms::default().on().count(), ending);
}
