//! Calls a second without a limit, with everything durable, beside a bare HTTP client in the same run.
//!
//! `cargo bench --bench calls` plans actions in a database, lets dispatch work them off against an endpoint on
//! loopback, and then makes as many requests by the HTTP client alone. Figures are ratios to that ceiling;
//! nothing is asserted. The CPU time is that of this process without the endpoint.
//!
//! `CALLS` (default 20000) and `CONCURRENCY` (default both 64 and 256).

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark that cannot go on ends; its result is what it prints"
)]

#[path = "../../tests/it/harness.rs"]
#[allow(dead_code, reason = "of the harness, the benchmark uses a part")]
mod harness;

mod endpoint;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use openeventd::clock::now_ms;
use openeventd::dispatch::judge::Retry;
use openeventd::dispatch::{self, Alive, Lookups, Settings, Shared, Watch};
use openeventd::openapi::credential::{Ambient, Configured, Credentials, Files, Source};
use openeventd::openapi::sign::Scheme;
use openeventd::openapi::{Account, Secrets, call::Client};
use openeventd::quota::{Edition, Rate};
use tokio::sync::{Notify, watch};

use crate::endpoint::Endpoint;
use crate::harness::{Harness, at, budget, failure, live, policy};

/// What a run took.
struct Measured {
    calls: usize,
    took: Duration,
    cpu: Duration,
    /// Rounds of the writer, each a commit at most.
    commits: u64,
}

impl Measured {
    fn rate(&self) -> f64 {
        self.calls as f64 / self.took.as_secs_f64()
    }

    fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.calls as f64
    }
}

fn main() {
    let calls = setting("CALLS").unwrap_or(20_000);
    let endpoint = endpoint::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    for concurrency in setting("CONCURRENCY").map_or_else(|| vec![64, 256], |one| vec![one]) {
        let bare = runtime.block_on(bare(&endpoint, calls, concurrency));
        let dispatched = runtime.block_on(dispatched(&endpoint, calls, concurrency));
        println!(
            "{concurrency:>4} at once: bare client {:>7.0} calls/s {:>5.0} us CPU/call; dispatch {:>7.0} calls/s {:>5.0} us \
             CPU/call, {:.2} of it; {} commits, {:.1} calls each",
            bare.rate(),
            bare.cpu_us(),
            dispatched.rate(),
            dispatched.cpu_us(),
            dispatched.rate() / bare.rate(),
            dispatched.commits,
            calls as f64 / dispatched.commits as f64,
        );
    }
}

/// The HTTP client alone.
async fn bare(endpoint: &Endpoint, calls: usize, concurrency: usize) -> Measured {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().http1_only().no_proxy().timeout(Duration::from_secs(30));
    let http = http.build().expect("a client");
    let (begun, cpu) = (Instant::now(), cpu_time(endpoint));
    let left = Arc::new(AtomicUsize::new(calls));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..concurrency {
        let (http, left, url) = (http.clone(), Arc::clone(&left), endpoint.url.clone());
        callers.spawn(async move {
            let take = |left: usize| left.checked_sub(1);
            while left.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).is_ok() {
                let response = http.get(&url).send().await.expect("a response");
                response.bytes().await.expect("a body");
            }
        });
    }
    callers.join_all().await;
    Measured { calls, took: begun.elapsed(), cpu: cpu_time(endpoint).saturating_sub(cpu), commits: 0 }
}

/// Dispatch, from the planned actions to the last settle.
async fn dispatched(endpoint: &Endpoint, calls: usize, concurrency: usize) -> Measured {
    let mut store = Harness::with(&live("none", "max_calls = 1000000")).await;
    plan(&store, calls).await;
    let shared = Arc::new(Shared {
        writer: store.writer.clone(),
        client: Client::new(&openapi_settings()).expect("a client"),
        secrets: Secrets::default(),
        policy: policy(),
        settings: Settings {
            concurrency,
            lease: Duration::from_mins(2),
            retry: retry(),
            lookups: Lookups::Off,
        },
        alive: Alive::default(),
        changed: Arc::new(Notify::new()),
        watch: Watch::default(),
        metrics: Arc::default(),
        now_ms,
    });
    let account = account(&endpoint.url);
    let (stop, stopping) = watch::channel(false);
    let beats = store.writer.beats();
    let before = beats.load(Ordering::Relaxed);
    let (begun, cpu) = (Instant::now(), cpu_time(endpoint));
    let running = tokio::spawn(dispatch::run(shared, vec![Arc::new(account)], stopping));
    let mut look = tokio::time::interval(Duration::from_millis(20));
    let all = serde_json::json!([calls]);
    while store.rows("coalesce(sum(succeeded), 0)", "quota_day").await != [all.clone()] {
        look.tick().await;
    }
    let (took, cpu) = (begun.elapsed(), cpu_time(endpoint).saturating_sub(cpu));
    let commits = beats.load(Ordering::Relaxed) - before;
    stop.send_replace(true);
    running.await.expect("no panic").expect("no failure");
    assert_eq!(store.count("attempt").await, i64::try_from(calls).expect("a count"), "one call each");
    Measured { calls, took, cpu, commits }
}

async fn plan(store: &Harness, calls: usize) {
    const BATCH: usize = 2_048;
    for first in (0..calls).step_by(BATCH) {
        let ids: Vec<i64> = (first..calls.min(first + BATCH)).filter_map(|id| id.try_into().ok()).collect();
        let payloads: Vec<String> = ids.iter().map(|id| failure(&id.to_string(), 1_000 + id)).collect();
        let records: Vec<_> = payloads.iter().zip(&ids).map(|(payload, id)| at(*id, payload)).collect();
        store.accept_at(now_ms(), &records).await;
    }
}

fn account(endpoint: &str) -> Account {
    let mut budget = budget(Edition::Enterprise);
    budget.allowance.rate = Rate::Unlimited;
    Account {
        name: "main".into(),
        region: "cn-shanghai".into(),
        endpoint: endpoint.into(),
        budget,
        signature: Scheme::V1,
        credentials: key(),
        api_version: None,
    }
}

/// A key that never changes.
fn key() -> Arc<Source> {
    let key = || Credentials {
        access_key_id: "id".into(),
        access_key_secret: "secret".to_owned().into(),
        security_token: None,
        expires_at_ms: None,
    };
    let configured = Configured {
        from: "the benchmark".into(),
        files: Files::default(),
        first: key(),
        read: Box::new(move || Ok(key())),
    };
    Arc::new(Source::configured("main", configured, None, Ambient::new(BTreeMap::new(), None)))
}

fn openapi_settings() -> openeventd::openapi::Settings {
    openeventd::openapi::Settings {
        timeout: Duration::from_secs(30),
        connect_timeout: Duration::from_secs(5),
        body_bytes_max: 1 << 20,
        proxy: None,
    }
}

fn retry() -> Retry {
    Retry {
        attempts_max: 8,
        backoff_min: Duration::from_secs(1),
        backoff_max: Duration::from_mins(5),
        repeat_within: Duration::from_mins(10),
    }
}

/// What this process used, without the endpoint's thread.
fn cpu_time(endpoint: &Endpoint) -> Duration {
    of_stat(Path::new("/proc/self")).saturating_sub(of_stat(&endpoint.thread))
}

/// User and system time of a process or thread, by the kernel's hundredths of a second.
fn of_stat(directory: &Path) -> Duration {
    let stat = std::fs::read_to_string(directory.join("stat")).expect("Linux");
    let (_, fields) = stat.rsplit_once(')').expect("a name in brackets");
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<u64>().expect("a number");
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

fn setting(name: &str) -> Option<usize> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}
