//! `openeventd init`

use super::{Exit, Failure};

/// What `openeventd init` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// Runs the subcommand.
pub fn run(_arguments: &Arguments) -> Result<Exit, Failure> {
    todo!()
}
