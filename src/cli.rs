//! The subcommands, one module each, and what they share: arguments, exit codes, the printing of errors.
//!
//! This is the edge where an error ends: its whole chain is printed once, on one line, and becomes an
//! exit code. Below here errors are returned. Results go to standard output, everything else to standard
//! error.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::event::decode::Limits;

// How the program ends.
pub mod exit;

// The texts of the rule directory.
pub mod rule_files;

// `openeventd run`
pub mod run;

// `openeventd check`
pub mod check;

/// `openeventd decode`
pub mod decode;

pub use exit::{Exit, Failure};

/// Where the configuration is looked for.
const CONFIG_DEFAULT: &str = "/etc/openeventd/openeventd.toml";

/// Consumes DataWorks OpenEvent change events from Kafka, decides by rules, answers with signed
/// OpenAPI calls, and keeps an audit of every decision.
#[derive(Debug, Parser)]
#[command(name = "openeventd", version, propagate_version = true, after_long_help = EXAMPLES)]
pub struct Arguments {
    /// The configuration; rules are read from rules.d beside it unless it says otherwise
    #[arg(long, global = true, value_name = "FILE", default_value = CONFIG_DEFAULT)]
    pub config: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  openeventd check --config ./openeventd.toml     find every mistake before a start
  openeventd run                                  run with /etc/openeventd/openeventd.toml
  OPENEVENTD__LOG__LEVEL=debug openeventd run     override one setting

Exit codes:
   0  success                   70  internal error
  64  wrong arguments           73  cannot create a file
  65  bad data                  74  input or output failed
  66  input not found           75  temporary failure, try again
  69  a service is unavailable  77  permission denied
  78  wrong configuration or rules";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Consume, decide, call and audit until stopped
    ///
    /// SIGTERM and SIGINT stop it in order: it stops polling, finishes or leaves what is in flight,
    /// commits, and leaves the consumer group within the configured stop time-out.
    #[command(after_long_help = "Example:\n  openeventd run --config /etc/openeventd/openeventd.toml")]
    Run,
    /// Check the configuration and all rules; touches nothing else
    ///
    /// Every problem of every file is shown at once, with its line and how to mend it. Secrets are read,
    /// to see whether they can be; no database is opened and no network is used.
    #[command(after_long_help = "Example:\n  openeventd check --config ./openeventd.toml")]
    Check,
    /// Decode records from files or standard input into normalised events
    ///
    /// Each input is one record value, which may span lines, or JSON lines. One JSON line comes out per
    /// record; one that cannot be decoded gives {"quarantined": REASON}, and exit code 65 at the end.
    #[command(
        after_long_help = "Examples:\n  openeventd decode event.json\n  kcat -C -t topic -e | openeventd decode"
    )]
    Decode {
        /// Files to read instead of standard input
        files: Vec<PathBuf>,
    },
}

impl Arguments {
    /// The arguments of this process.
    ///
    /// # Errors
    /// They are wrong, or cannot be followed.
    pub fn parse_process() -> Result<Self, Failure> {
        Arguments::try_parse().map_err(Failure::of_arguments)
    }
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Run => run::run(&arguments.config),
        Command::Check => check::run(&arguments.config),
        Command::Decode { files } => decode_files(files),
    }
}

fn decode_files(files: &[PathBuf]) -> Result<Exit, Failure> {
    let (stdin, mut stdout) = (std::io::stdin().lock(), std::io::stdout().lock());
    match decode::run(files, stdin, &mut stdout, &Limits::default()) {
        Ok(decode::Outcome::Decoded) => Ok(Exit::Success),
        Ok(decode::Outcome::Quarantined) => Ok(Exit::Data),
        Err(error @ decode::DecodeCommandError::Open { .. }) => Err(Failure::new(Exit::NoInput, error)),
        Err(error) => Err(Failure::new(Exit::Io, error)),
    }
}
