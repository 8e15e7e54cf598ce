//! Which audit database a command looks at, and for how long it may look.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Failure;
use crate::config::{self, Environment};
use crate::store::Reader;

/// Arguments of every command that looks at the audit database.
#[derive(Debug, Clone, clap::Args)]
pub struct DatabaseArguments {
    /// The audit database, instead of the one that the configuration names
    #[arg(long, value_name = "FILE")]
    pub database: Option<PathBuf>,
    /// Give up after so long, so that nobody's forgotten question grows the write-ahead log
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = time_limit)]
    pub time_limit: Duration,
}

/// The longest that a question may take: longer ones are for a copy of the database.
const TIME_LIMIT_MAX: Duration = Duration::from_mins(10);

fn time_limit(text: &str) -> Result<Duration, String> {
    match crate::duration::parse(text) {
        Ok(limit) if limit > Duration::ZERO && limit <= TIME_LIMIT_MAX => Ok(limit),
        Ok(_) => Err("expected more than 0s and at most 10m".into()),
        Err(error) => Err(error.to_string()),
    }
}

impl DatabaseArguments {
    /// The database: the one that was named, else that of the configuration `config`.
    ///
    /// # Errors
    /// The configuration cannot be read.
    pub fn path(&self, config: &Path) -> Result<PathBuf, Failure> {
        match &self.database {
            Some(path) => Ok(path.clone()),
            None => Ok(config::database(config, &Environment::of_process())?),
        }
    }

    /// A reader of that database, in its time limit.
    ///
    /// # Errors
    /// There is none that this program can read.
    pub async fn reader(&self, config: &Path) -> Result<Reader, Failure> {
        Ok(Reader::open(&self.path(config)?, self.time_limit).await?)
    }
}
