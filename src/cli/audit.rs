//! `openeventd audit`

use std::path::Path;

use super::{Exit, Failure};

/// What `openeventd audit` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// Runs the subcommand.
pub fn run(_config: &Path, _arguments: &Arguments) -> Result<Exit, Failure> {
    todo!()
}
