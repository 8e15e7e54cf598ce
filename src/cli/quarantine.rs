//! `openeventd quarantine`: looks at records that could not be decoded, and replays them.
//!
//! A replay is asked for in the database and done by the daemon, or by the command itself where no daemon
//! runs. Asked for is asked for: a command that is interrupted leaves it to the daemon.

use std::path::Path;

use clap::Subcommand;

use super::{Exit, Failure, wait_for};

mod list;

mod replay;

mod select;

mod show;

/// What `openeventd quarantine` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List quarantined records that are no event yet, the newest first
    #[command(after_long_help = LIST)]
    List(list::Arguments),
    /// Show one record: where it came from, what is wrong with it, and its bytes
    #[command(after_long_help = SHOW)]
    Show(show::Arguments),
    /// Decode records anew, and accept what is an event by now
    ///
    /// The rules in force decide on it as on any event, and the belts hold: an event that is too old
    /// for a rule is held. An event that was accepted meanwhile is not planned again. What still cannot be
    /// decoded stays, with the reason.
    #[command(after_long_help = REPLAY)]
    Replay(replay::Arguments),
}

const LIST: &str = "\
Examples:
  openeventd quarantine list
  openeventd quarantine list --quarantine-reason too_large --newer-than 1d
  openeventd quarantine list --json";

const SHOW: &str = "\
Examples:
  openeventd quarantine show 3
  openeventd quarantine show 3 --raw > record.bin      the bytes as they came";

const REPLAY: &str = "\
Examples:
  openeventd quarantine replay 3 --reason 'the limit was raised'
  openeventd quarantine replay --quarantine-reason too_deep --dry-run
  openeventd quarantine replay --all --yes --no-wait --reason 'after the update'";

/// Runs the subcommand.
pub fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::List(arguments) => wait_for(list::run(config, arguments)),
        Command::Show(arguments) => wait_for(show::run(config, arguments)),
        Command::Replay(arguments) => wait_for(replay::run(config, arguments)),
    }
}
