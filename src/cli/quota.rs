//! `openeventd quota`.
use super::{Exit, Failure};
use std::path::Path;
/// What `openeventd quota` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {}
/// Runs.
pub fn run(_config: &Path, _arguments: &Arguments) -> Result<Exit, Failure> {
    Ok(Exit::Success)
}
