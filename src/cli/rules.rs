//! `openeventd rules`: what helps to write rules and to trust them.

use std::path::Path;

use clap::Subcommand;

use super::{Exit, Failure};

// `openeventd rules match`
mod matching;

// `openeventd rules test`
mod testing;

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
    /// Run the tests of rules, `*.test.toml` beside them
    ///
    /// Each gives an event and says which rules match it and what they call; docs/rule-tests.md describes them. Nothing is
    /// called, and no secret is read. Accounts and policy are those of the configuration; without one, the rules of DIR
    /// are tested alone. The exit code is for scripts: 0 if every test passed, 65 if one failed, 78 if rules or tests are
    /// wrong, with every mistake on standard error.
    #[command(after_long_help = testing::EXAMPLES)]
    Test(testing::Arguments),
}

/// Runs the subcommand.
pub fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Match(arguments) => matching::run(arguments),
        Command::Test(arguments) => testing::run(config, arguments),
    }
}
