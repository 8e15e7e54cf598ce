//! `openeventd run`: loads the configuration and the rule texts, starts the logs, and hands over.

use std::path::Path;

use super::exit::print_problems;
use super::{Exit, Failure, rule_files};
use crate::config::{self, Config, Environment};
use crate::rule::RuleFile;
use crate::telemetry;

/// Runs until stopped.
pub fn run(file: &Path) -> Result<Exit, Failure> {
    let environment = Environment::of_process();
    let (config, rule_files) = prepare(file, &environment)?;
    telemetry::start(&config.log, environment.get("RUST_LOG"))
        .map_err(|error| Failure::new(Exit::Config, error))?;
    tracing::info!(
        configuration = %config.redacted.hash,
        rule_files = rule_files.len(),
        "configuration loaded"
    );
    Err(Failure::new(Exit::Unavailable, "this build has no supervisor to hand over to"))
}

/// The settings and the texts of the rules, with the warnings printed.
fn prepare(file: &Path, environment: &Environment) -> Result<(Config, Vec<RuleFile>), Failure> {
    let (config, warnings) = config::load(file, environment)?;
    print_problems(&warnings).map_err(|error| Failure::new(Exit::Io, error))?;
    let rule_files =
        rule_files::read(&config.rules_directory).map_err(|error| Failure::new(Exit::Config, error))?;
    Ok((config, rule_files))
}
