//! `openeventd rules`: what helps to write rules and to trust them.

use std::path::Path;

use clap::Subcommand;

use super::{Exit, Failure};

// `openeventd rules match`
mod matching;

// `openeventd rules test`
mod testing;
// `openeventd rules diff`
mod diff;

// `openeventd rules try`
mod trying;

// `openeventd rules import`
mod import;

// `openeventd rules export`
mod export;

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
    /// Compare a rule directory with the rules in force
    ///
    /// The rules in force are those that the daemon works by according to the audit database, else the newest ones.
    /// Rules are told by their names: added, removed, changed (and in what), or moved to another file. They are compared
    /// as they are written; whether they are right is for `openeventd check`. Exit code 0 if both have the same rules, 65
    /// if they differ, 66 if there is no such directory or nothing to compare with, 78 if a file of the directory cannot be
    /// read as rules.
    #[command(after_long_help = diff::EXAMPLES)]
    Diff(diff::Arguments),
    /// Run stored events through the rules of a directory, without any effect
    ///
    /// Events are decoded, matched and planned as the daemon does, each as of the time when it was accepted; nothing is
    /// called or written. Told are, for each rule, its matches, the calls that it would have made, and those that it
    /// would have made in mode live; what the rules in force do differently; and the calls a day beside what the account
    /// may spend. The limit of calls in an hour counts from the first event on. Exit code 0, 65 if
    /// a rule failed for some event, 66 if there is no such directory or rule, 78 if the rules or the configuration are
    /// wrong.
    #[command(name = "try", after_long_help = trying::EXAMPLES)]
    Try(trying::Arguments),
    /// Make rules from the rules of an event bus
    ///
    /// Each FILE is JSON: a pattern, the answer of `aws events describe-rule` or `list-rules` or of Alibaba Cloud's
    /// `GetRule` or `ListRules`, a `AWS::Events::Rule` of a template, or a list of these. The rules come out as TOML in mode
    /// observe. What cannot be carried over, such as targets, is told on standard error. A rule whose pattern is
    /// refused is left out, and the exit code is then 65.
    #[command(after_long_help = import::EXAMPLES)]
    Import(import::Arguments),
    /// Print the patterns of the rules as strict JSON, for an event bus
    ///
    /// With --dialect, `code` becomes `type` and names become those of the bus. A rule that uses what the bus lacks, or
    /// what only openeventd knows, such as `status`, is told on standard error and left out, and the exit code is then
    /// 65. Without --dialect, names and operators stay as they are.
    #[command(after_long_help = export::EXAMPLES)]
    Export(export::Arguments),
}

/// Runs the subcommand.
pub fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Match(arguments) => matching::run(arguments),
        Command::Test(arguments) => testing::run(config, arguments),
        Command::Diff(arguments) => diff::run(config, arguments),
        Command::Try(arguments) => trying::run(config, arguments),
        Command::Import(arguments) => import::run(arguments),
        Command::Export(arguments) => export::run(config, arguments),
    }
}
