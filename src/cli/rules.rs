//! `openeventd rules`: what helps to write rules and to trust them.

use std::path::Path;

use clap::Subcommand;

use super::{Exit, Failure};

// `openeventd rules match`
mod matching;

// `openeventd rules try`
mod trying;

// Which rules are looked at.
mod directory;

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
    /// Show what these rules would have made of the events that are stored
    ///
    /// Each event is decoded from its record as it arrived, and planned as if it came when it came: limits such as
    /// `max_calls` and `max_event_age`, and `[policy]` and `[trust]` of the present configuration, are applied by the
    /// daemon's own code.
    /// The rules in force are run over the same events, and what only one of both matches is shown. Nothing is sent and
    /// nothing is written. Events of that time that have left by retention are counted. `--time-limit` is for each
    /// page of some hundred events. The exit code is 0 whatever comes of it, 78 if the rules are wrong.
    #[command(name = "try", after_long_help = trying::EXAMPLES)]
    Try(trying::Arguments),
}

/// Runs the subcommand.
pub fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Match(arguments) => matching::run(arguments),
        Command::Try(arguments) => trying::run(config, arguments),
    }
}
