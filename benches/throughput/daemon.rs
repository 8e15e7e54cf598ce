//! The daemon as a process of its own, measured from outside.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use openeventd::action::plan::Trust;
use openeventd::batch::RecordBatch;
use openeventd::event::decode::Limits;
use openeventd::ingest::decode_batch;
use openeventd::record::{Headers, Record};
use openeventd::rule::Policy;
use openeventd::rule::parse::{Surroundings, parse};
use openeventd::store::accept::Deciding;
use openeventd::store::{self, Store};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;

use crate::events;
use crate::harness::cluster::{ALICE, Cluster};

/// How the daemon runs.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) topic: &'static str,
    pub(crate) endpoint: &'a str,
    /// Events in a hundred that a rule matches: 1 or 5.
    pub(crate) percent: usize,
    pub(crate) mode: &'static str,
    pub(crate) sasl_ssl: bool,
}

/// What a run came to.
pub(crate) struct Measured {
    /// Events a second, from the first accepted batch to the last.
    pub(crate) rate: f64,
    pub(crate) cpu_us_per_event: f64,
    pub(crate) resident_mb: f64,
    pub(crate) first_event_ms: u128,
}

impl<'a> Setting<'a> {
    pub(crate) fn new(cluster: &'a Cluster, endpoint: &'a str) -> Self {
        Setting { cluster, topic: "events", endpoint, percent: 1, mode: "observe", sasl_ssl: false }
    }

    fn configuration(&self, group: &str) -> String {
        let protection = if self.sasl_ssl {
            format!(
                "security_protocol = \"sasl_ssl\"\nusername = \"{}\"\npassword = {{ env = \"BENCH_PASSWORD\" }}\n\
                 ssl_ca_location = \"{}\"\nbootstrap_servers = [\"localhost:{}\"]",
                ALICE.0,
                self.cluster.path("strict-ca.pem").display(),
                self.cluster.ports().strict
            )
        } else {
            format!(
                "security_protocol = \"plaintext\"\nbootstrap_servers = [\"{}\"]",
                self.cluster.plaintext()
            )
        };
        format!(
            "[kafka]\ntopics = [\"{}\"]\ngroup_id = \"{group}\"\n{protection}\n\
             [store]\npath = \"audit.db\"\ndisk_free_min = \"0B\"\n\
             [account.main]\nregion = \"cn-hangzhou\"\nedition = \"enterprise\"\nendpoint = \"{}\"\n\
             access_key_id = \"bench\"\naccess_key_secret = {{ env = \"BENCH_PASSWORD\" }}\n[log]\nlevel = \"warn\"\n",
            self.topic, self.endpoint
        )
    }

    /// A hundred rules, of which one or two can match; `max_calls` lets the backlog grow.
    fn rules(&self) -> String {
        let mut text = String::new();
        for number in 0..100 {
            let pattern = match number {
                0 => "status = \"Failure\"".to_owned(),
                1 if self.percent == 5 => "status = \"WaitResource\"".to_owned(),
                other => format!("status = \"Failure\", node = {other}"),
            };
            let _ = write!(
                text,
                "[[rule]]\nname = \"rule-{number}\"\nmode = \"{}\"\nmax_calls = 1000000\n\
                 match = {{ code = \"instance-status-changes\", {pattern} }}\n[[rule.steps]]\n\
                 operation = \"GetTaskInstance\"\nparams = {{ Id = \"{{{{ instance }}}}\" }}\n",
                self.mode
            );
        }
        text
    }
}

/// Runs the daemon until it has accepted `count` records more than `database` held, then stops it.
pub(crate) fn measure(
    setting: &Setting<'_>,
    count: usize,
    database: Option<&TempDir>,
) -> (Measured, TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    if let Some(earlier) = database {
        for entry in fs::read_dir(earlier.path()).expect("the earlier run").flatten() {
            if entry.file_name().to_string_lossy().starts_with("audit.db") {
                fs::rename(entry.path(), directory.path().join(entry.file_name()))
                    .expect("the database moves");
            }
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let before = runtime.block_on(batches(&directory.path().join("audit.db")));
    let started = Instant::now();
    let mut child = start(setting, directory.path());
    let (now, first_event_ms) = runtime.block_on(async {
        let mut first = None;
        loop {
            let now = batches(&directory.path().join("audit.db")).await;
            if now.records > before.records && first.is_none() {
                first = Some(started.elapsed().as_millis());
            }
            if now.records >= before.records + count {
                break (now, first.unwrap_or_default());
            }
            assert!(started.elapsed() < Duration::from_mins(10), "the daemon takes too long");
            assert!(child.try_wait().expect("a child").is_none(), "the daemon ended");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let (cpu_us, resident_mb) = usage(&child);
    stop(&mut child);
    let seconds = (now.last_ms - now.first_ms_after(&before)).max(1) as f64 / 1000.0;
    let rate = (now.records - before.records) as f64 / seconds;
    (Measured { rate, cpu_us_per_event: cpu_us / count as f64, resident_mb, first_event_ms }, directory)
}

/// Starts the daemon in `directory`.
pub(crate) fn start(setting: &Setting<'_>, directory: &Path) -> Child {
    fs::create_dir(directory.join("rules.d")).expect("a directory");
    fs::write(directory.join("rules.d/bench.toml"), setting.rules()).expect("rules");
    let group = format!("bench-{}", directory.file_name().expect("a name").to_string_lossy());
    let file = directory.join("openeventd.toml");
    fs::write(&file, setting.configuration(&group)).expect("a configuration");
    Command::new(env!("CARGO_BIN_EXE_openeventd"))
        .args(["run", "--config"])
        .arg(&file)
        .env("BENCH_PASSWORD", ALICE.1)
        .current_dir(directory)
        .stdout(Stdio::null())
        .spawn()
        .expect("the daemon starts")
}

/// What the audit database says of its batches.
struct Batches {
    records: usize,
    last_ms: i64,
    by_id: Vec<(i64, i64)>,
}

impl Batches {
    /// The accept time of the first batch that `earlier` did not have.
    fn first_ms_after(&self, earlier: &Batches) -> i64 {
        let known = earlier.by_id.last().map_or(0, |(id, _)| *id);
        self.by_id.iter().find(|(id, _)| *id > known).map_or(self.last_ms, |(_, at)| *at)
    }
}

async fn batches(path: &Path) -> Batches {
    let none = Batches { records: 0, last_ms: 0, by_id: Vec::new() };
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let Ok(mut connection) = SqliteConnection::connect_with(&options).await else { return none };
    let rows: Result<Vec<(i64, i64, i64)>, _> =
        sqlx::query_as("SELECT id, accepted_at, records FROM batch ORDER BY id")
            .fetch_all(&mut connection)
            .await;
    let _closed = connection.close().await;
    let Ok(rows) = rows else { return none };
    Batches {
        records: rows.iter().map(|(_, _, records)| usize::try_from(*records).expect("a count")).sum(),
        last_ms: rows.last().map_or(0, |(_, at, _)| *at),
        by_id: rows.iter().map(|(id, at, _)| (*id, *at)).collect(),
    }
}

/// Microseconds of CPU so far, and the highest resident memory in MB.
fn usage(child: &Child) -> (f64, f64) {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("a process");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<f64>().ok()).sum();
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("a process");
    let peak_kb: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or_default();
    (ticks * 10_000.0, peak_kb / 1024.0)
}

pub(crate) fn stop(child: &mut Child) {
    let terminated = Command::new("kill").arg(child.id().to_string()).status().expect("kill");
    assert!(terminated.success());
    let _ended = child.wait().expect("the daemon ends");
}

/// A database with `count` accepted events, written by the daemon's own store without a broker.
pub(crate) fn fill_database(count: usize) -> TempDir {
    const BATCH: usize = 4096;
    let directory = tempfile::tempdir().expect("a directory");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let path: PathBuf = directory.path().join("audit.db");
        let settings = store::Settings { path, file_mode: 0o600 };
        let store = Store::open(&settings).await.expect("a database");
        let (writer, _positions, closing) = store.into_writer(0).await.expect("a writer");
        let closing = tokio::spawn(closing.run());
        let policy = Policy::default();
        let surroundings = Surroundings { accounts: &[], policy: &policy };
        let (rules, _) = parse(Vec::new(), &surroundings).expect("no rules");
        let deciding = Arc::new(Deciding {
            rule_set: writer.remember_rules(&rules, 0).await.expect("kept"),
            rules: Arc::new(rules),
            configuration: 1,
            policy: policy.clone(),
            trust: Trust::default(),
            default_account: None,
            regions: std::collections::HashMap::new(),
        });
        let now_ms = i64::try_from(
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_millis(),
        )
        .expect("a time");
        for first in (0..count).step_by(BATCH) {
            let mut records = RecordBatch::new();
            for number in first..(first + BATCH).min(count) {
                // Other identities than those of the topic.
                let payload = events::payload(number + 1_000_000_000);
                records.push(&Record {
                    topic: "earlier",
                    partition: 0,
                    offset: i64::try_from(number).expect("an offset"),
                    timestamp_ms: Some(now_ms),
                    key: None,
                    headers: Headers::NONE,
                    payload: &payload,
                });
            }
            let batch = Arc::new(decode_batch(records, &Limits::default(), &deciding.rules));
            writer.accept(batch, Arc::clone(&deciding), now_ms).await.expect("accepted");
            let horizons = store::retention::Horizons {
                unmatched_ms: i64::MAX / 4,
                matched_ms: i64::MAX / 4,
                dedupe_ms: i64::MAX / 4,
            };
            while writer.retire(horizons, now_ms).await.expect("upkeep") == store::identity::Remaining::More {
            }
        }
        drop(writer);
        closing.await.expect("no panic").expect("closed");
    });
    directory
}
