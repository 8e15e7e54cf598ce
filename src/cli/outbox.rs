//! `openeventd outbox`: looks at planned calls, and releases, cancels, verifies or requeues them.
//!
//! Looking needs no more than to read the database. What changes something shows first what it will do, asks,
//! and then does exactly that and nothing that came in between.

use std::path::Path;

use clap::Subcommand;

use super::{Exit, Failure, wait_for};

mod act;

mod effect;

mod list;

mod lookup;

mod pace;

mod preview;

mod select;

pub(super) mod show;

mod verify;

/// What `openeventd outbox` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List what waits, the most urgent first
    ///
    /// Without a choice: all actions that are unresolved, held, dead, in flight, planned or waiting. With one,
    /// also those that have come to their end.
    #[command(after_long_help = LIST)]
    List(list::Arguments),
    /// Show one action: what it calls, why it waits, its attempts, and which command would do what
    #[command(after_long_help = SHOW)]
    Show(show::Arguments),
    /// Have held actions sent
    ///
    /// They are due at once, in a window of at least 30 minutes; policy and quota hold as for any call. With
    /// --rate they are due one after the other, each with that window from then on. What is not held is left alone.
    #[command(after_long_help = RELEASE)]
    Release(act::ReleaseArguments),
    /// Give actions up: they are never sent
    ///
    /// Held, planned, waiting, dead and unresolved actions are cancelled. What is being sent is left alone.
    #[command(after_long_help = CANCEL)]
    Cancel(act::Arguments),
    /// Find out what became of unresolved actions
    ///
    /// By reads of the API, which count in the quota. What was executed has succeeded, what was not is sent again, and
    /// what cannot be told stays unresolved. With --wait, what is too early to tell is looked at once more. Exit codes:
    /// 0 if all of it is certain, 65 if some is not, 75 if it was not done in time and stays asked for.
    #[command(after_long_help = VERIFY)]
    Verify(verify::VerifyArguments),
    /// Have dead and unresolved actions sent again
    ///
    /// They are due at once, with all their attempts anew, in a window of at least 30 minutes. Of unresolved
    /// ones, DataWorks may have executed the call, and of some dead ones a part of it; where a second execution
    /// would do something a second time, they are left alone without --even-if-done.
    #[command(after_long_help = REQUEUE)]
    Requeue(act::RequeueArguments),
}

const LIST: &str = "\
Examples:
  openeventd outbox list                              everything that waits
  openeventd outbox list --state held --rule rerun-failed
  openeventd outbox list --json -n 1000               for programs, one object a line";

const SHOW: &str = "\
Examples:
  openeventd outbox show 17
  openeventd outbox show 3f09a1c2 --json              by the beginning of the id";

const RELEASE: &str = "\
Examples:
  openeventd outbox release 17 18 --reason 'checked with the owner'
  openeventd outbox release --rule rerun-failed --held-reason stale --newer-than 6h --dry-run
  openeventd outbox release --all --yes --rate 2/s --reason 'backlog after the outage'";

const CANCEL: &str = "\
Examples:
  openeventd outbox cancel 17 --reason 'done by hand'
  openeventd outbox cancel --state held --older-than 1d --yes --reason 'too late'";

const VERIFY: &str = "\
Examples:
  openeventd outbox verify 17 --reason 'the daemon looks no more'
  openeventd outbox verify --all --dry-run
  openeventd outbox verify --rule rerun-failed --newer-than 1h --wait 2m --yes --reason 'outage'";

const REQUEUE: &str = "\
Examples:
  openeventd outbox requeue 17 --reason 'the permission was added'
  openeventd outbox requeue --state dead --operation StopTaskInstances --newer-than 1h --dry-run
  openeventd outbox requeue 21 --even-if-done --reason 'the instance shows no rerun'";

/// Runs the subcommand.
pub fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    wait_for(async {
        match &arguments.command {
            Command::List(arguments) => list::run(config, arguments).await,
            Command::Show(arguments) => show::run(config, arguments).await,
            Command::Release(arguments) => act::release(config, arguments).await,
            Command::Cancel(arguments) => act::cancel(config, arguments).await,
            Command::Verify(arguments) => Box::pin(verify::run(config, arguments)).await,
            Command::Requeue(arguments) => act::requeue(config, arguments).await,
        }
    })
}
