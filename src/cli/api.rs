//! `openeventd api`: looks at the operations of the OpenAPI, and makes single calls.
//!
//! Looking needs no more than the program, which holds the catalogue of both API versions. A call needs to know
//! where it goes and who signs it: from the arguments and the environment, or from the configuration.

use std::path::Path;

use clap::Subcommand;

use super::{Exit, Failure};

// Which operation is meant.
mod find;

// What a repetition does, in words.
pub(super) mod repeat;

mod list;

mod search;

mod show;

// A step as one would write it into a rule.
mod example;

mod call;

// Its place in the quota.
mod counted;

// Parameters as arguments, and from a file.
mod params;

// Where a call goes, and who signs it.
mod target;

// A request that is shown instead of sent.
mod dry_run;

// What came of a call.
mod outcome;

/// What `openeventd api` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the operations
    #[command(after_long_help = LIST)]
    List(list::Arguments),
    /// Show one operation: its parameters, what a repetition does, and an example step
    ///
    /// Of an operation that both API versions have, the newer one is shown. Exit code 66 if there is no such
    /// operation.
    #[command(after_long_help = SHOW)]
    Show(show::Arguments),
    /// Find operations by words of their names and parameters
    ///
    /// Every word has to be found; names come before parameters. Exit code 66 if nothing is found.
    #[command(after_long_help = SEARCH)]
    Search(search::Arguments),
    /// Make one signed call
    ///
    /// It is sent at once and once: nothing is asked and nothing is repeated, so try a write with --dry-run first.
    /// Values are text and are fitted to the declared type; lists and objects are written as JSON. What the
    /// operation does not take is refused before anything is sent. A client token is filled in where the
    /// operation has one.
    #[command(after_long_help = CALL)]
    Call(call::Arguments),
}

const LIST: &str = "\
Examples:
  openeventd api list --access write
  openeventd api list --api-version 2024-05-18 --json     for programs, one object a line";

const SHOW: &str = "\
Examples:
  openeventd api show RerunTaskInstances
  openeventd api show GetNode --api-version 2020-05-18 --json";

const SEARCH: &str = "\
Examples:
  openeventd api search rerun
  openeventd api search data source delete";

const CALL: &str = "\
Where it goes: --endpoint or --region; else where the account goes that signs.
Who signs it: the account of --account; or the only one of the configuration, if neither --endpoint
nor --region is given and ALIBABA_CLOUD_ACCESS_KEY_ID is not set; else the default chain of Alibaba
Cloud's SDKs, which begins with ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and
ALIBABA_CLOUD_SECURITY_TOKEN.
What it costs: a call by a configured account counts in its quota, and waits for its turn.

Examples:
  openeventd api call GetTaskInstance Id=73910042265 --region cn-shanghai
  openeventd api call RerunTaskInstances Ids='[73910042265]' Comment='by hand' --dry-run
  openeventd api call UpdateTask --params task.json --account main --json

Exit codes:
   0  success                              74  sent, and the outcome is not known
  64  the arguments cannot be sent         75  throttled, or the quota is used up
  65  rejected, or failed wholly or partly 77  forbidden, or no usable credentials
  69  unreachable or unavailable           78  wrong configuration";

/// Runs the subcommand.
pub fn run(config: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::List(arguments) => list::run(arguments),
        Command::Show(arguments) => show::run(arguments),
        Command::Search(arguments) => search::run(arguments),
        Command::Call(arguments) => call::run(config, arguments),
    }
}
