//! Settings: from the file and the environment to typed values.
//!
//! [`load`] reads the TOML file once, lays variables `OPENEVENTD__SECTION__KEY` over it, reads the
//! secrets that it names, and gives a [`Config`] or every problem in one report. Nothing else is touched:
//! no database, no network. The path is: `layers` (merge) to `raw` (strict mirror) to `resolve`
//! (types and checks) to `resolved` (one struct for each component).

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Severity};

mod environment;

mod layers;

mod raw;

mod forms;

mod report;

mod resolve;

mod accounts;

mod credentials;

mod operators;

mod fields;

mod size;

mod secret;

mod redacted;

mod resolved;

mod planning;

pub use credentials::default_chain;
pub use environment::Environment;
pub use planning::Planning;
pub(crate) use resolve::{is_host_port, is_topic};
pub use resolved::{AccountBudget, Config, Destination, Redacted};

/// A larger file is a mistake, not a configuration.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error(
        "cannot read the configuration {}: name it with --config or OPENEVENTD_CONFIG, or write one with `openeventd init`",
        .path.display()
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is far too large.
    #[error("the configuration {} is over {FILE_BYTES_MAX} bytes", .0.display())]
    TooLarge(PathBuf),
    /// The file is not text.
    #[error("the configuration {} is not UTF-8 text", .0.display())]
    NotText(PathBuf),
    /// The settings are wrong: all problems, warnings among them.
    #[error("the configuration has {} problems", .0.len())]
    Invalid(Vec<Diagnostic>),
}

/// Reads the settings of `file` and `environment`, with the warnings about them.
///
/// # Errors
/// The file cannot be read, or there is at least one error among the problems.
pub fn load(file: &Path, environment: &Environment) -> Result<(Config, Vec<Diagnostic>), LoadError> {
    let text = read(file)?;
    let name = file.display().to_string();
    let mut report = report::Report::new(&name, &text);
    let config = layers::merge(&text, environment, &mut report)
        .map(|raw| resolve::resolve(&raw, file, environment, &mut report));
    let problems = report.finish();
    match config {
        Some(config) if problems.iter().all(|problem| problem.severity == Severity::Warning) => {
            Ok((config, problems))
        }
        _ => Err(LoadError::Invalid(problems)),
    }
}

/// Where the audit database of the configuration `file` lies; nothing else of it need be right, and no
/// secret is read, so that people who may only query can find it.
///
/// # Errors
/// The file cannot be read, or is not TOML of the known keys.
pub fn database(file: &Path, environment: &Environment) -> Result<PathBuf, LoadError> {
    let text = read(file)?;
    let name = file.display().to_string();
    let mut report = report::Report::new(&name, &text);
    match layers::merge(&text, environment, &mut report) {
        Some(raw) => Ok(resolve::database(&raw, file, environment)),
        None => Err(LoadError::Invalid(report.finish())),
    }
}

/// Where the calls of each account of the configuration `file` go; no secret is read, so that a call can be shown
/// by who may not make it.
///
/// # Errors
/// The file cannot be read, is not TOML of the known keys, or says wrongly where an account's calls go.
pub fn destinations(file: &Path, environment: &Environment) -> Result<Vec<Destination>, LoadError> {
    let text = read(file)?;
    let name = file.display().to_string();
    let mut report = report::Report::new(&name, &text);
    let found = layers::merge(&text, environment, &mut report)
        .map(|raw| accounts::destinations(&raw.account, &mut report));
    let problems = report.finish();
    match found {
        Some(found) if problems.iter().all(|problem| problem.severity == Severity::Warning) => Ok(found),
        _ => Err(LoadError::Invalid(problems)),
    }
}

/// What the accounts of the configuration `file` may spend, in order of name. Nothing else of it need be right,
/// and no secret is read, so that people who may only query can ask.
///
/// # Errors
/// The file cannot be read, is not TOML of the known keys, or is wrong in what this is about.
pub fn budgets(file: &Path, environment: &Environment) -> Result<Vec<AccountBudget>, LoadError> {
    let text = read(file)?;
    let name = file.display().to_string();
    let mut report = report::Report::new(&name, &text);
    let Some(raw) = layers::merge(&text, environment, &mut report) else {
        return Err(LoadError::Invalid(report.finish()));
    };
    let errors = report.errors();
    let budgets = accounts::spendings(&raw.account, &mut report);
    if report.errors() > errors { Err(LoadError::Invalid(report.finish())) } else { Ok(budgets) }
}

/// What decisions depend on in the configuration `file`. Nothing else of it need be right, and no secret is read, so
/// that people who may only query can try rules.
///
/// # Errors
/// The file cannot be read, is not TOML of the known keys, or is wrong in what this is about.
pub fn planning(file: &Path, environment: &Environment) -> Result<Planning, LoadError> {
    let text = read(file)?;
    let name = file.display().to_string();
    let mut report = report::Report::new(&name, &text);
    let Some(raw) = layers::merge(&text, environment, &mut report) else {
        return Err(LoadError::Invalid(report.finish()));
    };
    let errors = report.errors();
    let planning = planning::of_raw(&raw, file, &mut report);
    if report.errors() > errors { Err(LoadError::Invalid(report.finish())) } else { Ok(planning) }
}

/// Where the rules of the configuration `file` lie; nothing else of it need be right.
///
/// # Errors
/// The file cannot be read, or is not TOML of the known keys.
pub fn rules_directory(file: &Path, environment: &Environment) -> Result<PathBuf, LoadError> {
    let text = read(file)?;
    let name = file.display().to_string();
    let mut report = report::Report::new(&name, &text);
    match layers::merge(&text, environment, &mut report) {
        Some(raw) => Ok(resolve::rules_directory(&raw, file)),
        None => Err(LoadError::Invalid(report.finish())),
    }
}

fn read(path: &Path) -> Result<String, LoadError> {
    let failed = |source| LoadError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > FILE_BYTES_MAX) {
        return Err(LoadError::TooLarge(path.to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| LoadError::NotText(path.to_owned()))
}
