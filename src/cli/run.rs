//! `openeventd run`: loads the configuration, starts the logs, gives each part its settings and hands
//! over to [`crate::supervise`].

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::exit::print_problems;
use super::{Exit, Failure, rule_files};
use crate::action::plan::Trust;
use crate::config::StartAt as ConfiguredStart;
use crate::config::{self, Config, Environment};
use crate::diagnostic::{Diagnostic, Severity, chain};
use crate::dispatch::{self, judge::Retry};
use crate::ingest::{self, start::StartAt};
use crate::kafka::consumer::BatchLimits;
use crate::rule::RuleFile;
use crate::rule::parse::{self, Parsed, Surroundings};
use crate::store::retention::Horizons;
use crate::store::{self, StoreError};
use crate::supervise::{self, Parts, SuperviseError};
use crate::{telemetry, upkeep};

/// How long the runtime waits for work that a stop has left behind.
const LEFT_BEHIND: Duration = Duration::from_millis(500);

/// Runs until stopped.
pub fn run(file: &Path) -> Result<Exit, Failure> {
    let environment = Environment::of_process();
    let (config, warnings) = config::load(file, &environment)?;
    print_problems(&warnings).map_err(|error| Failure::new(Exit::Io, error))?;
    telemetry::start(&config.log, environment.get("RUST_LOG"))
        .map_err(|error| Failure::new(Exit::Config, error))?;
    tracing::info!(configuration = %config.redacted.hash, "configuration loaded");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Internal, error))?;
    let state_directory = environment.get("STATE_DIRECTORY").map(PathBuf::from);
    let outcome = runtime.block_on(supervise::run(parts(config, state_directory.as_deref())));
    runtime.shutdown_timeout(LEFT_BEHIND);
    match outcome {
        Ok(()) => Ok(Exit::Success),
        Err(SuperviseError::NoRules(problems)) => {
            print_problems(&problems).map_err(|error| Failure::new(Exit::Io, error))?;
            Err(Failure::new(Exit::Config, SuperviseError::NoRules(problems)))
        }
        Err(error) => Err(Failure::new(exit_of(&error), error)),
    }
}

/// Each part's own settings.
fn parts(config: Config, state_directory: Option<&Path>) -> Parts {
    let accounts: Vec<String> = config.accounts.iter().map(|account| account.name.clone()).collect();
    let policy = config.policy.clone();
    let directory = config.rules_directory.clone();
    let parse_rules = move |files: Vec<RuleFile>| {
        parse::parse(files, &Surroundings { accounts: &accounts, policy: &policy })
    };
    let parse_kept = parse_rules.clone();
    Parts {
        ingest: ingest::Settings {
            start_at: match config.ingest.start_at {
                ConfiguredStart::Earliest => StartAt::Earliest,
                ConfiguredStart::Latest | ConfiguredStart::Timestamp(_) => StartAt::Latest,
            },
            batch: BatchLimits {
                records_max: config.ingest.batch_max,
                bytes_max: config.ingest.batch_bytes_max,
                linger: config.ingest.batch_linger,
            },
            limits: config.ingest.limits,
        },
        store: store::Settings {
            file_mode: file_mode(&config.store.path, state_directory),
            path: config.store.path.clone(),
        },
        upkeep: upkeep::Settings {
            path: config.store.path,
            horizons: Horizons {
                unmatched_ms: whole_ms(config.upkeep.retention_unmatched),
                matched_ms: whole_ms(config.upkeep.retention_matched),
                dedupe_ms: whole_ms(config.upkeep.dedupe_horizon),
            },
            wal_bytes_max: config.store.wal_bytes_max,
            disk_free_min: config.store.disk_free_min,
            repeat_within: config.dispatch.repeat_within,
        },
        dispatch: dispatch::Settings {
            concurrency: config.dispatch.concurrency,
            lease: config.dispatch.lease,
            retry: Retry {
                attempts_max: config.dispatch.attempts_max,
                backoff_min: config.dispatch.backoff_min,
                backoff_max: config.dispatch.backoff_max,
                repeat_within: config.dispatch.repeat_within,
            },
        },
        kafka: config.kafka,
        openapi: config.openapi,
        accounts: config.accounts,
        secrets: config.secrets,
        policy: config.policy,
        trust: Trust { accounts: config.trust.accounts, workspaces: config.trust.workspaces },
        redacted: (config.redacted.text, config.redacted.hash),
        stop_timeout: config.stop_timeout,
        read_rules: Box::new(move || read_rules(&directory, &parse_rules)),
        parse_rules: Box::new(parse_kept),
    }
}

/// The rules of the directory; a directory that cannot be read is a problem like any other.
fn read_rules(directory: &Path, parse: &impl Fn(Vec<RuleFile>) -> Parsed) -> Parsed {
    let files = rule_files::read(directory).map_err(|error| {
        vec![Diagnostic {
            file: directory.display().to_string(),
            place: None,
            key: String::new(),
            message: chain(&error),
            help: String::new(),
            severity: Severity::Error,
        }]
    })?;
    parse(files)
}

/// The service's own state directory is readable for its group; anywhere else only the owner reads.
fn file_mode(path: &Path, state_directory: Option<&Path>) -> u32 {
    if state_directory.is_some_and(|directory| path.starts_with(directory)) { 0o640 } else { 0o600 }
}

fn whole_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn exit_of(error: &SuperviseError) -> Exit {
    match error {
        SuperviseError::NoRules(_) => Exit::Config,
        SuperviseError::Store(StoreError::Open { .. }) => Exit::CannotCreate,
        SuperviseError::Store(StoreError::InUse { .. } | StoreError::DiskFull) => Exit::Temporary,
        SuperviseError::Store(StoreError::Foreign { .. } | StoreError::Newer { .. }) => Exit::Config,
        SuperviseError::Kafka(_) => Exit::Unavailable,
        SuperviseError::Client(_) => Exit::Config,
        SuperviseError::Store(_) | SuperviseError::Thread(_) | SuperviseError::Panicked { .. } => Exit::Internal,
    }
}
