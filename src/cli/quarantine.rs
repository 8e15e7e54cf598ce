//! `openeventd quarantine`

use std::path::Path;

use super::{Exit, Failure};

/// What `openeventd quarantine` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// Runs the subcommand.
pub fn run(_config: &Path, _arguments: &Arguments) -> Result<Exit, Failure> {
    todo!()
}
