//! `openeventd rules`: what helps to write rules and to trust them.

use std::path::Path;

use clap::Subcommand;

use super::{Exit, Failure};

// `openeventd rules match`
mod matching;

/// What `openeventd rules` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell whether an event pattern matches an event
    ///
    /// Both are JSON documents, and the event need not be one of DataWorks: it is looked at as it is written. The
    /// result is `match` or `no match`, and the exit code 0 for both; 65 if one of them is not valid, with the
    /// reason on standard error. With --batch, many pairs are judged: each line of FILE is an object with `id`,
    /// `pattern`, `event` and, if wanted, `dialect`, and for each one a line {"id": ..., "result": ...} comes out, with
    /// the result "match", "no-match" or "invalid".
    #[command(name = "match", after_long_help = matching::EXAMPLES)]
    Match(matching::Arguments),
}

/// Runs the subcommand.
pub fn run(_config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Match(arguments) => matching::run(arguments),
    }
}
