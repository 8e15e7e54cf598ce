//! `openeventd run`: loads the configuration, starts the logs, gives each part its settings and hands
//! over to [`crate::supervise`].

use std::path::Path;
use std::time::Duration;

use super::exit::{of_store, print_problems};
use super::{Exit, Failure, rule_files};
use crate::config::{self, Config, Environment};
use crate::diagnostic::{Diagnostic, Severity, chain};
use crate::monitoring::Alarms;
use crate::openapi::credential::Fault;
use crate::rule::RuleFile;
use crate::rule::parse::{self, Parsed, Surroundings};
use crate::supervise::{self, Parts, SuperviseError};
use crate::telemetry;

/// How long the runtime waits for work that a stop has left behind.
const LEFT_BEHIND: Duration = Duration::from_millis(500);

/// Runs until stopped.
pub fn run(file: &Path) -> Result<Exit, Failure> {
    let environment = Environment::of_process();
    let (config, warnings) = config::load(file, &environment)?;
    print_problems(&warnings).map_err(|error| Failure::new(Exit::Io, error))?;
    let alarms = telemetry::start(&config.log, environment.get("RUST_LOG"))
        .map_err(|error| Failure::new(Exit::Config, error))?;
    tracing::info!(configuration = %config.redacted.hash, "configuration loaded");
    match wait_beside_workers(supervise::run(parts(config, alarms), std::future::pending()))? {
        Ok(()) => Ok(Exit::Success),
        Err(SuperviseError::NoRules(problems)) => {
            print_problems(&problems).map_err(|error| Failure::new(Exit::Io, error))?;
            Err(Failure::new(Exit::Config, SuperviseError::NoRules(problems)))
        }
        Err(error) => Err(Failure::new(exit_of(&error), error)),
    }
}

/// Waits for a daemon's `future`, whose parts work on threads of their own.
pub(super) fn wait_beside_workers<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Internal, error))?;
    let outcome = runtime.block_on(future);
    runtime.shutdown_timeout(LEFT_BEHIND);
    Ok(outcome)
}

/// Each part's own settings, and the alarms that the log raises.
pub(super) fn parts(config: Config, alarms: Alarms) -> Parts {
    let accounts = config.known_accounts();
    let policy = config.policy.clone();
    let directory = config.rules_directory.clone();
    let parse_rules = move |files: Vec<RuleFile>| {
        parse::parse(files, &Surroundings { accounts: &accounts, policy: &policy })
    };
    let parse_kept = parse_rules.clone();
    Parts {
        kafka: config.kafka,
        ingest: config.ingest,
        store: config.store,
        upkeep: config.upkeep,
        dispatch: config.dispatch,
        monitoring: config.monitoring,
        alarms,
        openapi: config.openapi,
        accounts: config.accounts,
        secrets: config.secrets,
        policy: config.policy,
        trust: config.trust,
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

pub(super) fn exit_of(error: &SuperviseError) -> Exit {
    match error {
        SuperviseError::NoRules(_) | SuperviseError::Client(_) | SuperviseError::NoAccount { .. } => {
            Exit::Config
        }
        SuperviseError::NoCredentials { source, .. } => match source.fault() {
            Fault::Settings => Exit::Config,
            Fault::Unavailable => Exit::Unavailable,
            Fault::Refused => Exit::Permission,
        },
        SuperviseError::Store(error) => of_store(error),
        SuperviseError::Kafka(_) => Exit::Unavailable,
        SuperviseError::Signals(_) | SuperviseError::Thread(_) | SuperviseError::Ended { .. } => {
            Exit::Internal
        }
    }
}
