//! `openeventd rules`: what helps to write rules and to trust them.

use std::path::Path;

use clap::Subcommand;

use super::{Exit, Failure};

// `openeventd rules match`
mod matching;

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
        Command::Import(arguments) => import::run(arguments),
        Command::Export(arguments) => export::run(config, arguments),
    }
}
